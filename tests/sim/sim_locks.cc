#include <utility>

#include "base/status.h"
#include "client/errors.h"
#include "tests/sim/sim_client.h"

// The part of a SimClient that stands in line for locks: by hand, and by the recipe.
namespace bellwether::sim {
namespace {

constexpr int kLockedForMax = 10;  // times what a client thinks between two requests
constexpr absl::Duration kLeaveAgainAfter = absl::Milliseconds(100);

}  // namespace

void SimClient::StandInLine() {
  if (random_.Chance(0.2)) {
    Operation& lock = NewOperation(Operation::Kind::kCreate, std::string(kLockPath));
    client_.Create(lock.path, NewTag(lock), lock.mode, {}, Answer<client::CreateResult>(lock));
  }
  Operation& place = NewOperation(Operation::Kind::kCreate, std::string(kLockPath) + "/w-");
  place.mode = client::CreateMode::kEphemeralSequential;
  client_.Create(place.path, NewTag(place), place.mode, {},
                 [this, answer = Answer<client::CreateResult>(place)](
                     absl::StatusOr<client::CreateResult> result) mutable {
                   const std::string path = result.ok() ? result->path : "";
                   answer(std::move(result));
                   if (!path.empty() && !over_) AwaitGrant(path);
                 });
}

void SimClient::AwaitGrant(std::string path) {
  GrantRecord* const record = &deps_.history.grants.emplace_back();
  record->client = serial_;
  record->path = path;
  record->floor = Newest();
  const auto on_event = [this, record](const client::GrantEvent& event) {
    deps_.trace.Add("client {} in line with {} event={} zxid={}", serial_, record->path,
                    static_cast<int>(event.type), event.zxid);
    record->events.push_back(event);
    if (event.type != client::GrantEventType::kGranted) std::erase(in_line_, record);
  };
  client_.AwaitGrant(path, {}, on_event,
                     [this, record](absl::StatusOr<client::GrantResult> result) {
                       record->ceiling = Newest();
                       if (!result.ok()) return;
                       record->answered = true;
                       record->token = Zxid(result->token.value());
                       record->held = result->held;
                       in_line_.push_back(record);
                       deps_.trace.Add("client {} in line with {} held={}", serial_, record->path,
                                       record->held);
                     });
}

// ---- The recipe ----

void SimClient::Lock() {
  if (lock_ != nullptr) return;
  client::LockCallbacks callbacks;
  callbacks.on_acquired = [this](client::Zxid token) { OnLocked(token); };
  callbacks.on_lost = [this](const absl::Status& why) {
    deps_.trace.Add("client {} lost the lock: {}", serial_, base::StdView(why.message()));
    OnUnlocked();
    // A lock must not go inside of its callback.
    executor_.Post([this] { lock_.reset(); });
  };
  lock_ = std::make_unique<client::Lock>(
      client_, std::string(kRecipePath), fmt::format("{} locks", serial_), std::move(callbacks),
      base::Uuid::FromRandom(random_.Next(), random_.Next()));
  lock_->Acquire();
}

void SimClient::OnLocked(client::Zxid token) {
  locking_ = &deps_.history.locks.emplace_back();
  locking_->client = serial_;
  locking_->path = lock_->own_path();
  locking_->token = Zxid(token.value());
  locking_->ceiling = Newest();
  locking_->from = deps_.scheduler.now();
  deps_.trace.Add("client {} has the lock, token {}", serial_, token);
  const double share = finishing_ ? 0 : static_cast<double>(random_.Below(1000)) / 1000;
  executor_.RunAfter(options_.think_time * kLockedForMax * share,
                     [this, record = locking_] { if (locking_ == record) Unlock(); });
}

void SimClient::Unlock() {
  OnUnlocked();
  lock_->Release([this, path = lock_->own_path()](const absl::Status& released) {
    if (!released.ok()) LeaveLine(path);
    executor_.Post([this] { lock_.reset(); });
  });
}

// A session that lives on must not keep the others waiting.
void SimClient::LeaveLine(const std::string& path) {
  if (over_) return;
  client_.Delete(path, client::kAnyVersion, false, {},
                 [this, path](const absl::StatusOr<client::DeleteResult>& deleted) {
                   if (deleted.ok() || client::ReasonOf(deleted.status()) == "no_node") return;
                   executor_.RunAfter(kLeaveAgainAfter * options_.time_scale,
                                      [this, path] { LeaveLine(path); });
                 });
}

void SimClient::OnUnlocked() {
  if (locking_ == nullptr) return;
  locking_->to = deps_.scheduler.now();
  locking_->deadline = client_.SessionDeadline();
  locking_ = nullptr;
}

}  // namespace bellwether::sim
