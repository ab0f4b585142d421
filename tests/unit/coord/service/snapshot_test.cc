// The state of a service as a snapshot, and what a service makes of one.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/records_writer.h"
#include "tests/unit/coord/service/watch_fixture.h"

namespace bellwether::coord {
namespace {

class RecordsReader : public SnapshotReader {
 public:
  explicit RecordsReader(std::vector<std::string> records) : records_(std::move(records)) {}
  absl::StatusOr<std::optional<std::string_view>> Next() override {
    if (next_ == records_.size()) return std::nullopt;
    return records_[next_++];
  }

 private:
  const std::vector<std::string> records_;
  size_t next_ = 0;
};

class SnapshotTest : public WatchServiceTest {
 protected:
  std::vector<std::string> Take(LogIndex* index = nullptr) {
    const std::unique_ptr<StateSnapshot> state = service_->TakeSnapshot();
    if (index != nullptr) *index = state->index();
    RecordsWriter writer;
    EXPECT_TRUE(state->WriteTo(writer).ok());
    return writer.records;
  }
  absl::Status Restore(LogIndex index, std::vector<std::string> records) {
    RecordsReader reader(std::move(records));
    absl::Status status = service_->RestoreSnapshot(index, reader);
    Settle();
    return status;
  }
  // Far behind what was applied here.
  LogIndex Later() { return service_->Status().applied_index + 1000; }
};

// R20.
TEST_F(SnapshotTest, IsTheStateAfterTheLastEntry) {
  auto client = Connect();
  client->Create("/a", "data");
  Settle();
  LogIndex index;
  const std::vector<std::string> records = Take(&index);
  const ServiceStatus before = service_->Status();
  EXPECT_EQ(index, before.applied_index);
  client->Set("/a", "other");
  Settle();
  ASSERT_NE(service_->Status().digest, before.digest);
  const LogIndex later = Later();
  ASSERT_TRUE(Restore(later, records).ok());
  const ServiceStatus after = service_->Status();
  EXPECT_EQ(after.digest, before.digest);
  EXPECT_EQ(after.zxid, before.zxid);
  EXPECT_EQ(after.applied_index, later);
  EXPECT_EQ(after.ensemble_id, before.ensemble_id);
}

TEST_F(SnapshotTest, IsHeldAgainstTheBoundOfTheTreeAtOnce) {
  const auto bytes = [this] {
    const std::string text = metrics_.Text();
    return std::stoull(text.substr(text.find("\nbell_tree_bytes ") + 17));
  };
  auto client = Connect();
  const auto empty = Take();
  client->Create("/a", std::string(5'000, 'x'));
  Settle();
  const uint64_t before = bytes();
  ASSERT_TRUE(Restore(Later(), empty).ok());
  EXPECT_LE(bytes() + 5'000, before);
}

// R38.
TEST_F(SnapshotTest, EndsConnectionsWithAnUnknownOutcomeAndTheSessionGoesOn) {
  auto client = Connect();
  client->Create("/a");
  Settle();
  const std::vector<std::string> records = Take();
  log_.Hold();
  client->Create("/b");  // never answered
  Settle();
  log_.DropUncommitted();
  log_.Release();
  ASSERT_TRUE(Restore(Later(), records).ok());
  EXPECT_TRUE(client->finished);
  const std::vector<Detached> detached = client->All<Detached>();
  ASSERT_EQ(detached.size(), 1u);
  EXPECT_EQ(detached[0].failure.outcome, base::Outcome::kUnknown);
  auto again = Connect(Again(*client));
  ASSERT_NE(again->attached(), nullptr);
  EXPECT_FALSE(again->attached()->failure.has_value());
  EXPECT_EQ(again->attached()->grant.session, client->attached()->grant.session);
}

TEST_F(SnapshotTest, EndsOneShotWatchesWithTheirConnections) {
  auto client = Connect();
  client->Create("/a");
  client->Get("/a", true);
  Settle();
  ASSERT_EQ(service_->Status().watches, 1u);
  ASSERT_TRUE(Restore(Later(), Take()).ok());
  EXPECT_EQ(service_->Status().watches, 0u);
}

// R38.
TEST_F(SnapshotTest, EndsWatchesAndLetsNoneResumeFromBeforeIt) {
  writer_->Create("/a");
  Settle();
  auto watcher = WatchPath("/a", true);
  const Zxid seen = zxid();
  writer_->Create("/a/b");
  writer_->Create("/a/c");
  Settle();
  ASSERT_TRUE(Restore(Later(), Take()).ok());
  EXPECT_TRUE(watcher->end.finished);
  ASSERT_TRUE(watcher->end.failure.has_value());
  auto resumed = WatchPath("/a", true, seen);
  EXPECT_EQ(resumed->All<WatchCompacted>().size(), 1u);
  EXPECT_THAT(resumed->StatePaths(), testing::ElementsAre("/a", "/a/b", "/a/c"));
  auto current = WatchPath("/a", true, zxid());
  EXPECT_TRUE(current->All<WatchCompacted>().empty());
}

TEST_F(SnapshotTest, KeepsTheTimersOfItsSessionsOnly) {
  Connect(NewSession(100, 1'000));
  const std::vector<std::string> records = Take();
  Connect(NewSession(101, 1'000));
  ASSERT_EQ(service_->Status().sessions, 3u);
  ASSERT_TRUE(Restore(Later(), records).ok());
  EXPECT_EQ(service_->Status().sessions, 2u);
  // The silent session that is left expires, and nothing is asked about the one that is not.
  for (int i = 0; i < 40; ++i) {
    service_->OnTick(absl::Milliseconds(50));
    Settle();
  }
  EXPECT_EQ(service_->Status().sessions, 1u);
  EXPECT_EQ(metrics_.AddCounter("bell_sessions_expired_total", "").value(), 1u);
}

TEST_F(SnapshotTest, ADamagedOneChangesNothing) {
  auto client = Connect();
  client->Create("/a", "data");
  Settle();
  std::vector<std::string> records = Take();
  records.back().back() ^= 1;
  const ServiceStatus before = service_->Status();
  EXPECT_TRUE(absl::IsDataLoss(Restore(Later(), records)));
  EXPECT_EQ(service_->Status().digest, before.digest);
  EXPECT_EQ(service_->Status().applied_index, before.applied_index);
}

}  // namespace
}  // namespace bellwether::coord
