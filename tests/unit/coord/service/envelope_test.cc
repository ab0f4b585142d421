#include "coord/service/envelope.h"

#include <utility>

#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

tree::Command SomeCommand() {
  tree::Command command;
  command.session = tree::SessionId(3);
  command.sequence = tree::CommandSequence(4);
  command.operation = tree::Create{"/a", tree::SharedBytes::Copy("x")};
  return command;
}

TEST(Envelope, RoundTrips) {
  const CommandOrigin origin{~uint64_t{0}, 300};
  const auto opened = OpenCommand(SealCommand(origin, SomeCommand()));
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->origin, origin);
  EXPECT_EQ(opened->command, SomeCommand());
}

TEST(Envelope, RefusesEveryTruncation) {
  const std::string sealed = SealCommand({1, 2}, SomeCommand());
  for (size_t bytes = 0; bytes < sealed.size(); ++bytes) {
    EXPECT_EQ(OpenCommand(std::string_view(sealed).substr(0, bytes)).status().code(),
              absl::StatusCode::kDataLoss)
        << bytes;
  }
}

// On a nearly full disk only what can't grow the state passes.
TEST(Envelope, KindTellsWhatMayStoreData) {
  const auto kind_of = [](tree::Operation operation) {
    tree::Command command;
    command.operation = std::move(operation);
    return KindOfCommand(SealCommand({1, 2}, command));
  };
  const tree::Create create{"/a", tree::SharedBytes::Copy("x")};
  EXPECT_EQ(kind_of(create), EntryKind::kGrowth);
  EXPECT_EQ(kind_of(tree::SetData{"/a"}), EntryKind::kGrowth);
  EXPECT_EQ(kind_of(tree::Transaction{{}, {tree::Delete{"/a"}, create}}), EntryKind::kGrowth);
  EXPECT_EQ(KindOfCommand("not a command"), EntryKind::kGrowth);
  EXPECT_EQ(kind_of(tree::Delete{"/a"}), EntryKind::kUpkeep);
  EXPECT_EQ(kind_of(tree::DeleteRecursive{"/a"}), EntryKind::kUpkeep);
  EXPECT_EQ(kind_of(tree::Transaction{{}, {tree::Delete{"/a"}}}), EntryKind::kUpkeep);
  EXPECT_EQ(kind_of(tree::CreateSession{}), EntryKind::kUpkeep);
  EXPECT_EQ(kind_of(tree::CloseSession{}), EntryKind::kUpkeep);
}

TEST(Envelope, TellsALaterFormatFromDamage) {
  std::string sealed = SealCommand({1, 2}, SomeCommand());
  sealed[0] = 2;
  EXPECT_EQ(OpenCommand(sealed).status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace bellwether::coord
