#include "coord/storage/free_space.h"

#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

class SetClock : public base::Clock {
 public:
  absl::Duration Monotonic() const override { return now; }
  absl::Time Wall() const override { return absl::UnixEpoch(); }

  absl::Duration now = absl::Seconds(1);
};

class FreeSpaceTest : public ::testing::Test {
 protected:
  SetClock clock_;
  absl::StatusOr<uint64_t> disk_ = uint64_t{1000};
  int asked_ = 0;
  FreeSpace space_{clock_, [this] {
                     ++asked_;
                     return disk_;
                   }};
};

TEST_F(FreeSpaceTest, TheDiskIsAskedOnceATickWhileThereIsEnough) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(*space_.Bytes(100), 1000u);
  EXPECT_EQ(asked_, 1);
  disk_ = uint64_t{50};
  clock_.now += FreeSpace::kStands - absl::Nanoseconds(1);
  EXPECT_EQ(*space_.Bytes(100), 1000u);
  clock_.now += absl::Nanoseconds(1);
  EXPECT_EQ(*space_.Bytes(100), 50u);
  EXPECT_EQ(asked_, 2);
}

TEST_F(FreeSpaceTest, WhatWasWrittenSinceIsNotFreeAnyMore) {
  ASSERT_EQ(*space_.Bytes(100), 1000u);
  space_.OnWritten(900);
  EXPECT_EQ(*space_.Bytes(100), 100u);
  EXPECT_EQ(asked_, 1);
  disk_ = uint64_t{99};
  space_.OnWritten(1);
  EXPECT_EQ(*space_.Bytes(100), 99u) << "asked, since what is left would not be enough";
  space_.OnWritten(1'000'000);
  disk_ = uint64_t{500};
  EXPECT_EQ(*space_.Bytes(100), 500u);
}

TEST_F(FreeSpaceTest, SpaceThatReturnsIsSeenAtOnce) {
  disk_ = uint64_t{50};
  ASSERT_EQ(*space_.Bytes(100), 50u);
  disk_ = uint64_t{2000};
  EXPECT_EQ(*space_.Bytes(100), 2000u);
}

TEST_F(FreeSpaceTest, ADiskThatGivesNoAnswerIsAskedAgain) {
  disk_ = absl::InternalError("no answer");
  EXPECT_FALSE(space_.Bytes(0).ok());
  disk_ = uint64_t{70};
  EXPECT_EQ(*space_.Bytes(0), 70u);
}

}  // namespace
}  // namespace bellwether::coord
