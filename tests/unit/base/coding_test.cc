#include "base/coding.h"

#include <limits>

#include "base/random.h"
#include "gtest/gtest.h"

namespace bellwether::base {
namespace {

TEST(Coding, ReadsBackWhatItWrote) {
  std::string bytes;
  Encoder(bytes).Fixed8(0xfe).Fixed16(0xfedc).Fixed32(0xfedcba98).Fixed64(0xfedcba9876543210);
  Encoder(bytes).Varint(300).Signed(-3).String("key").Raw("tail");

  Decoder decoder(bytes);
  EXPECT_EQ(decoder.Fixed8(), 0xfe);
  EXPECT_EQ(decoder.Fixed16(), 0xfedc);
  EXPECT_EQ(decoder.Fixed32(), 0xfedcba98);
  EXPECT_EQ(decoder.Fixed64(), 0xfedcba9876543210);
  EXPECT_EQ(decoder.Varint(), 300);
  EXPECT_EQ(decoder.Signed(), -3);
  EXPECT_EQ(decoder.String(), "key");
  EXPECT_FALSE(decoder.Done());
  EXPECT_EQ(decoder.Raw(4), "tail");
  EXPECT_TRUE(decoder.Done());
}

TEST(Coding, FixedIntegersSortByValue) {
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    const uint64_t a = random.Next() >> random.Below(64);
    const uint64_t b = random.Next() >> random.Below(64);
    std::string a_bytes;
    std::string b_bytes;
    Encoder(a_bytes).Fixed64(a);
    Encoder(b_bytes).Fixed64(b);
    EXPECT_EQ(a < b, a_bytes < b_bytes) << a << " " << b;
  }
}

TEST(Coding, KeepsIntegersOfEveryLength) {
  Random random(2);
  for (int i = 0; i < 1000; ++i) {
    const uint64_t value = random.Next() >> random.Below(64);
    const auto negative = -static_cast<int64_t>(value >> 1);
    std::string bytes;
    Encoder(bytes).Varint(value).Signed(negative);
    Decoder decoder(bytes);
    EXPECT_EQ(decoder.Varint(), value);
    EXPECT_EQ(decoder.Signed(), negative);
    EXPECT_TRUE(decoder.Done());
  }
}

TEST(Coding, KeepsTheExtremes) {
  std::string bytes;
  Encoder(bytes)
      .Varint(std::numeric_limits<uint64_t>::max())
      .Signed(std::numeric_limits<int64_t>::min())
      .Signed(std::numeric_limits<int64_t>::max());
  Decoder decoder(bytes);
  EXPECT_EQ(decoder.Varint(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(decoder.Signed(), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(decoder.Signed(), std::numeric_limits<int64_t>::max());
  EXPECT_TRUE(decoder.Done());
}

TEST(Coding, VarintIsProtobufs) {
  std::string bytes;
  Encoder(bytes).Varint(300);
  EXPECT_EQ(bytes, "\xac\x02");
}

TEST(Coding, EveryTruncationIsNoticed) {
  std::string bytes;
  Encoder(bytes).Fixed32(7).Varint(1 << 20).String("payload").Fixed64(9);
  for (size_t size = 0; size < bytes.size(); ++size) {
    Decoder decoder(std::string_view(bytes).substr(0, size));
    decoder.Fixed32();
    decoder.Varint();
    decoder.String();
    decoder.Fixed64();
    EXPECT_FALSE(decoder.ok()) << size;
  }
}

TEST(Coding, ReadsNothingAfterTheFirstFailure) {
  Decoder decoder("\x01\x02");
  EXPECT_EQ(decoder.Fixed32(), 0);
  EXPECT_EQ(decoder.Fixed8(), 0);
  EXPECT_EQ(decoder.String(), "");
  EXPECT_FALSE(decoder.Done());
}

TEST(Coding, RefusesVarintsAbove64Bits) {
  const std::string eleven_bytes(11, '\x80');
  Decoder endless(eleven_bytes);
  endless.Varint();
  EXPECT_FALSE(endless.ok());

  const std::string two_to_the_64 = std::string(9, '\x80') + '\x02';
  Decoder overflowing(two_to_the_64);
  overflowing.Varint();
  EXPECT_FALSE(overflowing.ok());
}

TEST(Coding, RefusesStringsLongerThanTheInput) {
  std::string bytes;
  Encoder(bytes).Varint(std::numeric_limits<uint64_t>::max()).Raw("short");
  Decoder decoder(bytes);
  EXPECT_EQ(decoder.String(), "");
  EXPECT_FALSE(decoder.ok());
}

TEST(Coding, SurvivesRandomBytes) {
  Random random(3);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(random.Below(40), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.Next());
    Decoder decoder(bytes);
    while (decoder.ok() && decoder.remaining() > 0) {
      const size_t before = decoder.remaining();
      switch (random.Below(4)) {
        case 0: decoder.Varint(); break;
        case 1: decoder.Signed(); break;
        case 2: decoder.String(); break;
        default: decoder.Fixed16(); break;
      }
      if (decoder.ok()) {
        EXPECT_LT(decoder.remaining(), before);
      }
    }
  }
}

}  // namespace
}  // namespace bellwether::base
