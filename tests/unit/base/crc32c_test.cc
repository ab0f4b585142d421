#include "base/crc32c.h"

#include <string>

#include "base/random.h"
#include "gtest/gtest.h"

namespace bellwether::base {
namespace {

// RFC 3720, appendix B.4.
TEST(Crc32c, MatchesPublishedVectors) {
  std::string ascending;
  for (char c = 0; c < 32; ++c) ascending.push_back(c);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(Crc32c(ascending), 0x46dd794eu);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(""), 0u);
}

TEST(Crc32c, ContinuesOverAnySplit) {
  Random random(1);
  std::string data(100, '\0');
  for (char& byte : data) byte = static_cast<char>(random.Next());
  const std::string_view view = data;
  for (size_t split = 0; split <= view.size(); ++split) {
    EXPECT_EQ(Crc32c(view.substr(split), Crc32c(view.substr(0, split))), Crc32c(view)) << split;
  }
}

TEST(Crc32c, NoticesEveryFlippedBit) {
  std::string data = "one record of the log";
  const uint32_t crc = Crc32c(data);
  for (size_t bit = 0; bit < data.size() * 8; ++bit) {
    data[bit / 8] = static_cast<char>(data[bit / 8] ^ (1 << bit % 8));
    EXPECT_NE(Crc32c(data), crc) << bit;
    data[bit / 8] = static_cast<char>(data[bit / 8] ^ (1 << bit % 8));
  }
}

}  // namespace
}  // namespace bellwether::base
