#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "coord/tree/command.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord::tree {
namespace {

std::vector<Command> Addressed(const std::vector<Operation>& operations) {
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

// What every release knows.
std::vector<Command> OneOfEachOfFormat1() {
  Transaction transaction;
  transaction.compares = {Compare{"/a", Compare::Field::kMzxid, -5},
                          Compare{"", Compare::Field::kEphemeralOwner, INT64_MIN}};
  transaction.operations = {Create{"/a", Data("x"), CreateMode::kEphemeral},
                            SetData{"/b", {}, INT32_MIN}, Delete{"/c", INT32_MAX}};
  return Addressed({
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
      SetFeatureLevel{4'000'000'000}});
}

const Acl kAcl = {{kAllPermissions, "world", "anyone"},
                  {~uint32_t{0}, std::string("a\0b", 3), ""},
                  {0, "", std::string(130, 'i')}};

Create CreateOf(CreateMode mode, std::optional<Acl> acl, int64_t ttl_ms) {
  Create create{"/a", Data("x"), mode};
  create.acl = std::move(acl);
  create.ttl_ms = ttl_ms;
  return create;
}

// What needs kFeatureLevelAcls.
std::vector<Command> OneOfEachOfFormat2() {
  Transaction transaction;
  transaction.operations = {Check{"/checked", -1}, Create{"/plain", {}, CreateMode::kEphemeral},
                            CreateOf(CreateMode::kPersistent, kAcl, 0), Check{"", INT32_MAX}};
  std::vector<Command> commands = Addressed(
      {CreateOf(CreateMode::kPersistent, kAcl, 0), CreateOf(CreateMode::kPersistent, Acl(), 0),
       CreateOf(CreateMode::kContainer, {}, 0),
       CreateOf(CreateMode::kPersistentSequentialWithTtl, kAcl, kTtlMsMax),
       CreateOf(CreateMode::kPersistentWithTtl, {}, INT64_MIN), SetAcl{"/s", kAcl, -7},
       SetAcl{"", {}, INT32_MAX}, DeleteExpired{"/e"}, transaction});
  std::vector<Command> identified = OneOfEachOfFormat1();
  for (Command& command : identified) {
    command.identities = {{"digest", "user:hash"}, {"", std::string("\0", 1)}, {"ip", "::1"}};
    commands.push_back(command);
  }
  commands.push_back(commands[0]);
  commands.back().identities = {{"super", ""}};
  return commands;
}

std::vector<Command> OneOfEach() {
  std::vector<Command> commands = OneOfEachOfFormat1();
  for (const Command& command : OneOfEachOfFormat2()) commands.push_back(command);
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

// Servers of a release that knows no other format must go on with these.
TEST(CommandCodec, WritesTheFirstFormatWhereItIsEnough) {
  for (const Command& command : OneOfEachOfFormat1()) {
    EXPECT_EQ(FeatureLevelOf(command), kFeatureLevelFirst);
    EXPECT_EQ(Encoded(command)[0], 1) << "operation " << command.operation.index();
  }
  for (const Command& command : OneOfEachOfFormat2()) {
    EXPECT_EQ(FeatureLevelOf(command), kFeatureLevelAcls);
    EXPECT_EQ(Encoded(command)[0], 2) << "operation " << command.operation.index();
  }
}

TEST(CommandCodec, Format2IsFixed) {
  Command command;
  command.session = SessionId(0x0102030405060708);
  command.generation = SessionGeneration(1);
  command.sequence = CommandSequence(2);
  command.acknowledged_floor = CommandSequence(1);
  command.identities = {{"ip", "::1"}};
  const std::string head("\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x01\x01\x02ip\x03::1", 19);
  command.operation = CloseSession{};
  EXPECT_EQ(Encoded(command), "\x02\x03" + head);
  command.operation =
      CreateOf(CreateMode::kPersistentWithTtl, Acl{{kRead, "world", "anyone"}}, 500);
  EXPECT_EQ(Encoded(command), "\x02\x0f" + head + "\x02/a\x01\x01x\x05" +
                                  "\x01\x01\x01\x05world\x06" + "anyone\xe8\x07");
  command.operation = SetAcl{"/a", {{kAdmin, "auth", ""}}, 3};
  EXPECT_EQ(Encoded(command),
            "\x02\x0c" + head + "\x02/a" + std::string("\x01\x10\x04" "auth\0\x06", 9));
  command.operation = DeleteExpired{"/a"};
  EXPECT_EQ(Encoded(command), "\x02\x0d" + head + "\x02/a");
  command.operation = Transaction{{}, {Check{"/a", 1}}};
  EXPECT_EQ(Encoded(command), "\x02\x09" + head + std::string("\0\x01\x0e\x02/a\x02", 7));
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
    std::string bytes = {static_cast<char>(random.Between(1, 2)),
                         static_cast<char>(random.Between(1, 16))};
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
  newer[0] = kCommandFormatVersion + 1;
  EXPECT_EQ(DecodeCommand(newer).status().code(), absl::StatusCode::kUnimplemented);
  for (const int kind : {0, 12, 13, 15, 255}) {
    std::string unknown = Encoded(OneOfEachOfFormat1()[0]);
    unknown[1] = static_cast<char>(kind);
    EXPECT_EQ(DecodeCommand(unknown).status().code(), absl::StatusCode::kUnimplemented) << kind;
  }
  for (const int kind : {0, 14, 16, 255}) {  // 14 is a Check, which is only in transactions
    std::string unknown = Encoded(OneOfEachOfFormat2()[0]);
    unknown[1] = static_cast<char>(kind);
    EXPECT_EQ(DecodeCommand(unknown).status().code(), absl::StatusCode::kUnimplemented) << kind;
  }
  Command command;
  command.operation = Transaction{{Compare{"/a", static_cast<Compare::Field>(5), 0}}, {}};
  EXPECT_EQ(DecodeCommand(Encoded(command)).status().code(), absl::StatusCode::kUnimplemented);

  command.operation = Transaction{{}, {Delete{"/a", 0}}};
  std::string nested = Encoded(command);
  const size_t kind = nested.size() - 5;
  ASSERT_EQ(nested[kind], 7);
  for (const char not_inside : {9, 12, 13, 14, 15}) {  // the last ones not in format 1
    nested[kind] = not_inside;
    EXPECT_EQ(DecodeCommand(nested).status().code(), absl::StatusCode::kUnimplemented);
  }
}

// The strings and lists declared here would take far more memory than there is.
TEST(CommandCodec, DeclaredCountsAllocateNothing) {
  for (const uint8_t kind : {5, 6, 7, 8, 9}) {
    std::string bytes;
    base::Encoder encoder(bytes);
    encoder.Fixed8(1).Fixed8(kind).Fixed64(0).Varint(0).Varint(0).Varint(0);
    encoder.Varint(uint64_t{1} << 62).Raw("abc");
    EXPECT_EQ(DecodeCommand(bytes).status().code(), absl::StatusCode::kDataLoss);
  }
  const std::string head = std::string("\x02\x0c", 2) + std::string(11, '\0');
  const auto with = [&head](std::string_view before) {
    std::string bytes = head + std::string(before);
    base::Encoder(bytes).Varint(uint64_t{1} << 62).Raw("abc");
    return bytes;
  };
  const std::string no_identities(1, '\0');
  for (const std::string& bytes :
       {with(""), with(no_identities), with(no_identities + "\x02/a"),
        with(no_identities + "\x02/a\x01\x01"), with("\x01\x02id")}) {
    EXPECT_EQ(DecodeCommand(bytes).status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST(CommandCodec, PermissionsBeyond32BitsAreDataLoss) {
  std::string bytes = std::string("\x02\x0c", 2) + std::string(12, '\0') + "\x02/a\x01";
  base::Encoder(bytes).Varint(uint64_t{1} << 32).String("").String("").Signed(0);
  EXPECT_EQ(DecodeCommand(bytes).status().code(), absl::StatusCode::kDataLoss);
}

// From format 3 on.
TEST(CommandCodec, CarriesTheEnsemblesConfiguration) {
  for (const SetEnsembleConfig& operation :
       {SetEnsembleConfig{"server.1=a:1:2:participant\n", 7}, SetEnsembleConfig{"", INT32_MIN}}) {
    Command command;
    command.operation = operation;
    const std::string bytes = Encoded(command);
    EXPECT_EQ(bytes[0], 3);
    const auto decoded = DecodeCommand(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, command);
    for (size_t size = 1; size < bytes.size(); ++size) {
      EXPECT_EQ(DecodeCommand(bytes.substr(0, size)).status().code(), absl::StatusCode::kDataLoss);
    }
    std::string of_format_2 = bytes;
    of_format_2[0] = 2;
    EXPECT_EQ(DecodeCommand(of_format_2).status().code(), absl::StatusCode::kUnimplemented);
  }
}

TEST(CommandCodec, VersionBeyond32BitsIsDataLoss) {
  std::string bytes;
  base::Encoder encoder(bytes);
  encoder.Fixed8(1).Fixed8(7).Fixed64(0).Varint(0).Varint(0).Varint(0);
  encoder.String("/a").Signed(int64_t{1} << 31);
  EXPECT_EQ(DecodeCommand(bytes).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace bellwether::coord::tree
