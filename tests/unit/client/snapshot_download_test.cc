#include "client/snapshot_download.h"

#include <deque>
#include <string>
#include <vector>

#include "client/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::Status Busy() {
  return ErrorWithReason(absl::StatusCode::kResourceExhausted, "busy", "too many save");
}

// Answers as it is told, one after the other, at once.
class FakeServers : public SnapshotServers {
 public:
  size_t count() const override { return 3; }
  void UseNext() override { in_use = in_use % 3 + 1; }
  absl::StatusOr<SnapshotPiece> Read(uint64_t index, uint64_t, uint64_t offset,
                                     absl::Duration timeout) override {
    asked.push_back(in_use);
    offsets.push_back(offset);
    EXPECT_EQ(index, offset == 0 ? 0u : 9u);
    EXPECT_GT(timeout, absl::ZeroDuration());
    if (answers.empty()) return Busy();
    absl::StatusOr<SnapshotPiece> answer = std::move(answers.front());
    answers.pop_front();
    return answer;
  }
  absl::Duration Now() override { return now; }
  void Sleep(absl::Duration duration) override { now += duration; }

  void Piece(std::string bytes) { answers.push_back(SnapshotPiece{9, 2, 6, std::move(bytes)}); }

  std::deque<absl::StatusOr<SnapshotPiece>> answers;  // then busy for ever
  std::vector<int> asked;
  std::vector<uint64_t> offsets;
  int in_use = 1;
  absl::Duration now = absl::Seconds(1000);
};

class SnapshotDownload : public ::testing::Test {
 protected:
  absl::StatusOr<uint64_t> Download() {
    return DownloadSnapshot(
        servers_,
        [this](std::string_view piece) {
          file_ += piece;
          return absl::OkStatus();
        },
        absl::Seconds(10));
  }

  FakeServers servers_;
  std::string file_;
};

TEST_F(SnapshotDownload, TakesPieceByPiece) {
  servers_.Piece("abc");
  servers_.Piece("def");
  const auto bytes = Download();
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_EQ(*bytes, 6u);
  EXPECT_EQ(file_, "abcdef");
  EXPECT_THAT(servers_.offsets, ElementsAre(0, 3));
}

TEST_F(SnapshotDownload, TheFirstPieceIsAskedOfOthersWhenAServerIsBusyOrUnable) {
  servers_.answers.push_back(Busy());
  servers_.answers.push_back(absl::UnavailableError("behind"));
  servers_.Piece("abcdef");
  ASSERT_TRUE(Download().ok());
  EXPECT_THAT(servers_.asked, ElementsAre(1, 2, 3));
  EXPECT_EQ(file_, "abcdef");
}

TEST_F(SnapshotDownload, ALaterPieceIsAskedAgainOfTheSameServer) {
  servers_.Piece("abc");
  servers_.answers.push_back(Busy());
  servers_.answers.push_back(Busy());
  servers_.Piece("def");
  ASSERT_TRUE(Download().ok());
  EXPECT_THAT(servers_.asked, ElementsAre(1, 1, 1, 1));
  EXPECT_EQ(file_, "abcdef");
  EXPECT_EQ(servers_.now, absl::Seconds(1000) + absl::Milliseconds(300));
}

TEST_F(SnapshotDownload, BusyServersAreGivenUpWhenThePiecesTimeIsUp) {
  EXPECT_TRUE(absl::IsResourceExhausted(Download().status()));
  EXPECT_GT(servers_.now, absl::Seconds(1008));
  EXPECT_LT(servers_.now, absl::Seconds(1010));
}

TEST_F(SnapshotDownload, ServersThatAreAllUnableAreAskedOnce) {
  for (int i = 0; i < 4; ++i) servers_.answers.push_back(absl::UnavailableError("no leader"));
  const absl::Status status = Download().status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(servers_.asked, ElementsAre(1, 2, 3));
}

TEST_F(SnapshotDownload, OfAServerWhoseDiskIsFullIsAskedOfAnother) {
  servers_.answers.push_back(absl::ResourceExhaustedError("free some space"));
  servers_.Piece("abcdef");
  ASSERT_TRUE(Download().ok());
  EXPECT_THAT(servers_.asked, ElementsAre(1, 2));
}

TEST_F(SnapshotDownload, FullDisksAreNotAskedAgain) {
  for (int i = 0; i < 4; ++i) {
    servers_.answers.push_back(absl::ResourceExhaustedError("free some space"));
  }
  const absl::Status status = Download().status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(servers_.asked, ElementsAre(1, 2, 3));
  servers_.answers.clear();
  servers_.asked.clear();
  servers_.Piece("abc");
  servers_.answers.push_back(absl::ResourceExhaustedError("free some space"));
  EXPECT_TRUE(absl::IsResourceExhausted(Download().status()));
  EXPECT_EQ(servers_.asked.size(), 2u);
}

TEST_F(SnapshotDownload, OneThatIsGoneMeanwhileIsToBeSavedAgain) {
  servers_.Piece("abc");
  servers_.answers.push_back(absl::NotFoundError("save it again"));
  const absl::Status status = Download().status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("save it again"));
}

TEST_F(SnapshotDownload, ThatEndsEarlyIsDamaged) {
  servers_.Piece("abc");
  servers_.Piece("");
  EXPECT_EQ(Download().status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace bellwether::client
