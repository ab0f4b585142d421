#include "coord/peer/framing.h"

#include <string>
#include <vector>

#include "base/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string RecordOf(RecordKind kind, std::string_view payload) {
  std::string out;
  const size_t begin = BeginRecord(out);
  out += payload;
  CloseRecord(out, begin, kind);
  return out;
}

std::string StreamOf(const std::vector<std::string>& payloads) {
  std::string out(kPreamble);
  for (const std::string& payload : payloads) out += RecordOf(RecordKind::kBatch, payload);
  return out;
}

// The payloads of all that is there whole; the error at the end, if there is one.
std::vector<std::string> TakeAll(RecordDecoder& decoder, absl::Status* error = nullptr) {
  std::vector<std::string> payloads;
  while (true) {
    const auto record = decoder.Next();
    if (!record.ok() && error != nullptr) *error = record.status();
    if (!record.ok() || !record->has_value()) return payloads;
    payloads.emplace_back((*record)->payload);
  }
}

absl::Status ErrorOf(std::string_view bytes) {
  RecordDecoder decoder;
  decoder.Append(bytes);
  absl::Status error;
  TakeAll(decoder, &error);
  return error;
}

TEST(PeerFraming, GivesBackWhatWasSealedHoweverItIsCut) {
  const std::vector<std::string> payloads = {"one", "", std::string(5000, 'x'), "four"};
  const std::string stream = StreamOf(payloads);
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{100}, stream.size()}) {
    RecordDecoder decoder;
    std::vector<std::string> taken;
    for (size_t at = 0; at < stream.size(); at += piece) {
      decoder.Append(std::string_view(stream).substr(at, piece));
      for (std::string& payload : TakeAll(decoder)) taken.push_back(std::move(payload));
    }
    EXPECT_EQ(taken, payloads) << "in pieces of " << piece;
  }
}

TEST(PeerFraming, PiecesMayComeBeforeEarlierRecordsAreTaken) {
  const std::string stream = StreamOf({"one", "two", "three"});
  RecordDecoder decoder;
  decoder.Append(stream.substr(0, stream.size() - 1));
  ASSERT_TRUE(decoder.Next()->has_value());
  decoder.Append(stream.substr(stream.size() - 1));
  EXPECT_THAT(TakeAll(decoder), ElementsAre("two", "three"));
}

TEST(PeerFraming, AnotherProtocolIsKnownByItsFirstByte) {
  RecordDecoder decoder;
  decoder.Append(std::string_view("\0\0\x12\4", 4));  // SETTINGS of an HTTP/2 server
  EXPECT_FALSE(decoder.Next().ok());
  EXPECT_FALSE(decoder.begun());
  EXPECT_FALSE(ErrorOf(std::string_view("BWPEER\0\2", 8)).ok());
}

TEST(PeerFraming, APartOfThePreambleSaysNothingYet) {
  RecordDecoder decoder;
  decoder.Append(kPreamble.substr(0, 7));
  EXPECT_THAT(TakeAll(decoder), ElementsAre());
  EXPECT_FALSE(decoder.begun());
  decoder.Append(kPreamble.substr(7));
  EXPECT_THAT(TakeAll(decoder), ElementsAre());
  EXPECT_TRUE(decoder.begun());
}

TEST(PeerFraming, EveryFlippedBitIsNoticed) {
  const std::string stream = StreamOf({"some payload"});
  for (size_t at = kPreamble.size(); at < stream.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = stream;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      RecordDecoder decoder;
      decoder.Append(damaged);
      EXPECT_THAT(TakeAll(decoder), ElementsAre()) << "byte " << at << " bit " << bit;
    }
  }
}

TEST(PeerFraming, ALengthAloneTakesNoMemory) {
  std::string head(kPreamble);
  const size_t begin = BeginRecord(head);
  head.replace(begin, 4, std::string("\0\x80\0\0", 4));  // 8 MiB
  head.back() = 1;
  RecordDecoder decoder;
  decoder.Append(head);
  EXPECT_THAT(TakeAll(decoder), ElementsAre());
  EXPECT_LT(decoder.memory_bytes(), 1000u);
  decoder.Append(std::string(10000, 'x'));
  EXPECT_THAT(TakeAll(decoder), ElementsAre());
  EXPECT_LT(decoder.memory_bytes(), 100000u);
}

TEST(PeerFraming, ALengthAboveTheBoundIsRefusedAtOnce) {
  std::string head(kPreamble);
  const size_t begin = BeginRecord(head);
  head.replace(begin, 4, std::string("\0\x80\0\1", 4));  // and a byte
  EXPECT_THAT(std::string(ErrorOf(head).message()), HasSubstr("8388609"));
}

TEST(PeerFraming, TheLargestRecordPasses) {
  const std::string payload(kRecordPayloadMax, 'x');
  RecordDecoder decoder;
  decoder.Append(StreamOf({payload}));
  EXPECT_THAT(TakeAll(decoder), ElementsAre(payload));
  decoder.Append(RecordOf(RecordKind::kBatch, "small"));
  EXPECT_THAT(TakeAll(decoder), ElementsAre("small"));
  EXPECT_LT(decoder.memory_bytes(), 1000u) << "a large buffer is given back";
}

TEST(PeerFraming, UnknownKindsAreRefused) {
  EXPECT_FALSE(ErrorOf(std::string(kPreamble) + RecordOf(static_cast<RecordKind>(0), "")).ok());
  EXPECT_FALSE(ErrorOf(std::string(kPreamble) + RecordOf(static_cast<RecordKind>(3), "")).ok());
}

TEST(PeerFraming, RandomBytesNeverCrash) {
  base::Random random(7);
  for (int run = 0; run < 2000; ++run) {
    std::string bytes(kPreamble);
    for (int i = 0; i < 64; ++i) bytes += static_cast<char>(i % 9 < 2 ? 0 : random.Next());
    RecordDecoder decoder;
    decoder.Append(bytes);
    TakeAll(decoder);
  }
}

TEST(PeerFraming, AReasonKeepsCodeAndMessage) {
  const absl::Status reason = absl::NotFoundError("server 2 is not in the ensemble");
  EXPECT_EQ(DecodeEnd(EncodeEnd(reason)), reason);
}

TEST(PeerFraming, AReasonIsNeverOk) {
  EXPECT_EQ(DecodeEnd("").code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(DecodeEnd(std::string_view("\0\0\0\0fine", 8)).code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(DecodeEnd(std::string_view("\0\0\0\x11", 4)).code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(DecodeEnd(std::string_view("\xff\xff\xff\xff", 4)).code(), absl::StatusCode::kUnknown);
}

TEST(PeerFraming, AReasonIsBounded) {
  const absl::Status reason = absl::NotFoundError(std::string(1 << 20, 'x'));
  EXPECT_EQ(EncodeEnd(reason).size(), 4u + 4096u);
  EXPECT_EQ(DecodeEnd(std::string("\0\0\0\5", 4) + std::string(1 << 20, 'x')).message().size(), 4096u);
}

}  // namespace
}  // namespace bellwether::coord
