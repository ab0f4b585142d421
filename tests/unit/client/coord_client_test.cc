#include "client/coord_client.h"

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "client/errors.h"
#include "tests/unit/client/fake_ensemble.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::client {
namespace {

using ::testing::ElementsAre;

constexpr uint64_t kSession = 0x100000000000007;

coord::v1::SessionResponse AttachedFrame(uint64_t generation, uint64_t last_sequence,
                                         int64_t zxid = 10) {
  coord::v1::SessionResponse frame;
  coord::v1::Attached& attached = *frame.mutable_attached();
  attached.set_session_id(kSession);
  attached.set_password("0123456789abcdef");
  attached.set_generation(generation);
  attached.set_timeout_ms(9000);
  attached.set_last_sequence(last_sequence);
  attached.set_ensemble_id(base::Uuid(1, 2).Bytes());
  attached.set_server_id(1);
  attached.set_zxid(zxid);
  return frame;
}

void SetError(absl::StatusCode code, const std::string& reason, common::v1::Outcome outcome,
              common::v1::Error& error) {
  error.set_code(static_cast<int>(code));
  error.set_reason(reason);
  error.set_message(reason + " it says");
  error.set_outcome(outcome);
}

coord::v1::SessionResponse SetDone(uint64_t request_id, int64_t zxid, int version) {
  coord::v1::SessionResponse frame;
  frame.mutable_response()->set_request_id(request_id);
  frame.mutable_response()->set_zxid(zxid);
  frame.mutable_response()->mutable_set_data()->mutable_stat()->set_version(version);
  return frame;
}

coord::v1::SessionResponse GetDone(uint64_t request_id, int64_t zxid, const std::string& data) {
  coord::v1::SessionResponse frame;
  frame.mutable_response()->set_request_id(request_id);
  frame.mutable_response()->set_zxid(zxid);
  frame.mutable_response()->mutable_get()->set_data(data);
  return frame;
}

coord::v1::SessionResponse Failed(uint64_t request_id, int64_t zxid, absl::StatusCode code,
                                  const std::string& reason,
                                  common::v1::Outcome outcome = common::v1::OUTCOME_REJECTED) {
  coord::v1::SessionResponse frame;
  frame.mutable_response()->set_request_id(request_id);
  frame.mutable_response()->set_zxid(zxid);
  SetError(code, reason, outcome, *frame.mutable_response()->mutable_error());
  return frame;
}

class CoordClientTest : public ::testing::Test {
 protected:
  CoordClientTest() {
    CoordOptions options;
    options.addresses = {"a:1", "b:1", "c:1"};
    options.session_timeout = absl::Seconds(9);
    options.seed = 7;
    client_ = std::make_unique<CoordClient>(options, executor_, executor_, ensemble_);
    client_->AddStateListener([this](SessionState state) { states_.push_back(state); });
    client_->Start();
    executor_.Run();
  }

  FakeEnsemble::Session& Last() { return *ensemble_.sessions.back(); }
  void Deliver(coord::v1::SessionResponse frame) { Last().Deliver(executor_, std::move(frame)); }
  void Break() { Last().End(executor_, absl::UnavailableError("connection reset")); }

  // Sets a znode and puts what came of it in `results_` under the value.
  void Set(const std::string& value) {
    client_->Set("/a", value, kAnyVersion, {}, [this, value](absl::StatusOr<SetResult> result) {
      results_.emplace_back(value, result.status());
    });
  }
  void Get(const std::string& label) {
    client_->Get("/a", {}, [this, label](absl::StatusOr<GetResult> result) {
      results_.emplace_back(label, result.status());
    });
  }

  // "data/sequence" of the writes and "get" of the reads sent on the last connection.
  std::vector<std::string> Sent() {
    std::vector<std::string> sent;
    for (const coord::v1::Request& request : Last().Requests()) {
      sent.push_back(request.has_set_data()
                         ? request.set_data().data() + "/" + std::to_string(request.sequence())
                         : "get");
    }
    return sent;
  }

  // "value outcome" of all results so far.
  std::vector<std::string> Results() {
    std::vector<std::string> texts;
    for (const auto& [value, status] : results_) {
      texts.push_back(value + (status.ok() ? " ok"
                               : base::OutcomeOf(status) == base::Outcome::kUnknown
                                   ? " unknown"
                                   : " rejected"));
    }
    return texts;
  }

  ManualExecutor executor_;
  FakeEnsemble ensemble_;
  std::vector<SessionState> states_;
  std::vector<std::pair<std::string, absl::Status>> results_;
  std::unique_ptr<CoordClient> client_;
};

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

// A client without a session, of its own options.
class ReadOnlyClientTest : public CoordClientTest {
 protected:
  ReadOnlyClientTest() {
    CoordOptions options;
    options.addresses = {"a:1", "b:1"};
    options.read_only = true;
    states_.clear();
    client_ = std::make_unique<CoordClient>(options, executor_, executor_, ensemble_);
    client_->AddStateListener([this](SessionState state) { states_.push_back(state); });
    client_->Start();
    executor_.Run();
  }

  static coord::v1::SessionResponse AttachedWithoutSession() {
    coord::v1::SessionResponse frame;
    frame.mutable_attached()->set_ensemble_id(base::Uuid(1, 2).Bytes());
    frame.mutable_attached()->set_server_id(2);
    frame.mutable_attached()->set_zxid(10);
    return frame;
  }
  void GetStale(const std::string& label) {
    ReadOptions options;
    options.stale_ok = true;
    client_->Get("/a", std::move(options), [this, label](absl::StatusOr<GetResult> result) {
      results_.emplace_back(label, result.status());
    });
  }
};

TEST_F(ReadOnlyClientTest, ReadsWithoutASessionAndSendsNoKeepAlives) {
  const coord::v1::Attach& attach = Last().sent.at(0).attach();
  EXPECT_TRUE(attach.read_only());
  EXPECT_EQ(attach.session_id(), 0u);
  EXPECT_TRUE(attach.nonce().empty());
  GetStale("r");
  Deliver(AttachedWithoutSession());
  EXPECT_EQ(client_->state(), SessionState::kConnected);
  EXPECT_EQ(client_->session().id, SessionId());
  EXPECT_EQ(client_->session().server_id, 2u);
  ASSERT_EQ(Last().Requests().size(), 1u);
  EXPECT_TRUE(Last().Requests()[0].stale_ok());
  EXPECT_EQ(Last().Requests()[0].generation(), 0u);
  Deliver(GetDone(1, 12, "v"));
  EXPECT_THAT(Results(), ElementsAre("r ok"));
  executor_.Advance(absl::Minutes(5));
  EXPECT_THAT(Last().KeepAlives(), ElementsAre());
  EXPECT_THAT(states_, ElementsAre(SessionState::kConnected));
}

TEST_F(ReadOnlyClientTest, GoesToAnotherServerWithWhatItAsked) {
  const std::string first = Last().address;
  Break();
  EXPECT_NE(Last().address, first);
  Deliver(AttachedWithoutSession());
  GetStale("r");
  Break();
  executor_.Advance(absl::Seconds(1));
  EXPECT_TRUE(Last().sent.at(0).attach().read_only());
  Deliver(AttachedWithoutSession());
  EXPECT_EQ(Last().Requests().size(), 1u);
  EXPECT_THAT(states_, ElementsAre(SessionState::kConnected, SessionState::kConnecting,
                                   SessionState::kConnected));
}

TEST_F(ReadOnlyClientTest, RefusesWhatNeedsALeader) {
  Deliver(AttachedWithoutSession());
  Set("w");
  Get("r");
  absl::Status sync, close;
  client_->Sync({}, [&](auto result) { sync = result.status(); });
  client_->CloseSession({}, [&](auto result) { close = result.status(); });
  executor_.Run();
  EXPECT_THAT(Results(), ElementsAre("w rejected", "r rejected"));
  EXPECT_EQ(ReasonOf(results_.at(0).second), "read_only");
  EXPECT_EQ(ReasonOf(sync), "read_only");
  EXPECT_EQ(ReasonOf(close), "read_only");
  EXPECT_THAT(Last().Requests(), ::testing::IsEmpty());
  GetStale("stale");
  EXPECT_EQ(Last().Requests().size(), 1u) << "the client goes on";
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
