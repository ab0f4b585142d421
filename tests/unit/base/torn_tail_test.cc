#include "base/torn_tail.h"

#include <memory>
#include <string>
#include <vector>

#include "base/crc32c.h"
#include "base/file.h"
#include "gtest/gtest.h"
#include "tests/support/scratch_folder.h"

namespace bellwether::base {
namespace {

constexpr size_t kBlockBytes = 32 << 10;
constexpr char kFull = 1;
constexpr char kFirst = 2;
constexpr char kMiddle = 3;
constexpr char kLast = 4;

void AppendLittleEndian(uint32_t value, size_t bytes, std::string& out) {
  for (size_t i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

std::string Fragment(char type, const std::string& payload) {
  const uint32_t sum = Crc32c(payload, Crc32c(std::string(1, type)));
  std::string out;
  AppendLittleEndian((sum >> 15 | sum << 17) + 0xa282ead8u, 4, out);
  AppendLittleEndian(static_cast<uint32_t>(payload.size()), 2, out);
  return out + type + payload;
}

std::string Full(size_t bytes) { return Fragment(kFull, std::string(bytes, 'x')); }

std::string ZerosFrom(std::string bytes, size_t position) {
  return bytes.replace(position, std::string::npos, bytes.size() - position, '\0');
}

class TornTail : public ::testing::Test {
 protected:
  // What is left of a write-ahead log after CutTornTails.
  std::string Cut(const std::string& log) {
    EXPECT_TRUE(WriteFileDurably(folder_ / "000012.log", log).ok());
    const auto folder = OpenFolder(folder_ / "");
    EXPECT_TRUE(folder.ok());
    const auto cut = CutTornTails(**folder);
    EXPECT_TRUE(cut.ok()) << cut.status();
    const auto left = ReadFile(folder_ / "000012.log");
    EXPECT_TRUE(left.ok());
    EXPECT_EQ(left->size() + *cut, log.size());
    return *left;
  }

  ScratchFolder folder_;
};

TEST_F(TornTail, WholeWritesAreKept) {
  const std::string log = Full(100) + Full(0) + Full(3000);
  EXPECT_EQ(Cut(log), log);
  EXPECT_EQ(Cut(""), "");
}

TEST_F(TornTail, AWriteWithAHoleAtTheEndIsCutOff) {
  const std::string whole = Full(4000);
  const std::string log = whole + Full(5000);
  EXPECT_EQ(Cut(ZerosFrom(log, 8192)), whole);
  EXPECT_EQ(Cut(ZerosFrom(log, whole.size())), whole);
  EXPECT_EQ(Cut(log.substr(0, 8000)), whole);
  EXPECT_EQ(Cut(log.substr(0, whole.size() + 3)), whole);
}

TEST_F(TornTail, DamageBeforeAWholeWriteIsLeftToBeReported) {
  const std::string first = Full(4000);
  for (const size_t damaged : {size_t{0}, size_t{4}, size_t{5}, size_t{6}, size_t{2000}}) {
    std::string log = first + Full(100) + Full(200);
    log[damaged] ^= 0x40;
    EXPECT_EQ(Cut(log), log) << "byte " << damaged;
  }
}

TEST_F(TornTail, AWriteOverSeveralBlocksIsOne) {
  const std::string whole = Full(1000);
  const std::string first = Fragment(kFirst, std::string(kBlockBytes - whole.size() - 7, 'a'));
  const std::string middle = Fragment(kMiddle, std::string(kBlockBytes - 7, 'b'));
  const std::string last = Fragment(kLast, std::string(100, 'c'));
  const std::string log = whole + first + middle + last;
  EXPECT_EQ(Cut(log), log);

  // Pages reach the disk in any order: the end may be there without the middle.
  std::string torn = log;
  torn.replace(kBlockBytes + 4096, 4096, 4096, '\0');
  EXPECT_EQ(Cut(torn), whole + first);
  torn = log;
  torn.replace(2000, 4096, 4096, '\0');
  EXPECT_EQ(Cut(torn), whole);

  torn += Full(10);
  EXPECT_EQ(Cut(torn), torn) << "a later write has begun";
}

TEST_F(TornTail, ABlockWithoutRoomForAHeaderEndsInZeros) {
  std::string log = Full(kBlockBytes - 7 - 5) + std::string(5, '\0') + Full(10);
  EXPECT_EQ(Cut(log), log);
}

TEST_F(TornTail, OnlyTheNewestLogAndTheManifestInForceAreTouched) {
  const std::string torn = Full(10) + Full(20).substr(0, 15);
  const std::vector<std::string> touched = {"000012.log", "MANIFEST-000007"};
  const std::vector<std::string> others = {"000009.log", "MANIFEST-000004", "LOG"};
  for (const auto& names : {touched, others}) {
    for (const std::string& name : names) {
      ASSERT_TRUE(WriteFileDurably(folder_ / name, torn).ok());
    }
  }
  ASSERT_TRUE(WriteFileDurably(folder_ / "CURRENT", "MANIFEST-000007\n").ok());
  const auto folder = OpenFolder(folder_ / "");
  ASSERT_TRUE(folder.ok());
  EXPECT_EQ(CutTornTails(**folder).value(), 30u);
  for (const std::string& name : touched) EXPECT_EQ(ReadFile(folder_ / name).value(), Full(10));
  for (const std::string& name : others) EXPECT_EQ(ReadFile(folder_ / name).value(), torn);
}

}  // namespace
}  // namespace bellwether::base
