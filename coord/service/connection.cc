#include "coord/service/connection.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/mutant.h"
#include "base/status.h"
#include "coord/service/identities.h"
#include "coord/service/writes.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

// Reads evaluated under one hold of the tree.
constexpr size_t kReadsPerHold = 64;
// Between two questions to the leader because of one keepalive.
constexpr absl::Duration kKeepAliveRetryInterval = absl::Milliseconds(100);
// Writes handed to the log in one call.
constexpr size_t kWritesPerProposal = 256;

// A keepalive that the leader has confirmed and this server must first catch up with.
class KeepAliveWaiter : public ApplyWaiter {
 public:
  KeepAliveWaiter(std::shared_ptr<Connection> connection, base::Executor& executor, uint64_t id)
      : connection_(std::move(connection)), executor_(executor), id_(id) {}

  void PostWake() override {
    executor_.Post([connection = connection_, id = id_] { connection->AnswerKeepAlive(id); });
  }

 private:
  const std::shared_ptr<Connection> connection_;  // shared with the service and the frontend
  base::Executor& executor_;
  const uint64_t id_;
};

// Of unknown outcome: writes may be on their way.
Failure OutOfContact() {
  return {absl::StatusCode::kUnavailable,
          "this server has no contact with a leader; use another server", "",
          base::Outcome::kUnknown};
}

// Likewise.
Failure TakesEventsTooSlowly() {
  return {absl::StatusCode::kResourceExhausted,
          "the client does not take the events of its watches; read faster, or watch less", "",
          base::Outcome::kUnknown};
}

Failure UnsettledWrites(const absl::Status& status) {
  return {absl::StatusCode::kUnavailable,
          fmt::format("the fate of writes is not known: {}; attach again to learn what took effect",
                      status),
          "", base::Outcome::kUnknown};
}

}  // namespace

Connection::Connection(Principal principal, const ServiceOptions& options,
                       ConnectionBackend& backend, base::Executor& executor,
                       std::shared_ptr<StreamSink> sink, uint64_t serial)
    : principal_(std::move(principal)),
      options_(options),
      backend_(backend),
      executor_(executor),
      sink_(std::move(sink)),
      serial_(serial),
      identities_(std::make_shared<const tree::Identities>(
          tree::Identities{AddressIdentity(principal_.address)})) {}

void Connection::Start() {
  executor_.Post([self = shared_from_this()] {
    self->attach_timer_ =
        self->executor_.RunAfter(self->options_.attach_timeout, [self] {
          if (self->phase_ != Phase::kConnected) return;
          self->DetachNow({absl::StatusCode::kDeadlineExceeded, "no Attach frame came in time", "",
                           base::Outcome::kRejected});
        });
  });
}

// ---- What other threads call ----

bool Connection::Submit(ClientFrame frame, size_t bytes) {
  bool wake;
  bool go_on;
  {
    base::MutexLock lock(mutex_);
    if (finished_) return false;
    if (auto* request = std::get_if<Request>(&frame)) {
      if (request->identities == nullptr) request->identities = identities_;
      unanswered_.push_back(bytes);
      unanswered_bytes_ += bytes;
    }
    inbox_.push_back(std::move(frame));
    // Keepalives are not answered in order, so that they count only while they wait here.
    go_on = HasRoom() && inbox_.size() < 2 * options_.outstanding_requests_max;
    reading_paused_ = !go_on;
    wake = NeedsWake();
  }
  if (wake) PostWake();
  return go_on;
}

void Connection::Close() {
  {
    base::MutexLock lock(mutex_);
    FinishLocked();
    outbox_.clear();
    outbox_bytes_ = 0;
  }
  PostWake();
}

void Connection::SetIdentities(std::shared_ptr<const tree::Identities> identities) {
  base::MutexLock lock(mutex_);
  identities_ = std::move(identities);
}

void Connection::Drain(Failure failure) {
  {
    base::MutexLock lock(mutex_);
    draining_ = std::move(failure);
  }
  PostWake();
}

TakeResult Connection::Take(size_t bytes_max, std::vector<ServerFrame>& frames) {
  bool wake = false;
  TakeResult result;
  {
    base::MutexLock lock(mutex_);
    const bool was_full = outbox_bytes_ > options_.outbox_bytes_max;
    for (size_t bytes = 0; !outbox_.empty() && (bytes == 0 || bytes < bytes_max);) {
      const size_t frame_bytes = FrameBytes(outbox_.front());
      bytes += frame_bytes;
      outbox_bytes_ -= frame_bytes;
      if (std::holds_alternative<WatchEvent>(outbox_.front())) event_bytes_ -= frame_bytes;
      frames.push_back(std::move(outbox_.front()));
      outbox_.pop_front();
    }
    result.finished = finished_ && outbox_.empty();
    // Reads wait for room in the outbox.
    if (was_full && outbox_bytes_ <= options_.outbox_bytes_max) wake = NeedsWake();
  }
  if (wake) PostWake();
  return result;
}

bool Connection::OnAttached(const Attached& attached) {
  base::MutexLock lock(mutex_);
  if (finished_) return false;
  attached_ = true;
  session_ = attached.grant.session;
  generation_ = attached.grant.generation;
  last_sequence_ = attached.grant.last_sequence;
  Push(attached);
  return NeedsWake();
}

bool Connection::Settle(uint64_t token, Response response) {
  base::MutexLock lock(mutex_);
  auto settled = std::find_if(in_flight_.begin(), in_flight_.end(),
                              [token](const InFlight& write) { return write.token == token; });
  if (finished_ || settled == in_flight_.end()) return false;
  SettleLocked(*settled, std::move(response));
  return PushSettled();
}

void Connection::SettleLocked(InFlight& write, Response response) {
  response.request_id = write.request_id;
  auto* transaction = std::get_if<TransactionResult>(&response.result);
  if (transaction != nullptr && transaction->failed_compare >= 0 &&
      !write.compare_positions.empty()) {
    const auto position = static_cast<size_t>(transaction->failed_compare);
    transaction->failed_compare = static_cast<int32_t>(write.compare_positions.at(position));
  }
  write.response = std::move(response);
}

bool Connection::PushSettled() {
  if (in_flight_.empty() || !in_flight_.front().response.has_value()) return false;
  while (!in_flight_.empty() && in_flight_.front().response.has_value()) {
    PushResponse(std::move(*in_flight_.front().response));
    in_flight_.pop_front();
  }
  return NeedsWake();
}

void Connection::Answer(Response response) {
  base::MutexLock lock(mutex_);
  if (!finished_) PushResponse(std::move(response));
}

bool Connection::QueueEvent(WatchEvent event) {
  base::MutexLock lock(mutex_);
  if (finished_) return false;
  ServerFrame frame(std::move(event));
  event_bytes_ += FrameBytes(frame);
  too_slow_ = event_bytes_ > options_.event_bytes_max;
  if (too_slow_) {
    outbox_.clear();
    outbox_bytes_ = event_bytes_ = 0;
    Push(Detached{TakesEventsTooSlowly()});
    FinishLocked();
  } else {
    Push(std::move(frame));
  }
  return NeedsWake();
}

bool Connection::Detach(Failure failure) {
  base::MutexLock lock(mutex_);
  if (finished_) return false;
  if (!attached_) {
    Attached refused;
    refused.failure = std::move(failure);
    refused.server_id = options_.server_id;
    Push(std::move(refused));
  } else {
    Push(Detached{std::move(failure)});
  }
  FinishLocked();
  return NeedsWake();
}

bool Connection::DetachIfUnsettled(const Failure& failure) {
  {
    base::MutexLock lock(mutex_);
    if (in_flight_.empty()) return false;
  }
  return Detach(failure);
}

std::shared_ptr<const tree::Identities> Connection::identities() const {
  base::MutexLock lock(mutex_);
  return identities_;
}

SessionId Connection::session() const {
  base::MutexLock lock(mutex_);
  return session_;
}

SessionGeneration Connection::generation() const {
  base::MutexLock lock(mutex_);
  return generation_;
}

size_t Connection::outbox_bytes() const {
  base::MutexLock lock(mutex_);
  return outbox_bytes_;
}

size_t Connection::unanswered_bytes() const {
  base::MutexLock lock(mutex_);
  return unanswered_bytes_;
}

void Connection::PostWake() {
  {
    base::MutexLock lock(mutex_);
    wake_posted_ = true;
  }
  executor_.Post([self = shared_from_this()] { self->OnWake(); });
}

bool Connection::NeedsWake() { return !std::exchange(wake_posted_, true); }

void Connection::Push(ServerFrame frame) {
  outbox_bytes_ += FrameBytes(frame);
  outbox_.push_back(std::move(frame));
}

void Connection::PushResponse(Response response) {
  unanswered_bytes_ -= unanswered_.front();
  unanswered_.pop_front();
  Push(std::move(response));
}

void Connection::FinishLocked() {
  finished_ = true;
  in_flight_.clear();
  inbox_.clear();
}

bool Connection::HasRoom() const {
  return unanswered_.size() < options_.outstanding_requests_max &&
         unanswered_bytes_ < options_.outstanding_request_bytes_max &&
         outbox_bytes_ <= options_.outbox_bytes_max;
}

// ---- The pipeline ----

void Connection::OnWake() {
  std::vector<ClientFrame> frames;
  bool finished;
  {
    base::MutexLock lock(mutex_);
    wake_posted_ = false;
    frames.swap(inbox_);
    finished = finished_;
    if (phase_ == Phase::kAttaching && attached_) {
      phase_ = Phase::kOpen;
      next_sequence_ = last_sequence_ + 1;
    }
  }
  if (phase_ == Phase::kClosed) return;
  if (finished) {
    Finish();
    return sink_->OnOutput();
  }
  if (!frames.empty() && DetachIfOutOfContact()) return;
  for (ClientFrame& frame : frames) {
    std::visit([this](auto& received) { Receive(std::move(received)); }, frame);
  }
  if (phase_ == Phase::kOpen && !read_only_ && !frames.empty()) backend_.Touch(session());
  RequestReadIndexes();
  Run();
}

// What can be done now, then what came of it to the frontend.
void Connection::Run() {
  if (!DetachIfDrained()) Pump();
  ResumeReadingIfRoom();
  sink_->OnOutput();
}

void Connection::Receive(AttachRequest request) {
  if (phase_ != Phase::kConnected) return Receive(ProtocolError{"a second Attach frame"});
  phase_ = Phase::kAttaching;
  needs_contact_ = request.needs_contact;
  executor_.Cancel(attach_timer_);
  if (request.read_only) return AttachReadOnly(request);
  backend_.ProposeAttach(shared_from_this(), backend_.NextToken(), request);
}

void Connection::AttachReadOnly(const AttachRequest& request) {
  read_only_ = true;
  const absl::StatusOr<Attached> attached = backend_.AttachReadOnly(request);
  if (!attached.ok()) return DetachNow(FailureOf(attached.status()));
  phase_ = Phase::kOpen;
  if (OnAttached(*attached)) PostWake();
}

void Connection::Receive(ProtocolError error) {
  LOG_INFO("stream broke the protocol client={} error={}", principal_.address, error.message);
  DetachNow({absl::StatusCode::kInvalidArgument,
             fmt::format("the stream's protocol was broken: {}", error.message), "protocol_error",
             base::Outcome::kRejected});
}

void Connection::Receive(KeepAliveRequest request) {
  if (phase_ != Phase::kOpen || read_only_) {
    return Receive(ProtocolError{"a KeepAlive without a session"});
  }
  newest_keep_alive_ = request.id;
  executor_.Cancel(keep_alive_timer_);
  AskForKeepAlive(request.id);
}

// Answered when this server has applied whatever may have ended the session before the touch:
// then this connection would be over.
void Connection::AskForKeepAlive(uint64_t id) {
  backend_.KeepAlive(
      executor_, session(), [self = shared_from_this(), id](absl::StatusOr<LogIndex> index) {
        if (!index.ok()) return MUTANT(26) ? self->AnswerKeepAlive(id) : self->RetryKeepAlive(id);
        auto waiter = std::make_shared<KeepAliveWaiter>(self, self->executor_, id);
        if (self->backend_.AppliedOrWait(*index, Zxid(), std::move(waiter))) {
          self->AnswerKeepAlive(id);
        }
      });
}

// Without the leader's word there is no answer: the client's own deadline decides. It does not ask
// again, and it may count from when it sent this one however late the answer is. The answer to a newer
// one serves for this one, too.
void Connection::RetryKeepAlive(uint64_t id) {
  if (phase_ != Phase::kOpen || id != newest_keep_alive_) return;
  executor_.Cancel(keep_alive_timer_);
  keep_alive_timer_ = executor_.RunAfter(kKeepAliveRetryInterval, [self = shared_from_this(), id] {
    if (self->phase_ == Phase::kOpen) self->AskForKeepAlive(id);
  });
}

void Connection::AnswerKeepAlive(uint64_t id) {
  {
    base::MutexLock lock(mutex_);
    if (finished_) return;
    Push(KeepAliveAck{id});
  }
  sink_->OnOutput();
}

void Connection::Receive(Request request) {
  if (phase_ != Phase::kOpen) return Receive(ProtocolError{"a Request before Attached"});
  Waiting& waiting = waiting_.emplace_back();
  waiting.number = ++last_number_;
  waiting.refused = std::move(request.malformed);
  waiting.request = std::move(request);
  if (!waiting.refused.has_value()) waiting.refused = RefuseAtOnce(waiting.request);
  const bool barrier = std::holds_alternative<SyncRead>(waiting.request.operation);
  if (!waiting.request.is_write() && (barrier || !waiting.request.stale_ok) &&
      !waiting.refused.has_value()) {
    index_wanted_ = true;
  } else {
    waiting.read_index = LogIndex(0);
  }
}

// What this connection never serves.
std::optional<Failure> Connection::RefuseAtOnce(const Request& request) const {
  const bool barrier = std::holds_alternative<SyncRead>(request.operation);
  if (read_only_ && (request.is_write() || barrier || !request.stale_ok)) {
    return Failure{absl::StatusCode::kFailedPrecondition,
                   "the connection is read-only and serves only reads that may be stale; attach "
                   "with a session",
                   "read_only", base::Outcome::kRejected};
  }
  if (request.generation == generation()) return std::nullopt;
  return FailureOf(tree::ResultCode::kStaleGeneration, "");
}

// The read index is asked for on receipt, while earlier writes are still on their way. One answer
// serves all reads received by then.
void Connection::RequestReadIndexes() {
  if (!std::exchange(index_wanted_, false)) return;
  backend_.RequestReadIndex(
      executor_, [self = shared_from_this(), last = last_number_](absl::StatusOr<LogIndex> index) {
        self->OnReadIndex(last, index);
      });
}

void Connection::OnReadIndex(uint64_t last_number, const absl::StatusOr<LogIndex>& index) {
  for (Waiting& waiting : waiting_) {
    if (waiting.number > last_number) break;
    if (waiting.read_index.has_value()) continue;
    waiting.read_index = index.ok() ? *index : LogIndex(0);
    if (!index.ok()) waiting.refused = FailureOf(index.status());
  }
  Run();
}

void Connection::Pump() {
  std::vector<ProposedWrite> run;
  size_t run_bytes = 0;
  while (phase_ == Phase::kOpen && !waiting_.empty()) {
    Waiting& front = waiting_.front();
    if (front.request.is_write() && !front.refused.has_value()) {
      front.refused = AdmitWrite(front.request);
      if (front.refused.has_value()) continue;
      ++next_sequence_;
      const size_t bytes = WriteBytes(front.request);
      // They become one entry of the log, and one message, unless a single write has more.
      if (run.size() == kWritesPerProposal || run_bytes + bytes > options_.write_run_bytes_max) {
        ProposeRun(std::exchange(run, {}));
        run_bytes = 0;
      }
      run_bytes += bytes;
      run.push_back({backend_.NextToken(), std::move(front.request)});
      waiting_.pop_front();
      continue;
    }
    // A read, or a refusal: its turn comes when all writes before it are settled.
    ProposeRun(std::exchange(run, {}));
    run_bytes = 0;
    {
      base::MutexLock lock(mutex_);
      if (!in_flight_.empty() || finished_) return;
    }
    if (front.refused.has_value()) {
      Response response;
      response.request_id = front.request.id;
      response.failure = std::move(front.refused);
      waiting_.pop_front();
      Answer(std::move(response));
      continue;
    }
    if (!ReadyToEvaluate(front) || DetachIfOutOfContact()) return;
    if (!front.refused.has_value()) EvaluateRun();
  }
  ProposeRun(std::move(run));
}

std::optional<Failure> Connection::AdmitWrite(const Request& request) const {
  if (options_.feature_level_of(request.operation) > backend_.feature_level()) {
    return Failure{absl::StatusCode::kFailedPrecondition,
                   "the ensemble's feature level is too low for this operation: finish the upgrade "
                   "of all servers and run `bell cluster upgrade --finalize`",
                   "feature_level", base::Outcome::kRejected};
  }
  if (request.sequence == next_sequence_) return CheckWrite(request, options_.request_bytes_max);
  Failure failure = FailureOf(tree::ResultCode::kSequenceGap, "");
  failure.message = fmt::format("sequence {} is not the session's next one, {}", request.sequence,
                                next_sequence_);
  return failure;
}

void Connection::ProposeRun(std::vector<ProposedWrite> run) {
  if (run.empty()) return;
  const uint64_t first = run.front().token;
  const uint64_t last = run.back().token;
  const CommandSequence first_sequence = run.front().request.sequence;
  {
    base::MutexLock lock(mutex_);
    if (finished_) return;
    for (const ProposedWrite& write : run) {
      in_flight_.push_back(
          {write.token, write.request.id, write.request.compare_positions, std::nullopt});
    }
  }
  backend_.ProposeWrites(executor_, session(), principal_, std::move(run),
                         [self = shared_from_this(), first, last, first_sequence](
                             absl::Status status) {
                           if (!status.ok()) self->OnProposed(first, last, first_sequence, status);
                         });
}

// Refused for good: answered as such, and the sequence numbers are free again; what was proposed
// behind them is refused by the state machine as a gap. Unknown: only a new generation can tell.
void Connection::OnProposed(uint64_t first_token, uint64_t last_token,
                            CommandSequence first_sequence, const absl::Status& status) {
  if (base::OutcomeOf(status) == base::Outcome::kUnknown) return DetachNow(UnsettledWrites(status));
  next_sequence_ = std::min(next_sequence_, first_sequence);
  {
    base::MutexLock lock(mutex_);
    for (InFlight& write : in_flight_) {
      if (write.token < first_token || write.token > last_token) continue;
      Response response;
      response.failure = FailureOf(status);
      SettleLocked(write, std::move(response));
    }
    if (!PushSettled()) return;
  }
  PostWake();
}

bool Connection::ReadyToEvaluate(Waiting& read) {
  if (!read.read_index.has_value()) return false;
  if (outbox_bytes() > options_.outbox_bytes_max) return false;
  if (backend_.AppliedOrWait(*read.read_index, read.request.min_zxid, shared_from_this())) {
    return true;
  }
  AwaitApplied(read);
  return false;
}

void Connection::AwaitApplied(const Waiting& read) {
  if (std::exchange(apply_timer_number_, read.number) == read.number) return;
  executor_.Cancel(apply_timer_);
  apply_timer_ = executor_.RunAfter(
      options_.applied_wait_max, [self = shared_from_this(), number = read.number] {
        if (self->waiting_.empty() || self->waiting_.front().number != number) return;
        self->waiting_.front().refused =
            Unavailable("this server has not caught up in time; try another server");
        self->PostWake();
      });
}

// Evaluates the front and the reads behind it that are as ready, under one hold.
void Connection::EvaluateRun() {
  std::vector<const Request*> reads;
  for (const Waiting& next : waiting_) {
    if (reads.size() == kReadsPerHold || next.request.is_write() || next.refused.has_value()) break;
    if (!next.read_index.has_value()) break;
    if (!backend_.Applied(*next.read_index, next.request.min_zxid)) break;
    reads.push_back(&next.request);
  }
  const size_t evaluated = backend_.EvaluateReads(shared_from_this(), reads);
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(evaluated));
}

void Connection::ResumeReadingIfRoom() {
  {
    base::MutexLock lock(mutex_);
    if (!reading_paused_ || finished_ || !HasRoom()) return;
    reading_paused_ = false;
  }
  sink_->OnResume();
}

// True when nothing more is to be proposed.
bool Connection::DetachIfDrained() {
  Failure failure;
  {
    base::MutexLock lock(mutex_);
    if (!draining_.has_value()) return false;
    if (!in_flight_.empty()) return true;
    failure = *draining_;
  }
  waiting_.clear();
  DetachNow(std::move(failure));
  return true;
}

// Whatever the client wanted: it must look for a server that can tell what goes on.
bool Connection::DetachIfOutOfContact() {
  if (!needs_contact_ || phase_ != Phase::kOpen || backend_.InContact()) return false;
  DetachNow(OutOfContact());
  return true;
}

void Connection::DetachNow(Failure failure) {
  if (Detach(std::move(failure))) PostWake();
}

void Connection::Finish() {
  phase_ = Phase::kClosed;
  waiting_.clear();
  executor_.Cancel(attach_timer_);
  executor_.Cancel(apply_timer_);
  executor_.Cancel(keep_alive_timer_);
  bool too_slow;
  {
    base::MutexLock lock(mutex_);
    too_slow = too_slow_;
  }
  if (too_slow) backend_.OnClientTooSlow(*this);
  backend_.OnConnectionClosed(*this);
}

}  // namespace bellwether::coord
