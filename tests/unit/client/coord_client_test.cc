#include "client/coord_client.h"

#include <optional>
#include <string>
#include <vector>

#include "client/errors.h"
#include "gmock/gmock.h"
#include "tests/unit/client/coord_client_fixture.h"

namespace bellwether::client {
namespace {

using ::testing::ElementsAre;

TEST_F(CoordClientTest, OpensASessionWithANonceAndSendsWhatWaited) {
  Set("x");
  const coord::v1::Attach& attach = Last().sent.at(0).attach();
  EXPECT_EQ(attach.session_id(), 0u);
  EXPECT_EQ(attach.nonce().size(), 16u);
  EXPECT_EQ(attach.timeout_ms(), 9000u);
  EXPECT_EQ(Last().sent.size(), 1u);
  Deliver(AttachedFrame(1, 0));
  EXPECT_THAT(Sent(), ElementsAre("x/1"));
  EXPECT_THAT(states_, ElementsAre(SessionState::kConnected));
  Deliver(SetDone(1, 11, 1));
  EXPECT_THAT(Results(), ElementsAre("x ok"));
  EXPECT_EQ(client_->HighestZxid(), Zxid(11));
}

TEST_F(CoordClientTest, ReattachesElsewhereWithItsPasswordAndHighestZxid) {
  Deliver(AttachedFrame(1, 0));
  Set("x");
  Deliver(SetDone(1, 42, 1));
  const std::string first = Last().address;
  Break();
  EXPECT_EQ(ensemble_.sessions.size(), 2u);
  EXPECT_NE(Last().address, first);
  const coord::v1::Attach& attach = Last().sent.at(0).attach();
  EXPECT_EQ(attach.session_id(), kSession);
  EXPECT_EQ(attach.password(), "0123456789abcdef");
  EXPECT_EQ(attach.min_zxid(), 42);
  EXPECT_EQ(attach.ensemble_id(), base::Uuid(1, 2).Bytes());
  EXPECT_TRUE(attach.nonce().empty());
  Deliver(AttachedFrame(2, 1));
  EXPECT_THAT(states_, ElementsAre(SessionState::kConnected, SessionState::kSuspended,
                                   SessionState::kConnected));
}

// R34: the leader is lost, and with it the answer, while the connection to a server that waits for it
// stands.
TEST_F(CoordClientTest, AnAttachThatIsNotAnsweredIsSentElsewhereLongBeforeTheSessionTimesOut) {
  Set("x");
  const std::string nonce = Last().sent.at(0).attach().nonce();
  const std::string first = Last().address;
  executor_.Advance(absl::Seconds(3));
  ASSERT_EQ(ensemble_.sessions.size(), 2u);
  EXPECT_NE(Last().address, first);
  EXPECT_EQ(Last().sent.at(0).attach().nonce(), nonce) << "it might get two sessions";
  Deliver(AttachedFrame(1, 0));
  EXPECT_THAT(Sent(), ElementsAre("x/1"));
  executor_.Advance(absl::Seconds(1));
  Break();
  ASSERT_EQ(ensemble_.sessions.size(), 3u);
  executor_.Advance(absl::Seconds(3));
  ASSERT_EQ(ensemble_.sessions.size(), 4u);
  EXPECT_EQ(Last().sent.at(0).attach().session_id(), kSession);
  EXPECT_EQ(client_->state(), SessionState::kSuspended) << "there is time left";
}

TEST_F(CoordClientTest, AfterALossWritesThatTookEffectAreUnknownAndTheOthersSentAgain) {
  Deliver(AttachedFrame(1, 0));
  for (const char* value : {"w1", "w2", "w3", "w4"}) Set(value);
  Deliver(SetDone(1, 11, 1));
  Break();
  EXPECT_THAT(Results(), ElementsAre("w1 ok"));
  Deliver(AttachedFrame(2, 2));
  EXPECT_THAT(Results(), ElementsAre("w1 ok", "w2 unknown"));
  EXPECT_THAT(Sent(), ElementsAre("w3/3", "w4/4"));
  EXPECT_EQ(Last().Requests()[0].generation(), 2u);
  Deliver(SetDone(1, 13, 3));
  Deliver(SetDone(2, 14, 4));
  EXPECT_THAT(Results(), ElementsAre("w1 ok", "w2 unknown", "w3 ok", "w4 ok"));
}

TEST_F(CoordClientTest, WritesLostBeforeTheyTookEffectAreNumberedAnew) {
  Deliver(AttachedFrame(1, 0));
  Set("w1");
  Set("w2");
  Break();
  Deliver(AttachedFrame(2, 0));
  EXPECT_THAT(Sent(), ElementsAre("w1/1", "w2/2"));
}

TEST_F(CoordClientTest, ReadsAreSentAgainAfterALoss) {
  Deliver(AttachedFrame(1, 0));
  Get("r");
  Break();
  Deliver(AttachedFrame(2, 0));
  EXPECT_THAT(Sent(), ElementsAre("get"));
  Deliver(GetDone(1, 12, "v"));
  EXPECT_THAT(Results(), ElementsAre("r ok"));
}

TEST_F(CoordClientTest, ACommandThatFailedUsesUpItsNumber) {
  Deliver(AttachedFrame(1, 0));
  Set("w1");
  Set("w2");
  Deliver(Failed(1, 11, absl::StatusCode::kNotFound, "no_node"));
  Set("w3");
  EXPECT_THAT(Sent(), ElementsAre("w1/1", "w2/2", "w3/3"));
  EXPECT_EQ(ReasonOf(results_.at(0).second), "no_node");
  EXPECT_THAT(Results(), ElementsAre("w1 rejected"));
}

TEST_F(CoordClientTest, ARefusalWithoutEffectIsRetriedBeforeAllThatWasSentAfterIt) {
  Deliver(AttachedFrame(1, 0));
  Set("w1");
  Set("w2");
  Get("r");
  Deliver(Failed(1, 0, absl::StatusCode::kUnavailable, ""));
  Set("w3");
  Deliver(Failed(2, 0, absl::StatusCode::kAborted, "sequence_gap"));
  Deliver(GetDone(3, 12, "old"));  // it would overtake w1 and w2
  EXPECT_THAT(Results(), ElementsAre());
  EXPECT_THAT(Sent(), ElementsAre("w1/1", "w2/2", "get"));
  executor_.Advance(absl::Milliseconds(60));
  EXPECT_THAT(Sent(), ElementsAre("w1/1", "w2/2", "get", "w1/1", "w2/2", "get", "w3/3"));
}

TEST_F(CoordClientTest, PausesLongerAfterEachRefusalUntilAnAnswer) {
  Deliver(AttachedFrame(1, 0));
  Get("r1");
  uint64_t id = 0;
  const auto refused_for = [&](absl::Duration pause) {
    const size_t sent = Sent().size();
    Deliver(Failed(++id, 0, absl::StatusCode::kUnavailable, ""));
    executor_.Advance(pause - absl::Milliseconds(1));
    EXPECT_EQ(Sent().size(), sent);
    executor_.Advance(absl::Milliseconds(1));
    EXPECT_EQ(Sent().size(), sent + 1);
  };
  for (int ms : {5, 10, 20, 40, 50, 50}) refused_for(absl::Milliseconds(ms));
  Deliver(GetDone(++id, 11, "v"));
  Get("r2");
  refused_for(absl::Milliseconds(5));
}

TEST_F(CoordClientTest, PausesOnceForAllThatIsRefusedTogether) {
  Deliver(AttachedFrame(1, 0));
  for (const char* label : {"r1", "r2", "r3"}) Get(label);
  for (uint64_t id : {1, 2, 3}) Deliver(Failed(id, 0, absl::StatusCode::kUnavailable, ""));
  executor_.Advance(absl::Milliseconds(5));
  EXPECT_EQ(Sent().size(), 6u);
}

TEST_F(CoordClientTest, ARefusedReadFailsWhenALaterWriteTookEffect) {
  Deliver(AttachedFrame(1, 0));
  Get("r1");
  Get("r2");
  Set("w1");
  Deliver(Failed(1, 0, absl::StatusCode::kUnavailable, ""));
  Deliver(GetDone(2, 11, "old"));  // it would overtake r1
  EXPECT_THAT(Results(), ElementsAre());
  Deliver(SetDone(3, 12, 1));
  EXPECT_THAT(Results(), ElementsAre("r1 rejected", "r2 rejected", "w1 ok"));
}

TEST_F(CoordClientTest, ARefusalForGoodGivesItsNumberToTheNextWrite) {
  Deliver(AttachedFrame(1, 0));
  Set("w1");
  Set("w2");
  Deliver(Failed(1, 0, absl::StatusCode::kInvalidArgument, "too_large"));
  Deliver(Failed(2, 0, absl::StatusCode::kAborted, "sequence_gap"));
  EXPECT_THAT(Results(), ElementsAre("w1 rejected"));
  EXPECT_THAT(Sent(), ElementsAre("w1/1", "w2/2", "w2/1"));
  Deliver(SetDone(3, 12, 1));
  EXPECT_THAT(Results(), ElementsAre("w1 rejected", "w2 ok"));
}

TEST_F(CoordClientTest, AnUnknownOutcomeIsSettledByAttachingAgain) {
  Deliver(AttachedFrame(1, 0));
  Set("w1");
  Deliver(Failed(1, 0, absl::StatusCode::kUnavailable, "", common::v1::OUTCOME_UNKNOWN));
  EXPECT_EQ(ensemble_.sessions.size(), 2u);
  EXPECT_TRUE(ensemble_.sessions.front()->cancelled);
  Deliver(AttachedFrame(2, 0));
  EXPECT_THAT(Sent(), ElementsAre("w1/1"));
  EXPECT_THAT(Results(), ElementsAre());
}

TEST_F(CoordClientTest, AnUnexplainedGapIsSettledByAttachingAgain) {
  Deliver(AttachedFrame(1, 0));
  Set("w1");
  Deliver(Failed(1, 0, absl::StatusCode::kAborted, "sequence_gap"));
  Deliver(AttachedFrame(2, 5));
  EXPECT_THAT(Results(), ElementsAre("w1 unknown"));
  Set("w2");
  EXPECT_THAT(Sent(), ElementsAre("w2/6"));
}

TEST_F(CoordClientTest, DeadlinesTellWhatMayHaveHappened) {
  Set("unsent");
  executor_.Advance(absl::Seconds(10));
  EXPECT_THAT(Results(), ElementsAre("unsent rejected"));
  EXPECT_EQ(results_[0].second.code(), absl::StatusCode::kDeadlineExceeded);
  Deliver(AttachedFrame(1, 0));
  client_->Set("/a", "sent", kAnyVersion, {absl::Seconds(1)}, [this](auto result) {
    results_.emplace_back("sent", result.status());
  });
  client_->Get("/a", {absl::Seconds(1)}, [this](auto result) {
    results_.emplace_back("read", result.status());
  });
  executor_.Advance(absl::Seconds(1));
  EXPECT_THAT(Results(), ElementsAre("unsent rejected", "sent unknown", "read rejected"));
  // The late answer still counts for the numbering.
  Deliver(SetDone(1, 11, 1));
  Deliver(GetDone(2, 11, "v"));
  Set("next");
  EXPECT_EQ(Sent().back(), "next/2");
}

TEST_F(CoordClientTest, DeadlineIsTheSendTimeOfTheLastAnsweredKeepalivePlusTheTimeout) {
  const absl::Duration sent_at = executor_.Monotonic();
  executor_.Advance(absl::Milliseconds(200));
  Deliver(AttachedFrame(1, 0));
  EXPECT_EQ(client_->SessionDeadline(), sent_at + absl::Seconds(9));
  executor_.Advance(absl::Seconds(3));
  const absl::Duration keep_alive_at = executor_.Monotonic();
  EXPECT_THAT(Last().KeepAlives(), ElementsAre(1u));
  executor_.Advance(absl::Seconds(1));
  coord::v1::SessionResponse ack;
  ack.mutable_keep_alive_ack()->set_id(1);
  Deliver(ack);
  EXPECT_EQ(client_->SessionDeadline(), keep_alive_at + absl::Seconds(9));
}

TEST_F(CoordClientTest, LeavesAServerThatDoesNotAnswerKeepalivesAndPassesItsDeadline) {
  Deliver(AttachedFrame(1, 0));
  executor_.Advance(absl::Seconds(6));
  EXPECT_EQ(ensemble_.sessions.size(), 2u);
  EXPECT_EQ(client_->state(), SessionState::kSuspended);
  executor_.Advance(absl::Milliseconds(2999));
  EXPECT_EQ(client_->state(), SessionState::kSuspended);
  executor_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(client_->state(), SessionState::kPastDeadline);
  Deliver(AttachedFrame(2, 0));
  EXPECT_EQ(client_->state(), SessionState::kConnected);
}

TEST_F(CoordClientTest, ExpiryIsFinalAndFailsEverything) {
  Deliver(AttachedFrame(1, 0));
  Set("in flight");
  Break();
  Set("waiting");
  coord::v1::SessionResponse refused;
  SetError(absl::StatusCode::kNotFound, "session_expired", common::v1::OUTCOME_REJECTED,
           *refused.mutable_attached()->mutable_error());
  Deliver(refused);
  EXPECT_EQ(client_->state(), SessionState::kExpired);
  EXPECT_THAT(Results(), ElementsAre("in flight unknown", "waiting rejected"));
  Set("late");
  executor_.Advance(absl::Minutes(1));
  EXPECT_THAT(Results(), ElementsAre("in flight unknown", "waiting rejected", "late rejected"));
  EXPECT_EQ(ReasonOf(results_.back().second), "session_expired");
  EXPECT_EQ(ensemble_.sessions.size(), 2u);
}

TEST_F(CoordClientTest, CallsOfOneAnswerNameTheEnsembleOnceItIsKnown) {
  const auto call = [this] {
    client_->Upgrade("a:1", false, absl::Seconds(1), [](const auto&) {});
    client_->Membership("a:1", MembershipChange(), absl::Seconds(1), [](const auto&) {});
    client_->SaveSnapshot("a:1", 0, 0, 0, absl::Seconds(1), [](const auto&) {});
  };
  call();
  Deliver(AttachedFrame(1, 0));
  call();
  const std::string known = base::Uuid(1, 2).Bytes();
  EXPECT_THAT(ensemble_.ensembles_named, ElementsAre("", "", "", known, known, known));
}

// As after a restore.
TEST_F(CoordClientTest, SessionOfAnotherEnsembleExpiresAtItsDeadline) {
  const auto refuse = [this] {
    coord::v1::SessionResponse refused;
    SetError(absl::StatusCode::kFailedPrecondition, "other_ensemble",
             common::v1::OUTCOME_REJECTED, *refused.mutable_attached()->mutable_error());
    Deliver(refused);
  };
  Deliver(AttachedFrame(1, 0));
  Break();
  executor_.Advance(absl::Seconds(2));
  refuse();
  EXPECT_EQ(client_->state(), SessionState::kSuspended);
  executor_.Advance(absl::Seconds(8));
  EXPECT_EQ(client_->state(), SessionState::kPastDeadline);
  refuse();
  EXPECT_EQ(client_->state(), SessionState::kExpired);
}

TEST_F(CoordClientTest, CloseSessionIsTheLastRequest) {
  Deliver(AttachedFrame(1, 0));
  absl::Status closed = absl::UnknownError("not yet");
  client_->CloseSession({}, [&](absl::StatusOr<SyncResult> result) { closed = result.status(); });
  Set("late");
  executor_.Run();
  EXPECT_THAT(Results(), ElementsAre("late rejected"));
  coord::v1::SessionResponse done;
  done.mutable_response()->set_request_id(1);
  done.mutable_response()->set_zxid(12);
  Deliver(done);
  EXPECT_TRUE(closed.ok());
  EXPECT_EQ(client_->state(), SessionState::kClosed);
  executor_.Advance(absl::Minutes(1));
  EXPECT_EQ(ensemble_.sessions.size(), 1u);
}

TEST_F(CoordClientTest, BackoffGrowsOnlyWhenAllServersFailed) {
  Break();
  Break();
  EXPECT_EQ(ensemble_.sessions.size(), 3u);
  Break();
  EXPECT_EQ(ensemble_.sessions.size(), 3u);
  executor_.Advance(absl::Milliseconds(50));
  EXPECT_EQ(ensemble_.sessions.size(), 4u);
}

// R35.
TEST_F(CoordClientTest, OneShotWatchesFireOnceAndReportALostConnection) {
  std::vector<WatchEventType> events;
  const auto watch = [&events](const WatchEvent& event) { events.push_back(event.type); };
  Deliver(AttachedFrame(1, 0));
  ReadOptions options;
  options.watch = watch;
  client_->Get("/a", std::move(options), [](auto) {});
  EXPECT_TRUE(Last().Requests()[0].get().watch());
  Deliver(GetDone(1, 11, "v"));
  coord::v1::SessionResponse event;
  event.mutable_event()->set_path("/a");
  event.mutable_event()->set_type(coord::v1::CHANGE_TYPE_CHANGED);
  event.mutable_event()->set_zxid(12);
  Deliver(event);
  Deliver(event);
  EXPECT_THAT(events, ElementsAre(WatchEventType::kChanged));

  options = {};
  options.watch = watch;
  client_->GetStat("/b", std::move(options), [](auto) {});
  Deliver(Failed(2, 12, absl::StatusCode::kNotFound, "no_node"));
  Break();
  EXPECT_THAT(events, ElementsAre(WatchEventType::kChanged, WatchEventType::kConnectionLost));
}

TEST_F(CoordClientTest, ListFollowsPages) {
  Deliver(AttachedFrame(1, 0));
  absl::StatusOr<ListResult> listed;
  client_->List("/a", false, {}, [&](absl::StatusOr<ListResult> result) { listed = result; });
  coord::v1::SessionResponse page;
  page.mutable_response()->set_request_id(1);
  page.mutable_response()->set_zxid(20);
  page.mutable_response()->mutable_list()->add_names("x");
  page.mutable_response()->mutable_list()->set_more(true);
  Deliver(page);
  EXPECT_EQ(Last().Requests().at(1).list().after(), "x");
  EXPECT_EQ(Last().Requests().at(1).min_zxid(), 20);
  page.mutable_response()->set_request_id(2);
  page.mutable_response()->mutable_list()->set_names(0, "y");
  page.mutable_response()->mutable_list()->set_more(false);
  Deliver(page);
  ASSERT_TRUE(listed.ok());
  EXPECT_THAT(listed->names, ElementsAre("x", "y"));
  EXPECT_EQ(listed->pages, 2);
}

TEST_F(CoordClientTest, AFailedTransactionSaysWhere) {
  Deliver(AttachedFrame(1, 0));
  absl::Status status;
  Transaction transaction;
  transaction.compares.push_back({"/a", true});
  client_->Commit(std::move(transaction), {}, [&](auto result) { status = result.status(); });
  coord::v1::SessionResponse frame =
      Failed(1, 11, absl::StatusCode::kFailedPrecondition, "compare_failed");
  frame.mutable_response()->mutable_transaction()->set_failed_compare(0);
  frame.mutable_response()->mutable_transaction()->set_failed_operation(-1);
  Deliver(frame);
  EXPECT_EQ(ReasonOf(status), "compare_failed");
  EXPECT_EQ(TransactionFailureOf(status).compare, 0);
  EXPECT_EQ(TransactionFailureOf(status).operation, -1);
}

TEST_F(CoordClientTest, RefusesWhatExceedsItsBounds) {
  CoordOptions options;
  options.addresses = {"a:1"};
  options.outstanding_max = 1;
  CoordClient small(options, executor_, executor_, ensemble_);
  std::vector<absl::StatusCode> codes;
  for (int i = 0; i < 2; ++i) {
    small.Get("/a", {}, [&](auto result) { codes.push_back(result.status().code()); });
  }
  small.Get("/\xff", {}, [&](auto result) { codes.push_back(result.status().code()); });
  executor_.Run();
  EXPECT_THAT(codes, ElementsAre(absl::StatusCode::kResourceExhausted,
                                 absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace bellwether::client
