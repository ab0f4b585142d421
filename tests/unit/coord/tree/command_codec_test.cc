#include <string>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "coord/tree/command.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord::tree {
namespace {

std::vector<Command> OneOfEach() {
  Transaction transaction;
  transaction.compares = {Compare{"/a", Compare::Field::kMzxid, -5},
                          Compare{"", Compare::Field::kEphemeralOwner, INT64_MIN}};
  transaction.operations = {Create{"/a", Data("x"), CreateMode::kEphemeral},
                            SetData{"/b", {}, INT32_MIN}, Delete{"/c", INT32_MAX}};
  const std::vector<Operation> operations = {
      CreateSession{base::Uuid(1, 2), Password(3), 4000, 5},
      AttachSession{SessionId(~uint64_t{0}), Password(6), -7},
      CloseSession{},
      ExpireSession{SessionId(8), SessionGeneration(~uint64_t{0})},
      Create{"/null", {}, CreateMode::kPersistentSequential},
      Create{"/unknown-mode", Data(""), static_cast<CreateMode>(200)},
      SetData{"/set", Data(std::string("\0\xff", 2)), 9},
      Delete{std::string("/a\0b", 4), kAnyVersion},
      DeleteRecursive{"/r"},
      transaction,
      Transaction{},
      SetEnsembleId{base::Uuid(10, 11)},
      SetFeatureLevel{4'000'000'000}};
  std::vector<Command> commands;
  for (const Operation& operation : operations) {
    Command command;
    command.session = SessionId(0x0102030405060708);
    command.generation = SessionGeneration(300);
    command.sequence = CommandSequence(70'000 + commands.size());
    command.acknowledged_floor = CommandSequence(69'999);
    command.operation = operation;
    commands.push_back(command);
  }
  return commands;
}

std::string Encoded(const Command& command) {
  std::string bytes;
  EncodeCommand(command, bytes);
  return bytes;
}

TEST(CommandCodec, RoundTripsEveryOperation) {
  for (const Command& command : OneOfEach()) {
    const auto decoded = DecodeCommand(Encoded(command));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, command) << "operation " << command.operation.index();
  }
}

TEST(CommandCodec, FormatIsFixed) {
  Command command;
  command.session = SessionId(0x0102030405060708);
  command.generation = SessionGeneration(1);
  command.sequence = CommandSequence(2);
  command.acknowledged_floor = CommandSequence(1);
  command.operation = Create{"/a", Data("x"), CreateMode::kEphemeral};
  EXPECT_EQ(Encoded(command),
            std::string("\x01\x05\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x01\x02/a\x01\x01x\x01",
                        20));
}

TEST(CommandCodec, EveryTruncationIsDataLoss) {
  for (const Command& command : OneOfEach()) {
    const std::string bytes = Encoded(command);
    for (size_t length = 0; length < bytes.size(); ++length) {
      EXPECT_EQ(DecodeCommand(bytes.substr(0, length)).status().code(),
                absl::StatusCode::kDataLoss)
          << "operation " << command.operation.index() << " cut at " << length;
    }
    EXPECT_EQ(DecodeCommand(bytes + 'x').status().code(), absl::StatusCode::kDataLoss);
  }
}

// A flip may give another valid command, but never a crash nor one that differs from its own
// encoding.
TEST(CommandCodec, FlippedBitsAreHarmless) {
  for (const Command& command : OneOfEach()) {
    const std::string bytes = Encoded(command);
    for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      const auto decoded = DecodeCommand(flipped);
      if (decoded.ok()) {
        EXPECT_EQ(*DecodeCommand(Encoded(*decoded)), *decoded);
      }
    }
  }
}

TEST(CommandCodec, RandomBytesAreHarmless) {
  base::Random random(5);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = {1, static_cast<char>(random.Between(1, 10))};
    const size_t length = random.Below(60);
    while (bytes.size() < length) bytes += static_cast<char>(random.Below(i % 2 == 0 ? 256 : 8));
    const auto decoded = DecodeCommand(bytes);
    if (decoded.ok()) {
      EXPECT_EQ(*DecodeCommand(Encoded(*decoded)), *decoded);
    }
  }
}

TEST(CommandCodec, UnknownIsToldFromDamaged) {
  std::string newer = Encoded(OneOfEach()[0]);
  newer[0] = 2;
  EXPECT_EQ(DecodeCommand(newer).status().code(), absl::StatusCode::kUnimplemented);
  for (const int kind : {0, 12, 255}) {
    std::string unknown = Encoded(OneOfEach()[0]);
    unknown[1] = static_cast<char>(kind);
    EXPECT_EQ(DecodeCommand(unknown).status().code(), absl::StatusCode::kUnimplemented);
  }
  Command command;
  command.operation = Transaction{{Compare{"/a", static_cast<Compare::Field>(5), 0}}, {}};
  EXPECT_EQ(DecodeCommand(Encoded(command)).status().code(), absl::StatusCode::kUnimplemented);

  command.operation = Transaction{{}, {Delete{"/a", 0}}};
  std::string nested = Encoded(command);
  const size_t kind = nested.size() - 5;
  ASSERT_EQ(nested[kind], 7);
  nested[kind] = 9;
  EXPECT_EQ(DecodeCommand(nested).status().code(), absl::StatusCode::kUnimplemented);
}

// The strings and lists declared here would take far more memory than there is.
TEST(CommandCodec, DeclaredCountsAllocateNothing) {
  for (const uint8_t kind : {5, 6, 7, 8, 9}) {
    std::string bytes;
    base::Encoder encoder(bytes);
    encoder.Fixed8(kCommandFormatVersion).Fixed8(kind).Fixed64(0).Varint(0).Varint(0).Varint(0);
    encoder.Varint(uint64_t{1} << 62).Raw("abc");
    EXPECT_EQ(DecodeCommand(bytes).status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST(CommandCodec, VersionBeyond32BitsIsDataLoss) {
  std::string bytes;
  base::Encoder encoder(bytes);
  encoder.Fixed8(kCommandFormatVersion).Fixed8(7).Fixed64(0).Varint(0).Varint(0).Varint(0);
  encoder.String("/a").Signed(int64_t{1} << 31);
  EXPECT_EQ(DecodeCommand(bytes).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace bellwether::coord::tree
