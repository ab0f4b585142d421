#include "coord/service/session_tracker.h"

#include <map>
#include <optional>
#include <set>

#include "base/random.h"
#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(10);
constexpr absl::Duration kTickMax = absl::Milliseconds(100);
constexpr SessionId kSession(1);
constexpr SessionGeneration kGeneration(3);

class SessionTrackerTest : public testing::Test {
 protected:
  // Ticks for `duration`; returns how long it took until `kSession` was reported, or nullopt.
  std::optional<absl::Duration> TimeToExpiry(absl::Duration limit) {
    for (absl::Duration passed = kTick; passed <= limit; passed += kTick) {
      if (!tracker_.Tick(kTick).empty()) return passed;
    }
    return std::nullopt;
  }

  SessionTracker tracker_{kTickMax};
};

TEST_F(SessionTrackerTest, ReportsASilentSessionAfterItsTimeout) {
  tracker_.Attached(kSession, kGeneration, absl::Seconds(1));
  EXPECT_EQ(TimeToExpiry(absl::Seconds(2)), absl::Seconds(1) + kTickMax + kTick);
}

TEST_F(SessionTrackerTest, TellsForHowLongNothingWasHeard) {
  EXPECT_FALSE(tracker_.SilenceOf(kSession).has_value());
  tracker_.Attached(kSession, kGeneration, absl::Seconds(5));
  EXPECT_EQ(tracker_.SilenceOf(kSession), absl::ZeroDuration());
  for (int i = 0; i < 7; ++i) tracker_.Tick(kTick);
  EXPECT_EQ(tracker_.SilenceOf(kSession), 7 * kTick);
  tracker_.Touch(kSession);
  EXPECT_EQ(tracker_.SilenceOf(kSession), absl::ZeroDuration());
}

TEST_F(SessionTrackerTest, ReportsTheGenerationItSaw) {
  tracker_.Attached(kSession, kGeneration, absl::Seconds(1));
  std::vector<SessionTracker::Expired> expired;
  while (expired.empty()) expired = tracker_.Tick(kTick);
  ASSERT_EQ(expired.size(), 1u);
  EXPECT_EQ(expired[0].session, kSession);
  EXPECT_EQ(expired[0].generation, kGeneration);
}

TEST_F(SessionTrackerTest, ATouchRestartsTheTimer) {
  tracker_.Attached(kSession, kGeneration, absl::Seconds(1));
  EXPECT_EQ(TimeToExpiry(absl::Milliseconds(900)), std::nullopt);
  tracker_.Touch(kSession);
  EXPECT_EQ(TimeToExpiry(absl::Seconds(2)), absl::Seconds(1) + kTickMax + kTick);
}

TEST_F(SessionTrackerTest, TheTickInWhichATouchComesDoesNotCountAgainstTheSession) {
  tracker_.Attached(kSession, kGeneration, absl::Seconds(1));
  EXPECT_TRUE(tracker_.Tick(kTickMax).empty());
  tracker_.Touch(kSession);
  EXPECT_TRUE(tracker_.Tick(absl::Minutes(5)).empty());  // of which all but a moment came before
  EXPECT_GE(TimeToExpiry(absl::Seconds(2)), absl::Seconds(1));
}

TEST_F(SessionTrackerTest, ATouchBetweenTheTwoLooksSavesTheSession) {
  tracker_.Attached(kSession, kGeneration, absl::Seconds(1));
  for (int i = 0; i < 110; ++i) EXPECT_TRUE(tracker_.Tick(kTick).empty());
  tracker_.Touch(kSession);
  EXPECT_TRUE(tracker_.Tick(kTick).empty());
}

TEST_F(SessionTrackerTest, APauseIsAddedToEveryDeadline) {
  tracker_.Attached(kSession, kGeneration, absl::Seconds(1));
  EXPECT_TRUE(tracker_.Tick(absl::Minutes(5)).empty());
  EXPECT_TRUE(tracker_.Tick(kTick).empty());
  // 110 ms have counted.
  EXPECT_EQ(TimeToExpiry(absl::Seconds(2)), absl::Milliseconds(890) + kTickMax + kTick);
}

TEST_F(SessionTrackerTest, ANewLeaderStartsAllTimersAfresh) {
  tracker_.Attached(kSession, kGeneration, absl::Seconds(1));
  EXPECT_EQ(TimeToExpiry(absl::Milliseconds(990)), std::nullopt);
  tracker_.RestartAll();
  EXPECT_EQ(TimeToExpiry(absl::Seconds(2)), absl::Seconds(1) + kTickMax + kTick);
}

TEST_F(SessionTrackerTest, AnAttachWithAShorterTimeoutCounts) {
  tracker_.Attached(kSession, kGeneration, absl::Seconds(10));
  tracker_.Attached(kSession, kGeneration + 1, absl::Seconds(1));
  EXPECT_EQ(TimeToExpiry(absl::Seconds(2)), absl::Seconds(1) + kTickMax + kTick);
}

TEST_F(SessionTrackerTest, AnExpiringSessionIsReportedAgainOnlyWhenThatFailed) {
  tracker_.Attached(kSession, kGeneration, absl::Seconds(1));
  TimeToExpiry(absl::Seconds(2));
  tracker_.SetExpiring(kSession, true);
  EXPECT_EQ(TimeToExpiry(absl::Seconds(5)), std::nullopt);
  tracker_.SetExpiring(kSession, false);
  EXPECT_EQ(TimeToExpiry(absl::Seconds(5)), kTick);
}

TEST_F(SessionTrackerTest, AnEndedSessionIsForgotten) {
  tracker_.Attached(kSession, kGeneration, absl::Seconds(1));
  tracker_.Ended(kSession);
  EXPECT_EQ(TimeToExpiry(absl::Seconds(5)), std::nullopt);
  EXPECT_EQ(tracker_.count(), 0u);
}

// Against a model that looks at every session on every tick.
TEST_F(SessionTrackerTest, AgreesWithASimpleModel) {
  struct Model {
    absl::Duration timeout;
    absl::Duration silent_for;
  };
  base::Random random(7);
  std::map<SessionId, Model> model;
  for (int step = 0; step < 2'000; ++step) {
    const SessionId session(1 + random.Below(20));
    const uint64_t action = random.Below(100);
    if (action < 3) {
      const absl::Duration timeout = absl::Milliseconds(random.Between(50, 2'000));
      tracker_.Attached(session, kGeneration, timeout);
      model[session] = {timeout, absl::ZeroDuration()};
    } else if (action < 20) {
      tracker_.Touch(session);
      if (model.contains(session)) model[session].silent_for = absl::ZeroDuration();
    } else if (action < 21) {
      tracker_.Ended(session);
      model.erase(session);
    }
    const absl::Duration passed = absl::Milliseconds(random.Between(5, 20));
    std::set<SessionId> expected;
    for (auto& [id, timer] : model) {
      if (timer.silent_for >= timer.timeout + kTickMax) expected.insert(id);
      timer.silent_for += passed;
    }
    std::set<SessionId> reported;
    for (const auto& expired : tracker_.Tick(passed)) reported.insert(expired.session);
    ASSERT_EQ(reported, expected) << "step " << step;
  }
}

}  // namespace
}  // namespace bellwether::coord
