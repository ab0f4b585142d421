#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// What operators ask a service about sessions, and what ends one.
class OperatorCallsTest : public ServiceTest {
 protected:
  SessionPage List(SessionId after = SessionId(), size_t limit = 0) {
    SessionPage page;
    service_->ListSessions(after, limit, [&](absl::StatusOr<SessionPage> listed) {
      ASSERT_TRUE(listed.ok()) << listed.status();
      page = *std::move(listed);
    });
    Settle();
    return page;
  }

  // The answer is in `ended_` when there is one.
  void End(SessionId session) {
    ended_.reset();
    service_->EndSession(session, [this](absl::StatusOr<Zxid> zxid) { ended_ = std::move(zxid); });
    Settle();
  }

  static SessionId IdOf(const TestClient& client) { return client.attached()->grant.session; }
  bool Lives(SessionId session) const { return service_->View().FindSession(session).has_value(); }
  bool Exists(std::string_view path) const { return service_->View().FindZnode(path) != nullptr; }

  std::optional<absl::StatusOr<Zxid>> ended_;
};

TEST_F(OperatorCallsTest, TellWhoHasASession) {
  auto client = Connect(NewSession(70, 20'000), "here");
  client->Ask(tree::Create{"/e", {}, tree::CreateMode::kEphemeral});
  auto gone = Connect(NewSession(71), "gone");
  gone->Close();
  Settle();
  const SessionPage page = List();
  ASSERT_EQ(page.sessions.size(), 2u);
  EXPECT_FALSE(page.more);
  EXPECT_EQ(page.zxid, service_->applied_zxid());
  const SessionPage::Entry& first = page.sessions[0];
  EXPECT_EQ(first.id, IdOf(*client));
  EXPECT_EQ(first.timeout_ms, 20'000);
  EXPECT_EQ(first.generation, SessionGeneration(1));
  EXPECT_EQ(first.ephemerals, 1u);
  EXPECT_EQ(first.address, "here");
  EXPECT_EQ(page.sessions[1].address, "");
}

TEST_F(OperatorCallsTest, TellSessionsPageByPage) {
  std::vector<SessionId> all;
  for (int i = 0; i < 5; ++i) all.push_back(IdOf(*Connect()));
  std::vector<SessionId> listed;
  SessionPage page;
  do {
    page = List(listed.empty() ? SessionId() : listed.back(), 2);
    EXPECT_LE(page.sessions.size(), 2u);
    for (const auto& one : page.sessions) listed.push_back(one.id);
  } while (page.more);
  EXPECT_EQ(listed, all);
  EXPECT_TRUE(List(all.back()).sessions.empty());
}

TEST_F(OperatorCallsTest, OnlyTheLeaderTellsWhoIsIdle) {
  log_.SetRole(Role::kLeader);
  auto client = Connect();
  for (int i = 0; i < 20; ++i) service_->OnTick(absl::Milliseconds(100));
  SessionPage page = List();
  ASSERT_TRUE(page.sessions[0].idle.has_value());
  EXPECT_EQ(*page.sessions[0].idle, absl::Seconds(2));
  client->Get("/");
  scheduler_.RunFor(absl::Seconds(1));  // for the touch
  EXPECT_EQ(*List().sessions[0].idle, absl::ZeroDuration());
  log_.SetRole(Role::kFollower);
  EXPECT_FALSE(List().sessions[0].idle.has_value());
}

TEST_F(OperatorCallsTest, EndASessionWithItsEphemerals) {
  auto client = Connect();
  client->Ask(tree::Create{"/e", {}, tree::CreateMode::kEphemeral});
  Settle();
  End(IdOf(*client));
  ASSERT_TRUE(ended_.has_value() && ended_->ok());
  EXPECT_EQ(**ended_, service_->applied_zxid());
  EXPECT_FALSE(Lives(IdOf(*client)));
  EXPECT_FALSE(Exists("/e"));
  EXPECT_TRUE(client->finished);
  ASSERT_EQ(client->All<Detached>().size(), 1u);
  EXPECT_EQ(client->All<Detached>()[0].failure.reason, "session_expired");
}

TEST_F(OperatorCallsTest, AreToldOfNoSession) {
  End(SessionId(12345));
  ASSERT_TRUE(ended_.has_value());
  EXPECT_EQ(ended_->status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(base::ReasonOf(ended_->status()), "no_session");
  EXPECT_EQ(base::OutcomeOf(ended_->status()), base::Outcome::kRejected);
}

// The expiry names a generation that is none any more when it is applied.
TEST_F(OperatorCallsTest, EndASessionThatIsAttachedMeanwhile) {
  auto client = Connect();
  const SessionId session = IdOf(*client);
  log_.Hold();
  auto again = std::make_shared<TestClient>();
  again->Open(*service_);
  again->Send(Again(*client));
  Settle();
  End(session);
  EXPECT_FALSE(ended_.has_value());
  log_.Release();
  Settle();
  ASSERT_TRUE(ended_.has_value());
  EXPECT_TRUE(ended_->ok()) << ended_->status();
  EXPECT_FALSE(Lives(session));
}

TEST_F(OperatorCallsTest, AreRefusedWithoutALeader) {
  auto client = Connect();
  log_.SetLeader(false);
  End(IdOf(*client));
  ASSERT_TRUE(ended_.has_value());
  EXPECT_TRUE(absl::IsUnavailable(ended_->status()));
  EXPECT_EQ(base::OutcomeOf(ended_->status()), base::Outcome::kRejected);
  EXPECT_TRUE(Lives(IdOf(*client)));
}

TEST_F(OperatorCallsTest, AreToldWhatTheLogSaysOfIt) {
  auto client = Connect();
  log_.RejectNext();
  End(IdOf(*client));
  ASSERT_TRUE(ended_.has_value());
  EXPECT_EQ(base::OutcomeOf(ended_->status()), base::Outcome::kRejected);
  log_.LoseNext();
  End(IdOf(*client));
  ASSERT_TRUE(ended_.has_value());
  EXPECT_EQ(base::OutcomeOf(ended_->status()), base::Outcome::kUnknown);
}

TEST_F(OperatorCallsTest, DoNotKnowWhatBecomesOfWhatIsNotCommittedInTime) {
  auto client = Connect();
  log_.Hold();
  End(IdOf(*client));
  scheduler_.RunFor(options_.end_session_wait_max);
  ASSERT_TRUE(ended_.has_value());
  EXPECT_TRUE(absl::IsDeadlineExceeded(ended_->status()));
  EXPECT_EQ(base::OutcomeOf(ended_->status()), base::Outcome::kUnknown);
  EXPECT_THAT(std::string(ended_->status().message()), HasSubstr("end it again"));
}

TEST_F(OperatorCallsTest, AreGivenUpWhenTheServerStops) {
  auto client = Connect();
  log_.Hold();
  End(IdOf(*client));
  service_->Stop();
  ASSERT_TRUE(ended_.has_value());
  EXPECT_EQ(base::OutcomeOf(ended_->status()), base::Outcome::kUnknown);
  End(IdOf(*client));
  EXPECT_EQ(base::OutcomeOf(ended_->status()), base::Outcome::kRejected);
  absl::Status listed;
  service_->ListSessions(SessionId(), 0, [&](const auto& page) { listed = page.status(); });
  EXPECT_TRUE(absl::IsUnavailable(listed));
}

TEST_F(OperatorCallsTest, MayNotBeTooManyAtOnce) {
  auto client = Connect();
  log_.Hold();
  for (int i = 0; i < 100; ++i) End(IdOf(*client));
  EXPECT_FALSE(ended_.has_value());
  End(IdOf(*client));
  ASSERT_TRUE(ended_.has_value());
  EXPECT_EQ(ended_->status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace bellwether::coord
