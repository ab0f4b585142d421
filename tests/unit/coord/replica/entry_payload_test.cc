#include "coord/replica/entry_payload.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

raft::EntryPtr EntryOf(std::string payload, raft::EntryType type = raft::EntryType::kCommands) {
  return std::make_shared<raft::Entry>(
      raft::Entry{Term(2), LogIndex(9), type, std::move(payload)});
}

TEST(EntryPayload, RoundTrips) {
  const std::vector<std::string> commands = {"a", "", std::string(100000, 'x')};
  const auto batch = DecodeCommitted(EntryOf(EncodeEntryPayload(-5, commands)));
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->term, Term(2));
  EXPECT_EQ(batch->index, LogIndex(9));
  EXPECT_EQ(batch->time_ms, -5);
  EXPECT_EQ(std::vector<std::string>(batch->commands.begin(), batch->commands.end()), commands);
}

TEST(EntryPayload, CommandsLieInTheEntryThatTheBatchKeeps) {
  const auto batch = DecodeCommitted(EntryOf(EncodeEntryPayload(-5, {"abc"})));
  ASSERT_TRUE(batch.ok()) << batch.status();
  ASSERT_EQ(batch->commands.size(), 1u);
  const std::string& payload = batch->entry->payload;
  EXPECT_EQ(batch->commands[0].data(), payload.data() + payload.size() - 3);
}

TEST(EntryPayload, OtherEntriesHaveNoCommands) {
  for (raft::EntryType type : {raft::EntryType::kNoop, raft::EntryType::kReadmit}) {
    const auto batch = DecodeCommitted(EntryOf("anything", type));
    ASSERT_TRUE(batch.ok());
    EXPECT_TRUE(batch->commands.empty());
    EXPECT_EQ(batch->index, LogIndex(9));
  }
}

TEST(EntryPayload, EveryCutIsAnError) {
  const std::string payload = EncodeEntryPayload(5, {"abc", "d"});
  for (size_t size = 0; size < payload.size(); ++size) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeCommitted(EntryOf(payload.substr(0, size))).status()));
  }
  EXPECT_TRUE(absl::IsDataLoss(DecodeCommitted(EntryOf(payload + "x")).status()));
}

TEST(EntryPayload, LaterFormatIsNamed) {
  std::string payload = EncodeEntryPayload(5, {"abc"});
  payload[0] = 2;
  EXPECT_TRUE(absl::IsUnimplemented(DecodeCommitted(EntryOf(payload)).status()));
}

}  // namespace
}  // namespace bellwether::coord
