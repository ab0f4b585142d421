#include "client/coord_client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/errors.h"
#include "client/wire.h"

namespace bellwether::client {
namespace {

// Silence of a server that can't serve now is not filled with retries. Mostly it can soon.
constexpr absl::Duration kPauseFirst = absl::Milliseconds(5);
constexpr absl::Duration kPauseMax = absl::Milliseconds(50);
// A connection that stood for less is no proof that the next one will stand: backoff goes on.
constexpr absl::Duration kStableAfter = absl::Seconds(1);

absl::Duration AttachTimeout(absl::Duration session_timeout) {
  return std::clamp(session_timeout / 3, absl::Milliseconds(500), absl::Seconds(3));
}

bool IsExpired(const absl::Status& error) { return ReasonOf(error) == "session_expired"; }

bool IsOfAnotherEnsemble(const absl::Status& error) { return ReasonOf(error) == "other_ensemble"; }

}  // namespace

CoordClient::CoordClient(CoordOptions options, base::Executor& executor, base::Clock& clock,
                         CoordConnector& connector)
    : options_(std::move(options)),
      executor_(executor),
      clock_(clock),
      connector_(connector),
      servers_(options_.addresses, options_.ensemble_id, options_.seed),
      nonce_(base::Uuid::FromRandom(servers_.RandomWord(), servers_.RandomWord())),
      credentials_(options_.credentials),
      queue_(options_.outstanding_max, options_.outstanding_bytes_max),
      alive_(std::make_shared<bool>(true)) {}

CoordClient::~CoordClient() {
  *alive_ = false;
  for (base::TimerId timer :
       {connect_timer_, keep_alive_timer_, deadline_timer_, request_timer_, pause_timer_}) {
    executor_.Cancel(timer);
  }
}

void CoordClient::Start() { Connect(); }

void CoordClient::Connect() {
  session_.address = servers_.ForAttempt(attempts_++);
  StreamCallbacks<coord::v1::SessionResponse> callbacks;
  callbacks.on_frame = [this](coord::v1::SessionResponse frame) { OnFrame(std::move(frame)); };
  callbacks.on_end = [this](absl::Status status) { Disconnect(status); };
  call_ = connector_.OpenSession(session_.address, std::move(callbacks));

  coord::v1::SessionRequest frame;
  coord::v1::Attach& attach = *frame.mutable_attach();
  if (!servers_.ensemble_id().IsNil()) attach.set_ensemble_id(servers_.ensemble_id().Bytes());
  for (const Credential& credential : credentials_) {
    *attach.add_credentials() = ToWire(credential);
  }
  if (options_.read_only) {
    attach.set_read_only(true);
  } else {
    AskForSession(attach);
  }
  attach_sent_at_ = clock_.Monotonic();
  call_->Send(std::move(frame));
  connect_timer_ = executor_.RunAfter(AttachTimeout(options_.session_timeout), [this] {
    Disconnect(absl::DeadlineExceededError("the server did not attach the session in time"));
  });
}

void CoordClient::AskForSession(coord::v1::Attach& attach) const {
  attach.set_session_id(session_.id.value());
  if (session_.id.value() == 0) {
    attach.set_nonce(nonce_.Bytes());
  } else {
    attach.set_password(password_);
  }
  attach.set_timeout_ms(
      static_cast<uint32_t>(absl::ToInt64Milliseconds(options_.session_timeout)));
  attach.set_min_zxid(servers_.highest_zxid().value());
}

void CoordClient::OnFrame(coord::v1::SessionResponse frame) {
  if (frame.has_attached() != !attached_) {
    Disconnect(absl::InternalError("the server does not speak the session protocol"));
    return;
  }
  switch (frame.frame_case()) {
    case coord::v1::SessionResponse::kAttached:
      return OnAttached(frame.attached());
    case coord::v1::SessionResponse::kResponse:
      return OnResponse(std::move(*frame.mutable_response()));
    case coord::v1::SessionResponse::kEvent: {
      const WatchEvent event = FromWire(frame.event());
      servers_.SawZxid(event.zxid);
      return watches_.Fire(event);
    }
    case coord::v1::SessionResponse::kGrant: {
      const GrantEvent event = FromWire(frame.grant());
      servers_.SawZxid(event.zxid);
      return grant_waits_.Fire(event);
    }
    case coord::v1::SessionResponse::kKeepAliveAck:
      return OnKeepAliveAck(frame.keep_alive_ack().id());
    case coord::v1::SessionResponse::kDetached: {
      const absl::Status why = FromWire(frame.detached().error());
      return IsExpired(why) ? Expire(why) : Disconnect(why);
    }
    case coord::v1::SessionResponse::FRAME_NOT_SET:
      return;  // of a later version
  }
}

void CoordClient::OnAttached(const coord::v1::Attached& attached) {
  if (attached.has_error()) {
    const absl::Status why = FromWire(attached.error());
    // With a session another server may know better.
    if (ReasonOf(why) == "auth_failed" && session_.id.value() == 0) {
      return Finish(SessionState::kExpired, why);
    }
    // An ensemble that was restored is another one, and has no sessions of before. Until its
    // deadline this one may be alive elsewhere, as when an address is wrong.
    const bool is_gone = IsExpired(why) || (IsOfAnotherEnsemble(why) &&
                                            state_ == SessionState::kPastDeadline);
    return is_gone ? Expire(why) : Disconnect(why);
  }
  executor_.Cancel(std::exchange(connect_timer_, 0));
  attached_ = true;
  session_.id = SessionId(attached.session_id());
  session_.generation = attached.generation();
  session_.timeout = absl::Milliseconds(attached.timeout_ms());
  session_.server_id = attached.server_id();
  session_.ensemble_id = base::Uuid::FromBytes(attached.ensemble_id()).value_or(base::Uuid());
  servers_.SetEnsembleId(session_.ensemble_id);
  password_ = attached.password();
  servers_.SawZxid(Zxid(attached.zxid()));
  attached_at_ = clock_.Monotonic();
  if (!options_.read_only) {
    ExtendDeadline(attach_sent_at_);
    keep_alive_timer_ = executor_.RunAfter(session_.timeout / 3, [this] { SendKeepAlive(); });
  }
  UpdateState();
  queue_.OnAttached(attached.last_sequence(), attached.results_kept());
  SendPending();
}

void CoordClient::OnResponse(coord::v1::Response response) {
  servers_.SawZxid(Zxid(response.zxid()));
  if (!response.has_error()) pause_ = absl::ZeroDuration();
  switch (queue_.OnResponse(std::move(response))) {
    case RequestQueue::Next::kContinue:
      break;
    case RequestQueue::Next::kPause:
      Pause();
      break;
    case RequestQueue::Next::kReconnect:
      Disconnect(absl::UnavailableError(
          "the server could not tell what became of a request; attaching again to find out"));
      break;
  }
  SendPending();
}

// Once for all that was refused together.
void CoordClient::Pause() {
  const absl::Duration now = clock_.Monotonic();
  if (now < paused_until_) return;
  pause_ = std::clamp(2 * pause_, kPauseFirst, kPauseMax);
  paused_until_ = now + pause_;
  executor_.Cancel(pause_timer_);
  pause_timer_ = executor_.RunAfter(pause_, [this] { SendPending(); });
}

void CoordClient::SendPending() {
  if (!attached_ || clock_.Monotonic() < paused_until_) return;
  while (std::optional<coord::v1::Request> request = queue_.TakeToSend(session_.generation)) {
    coord::v1::SessionRequest frame;
    *frame.mutable_request() = *std::move(request);
    call_->Send(std::move(frame));
  }
}

void CoordClient::Disconnect(const absl::Status& why) {
  servers_.NoteFailure(session_.address, why);
  call_.reset();
  executor_.Cancel(connect_timer_);
  executor_.Cancel(std::exchange(keep_alive_timer_, 0));
  const bool was_stable = attached_ && clock_.Monotonic() - attached_at_ >= kStableAfter;
  failures_ = was_stable ? 1 : failures_ + 1;
  attached_ = false;
  keep_alives_.clear();
  queue_.OnDisconnected();
  connect_timer_ = executor_.RunAfter(servers_.Backoff(failures_), [this] { Connect(); });
  UpdateState();
  watches_.FireConnectionLost();
  grant_waits_.FireConnectionLost();
}

void CoordClient::Reconnect() {
  if (call_ != nullptr) Disconnect(absl::UnavailableError("given up by this client"));
}

void CoordClient::SendKeepAlive() {
  const absl::Duration now = clock_.Monotonic();
  const absl::Duration interval = session_.timeout / 3;
  if (!keep_alives_.empty()) {
    Disconnect(absl::DeadlineExceededError(
        absl::StrCat("the server did not answer a keepalive within ",
                     absl::FormatDuration(interval))));
    return;
  }
  keep_alives_.emplace_back(next_keep_alive_, now);
  coord::v1::SessionRequest frame;
  frame.mutable_keep_alive()->set_id(next_keep_alive_++);
  call_->Send(std::move(frame));
  keep_alive_timer_ = executor_.RunAfter(interval, [this] { SendKeepAlive(); });
}

void CoordClient::OnKeepAliveAck(uint64_t id) {
  while (!keep_alives_.empty() && keep_alives_.front().first <= id) {
    ExtendDeadline(keep_alives_.front().second);
    keep_alives_.pop_front();
  }
  UpdateState();
}

void CoordClient::ExtendDeadline(absl::Duration sent_at) {
  const int64_t deadline = absl::ToInt64Nanoseconds(sent_at + session_.timeout);
  if (deadline <= deadline_ns_.load(std::memory_order_relaxed)) return;
  deadline_ns_.store(deadline, std::memory_order_release);
  executor_.Cancel(deadline_timer_);
  deadline_timer_ =
      executor_.RunAfter(SessionDeadline() - clock_.Monotonic(), [this] { UpdateState(); });
}

absl::Duration CoordClient::SessionDeadline() const {
  return absl::Nanoseconds(deadline_ns_.load(std::memory_order_acquire));
}

void CoordClient::UpdateState() {
  if (state_ == SessionState::kExpired || state_ == SessionState::kClosed) return;
  SessionState state = options_.read_only && attached_ ? SessionState::kConnected
                                                       : SessionState::kConnecting;
  if (session_.id.value() != 0) {
    state = attached_ ? SessionState::kConnected : SessionState::kSuspended;
    if (clock_.Monotonic() >= SessionDeadline()) state = SessionState::kPastDeadline;
  }
  SetState(state);
}

void CoordClient::SetState(SessionState state) {
  if (state == state_) return;
  state_ = state;
  std::vector<std::pair<ListenerId, std::shared_ptr<StateListener>>> listeners(listeners_.begin(),
                                                                               listeners_.end());
  for (auto& [id, listener] : listeners) {
    if (listeners_.contains(id) && state_ == state) (*listener)(state);
  }
}

void CoordClient::Expire(const absl::Status& why) {
  Finish(closing_ ? SessionState::kClosed : SessionState::kExpired,
         ErrorWithReason(absl::StatusCode::kNotFound, "session_expired",
                         absl::StrCat("the session is gone, with its ephemeral znodes (",
                                      why.message(), "); open a new one")));
}

void CoordClient::Finish(SessionState state, const absl::Status& why) {
  call_.reset();
  attached_ = false;
  final_status_ = why;
  for (base::TimerId timer :
       {connect_timer_, keep_alive_timer_, deadline_timer_, request_timer_, pause_timer_}) {
    executor_.Cancel(timer);
  }
  deadline_ns_.store(0, std::memory_order_release);
  SetState(state);
  queue_.FailAll(why);
  watches_.FireConnectionLost();
  grant_waits_.FireConnectionLost();
}

CoordClient::ListenerId CoordClient::AddStateListener(StateListener listener) {
  listeners_.emplace(next_listener_, std::make_shared<StateListener>(std::move(listener)));
  return next_listener_++;
}

void CoordClient::RemoveStateListener(ListenerId id) { listeners_.erase(id); }

}  // namespace bellwether::client
