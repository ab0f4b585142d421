#include "coord/service/ensemble_change.h"

#include <string>
#include <vector>

#include "base/status.h"
#include "coord/service/ensemble_config.h"
#include "gmock/gmock.h"
#include "tests/unit/coord/service/fake_ensemble.h"
#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Server = Reconfigure::Server;

// More than the part of the time in which changes are tried.
constexpr double kStepsShare = 0.7;

Server Voter(uint32_t id) { return {id, "host" + std::to_string(id) + ":2192", true}; }
Server Observer(uint32_t id) { return {id, "host" + std::to_string(id) + ":2192", false}; }

std::vector<std::string> Texts(const Reconfigure& wanted, const MembershipView& view) {
  FakeEnsemble told(0);
  const auto changes = ChangesFor(wanted, view);
  if (!changes.ok()) return {base::ReasonOf(changes.status())};
  for (const MembershipChange& change : *changes) {
    told.caught_up = false;  // only says what it is asked
    told.fault = absl::UnavailableError("");
    EXPECT_FALSE(told.Ask(change).ok());
  }
  return told.asked;
}

TEST(ChangesFor, AddsBeforeItPromotesAndRemovesLast) {
  FakeEnsemble ensemble(3);
  Reconfigure wanted;
  wanted.joining = {Voter(5), Observer(4), Voter(6)};
  wanted.leaving = {1, 3, 77};
  EXPECT_THAT(Texts(wanted, ensemble.view()),
              ElementsAre("add 4", "add 5", "add 6", "promote 5", "promote 6", "remove 3",
                          "remove 1"));  // the leader at last
}

TEST(ChangesFor, ChangesNothingThatIsAsWanted) {
  FakeEnsemble ensemble(3);
  ensemble.view().members[2].voter = false;
  Reconfigure wanted;
  wanted.joining = {Voter(1), Observer(3)};
  EXPECT_THAT(Texts(wanted, ensemble.view()), IsEmpty());
  wanted.joining = {Voter(3)};
  EXPECT_THAT(Texts(wanted, ensemble.view()), ElementsAre("promote 3"));
}

TEST(ChangesFor, ReplacesAll) {
  FakeEnsemble ensemble(3);
  Reconfigure wanted;
  wanted.replaces_all = true;
  wanted.joining = {Voter(2), Voter(4), Voter(3)};
  EXPECT_THAT(Texts(wanted, ensemble.view()), ElementsAre("add 4", "promote 4", "remove 1"));
}

// Its vote or its address can't be changed while it is in.
TEST(ChangesFor, AServerThatBecomesAnotherLeavesFirst) {
  FakeEnsemble ensemble(3);
  Reconfigure wanted;
  wanted.joining = {Observer(2)};
  EXPECT_THAT(Texts(wanted, ensemble.view()), ElementsAre("remove 2", "add 2"));
  wanted.joining = {{3, "elsewhere:1", true}};
  EXPECT_THAT(Texts(wanted, ensemble.view()), ElementsAre("remove 3", "add 3", "promote 3"));
}

TEST(ChangesFor, RefusesWhatIsNoEnsemble) {
  FakeEnsemble ensemble(3);
  Reconfigure wanted;
  wanted.leaving = {1, 2, 3};
  EXPECT_THAT(Texts(wanted, ensemble.view()), ElementsAre("bad_servers"));
  wanted.leaving = {};
  wanted.joining = {{4, "host1:2192", true}};
  EXPECT_THAT(Texts(wanted, ensemble.view()), ElementsAre("bad_servers"));
  for (const uint32_t id : {0u, 255u}) {
    wanted.joining = {Voter(id)};
    EXPECT_THAT(Texts(wanted, ensemble.view()), ElementsAre("bad_servers"));
  }
}

// Z55
TEST(ChangesFor, RefusesAnEnsembleWithoutAQuorum) {
  FakeEnsemble ensemble(3);
  ensemble.view().members[2].active = false;
  Reconfigure wanted;
  wanted.leaving = {2};
  EXPECT_THAT(Texts(wanted, ensemble.view()), ElementsAre("no_quorum"));
  wanted.leaving = {3};
  EXPECT_THAT(Texts(wanted, ensemble.view()), ElementsAre("remove 3"));
}

class EnsembleChangeTest : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    log_.SetMembership([this](const MembershipChange& change) { return ensemble_.Ask(change); });
  }

  void Start(Reconfigure wanted) {
    EnsembleChange::Start({.log = log_,
                           .executor = replica_executor_,
                           .clock = clock_,
                           .config = [this] { return config_is_kept_ ? Config() : config_; }},
                          std::move(wanted), [this](absl::Status status) {
                            ++ends_;
                            status_ = std::move(status);
                          });
    Settle();
  }
  std::string Config() {
    std::string lines;
    for (const MemberInfo& member : ensemble_.view().members) {
      lines += ConfigLineOf({member.id.value(), member.address, member.voter, ""});
    }
    return lines;
  }
  void Run(absl::Duration duration) { scheduler_.RunFor(duration); }

  FakeEnsemble ensemble_{3};
  bool config_is_kept_ = true;
  std::string config_;
  int ends_ = 0;
  absl::Status status_;
};

TEST_F(EnsembleChangeTest, MakesTheChanges) {
  Reconfigure wanted;
  wanted.joining = {Voter(4)};
  wanted.leaving = {2};
  Start(wanted);
  EXPECT_EQ(ends_, 1);
  EXPECT_TRUE(status_.ok()) << status_;
  EXPECT_THAT(ensemble_.asked, ElementsAre("add 4", "promote 4", "remove 2"));
}

TEST_F(EnsembleChangeTest, EndsWhenTheConfigurationSaysSo) {
  config_ = Config();
  config_is_kept_ = false;
  Reconfigure wanted;
  wanted.leaving = {2};
  Start(wanted);
  EXPECT_EQ(ends_, 0);
  config_is_kept_ = true;
  Run(absl::Milliseconds(30));
  EXPECT_EQ(ends_, 1);
  EXPECT_TRUE(status_.ok());
}

TEST_F(EnsembleChangeTest, DoesNotWaitForTheConfigurationForEver) {
  config_ = Config();
  config_is_kept_ = false;
  Reconfigure wanted;
  wanted.leaving = {2};
  Start(wanted);
  Run(wanted.time_max + absl::Milliseconds(50));
  EXPECT_EQ(ends_, 1);
  EXPECT_EQ(base::OutcomeOf(status_), base::Outcome::kUnknown);
}

TEST_F(EnsembleChangeTest, WaitsForANewVoterToCatchUp) {
  ensemble_.caught_up = false;
  Reconfigure wanted;
  wanted.joining = {Voter(4)};
  Start(wanted);
  Run(absl::Seconds(2));
  EXPECT_EQ(ends_, 0);
  ensemble_.caught_up = true;
  Run(absl::Milliseconds(200));
  EXPECT_EQ(ends_, 1);
  EXPECT_TRUE(status_.ok());
}

// Z55: nothing has happened.
TEST_F(EnsembleChangeTest, TakesBackAServerThatDoesNotCatchUp) {
  ensemble_.caught_up = false;
  const auto before = ensemble_.view().members;
  Reconfigure wanted;
  wanted.joining = {Observer(5), Voter(4)};
  Start(wanted);
  Run(wanted.time_max);
  EXPECT_EQ(ends_, 1);
  EXPECT_EQ(base::ReasonOf(status_), kReasonNoQuorum);
  EXPECT_EQ(base::OutcomeOf(status_), base::Outcome::kRejected);
  EXPECT_EQ(ensemble_.view().members, before);
}

TEST_F(EnsembleChangeTest, IsRefusedWhenTheConfigurationSaysThatNothingHappened) {
  ensemble_.caught_up = false;
  config_ = "server.9=h:1:2:observer\n";
  config_is_kept_ = false;
  Reconfigure wanted;
  wanted.joining = {Voter(4)};
  Start(wanted);
  Run(kStepsShare * wanted.time_max + absl::Milliseconds(200));
  EXPECT_EQ(ends_, 0);
  config_is_kept_ = true;
  Run(absl::Milliseconds(30));
  EXPECT_EQ(base::ReasonOf(status_), kReasonNoQuorum);
}

// Some of it has happened, and is not taken back.
TEST_F(EnsembleChangeTest, SaysThatItsOutcomeIsUnknownWhenItIsHalfMade) {
  ensemble_.caught_up = false;
  Reconfigure wanted;
  wanted.joining = {{2, "elsewhere:1", true}};
  Start(wanted);
  Run(wanted.time_max);
  EXPECT_EQ(ends_, 1);
  EXPECT_EQ(base::OutcomeOf(status_), base::Outcome::kUnknown);
}

TEST_F(EnsembleChangeTest, AsksAgainWhenTheLeaderChanges) {
  ensemble_.fault = absl::UnavailableError("no leader is known");
  Reconfigure wanted;
  wanted.leaving = {2};
  Start(wanted);
  Run(absl::Milliseconds(500));
  EXPECT_EQ(ends_, 0);
  ensemble_.fault = absl::OkStatus();
  Run(absl::Milliseconds(200));
  EXPECT_TRUE(status_.ok());
  EXPECT_EQ(ends_, 1);
}

TEST_F(EnsembleChangeTest, WithoutALeaderNothingHappens) {
  ensemble_.fault = absl::UnavailableError("no leader is known");
  Reconfigure wanted;
  wanted.leaving = {2};
  Start(wanted);
  Run(wanted.time_max);
  EXPECT_EQ(ends_, 1);
  EXPECT_TRUE(absl::IsUnavailable(status_));
  EXPECT_EQ(base::OutcomeOf(status_), base::Outcome::kRejected);
  EXPECT_THAT(ensemble_.asked, IsEmpty());
}

// A leader that may have begun the first change is not told to take it back blindly.
TEST_F(EnsembleChangeTest, ALostAnswerLeavesTheOutcomeUnknown) {
  Reconfigure wanted;
  wanted.leaving = {2};
  log_.SetMembership([this](const MembershipChange& change) -> absl::StatusOr<MembershipView> {
    if (change.kind == MembershipChange::Kind::kNone) return ensemble_.Ask(change);
    return base::UnknownOutcome(absl::StatusCode::kUnavailable, "the leader changed");
  });
  Start(wanted);
  Run(wanted.time_max);
  EXPECT_EQ(ends_, 1);
  EXPECT_EQ(base::OutcomeOf(status_), base::Outcome::kUnknown);
}

// Z55
TEST_F(EnsembleChangeTest, BeginsNothingWhileAnotherChangeIsUnderWay) {
  ensemble_.view().changing = true;
  Reconfigure wanted;
  wanted.leaving = {2};
  Start(wanted);
  EXPECT_EQ(base::ReasonOf(status_), kReasonReconfigInProgress);
  EXPECT_THAT(ensemble_.asked, IsEmpty());
}

}  // namespace
}  // namespace bellwether::coord
