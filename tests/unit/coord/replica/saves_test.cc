// Snapshots for clients.

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "coord/replica/reasons.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/replica/ensemble.h"

namespace bellwether::coord {
namespace {

// The answer, filled in when it comes.
using SaveResult = std::shared_ptr<std::optional<absl::StatusOr<SnapshotInfo>>>;

SaveResult BeginSave(Ensemble& ensemble, uint32_t id) {
  auto result = std::make_shared<std::optional<absl::StatusOr<SnapshotInfo>>>();
  ensemble.at(id).replica.SaveSnapshot(
      [result](absl::StatusOr<SnapshotInfo> info) { *result = std::move(info); });
  return result;
}

// The answer, which must come.
absl::StatusOr<SnapshotInfo> Save(Ensemble& ensemble, uint32_t id) {
  const SaveResult result = BeginSave(ensemble, id);
  if (!ensemble.Until([&result] { return result->has_value(); }, absl::Seconds(30))) {
    return absl::DeadlineExceededError("no answer");
  }
  return **result;
}

absl::StatusOr<std::string> Read(Ensemble& ensemble, uint32_t id, LogIndex index, Term term,
                                 uint64_t offset) {
  std::optional<absl::StatusOr<std::string>> piece;
  ensemble.at(id).replica.ReadSnapshot(
      index, term, offset,
      [&piece](absl::StatusOr<std::string> answer) { piece = std::move(answer); });
  if (!ensemble.Until([&piece] { return piece.has_value(); }, absl::Seconds(30))) {
    return absl::DeadlineExceededError("no answer");
  }
  return *std::move(piece);
}

class Saves : public testing::Test {
 protected:
  void SetUp() override {
    leader_ = ensemble_.StartAndElect();
    ASSERT_NE(leader_, 0u);
    follower_ = ensemble_.WaitForFollower(leader_);
  }
  uint64_t TakenAt(uint32_t id) {
    return ensemble_.CounterOf(id, "bell_snapshots_taken_total");
  }
  // Committed when this returns.
  void Write(const std::string& command) {
    ASSERT_TRUE(ensemble_.ProposeAndWait(leader_, command).ok());
    ensemble_.scheduler.RunFor(absl::Milliseconds(200));
  }
  // More than a piece of a snapshot has room for.
  void WriteTwoPieces() {
    for (int i = 0; i < 2; ++i) {
      std::string command(900 << 10, '\0');  // that can't be packed
      for (char& byte : command) byte = static_cast<char>(ensemble_.scheduler.random().Next());
      Write(command);
    }
  }

  Ensemble ensemble_{3, 1};
  uint32_t leader_ = 0;
  uint32_t follower_ = 0;
};

TEST_F(Saves, HoldWhatWasCommittedBeforeAtAnyServer) {
  for (const uint32_t id : {leader_, follower_}) {
    Write("a");
    const auto now = ensemble_.ReadAndWait(leader_);
    ASSERT_TRUE(now.ok());
    const auto info = Save(ensemble_, id);
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_GE(info->meta.index, *now);
    EXPECT_EQ(TakenAt(id), 1u);
  }
}

TEST_F(Saves, TakeTheNewestWhenNothingWasWrittenSince) {
  Write("a");
  const auto first = Save(ensemble_, leader_);
  const auto second = Save(ensemble_, leader_);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->meta, second->meta);
  EXPECT_EQ(TakenAt(leader_), 1u);
  Write("b");
  const auto third = Save(ensemble_, leader_);
  ASSERT_TRUE(third.ok());
  EXPECT_GT(third->meta.index, first->meta.index);
  EXPECT_EQ(TakenAt(leader_), 2u);
}

TEST_F(Saves, PiecesMakeTheFile) {
  WriteTwoPieces();
  const auto info = Save(ensemble_, leader_);
  ASSERT_TRUE(info.ok());
  ASSERT_GT(info->file_bytes, size_t{1} << 20);
  std::string file;
  while (true) {
    const auto piece =
        Read(ensemble_, leader_, info->meta.index, info->meta.term, file.size());
    ASSERT_TRUE(piece.ok()) << piece.status();
    if (piece->empty()) break;
    file += *piece;
  }
  EXPECT_EQ(file.size(), info->file_bytes);
  EXPECT_EQ(file, ensemble_.snapshots_folder(leader_).content(
                      fmt::format("snapshot-{}-{}", info->meta.index, info->meta.term)));
}

TEST_F(Saves, OfOneThatRotsAreOfOneThatTakesItsPlace) {
  Write("a");
  const auto first = Save(ensemble_, leader_);
  ASSERT_TRUE(first.ok());
  const auto whole = Read(ensemble_, leader_, first->meta.index, first->meta.term, 0);
  ASSERT_TRUE(whole.ok());
  ensemble_.snapshots_folder(leader_).Damage(
      fmt::format("snapshot-{}-{}", first->meta.index, first->meta.term), whole->size() / 2);
  const auto second = Save(ensemble_, leader_);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->meta, first->meta) << "nothing was written since";
  EXPECT_EQ(TakenAt(leader_), 2u);
  const auto again = Read(ensemble_, leader_, second->meta.index, second->meta.term, 0);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again, *whole);
}

TEST_F(Saves, WithoutDescriptorsAreRefusedAndTheSnapshotStays) {
  Write("a");
  const auto first = Save(ensemble_, leader_);
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(Read(ensemble_, leader_, first->meta.index, first->meta.term, 0).ok());
  ensemble_.snapshots_folder(leader_).SetReadError(base::FileError("open", "/x", EMFILE));
  const absl::Status refused = Save(ensemble_, leader_).status();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_FALSE(ensemble_.at(leader_).fatal.has_value());
  ensemble_.snapshots_folder(leader_).SetReadError(absl::OkStatus());
  const auto second = Save(ensemble_, leader_);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->meta, first->meta);
  EXPECT_EQ(TakenAt(leader_), 1u);
}

TEST_F(Saves, DoNotReadAWholeSnapshotWhenTheServerStops) {
  Write("a");
  const auto first = Save(ensemble_, leader_);
  ASSERT_TRUE(first.ok());
  const std::string name = fmt::format("snapshot-{}-{}", first->meta.index, first->meta.term);
  ASSERT_TRUE(Read(ensemble_, leader_, first->meta.index, first->meta.term, 0).ok());
  ensemble_.snapshots_folder(leader_).Damage(name, first->file_bytes - 1);  // behind its header
  Process& leader = ensemble_.at(leader_);
  leader.snapshot_executor.Pause();
  const SaveResult answer = BeginSave(ensemble_, leader_);
  ensemble_.scheduler.RunFor(absl::Milliseconds(200));
  leader.replica.StopSnapshots();
  leader.snapshot_executor.Resume();
  ensemble_.scheduler.RunFor(absl::Milliseconds(200));
  ASSERT_TRUE(answer->has_value());
  EXPECT_TRUE(absl::IsUnavailable((*answer)->status()));
  EXPECT_TRUE(ensemble_.snapshots_folder(leader_).Has(name)) << "its damage was not found";
  EXPECT_FALSE(leader.fatal.has_value());
}

// The store keeps two.
TEST_F(Saves, WaitUntilNobodyReadsTheOneThatTheyWouldReplace) {
  Write("a");
  const auto first = Save(ensemble_, leader_);
  Write("b");
  const auto second = Save(ensemble_, leader_);
  ASSERT_TRUE(first.ok() && second.ok());
  Write("c");
  const SaveResult third = BeginSave(ensemble_, leader_);
  ensemble_.scheduler.RunFor(absl::Seconds(1));
  EXPECT_FALSE(third->has_value());
  EXPECT_TRUE(Read(ensemble_, leader_, first->meta.index, first->meta.term, 0).ok());
  ASSERT_TRUE(ensemble_.Until([&third] { return third->has_value(); }, absl::Seconds(1)));
  ASSERT_TRUE((*third)->ok());
  EXPECT_GT((**third)->meta.index, second->meta.index);
  EXPECT_TRUE(Read(ensemble_, leader_, second->meta.index, second->meta.term, 0).ok());
}

TEST_F(Saves, WaitForAServerThatFetchesTheOneThatTheyWouldReplace) {
  Write("a");
  const auto first = Save(ensemble_, leader_);
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(Read(ensemble_, leader_, first->meta.index, first->meta.term, 0).ok());
  const auto fetch = [&](uint64_t id, uint64_t offset, uint32_t bytes_max) {
    ensemble_.at(follower_).transport.Send(
        ServerId(leader_),
        SnapshotChunkRequest{id, first->meta.index, first->meta.term, offset, bytes_max});
  };
  fetch(1, 0, 16);
  Write("b");
  ASSERT_TRUE(Save(ensemble_, leader_).ok());
  Write("c");
  const SaveResult third = BeginSave(ensemble_, leader_);
  ensemble_.scheduler.RunFor(absl::Seconds(1));
  fetch(2, 16, 16);
  ensemble_.scheduler.RunFor(absl::Milliseconds(1'500));
  EXPECT_FALSE(third->has_value());
  fetch(3, 32, 1 << 20);  // all the rest
  EXPECT_TRUE(ensemble_.Until([&third] { return third->has_value(); }, absl::Milliseconds(300)));
}

// Who waits for a piece is not silent, however long another snapshot takes to be written.
TEST_F(Saves, WaitForAReaderWhosePieceWaitedForTheDisk) {
  WriteTwoPieces();
  const auto first = Save(ensemble_, leader_);
  ASSERT_TRUE(first.ok());
  Write("b");
  ensemble_.at(leader_).snapshot_executor.Pause();
  const SaveResult second = BeginSave(ensemble_, leader_);
  ensemble_.scheduler.RunFor(absl::Milliseconds(100));
  std::optional<absl::StatusOr<std::string>> piece;
  ensemble_.at(leader_).replica.ReadSnapshot(
      first->meta.index, first->meta.term, 0,
      [&piece](absl::StatusOr<std::string> answer) { piece = std::move(answer); });
  Write("c");
  const SaveResult third = BeginSave(ensemble_, leader_);
  ensemble_.scheduler.RunFor(absl::Seconds(5));
  EXPECT_FALSE(second->has_value());
  ensemble_.at(leader_).snapshot_executor.Resume();
  ensemble_.scheduler.RunFor(absl::Seconds(1));
  ASSERT_TRUE(second->has_value() && (*second)->ok());
  ASSERT_TRUE(piece.has_value() && piece->ok());
  EXPECT_FALSE(third->has_value());
  EXPECT_TRUE(Read(ensemble_, leader_, first->meta.index, first->meta.term, size_t{1} << 20).ok());
  EXPECT_TRUE(ensemble_.Until([&third] { return third->has_value(); }, absl::Seconds(1)));
}

TEST_F(Saves, DoNotWaitForAClientThatIsGone) {
  for (int i = 0; i < 4; ++i) {
    Write("a");
    EXPECT_TRUE(Save(ensemble_, leader_).ok()) << i;  // nobody reads it
  }
}

TEST_F(Saves, SnapshotThatIsGoneIsNotFound) {
  const auto piece = Read(ensemble_, leader_, LogIndex(1'000'000), Term(1), 0);
  EXPECT_TRUE(absl::IsNotFound(piece.status())) << piece.status();
}

TEST_F(Saves, WithoutALeaderAreRefused) {
  for (uint32_t id = 1; id <= 3; ++id) {
    if (id != follower_) ensemble_.Crash(id);
  }
  ensemble_.scheduler.RunFor(absl::Seconds(2));
  EXPECT_TRUE(absl::IsUnavailable(Save(ensemble_, follower_).status()));
}

TEST_F(Saves, OnAFullDiskAreRefusedAndTheServerGoesOn) {
  Write("a");
  ensemble_.snapshots_folder(leader_).SetCapacity(1);
  const absl::Status full = Save(ensemble_, leader_).status();
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_EQ(base::ReasonOf(full), "") << full;
  ensemble_.snapshots_folder(leader_).SetCapacity(uint64_t{1} << 40);
  EXPECT_TRUE(Save(ensemble_, leader_).ok());
}

TEST_F(Saves, OfTooManyClientsAreRefusedAsBusy) {
  Write("a");
  ensemble_.at(leader_).snapshot_executor.Pause();
  std::vector<SaveResult> waiting;
  for (int i = 0; i < 64; ++i) waiting.push_back(BeginSave(ensemble_, leader_));
  const SaveResult refused = BeginSave(ensemble_, leader_);
  ASSERT_TRUE(refused->has_value());
  EXPECT_TRUE(absl::IsResourceExhausted((*refused)->status()));
  EXPECT_EQ(base::ReasonOf((*refused)->status()), kReasonBusy);
  ensemble_.at(leader_).snapshot_executor.Resume();
  ASSERT_TRUE(ensemble_.Until([&waiting] { return waiting.back()->has_value(); }));
  EXPECT_TRUE(Save(ensemble_, leader_).ok());
}

TEST_F(Saves, AreAnsweredWhenTheServerStops) {
  ensemble_.at(leader_).state_machine.hold_applied = true;
  Write("a");
  const SaveResult answer = BeginSave(ensemble_, leader_);
  ensemble_.scheduler.RunFor(absl::Milliseconds(200));
  EXPECT_FALSE(answer->has_value());
  ensemble_.at(leader_).replica.Stop();
  ASSERT_TRUE(ensemble_.Until([&answer] { return answer->has_value(); }));
  EXPECT_TRUE(absl::IsUnavailable((*answer)->status()));
}

// A frontend that stops waits for its calls, while the replica still commits what clients have in
// flight.
TEST_F(Saves, AreAnsweredBeforeTheServerStops) {
  Write("a");
  Process& leader = ensemble_.at(leader_);
  leader.snapshot_executor.Pause();
  const SaveResult answer = BeginSave(ensemble_, leader_);
  ensemble_.scheduler.RunFor(absl::Milliseconds(200));
  EXPECT_FALSE(answer->has_value());
  leader.replica.StopSnapshots();
  ASSERT_TRUE(ensemble_.Until([&answer] { return answer->has_value(); }, absl::Milliseconds(10)));
  EXPECT_TRUE(absl::IsUnavailable((*answer)->status()));
  EXPECT_TRUE(absl::IsUnavailable(Save(ensemble_, leader_).status()));
  leader.snapshot_executor.Resume();
  Write("b");
  EXPECT_EQ(TakenAt(leader_), 0u) << "writing it was given up";
  EXPECT_FALSE(leader.fatal.has_value());
}

TEST_F(Saves, OfAServerThatDoesNotCatchUpAreRefused) {
  ensemble_.at(leader_).state_machine.hold_applied = true;
  Write("a");
  const auto info = Save(ensemble_, leader_);
  EXPECT_TRUE(absl::IsUnavailable(info.status())) << info.status();
}

}  // namespace
}  // namespace bellwether::coord
