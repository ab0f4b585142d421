#include "coord/zk/wire/jute.h"

#include <cstdint>
#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "tests/support/zk_examples.h"

namespace bellwether::coord::zk::wire {
namespace {

using tests::Bytes;

TEST(Jute, ReadsBackWhatItWrote) {
  std::string bytes;
  JuteWriter writer(bytes);
  writer.Int(INT32_MIN).Long(INT64_MIN).Bool(true).Bool(false);
  writer.Bytes("ab").Bytes("").Bytes(std::nullopt).Text("text").Count(3);
  EXPECT_EQ(bytes, Bytes("80000000 8000000000000000 01 00"
                         "00000002 'ab' 00000000 ffffffff 00000004 'text' 00000003"));

  JuteReader reader(bytes);
  EXPECT_EQ(reader.Int(), INT32_MIN);
  EXPECT_EQ(reader.Long(), INT64_MIN);
  EXPECT_TRUE(reader.Bool());
  EXPECT_FALSE(reader.Bool());
  EXPECT_EQ(reader.Bytes(), Buffer("ab"));
  EXPECT_EQ(reader.Bytes(), Buffer(""));
  EXPECT_EQ(reader.Bytes(), std::nullopt);
  EXPECT_EQ(reader.PathText(), "text");
  EXPECT_EQ(reader.Int(), 3);
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.remaining(), 0);
}

TEST(Jute, EveryByteButZeroIsTrue) {
  const std::string bytes = Bytes("02 ff");
  JuteReader reader(bytes);
  EXPECT_TRUE(reader.Bool());
  EXPECT_TRUE(reader.Bool());
}

TEST(Jute, NullTextIsEmptyAndANullPathNotPossible) {
  const std::string bytes = Bytes("ffffffff");
  JuteReader text(bytes);
  EXPECT_EQ(text.Text(), "");
  EXPECT_TRUE(text.ok());
  JuteReader path(bytes);
  EXPECT_EQ(path.PathText(), "");
  EXPECT_FALSE(path.ok());
}

TEST(Jute, ALengthThatIsNotThereIsNotPossible) {
  for (const char* text : {"00000002 'a'", "7fffffff 'a'", "fffffffe", "80000000", "000000"}) {
    const std::string bytes = Bytes(text);
    JuteReader reader(bytes);
    reader.Bytes();
    EXPECT_FALSE(reader.ok()) << text;
  }
}

TEST(Jute, NothingIsReadAfterAFailure) {
  const std::string bytes = Bytes("fffffffe 00000001 00000001 'a' 00000001 01");
  JuteReader reader(bytes);
  reader.Bytes();
  EXPECT_EQ(reader.Int(), 0);
  EXPECT_EQ(reader.Long(), 0);
  EXPECT_EQ(reader.Text(), "");
  EXPECT_EQ(reader.Count(1), 0);
  EXPECT_FALSE(reader.Bool());
  EXPECT_FALSE(reader.ok());
}

TEST(Jute, ACountIsBoundedByTheBytesLeft) {
  const std::string eight_left = Bytes("00000002 00000000 00000000");
  EXPECT_EQ(JuteReader(eight_left).Count(4), 2);
  JuteReader too_large(eight_left);
  EXPECT_EQ(too_large.Count(5), 0);
  EXPECT_FALSE(too_large.ok());
  const std::string hostile = Bytes("7fffffff 00000000 00000000");
  JuteReader reader(hostile);
  EXPECT_EQ(reader.Count(1), 0);
  EXPECT_FALSE(reader.ok());
}

// As in ZooKeeper: -1 is an absent vector (Z60), and the others no items either.
TEST(Jute, NegativeCountsAreNoItems) {
  for (const char* text : {"ffffffff", "fffffffe", "80000000"}) {
    const std::string bytes = Bytes(text);
    JuteReader reader(bytes);
    EXPECT_EQ(reader.Count(4), 0) << text;
    EXPECT_TRUE(reader.ok()) << text;
  }
}

}  // namespace
}  // namespace bellwether::coord::zk::wire
