#include "coord/service/envelope.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {
namespace {

using testing::HasSubstr;
using testing::Not;

class ConnectionTest : public ServiceTest {};

TEST_F(ConnectionTest, AttachesANewSession) {
  auto client = Connect();
  ASSERT_NE(client->attached(), nullptr);
  const Attached& attached = *client->attached();
  EXPECT_FALSE(attached.failure.has_value());
  EXPECT_NE(attached.grant.session, SessionId(0));
  EXPECT_EQ(attached.grant.generation, SessionGeneration(1));
  EXPECT_EQ(attached.grant.timeout_ms, 10'000);
  EXPECT_EQ(attached.ensemble_id, log_.ensemble_id());
  EXPECT_FALSE(attached.ensemble_id.IsNil());
}

TEST_F(ConnectionTest, ClampsTheTimeout) {
  EXPECT_EQ(Connect(NewSession(7, 1))->attached()->grant.timeout_ms, 1'000);
  EXPECT_EQ(Connect(NewSession(8, 10'000'000))->attached()->grant.timeout_ms, 120'000);
  EXPECT_EQ(Connect(NewSession(9, 0))->attached()->grant.timeout_ms, 10'000);
}

TEST_F(ConnectionTest, RefusesAnotherEnsemblesClient) {
  AttachRequest request = NewSession(1);
  request.ensemble_id = base::Uuid(1, 2);
  auto client = Connect(request);
  ASSERT_NE(client->attached(), nullptr);
  EXPECT_EQ(client->attached()->failure->code, absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(client->attached()->failure->reason, "other_ensemble");
  EXPECT_TRUE(client->finished);
}

TEST_F(ConnectionTest, CallsOfOneAnswerMayNameTheEnsemble) {
  EXPECT_TRUE(service_->CheckEnsemble(base::Uuid()).ok());
  EXPECT_TRUE(service_->CheckEnsemble(service_->Status().ensemble_id).ok());
  const Failure refused = FailureOf(service_->CheckEnsemble(base::Uuid(1, 2)));
  EXPECT_EQ(refused.code, absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(refused.reason, "other_ensemble");
}

TEST_F(ConnectionTest, RefusesAnUnknownSession) {
  AttachRequest request;
  request.session = SessionId(12345);
  auto client = Connect(request);
  EXPECT_EQ(client->attached()->failure->reason, "session_expired");
  EXPECT_TRUE(client->finished);
}

TEST_F(ConnectionTest, RefusesAttachWithoutALeader) {
  log_.SetLeader(false);
  auto client = Connect();
  EXPECT_EQ(client->attached()->failure->code, absl::StatusCode::kUnavailable);
  EXPECT_TRUE(client->finished);
}

TEST_F(ConnectionTest, GivesUpAStreamThatNeverAttaches) {
  auto client = std::make_shared<TestClient>();
  client->Open(*service_);
  scheduler_.RunFor(absl::Seconds(11));
  EXPECT_TRUE(client->finished);
  EXPECT_EQ(client->attached()->failure->code, absl::StatusCode::kDeadlineExceeded);
}

TEST_F(ConnectionTest, GivesUpAStreamThatBreaksTheProtocol) {
  auto silent = std::make_shared<TestClient>();
  silent->Open(*service_);
  silent->Send(KeepAliveRequest{1});
  Settle();
  EXPECT_TRUE(silent->finished);

  auto client = Connect();
  client->Send(NewSession(99));
  Settle();
  ASSERT_EQ(client->All<Detached>().size(), 1u);
  EXPECT_EQ(client->All<Detached>()[0].failure.reason, "protocol_error");
  EXPECT_TRUE(client->finished);
}

TEST_F(ConnectionTest, ReadsItsOwnPipelinedWrites) {
  auto client = Connect();
  client->Create("/a", "1");
  const uint64_t first = client->Get("/a");
  client->Set("/a", "2");
  const uint64_t second = client->Get("/a");
  Settle();
  EXPECT_EQ(std::get<GetResult>(client->Find(first)->result).data.view(), "1");
  EXPECT_EQ(std::get<GetResult>(client->Find(second)->result).data.view(), "2");
}

// They become one entry of the log, which one message to a peer must hold.
TEST_F(ConnectionTest, WritesThatWaitedBehindAReadAreProposedInBoundedRuns) {
  auto client = Connect();
  client->Create("/a", "");
  client->Get("/a");
  std::vector<uint64_t> writes;
  for (int i = 0; i < 8; ++i) writes.push_back(client->Set("/a", std::string(900 << 10, 'x')));
  Settle();
  for (uint64_t write : writes) EXPECT_EQ(client->ReasonOf(write), "ok");
  EXPECT_GT(log_.bytes_proposed_max(), 900u << 10);
  EXPECT_LT(log_.bytes_proposed_max(), 2u << 20);
}

TEST_F(ConnectionTest, AnswersWritesOnlyWhenApplied) {
  auto client = Connect();
  log_.Hold();
  const uint64_t create = client->Create("/a");
  const uint64_t get = client->Get("/a");
  Settle();
  EXPECT_EQ(client->Find(create), nullptr);
  EXPECT_EQ(client->Find(get), nullptr);
  log_.Release();
  Settle();
  EXPECT_EQ(client->ReasonOf(create), "ok");
  EXPECT_EQ(client->ReasonOf(get), "ok");
}

TEST_F(ConnectionTest, RefusesASequenceThatIsNotTheNext) {
  auto client = Connect();
  Request skipped = client->Make(tree::Create{"/a"});
  skipped.sequence = CommandSequence(5);
  const uint64_t id = skipped.id;
  client->Send(std::move(skipped));
  client->last_sequence = 0;
  const uint64_t right = client->Create("/b");
  Settle();
  EXPECT_EQ(client->ReasonOf(id), "sequence_gap");
  EXPECT_EQ(client->ReasonOf(right), "ok");
}

TEST_F(ConnectionTest, ARefusedWriteUsesNoSequence) {
  auto client = Connect();
  const uint64_t large = client->Create("/large", std::string((1 << 20) + 1, 'x'));
  const uint64_t next = client->Create("/next");
  Settle();
  EXPECT_EQ(client->ReasonOf(large), "too_large");
  EXPECT_EQ(client->ReasonOf(next), "sequence_gap");
  client->last_sequence = 0;
  const uint64_t again = client->Create("/next");
  Settle();
  EXPECT_EQ(client->ReasonOf(again), "ok");
}

TEST_F(ConnectionTest, RefusesAnOldGeneration) {
  auto client = Connect();
  Request request = client->Make(GetRead{"/", false});
  request.generation = SessionGeneration(7);
  const uint64_t id = request.id;
  client->Send(std::move(request));
  Settle();
  EXPECT_EQ(client->ReasonOf(id), "session_moved");
}

TEST_F(ConnectionTest, AnswersARejectedProposalAndGoesOn) {
  auto client = Connect();
  log_.Hold();
  log_.RejectNext();
  const uint64_t rejected = client->Create("/a");
  Settle();
  const uint64_t behind = client->Create("/b");
  log_.Release();
  Settle();
  ASSERT_NE(client->Find(rejected), nullptr);
  EXPECT_EQ(client->Find(rejected)->failure->code, absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(client->Find(rejected)->failure->outcome, base::Outcome::kRejected);
  EXPECT_EQ(client->ReasonOf(behind), "sequence_gap");
  client->last_sequence = 0;
  const uint64_t again = client->Create("/a");
  Settle();
  EXPECT_EQ(client->ReasonOf(again), "ok");
}

TEST_F(ConnectionTest, GivesUpTheStreamWhenAFateIsUnknown) {
  auto client = Connect();
  log_.LoseNext();
  const uint64_t lost = client->Create("/a");
  Settle();
  EXPECT_EQ(client->Find(lost), nullptr);
  ASSERT_EQ(client->All<Detached>().size(), 1u);
  EXPECT_EQ(client->All<Detached>()[0].failure.code, absl::StatusCode::kUnavailable);
  EXPECT_EQ(client->All<Detached>()[0].failure.outcome, base::Outcome::kUnknown);
  EXPECT_TRUE(client->finished);
}

TEST_F(ConnectionTest, ANewLeaderAloneChangesNothing) {
  auto client = Connect();
  log_.Hold();
  const uint64_t id = client->Create("/a");
  Settle();
  service_->OnLeadership({Term(2), ServerId(), Role::kFollower});
  service_->OnLeadership({Term(2), ServerId(2), Role::kFollower});
  Settle();
  EXPECT_FALSE(client->finished);
  log_.Release();
  Settle();
  EXPECT_EQ(client->ReasonOf(id), "ok");
}

TEST_F(ConnectionTest, WritesInDoubtDetachOnlyWhoHasThemInFlight) {
  auto writer = Connect();
  auto reader = Connect();
  log_.Hold();
  writer->Create("/a");
  Settle();
  log_.DropUncommitted();
  service_->OnProposalsInDoubt();
  Settle();
  EXPECT_EQ(writer->All<Detached>().size(), 1u);
  EXPECT_TRUE(writer->finished);
  EXPECT_FALSE(reader->finished);
  log_.Release();
  auto again = Connect(Again(*writer));
  EXPECT_EQ(again->attached()->grant.generation, SessionGeneration(2));
  EXPECT_EQ(again->attached()->grant.last_sequence, CommandSequence(0));
}

TEST_F(ConnectionTest, AnAttachElsewhereMovesTheSession) {
  auto client = Connect();
  tree::Command command;
  command.operation = tree::AttachSession{client->attached()->grant.session,
                                          client->attached()->grant.password, 5'000};
  log_.CommitForeign(SealCommand({42, 1}, command));
  Settle();
  ASSERT_EQ(client->All<Detached>().size(), 1u);
  EXPECT_EQ(client->All<Detached>()[0].failure.reason, "session_moved");
  EXPECT_TRUE(client->finished);
}

TEST_F(ConnectionTest, AnAttachHereReplacesTheOlderConnection) {
  auto older = Connect();
  older->Create("/a");
  Settle();
  auto newer = Connect(Again(*older));
  EXPECT_TRUE(older->finished);
  EXPECT_EQ(newer->attached()->grant.generation, SessionGeneration(2));
  EXPECT_EQ(newer->attached()->grant.last_sequence, CommandSequence(1));
  const uint64_t id = newer->Create("/b");
  Settle();
  EXPECT_EQ(newer->ReasonOf(id), "ok");
}

TEST_F(ConnectionTest, ForeignCommandsWithTheSameTokenAnswerNobody) {
  auto client = Connect();
  log_.Hold();
  const uint64_t id = client->Create("/a");
  Settle();
  tree::Command command;
  command.session = client->attached()->grant.session;
  command.operation = tree::Create{"/x"};
  for (uint64_t token = 1; token < 20; ++token) {
    log_.DropUncommitted();
    log_.CommitForeign(SealCommand({42, token}, command));
  }
  Settle();
  EXPECT_EQ(client->Find(id), nullptr);
}

TEST_F(ConnectionTest, ClosingTheSessionEndsTheStreamAfterTheAnswer) {
  auto client = Connect();
  const uint64_t id = client->Ask(tree::CloseSession());
  Settle();
  EXPECT_EQ(client->ReasonOf(id), "ok");
  EXPECT_TRUE(client->finished);
  EXPECT_EQ(service_->Status().sessions, 0u);
}

TEST_F(ConnectionTest, ReadsAskForOneIndexPerBatch) {
  auto client = Connect();
  const int before = log_.read_requests();
  for (int i = 0; i < 10; ++i) client->Get("/");
  Settle();
  EXPECT_EQ(log_.read_requests(), before + 1);
  EXPECT_EQ(client->All<Response>().size(), 10u);
}

TEST_F(ConnectionTest, WithoutALeaderOnlyStaleReadsAreServed) {
  auto client = Connect();
  log_.SetLeader(false);
  const uint64_t fresh = client->Get("/");
  Request stale = client->Make(GetRead{"/", false});
  stale.stale_ok = true;
  const uint64_t stale_id = stale.id;
  client->Send(std::move(stale));
  const uint64_t write = client->Create("/a");
  Settle();
  EXPECT_EQ(client->Find(fresh)->failure->code, absl::StatusCode::kUnavailable);
  EXPECT_EQ(client->ReasonOf(stale_id), "ok");
  EXPECT_EQ(client->Find(write)->failure->code, absl::StatusCode::kUnavailable);
  EXPECT_FALSE(client->finished);
}

TEST_F(ConnectionTest, WaitsForMinZxidUpToABound) {
  auto client = Connect();
  Request read = client->Make(GetRead{"/", false});
  read.min_zxid = client->attached()->zxid + 1;
  Request never = read;
  const uint64_t soon_id = read.id;
  never.id = 1000;
  never.min_zxid = client->attached()->zxid + 100;
  client->Send(std::move(read));
  client->Send(std::move(never));
  Settle();
  EXPECT_EQ(client->Find(soon_id), nullptr);
  auto other = Connect();  // its attach is the next change
  Settle();
  EXPECT_EQ(client->ReasonOf(soon_id), "ok");
  EXPECT_EQ(client->Find(1000), nullptr);
  scheduler_.RunFor(absl::Seconds(6));
  ASSERT_NE(client->Find(1000), nullptr);
  EXPECT_EQ(client->Find(1000)->failure->code, absl::StatusCode::kUnavailable);
}

TEST_F(ConnectionTest, AnEventPrecedesEveryReplyThatRevealsItsChange) {
  auto watcher = Connect();
  auto writer = Connect();
  watcher->Get("/a", true);
  Settle();
  writer->Create("/a", "1");
  watcher->Get("/a");
  watcher->Get("/a");
  Settle();
  bool told = false;
  for (const ServerFrame& frame : watcher->frames) {
    if (const auto* event = std::get_if<WatchEvent>(&frame)) {
      EXPECT_EQ(event->path.view(), "/a");
      EXPECT_EQ(event->type, tree::Change::Type::kCreated);
      told = true;
    }
    const auto* response = std::get_if<Response>(&frame);
    if (response == nullptr || response->failure.has_value()) continue;
    EXPECT_TRUE(told);
  }
  EXPECT_TRUE(told);
}

TEST_F(ConnectionTest, TheWriterSeesItsOwnEventFirst) {
  auto client = Connect();
  client->Create("/a");
  client->Get("/a", true);
  Settle();
  client->frames.erase(client->frames.begin() + 1, client->frames.end());
  client->Set("/a", "1");
  Settle();
  ASSERT_EQ(client->frames.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<WatchEvent>(client->frames[1]));
  EXPECT_TRUE(std::holds_alternative<Response>(client->frames[2]));
}

TEST_F(ConnectionTest, PausesAClientWithTooManyRequests) {
  auto client = Connect();
  log_.Hold();
  size_t sent = 0;
  while (client->Send(client->Make(tree::Create{fmt::format("/n{}", sent)}))) ++sent;
  EXPECT_EQ(sent + 1, options_.outstanding_requests_max);
  EXPECT_EQ(client->resumes, 0);
  Settle();
  log_.Release();
  Settle();
  EXPECT_GE(client->resumes, 1);
  EXPECT_EQ(client->All<Response>().size(), sent + 1);
}

TEST_F(ConnectionTest, DoesNotEvaluateReadsForAClientThatDoesNotTake) {
  auto client = Connect();
  client->Create("/large", std::string(1 << 20, 'x'));
  Settle();
  client->SetReads(false);
  for (int i = 0; i < 40; ++i) client->Get("/large");
  scheduler_.RunFor(absl::Seconds(1));
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("\nbell_outbox_bytes 0\n")));
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("\nbell_unanswered_request_bytes 0\n")));
  client->SetReads(true);
  const size_t first = client->All<Response>().size();
  EXPECT_LT(first, 15u);
  scheduler_.RunFor(absl::Seconds(1));
  EXPECT_EQ(client->All<Response>().size(), 41u);
  EXPECT_THAT(metrics_.Text(), HasSubstr("\nbell_outbox_bytes 0\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("\nbell_unanswered_request_bytes 0\n"));
}

class SmallEventBoundTest : public ServiceTest {
 protected:
  SmallEventBoundTest() : ServiceTest(WithSmallBound()) {}

  static ServiceOptions WithSmallBound() {
    ServiceOptions options = DefaultOptions();
    options.event_bytes_max = 1000;
    return options;
  }
};

TEST_F(SmallEventBoundTest, GivesUpAClientThatTakesNoEvents) {
  base::Counter& given_up = metrics_.AddCounter("bell_connections_too_slow_total", "");
  auto writer = Connect();
  auto watcher = Connect();
  watcher->Ask(AddWatch{"/a", true});
  Settle();
  watcher->SetReads(false);
  writer->Create("/a");
  for (int i = 0; i < 20; ++i) writer->Set("/a", "x");
  Settle();
  EXPECT_EQ(given_up.value(), 1u);
  watcher->SetReads(true);
  EXPECT_TRUE(watcher->finished);
  EXPECT_TRUE(watcher->All<WatchEvent>().empty());
  ASSERT_EQ(watcher->All<Detached>().size(), 1u);
  EXPECT_EQ(watcher->All<Detached>()[0].failure.code, absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(service_->Status().watches, 0u);
}

TEST_F(SmallEventBoundTest, EventsThatWereTakenDoNotCount) {
  auto writer = Connect();
  auto watcher = Connect();
  watcher->Ask(AddWatch{"/a", true});
  Settle();
  writer->Create("/a");
  for (int i = 0; i < 40; ++i) {
    writer->Set("/a", "x");
    Settle();
  }
  EXPECT_EQ(watcher->All<WatchEvent>().size(), 41u);
  EXPECT_FALSE(watcher->finished);
}

TEST_F(ConnectionTest, AnswersKeepAlivesOnlyWithALeader) {
  auto client = Connect();
  client->Send(KeepAliveRequest{5});
  Settle();
  ASSERT_EQ(client->All<KeepAliveAck>().size(), 1u);
  EXPECT_EQ(client->All<KeepAliveAck>()[0].id, 5u);
  log_.SetLeader(false);
  client->Send(KeepAliveRequest{6});
  Settle();
  EXPECT_EQ(client->All<KeepAliveAck>().size(), 1u);
}

TEST_F(ConnectionTest, AnswersAKeepAliveOnceThereIsALeaderAgain) {
  auto client = Connect();
  log_.SetLeader(false);
  const int asked = log_.read_requests();
  client->Send(KeepAliveRequest{6});
  Settle();
  client->Send(KeepAliveRequest{7});
  scheduler_.RunFor(absl::Milliseconds(950));
  EXPECT_EQ(client->All<KeepAliveAck>().size(), 0u);
  EXPECT_LE(log_.read_requests() - asked, 11) << "only the newest is asked for again, each 100 ms";
  log_.SetLeader(true);
  scheduler_.RunFor(absl::Milliseconds(100));
  ASSERT_EQ(client->All<KeepAliveAck>().size(), 1u);
  EXPECT_EQ(client->All<KeepAliveAck>()[0].id, 7u);
  const int answered = log_.read_requests();
  scheduler_.RunFor(absl::Seconds(1));
  EXPECT_EQ(log_.read_requests(), answered);
}

TEST_F(ConnectionTest, ForgetsTheKeepAlivesOfAConnectionThatIsOver) {
  auto client = Connect();
  log_.SetLeader(false);
  client->Send(KeepAliveRequest{6});
  Settle();
  client->Close();
  Settle();
  const int asked = log_.read_requests();
  scheduler_.RunFor(absl::Seconds(1));
  EXPECT_EQ(log_.read_requests(), asked);
}

TEST_F(ConnectionTest, PausesAClientThatSendsKeepAlivesAndTakesNothing) {
  auto client = Connect();
  client->SetReads(false);
  bool goes_on = true;
  uint64_t sent = 0;
  while (goes_on && sent < 1'000'000) {
    goes_on = client->Send(KeepAliveRequest{++sent});
    if (sent % 1'000 == 0) Settle();
  }
  EXPECT_FALSE(goes_on);
  client->SetReads(true);
  Settle();
  EXPECT_GE(client->resumes, 1);
}

TEST_F(ConnectionTest, StoppingLetsWritesInFlightFinish) {
  auto client = Connect();
  log_.Hold();
  const uint64_t id = client->Create("/a");
  Settle();
  service_->Stop();
  Settle();
  EXPECT_FALSE(client->finished);
  log_.Release();
  Settle();
  EXPECT_EQ(client->ReasonOf(id), "ok");
  EXPECT_TRUE(client->finished);
}

TEST_F(ConnectionTest, ASilentSessionExpiresAndItsStreamIsToldSo) {
  auto client = Connect(NewSession(5, 1'000));
  for (int i = 0; i < 50; ++i) {
    service_->OnTick(absl::Milliseconds(50));
    scheduler_.RunFor(absl::Milliseconds(50));
  }
  ASSERT_EQ(client->All<Detached>().size(), 1u);
  EXPECT_EQ(client->All<Detached>()[0].failure.reason, "session_expired");
  EXPECT_EQ(service_->Status().sessions, 0u);
}

TEST_F(ConnectionTest, ARefusedExpiryIsTriedAgainOnceASecond) {
  const auto run_for = [this](absl::Duration time) {
    for (absl::Duration passed; passed < time; passed += absl::Milliseconds(10)) {
      service_->OnTick(absl::Milliseconds(10));
      scheduler_.RunFor(absl::Milliseconds(10));
    }
  };
  base::Counter& expired = metrics_.AddCounter("bell_sessions_expired_total", "");
  auto client = Connect(NewSession(5, 1'000));
  for (int i = 0; i < 3; ++i) log_.RejectNext();
  run_for(absl::Seconds(2));
  const size_t left = log_.faults_left();
  EXPECT_GE(left, 1u) << "it is proposed once a second";
  EXPECT_LT(left, 3u);
  EXPECT_EQ(expired.value(), 0u) << "what is refused does not count";
  run_for(absl::Milliseconds(1'050 * left));
  EXPECT_EQ(log_.faults_left(), 0u);
  EXPECT_FALSE(client->finished);
  run_for(absl::Milliseconds(1'050));
  EXPECT_TRUE(client->finished);
  EXPECT_EQ(expired.value(), 1u);
}

TEST_F(ConnectionTest, AnyRequestKeepsTheSessionAlive) {
  auto client = Connect(NewSession(5, 1'000));
  for (int i = 0; i < 100; ++i) {
    if (i % 10 == 0) client->Get("/");
    service_->OnTick(absl::Milliseconds(50));
    scheduler_.RunFor(absl::Milliseconds(50));
  }
  EXPECT_FALSE(client->finished);
}

TEST_F(ConnectionTest, AnUnknownCommandStopsTheServer) {
  log_.CommitForeign("\xff no command");
  Settle();
  EXPECT_EQ(fatal_.code(), absl::StatusCode::kUnimplemented);
}

TEST_F(ConnectionTest, CommandsAreProposedWithTheirClientsPrincipal) {
  const size_t before = log_.principals().size();
  EXPECT_THAT(log_.principals(), testing::Each(testing::IsEmpty())) << "the ensemble's id is the server's own";
  auto client = Connect();
  client->Create("/a");
  client->Set("/a", "1");
  Settle();
  std::vector<std::string> principals = log_.principals();
  principals.erase(principals.begin(), principals.begin() + static_cast<ptrdiff_t>(before));
  EXPECT_EQ(principals.size(), 3u);
  EXPECT_THAT(principals, testing::Each("address:test"));
}

TEST_F(ConnectionTest, RunsOnTheExecutorOfItsFrontend) {
  auto client = Connect(NewSession(1), "test", &frontend_executor_);
  const uint64_t create = client->Create("/a", "1");
  const uint64_t barrier = client->Ask(SyncRead());
  const uint64_t get = client->Get("/a");
  Settle();
  for (const uint64_t id : {create, barrier, get}) EXPECT_EQ(client->ReasonOf(id), "ok");
}

TEST_F(ConnectionTest, ReadsThatTakeLongKeepTheirTurn) {
  auto client = Connect();
  const size_t before = client->frames.size();
  client->Create("/a", "1");
  client->Get("/a");
  client->Ask(MultiRead{{GetRead{"/a"}, GetRead{"/b"}}});
  client->Ask(DescendantsRead{"/a"});
  client->Get("/a");
  client->Create("/a/b");
  const uint64_t count = client->Ask(DescendantsRead{"/a"});
  client->Ask(EphemeralsRead{""});
  Settle();
  ASSERT_EQ(client->frames.size(), before + 8);
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(std::get<Response>(client->frames[before + i]).request_id, i + 1);
  }
  EXPECT_EQ(std::get<CountResult>(client->Find(count)->result).count, 1u);
}

}  // namespace
}  // namespace bellwether::coord
