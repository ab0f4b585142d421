#include "client/recipes/lock.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/errors.h"

namespace bellwether::client {
namespace {

constexpr absl::Duration kRetryAfter = absl::Milliseconds(100);
// By then the session has come back or ended.
constexpr absl::Duration kLeaveLineWithin = absl::Hours(1);
constexpr size_t kSequenceDigits = 10;

// Places in line are ordered by the counter at the end, whatever precedes it.
std::string_view PlaceOf(std::string_view name) {
  return name.size() < kSequenceDigits ? name : name.substr(name.size() - kSequenceDigits);
}

bool MayPass(const absl::Status& error) {
  return absl::IsUnavailable(error) || absl::IsDeadlineExceeded(error) ||
         absl::IsResourceExhausted(error) || base::OutcomeOf(error) == base::Outcome::kUnknown;
}

bool IsExpired(const absl::Status& error) { return ReasonOf(error) == "session_expired"; }
bool IsNoNode(const absl::Status& error) { return ReasonOf(error) == "no_node"; }
// By a release that does not wait for its clients: the path is good.
bool IsNotKnown(const absl::Status& error) { return absl::IsInvalidArgument(error); }

}  // namespace

void CreateWithParents(CoordClient& client, std::string path,
                       absl::AnyInvocable<void(absl::Status)> done) {
  client.Create(
      path, std::nullopt, CreateMode::kPersistent, {},
      [&client, path, done = std::move(done)](absl::StatusOr<CreateResult> created) mutable {
        const absl::Status status = created.status();
        const size_t slash = path.rfind('/');
        if (status.ok() || absl::IsAlreadyExists(status)) return done(absl::OkStatus());
        if (!IsNoNode(status) || slash == 0 || slash == std::string::npos) return done(status);
        std::string parent = path.substr(0, slash);
        CreateWithParents(client, std::move(parent),
                          [&client, path, done = std::move(done)](absl::Status made) mutable {
                            if (!made.ok()) return done(made);
                            CreateWithParents(client, path, std::move(done));
                          });
      });
}

Lock::Lock(CoordClient& client, std::string path, Data data, LockCallbacks callbacks, base::Uuid id)
    : client_(client),
      path_(std::move(path)),
      data_(std::move(data)),
      callbacks_(std::move(callbacks)),
      prefix_(absl::StrCat(id.ToString(), "-")),
      alive_(std::make_shared<bool>(true)) {}

Lock::~Lock() {
  *alive_ = false;
  client_.executor().Cancel(retry_timer_);
  client_.RemoveStateListener(listener_);
}

template <typename T, typename Step>
Callback<T> Lock::IfAlive(Step step) {
  return [this, alive = alive_, step](absl::StatusOr<T> result) mutable {
    if (*alive && !ended_) step(std::move(result));
  };
}

void Lock::Acquire() {
  listener_ = client_.AddStateListener([this](SessionState state) {
    if (own_path_.empty() || (state != SessionState::kPastDeadline &&
                              state != SessionState::kExpired && state != SessionState::kClosed)) {
      return;
    }
    Lose(absl::AbortedError(absl::StrCat("lock ", path_, ": the session is ",
                                         SessionStateName(state),
                                         "; another client may hold the lock now")));
  });
  CreateOwn();
}

void Lock::CreateOwn() {
  creating_ = true;
  client_.Create(absl::StrCat(path_, "/", prefix_), data_, CreateMode::kEphemeralSequential, {},
                 [this, alive = alive_](absl::StatusOr<CreateResult> created) {
                   if (*alive) OnCreated(std::move(created));
                 });
}

void Lock::OnCreated(absl::StatusOr<CreateResult> created) {
  creating_ = false;
  if (created.ok()) {
    own_path_ = created->path;
    if (released_) return DeleteOwn(std::exchange(released_, nullptr));
    return AwaitTurn();
  }
  if (released_) return std::exchange(released_, nullptr)(created.status());
  if (base::OutcomeOf(created.status()) == base::Outcome::kUnknown &&
      !IsExpired(created.status())) {
    return FindOwn();
  }
  if (!IsNoNode(created.status())) return RetryOrLose(created.status(), &Lock::CreateOwn);
  CreateWithParents(client_, path_, [this, alive = alive_](const absl::Status& made) {
    if (!*alive || ended_) return;
    if (made.ok()) return CreateOwn();
    RetryOrLose(made, &Lock::CreateOwn);
  });
}

void Lock::FindOwn() {
  client_.List(path_, false, {}, IfAlive<ListResult>([this](absl::StatusOr<ListResult> line) {
                 if (!line.ok() && !IsNoNode(line.status())) {
                   return RetryOrLose(line.status(), &Lock::FindOwn);
                 }
                 if (!line.ok()) return CreateOwn();
                 for (const std::string& name : line->names) {
                   if (absl::StartsWith(name, prefix_)) own_path_ = absl::StrCat(path_, "/", name);
                 }
                 if (own_path_.empty()) return CreateOwn();
                 AwaitTurn();
               }));
}

void Lock::AwaitTurn() {
  client_.AwaitGrant(
      own_path_, {},
      [this, alive = alive_](const GrantEvent& event) {
        if (*alive && !ended_) OnGrantEvent(event);
      },
      IfAlive<GrantResult>([this](absl::StatusOr<GrantResult> turn) { OnTurn(turn); }));
}

void Lock::OnTurn(const absl::StatusOr<GrantResult>& turn) {
  if (IsNoNode(turn.status())) return LoseOwn();
  if (IsNotKnown(turn.status())) return acquired_ ? GuardOwn() : LookAhead();
  if (!turn.ok()) return RetryOrLose(turn.status(), &Lock::AwaitTurn);
  if (turn->held) Hold(turn->token);
}

void Lock::OnGrantEvent(const GrantEvent& event) {
  switch (event.type) {
    case GrantEventType::kGranted:
      return Hold(event.token);
    case GrantEventType::kGone:
      return LoseOwn();
    case GrantEventType::kConnectionLost:
      return AwaitTurn();
  }
}

void Lock::Hold(Zxid token) {
  if (!std::exchange(acquired_, true)) callbacks_.on_acquired(token);
}

void Lock::LookAhead() {
  client_.List(path_, false, {}, IfAlive<ListResult>([this](absl::StatusOr<ListResult> line) {
                 OnLine(std::move(line));
               }));
}

void Lock::OnLine(absl::StatusOr<ListResult> line) {
  if (!line.ok()) return RetryOrLose(line.status(), &Lock::LookAhead);
  const std::string own = own_path_.substr(path_.size() + 1);
  const std::string* predecessor = nullptr;
  bool found = false;
  for (const std::string& name : line->names) {
    found |= name == own;
    if (PlaceOf(name) >= PlaceOf(own)) continue;
    if (predecessor == nullptr || PlaceOf(name) > PlaceOf(*predecessor)) predecessor = &name;
  }
  if (!found) return LoseOwn();
  if (predecessor != nullptr) return AwaitChangeOf(absl::StrCat(path_, "/", *predecessor));
  GuardOwn();
}

void Lock::AwaitChangeOf(const std::string& predecessor) {
  ReadOptions options;
  options.watch = [this, alive = alive_](const WatchEvent& event) {
    if (!*alive || ended_) return;
    event.type == WatchEventType::kConnectionLost ? AwaitTurn() : LookAhead();
  };
  client_.GetStat(predecessor, std::move(options),
                  IfAlive<StatResult>([this](absl::StatusOr<StatResult> stat) {
                    if (stat.ok()) return;  // the watch says when to look again
                    if (IsNoNode(stat.status())) return LookAhead();
                    RetryOrLose(stat.status(), &Lock::LookAhead);
                  }));
}

// The first in line holds the lock, as long as its znode is there.
void Lock::GuardOwn() {
  ReadOptions options;
  options.watch = [this, alive = alive_](const WatchEvent& event) {
    if (!*alive || ended_) return;
    event.type == WatchEventType::kConnectionLost ? AwaitTurn() : GuardOwn();
  };
  client_.GetStat(own_path_, std::move(options),
                  IfAlive<StatResult>([this](absl::StatusOr<StatResult> stat) {
                    if (IsNoNode(stat.status())) return LoseOwn();
                    if (!stat.ok()) return RetryOrLose(stat.status(), &Lock::GuardOwn);
                    Hold(stat->stat.czxid);
                  }));
}

void Lock::LoseOwn() {
  Lose(absl::AbortedError(
      absl::StrCat("lock ", path_, ": ", own_path_, " was deleted by someone else")));
}

void Lock::RetryOrLose(const absl::Status& error, void (Lock::*step)()) {
  if (!MayPass(error) || IsExpired(error)) return Lose(error);
  retry_timer_ = client_.executor().RunAfter(kRetryAfter, [this, step] {
    if (!ended_) (this->*step)();
  });
}

void Lock::Lose(const absl::Status& why) {
  if (std::exchange(ended_, true)) return;
  // Should the session come back, its znode must not go on standing in line for nobody.
  if (!own_path_.empty()) {
    client_.Delete(own_path_, kAnyVersion, false, {.timeout = kLeaveLineWithin},
                   [](const absl::StatusOr<DeleteResult>&) {});
  }
  callbacks_.on_lost(why);
}

void Lock::Release(absl::AnyInvocable<void(absl::Status)> done) {
  ended_ = true;
  if (creating_) {
    released_ = std::move(done);
  } else if (own_path_.empty()) {
    client_.executor().Post([done = std::move(done)]() mutable { done(absl::OkStatus()); });
  } else {
    DeleteOwn(std::move(done));
  }
}

void Lock::DeleteOwn(absl::AnyInvocable<void(absl::Status)> done) {
  client_.Delete(own_path_, kAnyVersion, false, {},
                 [done = std::move(done)](absl::StatusOr<DeleteResult> deleted) mutable {
                   const bool gone = deleted.ok() || IsNoNode(deleted.status());
                   done(gone ? absl::OkStatus() : deleted.status());
                 });
}

}  // namespace bellwether::client
