#include "coord/replica/snapshot_fetcher.h"

#include <string>

#include "base/crc32c.h"
#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

constexpr absl::Duration kBegin = absl::Seconds(100);

raft::SnapshotMeta MetaOf(uint64_t index) {
  raft::SnapshotMeta meta;
  meta.index = LogIndex(index);
  meta.term = Term(3);
  return meta;
}

SnapshotChunk Piece(uint64_t id, std::string data) {
  SnapshotChunk chunk;
  chunk.id = id;
  chunk.found = true;
  chunk.crc32c = base::Crc32c(data);
  chunk.data = std::move(data);
  return chunk;
}

// Pieces of 4 bytes, 40 bytes a second: one every 100 ms.
SnapshotFetchOptions Small() {
  SnapshotFetchOptions options;
  options.chunk_bytes = 4;
  options.bytes_per_second = 40;
  options.attempts = 3;
  return options;
}

TEST(SnapshotFetcher, AsksForOnePieceAfterTheOtherUntilAShortOne) {
  SnapshotFetcher fetcher(Small());
  fetcher.Begin(ServerId(2), MetaOf(7), 0, kBegin);
  const auto first = fetcher.Poll(11, kBegin);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->id, 11u);
  EXPECT_EQ(first->index, LogIndex(7));
  EXPECT_EQ(first->term, Term(3));
  EXPECT_EQ(first->offset, 0u);
  EXPECT_EQ(first->bytes_max, 4u);
  EXPECT_FALSE(fetcher.Poll(12, kBegin + absl::Milliseconds(500)).has_value()) << "one at a time";
  EXPECT_EQ(fetcher.OnChunk(Piece(11, "abcd")), SnapshotFetcher::Answer::kPiece);
  EXPECT_FALSE(fetcher.Poll(12, kBegin + absl::Seconds(5)).has_value()) << "before it is stored";
  fetcher.OnStored(4);
  const auto second = fetcher.Poll(12, kBegin + absl::Seconds(5));
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->offset, 4u);
  EXPECT_EQ(fetcher.OnChunk(Piece(12, "e")), SnapshotFetcher::Answer::kPiece);
  EXPECT_FALSE(fetcher.whole());
  fetcher.OnStored(1);
  EXPECT_TRUE(fetcher.whole());
  EXPECT_FALSE(fetcher.Poll(13, kBegin + absl::Seconds(9)).has_value());
}

TEST(SnapshotFetcher, GoesOnBehindWhatIsStored) {
  SnapshotFetcher fetcher(Small());
  fetcher.Begin(ServerId(2), MetaOf(7), 8, kBegin);
  EXPECT_EQ(fetcher.Poll(1, kBegin)->offset, 8u);
}

TEST(SnapshotFetcher, KeepsTheRate) {
  SnapshotFetcher fetcher(Small());
  fetcher.Begin(ServerId(2), MetaOf(7), 0, kBegin);
  uint64_t pieces = 0;
  for (int ms = 0; ms < 1'000; ms += 7) {
    const absl::Duration now = kBegin + absl::Milliseconds(ms);
    if (!fetcher.Poll(pieces + 1, now).has_value()) continue;
    ++pieces;
    ASSERT_EQ(fetcher.OnChunk(Piece(pieces, "abcd")), SnapshotFetcher::Answer::kPiece);
    fetcher.OnStored(4);
  }
  EXPECT_GE(pieces, 9u);
  EXPECT_LE(pieces, 11u);
}

TEST(SnapshotFetcher, AsksAgainThenGivesUp) {
  SnapshotFetcher fetcher(Small());
  fetcher.Begin(ServerId(2), MetaOf(7), 0, kBegin);
  absl::Duration now = kBegin;
  for (uint64_t id = 1; id <= 3; ++id) {
    ASSERT_FALSE(fetcher.GivenUp(now));
    ASSERT_TRUE(fetcher.Poll(id, now).has_value());
    now += absl::Seconds(1);
  }
  EXPECT_TRUE(fetcher.GivenUp(now));
}

TEST(SnapshotFetcher, TakesOnlyTheAnswerToTheLastQuestion) {
  SnapshotFetcher fetcher(Small());
  EXPECT_EQ(fetcher.OnChunk(Piece(1, "abcd")), SnapshotFetcher::Answer::kStale);
  fetcher.Begin(ServerId(2), MetaOf(7), 0, kBegin);
  ASSERT_TRUE(fetcher.Poll(1, kBegin).has_value());
  ASSERT_TRUE(fetcher.Poll(2, kBegin + absl::Seconds(1)).has_value());
  EXPECT_EQ(fetcher.OnChunk(Piece(1, "abcd")), SnapshotFetcher::Answer::kStale);
  EXPECT_EQ(fetcher.OnChunk(Piece(2, "abcd")), SnapshotFetcher::Answer::kPiece);
  EXPECT_EQ(fetcher.OnChunk(Piece(2, "abcd")), SnapshotFetcher::Answer::kStale);
}

TEST(SnapshotFetcher, TellsDamageAndAbsenceApart) {
  SnapshotFetcher fetcher(Small());
  fetcher.Begin(ServerId(2), MetaOf(7), 0, kBegin);
  ASSERT_TRUE(fetcher.Poll(1, kBegin).has_value());
  SnapshotChunk damaged = Piece(1, "abcd");
  damaged.data[2] ^= 1;
  EXPECT_EQ(fetcher.OnChunk(damaged), SnapshotFetcher::Answer::kDamaged);
  EXPECT_EQ(fetcher.OnChunk(Piece(1, "abcde")), SnapshotFetcher::Answer::kDamaged) << "too long";
  EXPECT_TRUE(fetcher.Poll(2, kBegin + absl::Seconds(1)).has_value()) << "it is asked again";
  SnapshotChunk gone;
  gone.id = 2;
  EXPECT_EQ(fetcher.OnChunk(gone), SnapshotFetcher::Answer::kGone);
}

}  // namespace
}  // namespace bellwether::coord
