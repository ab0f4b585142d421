#include "client/coord_watch.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "base/utf8.h"
#include "client/errors.h"
#include "client/wire.h"

namespace bellwether::client {
namespace {

// A server marks progress each second; one that is silent for so long is left.
constexpr absl::Duration kSilenceMax = absl::Seconds(5);

// Another server would say the same.
bool IsFinal(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kUnimplemented:
      return true;
    default:
      return false;
  }
}

}  // namespace

CoordWatch::CoordWatch(ServerList& servers, CoordConnector& connector, base::Executor& executor,
                       const std::vector<Credential>& credentials, std::string path,
                       WatchOptions options, WatchCallbacks callbacks)
    : servers_(servers),
      connector_(connector),
      executor_(executor),
      credentials_(credentials),
      path_(std::move(path)),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      position_(options_.from_zxid) {
  retry_timer_ = executor_.RunAfter(absl::ZeroDuration(), [this] { Connect(); });
}

CoordWatch::~CoordWatch() {
  executor_.Cancel(retry_timer_);
  executor_.Cancel(silence_timer_);
}

void CoordWatch::Connect() {
  const auto& further = options_.further_paths;
  if (!base::IsUtf8(path_) || !std::all_of(further.begin(), further.end(), base::IsUtf8)) {
    return callbacks_.on_end(ErrorWithReason(absl::StatusCode::kInvalidArgument, "bad_arguments",
                                             "the path to watch is not valid UTF-8"));
  }
  compacted_ = false;
  in_state_ = false;
  reading_ = false;
  coord::v1::WatchRequest request;
  if (!servers_.ensemble_id().IsNil()) request.set_ensemble_id(servers_.ensemble_id().Bytes());
  request.set_path(path_);
  request.set_recursive(options_.recursive);
  request.set_from_zxid(position_.value());
  request.set_min_zxid(servers_.highest_zxid().value());
  request.set_stale_ok(options_.stale_ok);
  for (const std::string& path : further) request.add_further_paths(path);
  request.set_prompt_progress(options_.prompt_progress);
  request.set_with_access(options_.with_access);
  for (const Credential& credential : credentials_) {
    *request.add_credentials() = ToWire(credential);
  }
  StreamCallbacks<coord::v1::WatchResponse> callbacks;
  callbacks.on_frame = [this](coord::v1::WatchResponse frame) { OnFrame(std::move(frame)); };
  callbacks.on_end = [this](absl::Status status) { OnEnd(status); };
  call_ = connector_.OpenWatch(servers_.ForAttempt(attempts_), std::move(request),
                               std::move(callbacks));
  ReadNext();
}

void CoordWatch::ReadNext() {
  if (paused_ || reading_ || call_ == nullptr) return;
  reading_ = true;
  executor_.Cancel(silence_timer_);
  silence_timer_ = executor_.RunAfter(kSilenceMax, [this] {
    OnEnd(absl::DeadlineExceededError("the server sent nothing on a watch for 5 s"));
  });
  call_->Next();
}

void CoordWatch::OnEnd(const absl::Status& status) {
  servers_.NoteFailure(servers_.ForAttempt(attempts_), status);
  call_.reset();
  executor_.Cancel(silence_timer_);
  if (IsFinal(status)) return callbacks_.on_end(status);
  ++attempts_;
  ++failures_;
  retry_timer_ = executor_.RunAfter(servers_.Backoff(failures_), [this] { Connect(); });
}

void CoordWatch::OnFrame(coord::v1::WatchResponse frame) {
  reading_ = false;
  executor_.Cancel(silence_timer_);
  failures_ = 0;
  switch (frame.frame_case()) {
    case coord::v1::WatchResponse::kCompacted:
      compacted_ = true;
      break;
    case coord::v1::WatchResponse::kState:
      OnState(std::move(*frame.mutable_state()));
      break;
    case coord::v1::WatchResponse::kChanges:
      OnChanges(std::move(*frame.mutable_changes()));
      break;
    case coord::v1::WatchResponse::kProgress: {
      WatchBatch batch;
      batch.zxid = std::max(position_, Zxid(frame.progress().zxid()));
      Deliver(std::move(batch));
      break;
    }
    case coord::v1::WatchResponse::FRAME_NOT_SET:
      break;  // of a later version
  }
  ReadNext();
}

void CoordWatch::OnState(coord::v1::State state) {
  if (!in_state_) ++round_;
  in_state_ = !state.last();
  WatchBatch batch;
  batch.zxid = Zxid(state.zxid());
  batch.initial = !compacted_;
  batch.resync = compacted_;
  batch.deletions_unknown = compacted_ && !state_complete_;
  batch.complete = state.last();
  for (coord::v1::Znode& znode : *state.mutable_znodes()) {
    AddDifference(FromWire(std::move(znode)), batch);
  }
  if (state.last()) {
    AddDeleted(batch);
    state_complete_ = true;
  }
  Deliver(std::move(batch));
}

void CoordWatch::AddDifference(WatchChange znode, WatchBatch& batch) {
  auto [entry, added] = known_.try_emplace(znode.path);
  const Known before = entry->second;
  const Stat& now = znode.stat;
  entry->second = {now.czxid, now.mzxid, now.pzxid, round_};
  // Resumed from a zxid without having seen the state: what is older was seen by someone.
  const bool by_age = added && compacted_ && !state_complete_;
  const auto differs = [&](Zxid then, Zxid zxid) {
    return by_age ? zxid > options_.from_zxid : zxid != then;
  };
  // The root's czxid is 0. Otherwise perhaps deleted and created anew.
  const bool created = (added && !by_age) || differs(before.czxid, now.czxid);
  const bool changed = differs(before.mzxid, now.mzxid);
  if (!created && !options_.recursive && differs(before.pzxid, now.pzxid)) {
    batch.changes.push_back({WatchEventType::kChildren, znode.path, std::nullopt, now});
  }
  if (!created && !changed) return;
  znode.type = created ? WatchEventType::kCreated : WatchEventType::kChanged;
  batch.changes.push_back(std::move(znode));
}

void CoordWatch::AddDeleted(WatchBatch& batch) {
  std::vector<std::string> deleted;
  for (const auto& [path, known] : known_) {
    if (known.round != round_) deleted.push_back(path);
  }
  for (auto path = deleted.rbegin(); path != deleted.rend(); ++path) {
    known_.erase(*path);
    batch.changes.push_back({WatchEventType::kDeleted, std::move(*path), std::nullopt, Stat()});
  }
}

void CoordWatch::OnChanges(coord::v1::Changes changes) {
  WatchBatch batch;
  batch.zxid = Zxid(changes.zxid());
  if (batch.zxid <= position_) return;
  for (coord::v1::Change& change : *changes.mutable_changes()) {
    batch.changes.push_back(FromWire(std::move(change)));
    Remember(batch.changes.back());
  }
  Deliver(std::move(batch));
}

void CoordWatch::Remember(const WatchChange& change) {
  if (change.type == WatchEventType::kDeleted) {
    known_.erase(change.path);
    return;
  }
  known_[change.path] = {change.stat.czxid, change.stat.mzxid, change.stat.pzxid, round_};
}

void CoordWatch::Deliver(WatchBatch batch) {
  if (batch.complete) position_ = batch.zxid;
  servers_.SawZxid(batch.zxid);
  callbacks_.on_batch(std::move(batch));
}

void CoordWatch::Pause() { paused_ = true; }

void CoordWatch::Resume() {
  paused_ = false;
  ReadNext();
}

}  // namespace bellwether::client
