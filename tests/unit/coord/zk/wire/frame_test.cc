#include "coord/zk/wire/frame.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"
#include "tests/support/allocated_bytes.h"
#include "tests/support/zk_examples.h"

namespace bellwether::coord::zk::wire {
namespace {

using tests::Bytes;

std::string Frame(std::string_view body) {
  std::string frame;
  const size_t begin = BeginFrame(frame);
  frame += body;
  EXPECT_TRUE(EndFrame(frame, begin));
  return frame;
}

std::vector<std::string> AllNow(FrameReader& reader) {
  std::vector<std::string> bodies;
  for (auto body = reader.Next(); body.has_value(); body = reader.Next()) {
    bodies.emplace_back(*body);
  }
  return bodies;
}

TEST(Frame, LengthIsPutBeforeTheBody) {
  std::string out = "before";
  const size_t begin = BeginFrame(out);
  out += "abc";
  ASSERT_TRUE(EndFrame(out, begin));
  EXPECT_EQ(out, Bytes("'before' 00000003 'abc'"));
  EXPECT_EQ(Frame(""), Bytes("00000000"));
}

TEST(FrameReader, ReadsFramesAsTheyComeHoweverCut) {
  base::Random random(1);
  std::vector<std::string> bodies;
  std::string bytes;
  for (int i = 0; i < 50; ++i) {
    const uint64_t size = i % 7 == 0 ? 0 : random.Below(i % 11 == 0 ? 40'000 : 50);
    bodies.emplace_back(size, static_cast<char>('a' + i % 26));
    bytes += Frame(bodies.back());
  }
  for (const size_t piece_max : {size_t{1}, size_t{7}, size_t{1000}, bytes.size()}) {
    FrameReader reader;
    std::vector<std::string> read;
    for (std::string_view rest = bytes; !rest.empty();) {
      const std::string_view piece = rest.substr(0, 1 + random.Below(piece_max));
      rest.remove_prefix(piece.size());
      reader.Append(piece);
      for (std::string& body : AllNow(reader)) read.push_back(std::move(body));
    }
    EXPECT_EQ(read, bodies);
    EXPECT_EQ(reader.unread(), "");
    EXPECT_FALSE(reader.bad());
  }
}

TEST(FrameReader, KeepsWhatWasNotTaken) {
  FrameReader reader;
  reader.Append(Frame("one") + Frame("two") + Bytes("0000"));
  EXPECT_EQ(reader.Next(), "one");
  reader.Append(Frame("three").substr(2));
  EXPECT_EQ(reader.Next(), "two");
}

// Z47: 1,048,575 bytes, and 64 KiB before the handshake.
TEST(FrameReader, LengthsAboveTheLimitAreBad) {
  const auto first_of = [](size_t frame_bytes_max, std::string_view length) {
    FrameReader reader(frame_bytes_max);
    reader.Append(Bytes(length));
    EXPECT_EQ(reader.Next(), std::nullopt);
    return reader.bad();
  };
  EXPECT_FALSE(first_of(kHandshakeFrameBytesMax, "00010000"));
  EXPECT_TRUE(first_of(kHandshakeFrameBytesMax, "00010001"));
  EXPECT_FALSE(first_of(kFrameBytesMax, "000fffff"));
  EXPECT_TRUE(first_of(kFrameBytesMax, "00100000"));
  EXPECT_TRUE(first_of(kFrameBytesMax, "7fffffff"));
  EXPECT_TRUE(first_of(kFrameBytesMax, "ffffffff"));
  EXPECT_TRUE(first_of(kFrameBytesMax, "80000000"));
}

TEST(FrameReader, TheLargestFrameIsRead) {
  FrameReader reader;
  reader.set_frame_bytes_max(kFrameBytesMax);
  const std::string body(kFrameBytesMax, 'x');
  reader.Append(Frame(body) + Frame("next"));
  EXPECT_EQ(reader.Next(), body);
  EXPECT_EQ(reader.Next(), "next");
}

TEST(FrameReader, ReadsNothingBehindABadFrame) {
  FrameReader reader;
  reader.Append(Frame("good") + Bytes("ffffffff") + Frame("behind"));
  EXPECT_EQ(reader.Next(), "good");
  EXPECT_EQ(reader.Next(), std::nullopt);
  reader.Append(Frame("later"));
  EXPECT_EQ(reader.Next(), std::nullopt);
  EXPECT_TRUE(reader.bad());
  EXPECT_EQ(reader.unread(), "");
}

TEST(FrameReader, AnAnnouncedLengthTakesNoMemory) {
  const std::string bytes = Bytes("000fffff 'a'");
  const uint64_t before = tests::AllocatedBytes();
  FrameReader reader(kFrameBytesMax);
  reader.Append(bytes);
  EXPECT_EQ(reader.Next(), std::nullopt);
  EXPECT_LT(tests::AllocatedBytes() - before, 1000);
}

TEST(FrameReader, BytesOneByOneTakeMemoryInProportion) {
  FrameReader reader(kFrameBytesMax);
  const std::string bytes = Frame(std::string(100'000, 'x'));
  const uint64_t before = tests::AllocatedBytes();
  for (const char& byte : bytes) {
    reader.Append({&byte, 1});
    if (reader.Next().has_value()) break;
  }
  EXPECT_EQ(reader.unread(), "");
  EXPECT_LT(tests::AllocatedBytes() - before, 4 * bytes.size());
}

TEST(FrameReader, MemoryOfALargeFrameIsGivenBack) {
  const std::string large = Frame(std::string(100'000, 'x'));
  FrameReader reader(kFrameBytesMax);
  for (int i = 0; i < 2; ++i) {
    const uint64_t before = tests::AllocatedBytes();
    reader.Append(large);
    ASSERT_TRUE(reader.Next().has_value());
    EXPECT_EQ(reader.Next(), std::nullopt);
    EXPECT_GE(tests::AllocatedBytes() - before, large.size());  // it had none left
  }
}

// Z56.
TEST(FourLetterWord, IsFourLowerCaseLetters) {
  EXPECT_EQ(FourLetterWordOf("ruok"), "ruok");
  EXPECT_EQ(FourLetterWordOf("mntr\n"), "mntr");
  EXPECT_EQ(FourLetterWordOf("zzzz"), "zzzz");
  EXPECT_EQ(FourLetterWordOf(""), std::nullopt);
  EXPECT_EQ(FourLetterWordOf("ruo"), std::nullopt);
  EXPECT_EQ(FourLetterWordOf("ruoK"), std::nullopt);
  EXPECT_EQ(FourLetterWordOf("ruo{"), std::nullopt);
  EXPECT_EQ(FourLetterWordOf("`uok"), std::nullopt);
  EXPECT_EQ(FourLetterWordOf(Bytes("0000002c 00000000")), std::nullopt);
}

}  // namespace
}  // namespace bellwether::coord::zk::wire
