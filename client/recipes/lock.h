#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/uuid.h"
#include "client/coord_client.h"

namespace bellwether::client {

// What a lock tells its owner, on the client's executor. Must not destroy the lock (post that).
struct LockCallbacks {
  // The lock is held. `token` is larger than that of any earlier holder: hand it to whatever the
  // lock protects, so that it can refuse a holder that has been overtaken (a fencing token).
  absl::AnyInvocable<void(Zxid token)> on_acquired;
  // It is held no longer, or never will be: the session passed its deadline or ended, or someone
  // deleted the lock's znode. The last callback. To get in line again, even if the session comes
  // back, make a new lock.
  absl::AnyInvocable<void(const absl::Status& why)> on_lost;
};

// A fair lock among clients: each waits in line with an ephemeral sequential znode below one path, and
// the server tells it when that is the first, so that a release wakes one client. (Servers of a
// release before feature level 4 tell nothing: there each watches the one before it. Both stand in one
// line.) Held until Release, or until the session can no longer be proven alive. Owned by whoever uses
// it; on the client's executor; must not outlive the client.
//
// Another client may hold the lock as soon as on_lost could have been called: work that must not
// overlap has to check the token where it takes effect.
class Lock {
 public:
  // `path` is the lock's znode; it is created, with its parents, when it isn't there. `data` is
  // stored in the znode that stands in line, for people and for LeaderElection. `id` is found nowhere
  // else.
  Lock(CoordClient& client, std::string path, Data data, LockCallbacks callbacks,
       base::Uuid id = base::Uuid::Generate());
  ~Lock();
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  // Gets in line. Once.
  void Acquire();

  // Leaves the line or gives the lock up. `done` says that the znode is gone; on an error it goes
  // with the session. on_lost is not called after this.
  void Release(absl::AnyInvocable<void(absl::Status)> done);

  // The znode that stands in line; empty before it exists.
  const std::string& own_path() const { return own_path_; }

 private:
  // Runs `step` unless this lock is gone or has ended by then.
  template <typename T, typename Step>
  Callback<T> IfAlive(Step step);

  void CreateOwn();
  void OnCreated(absl::StatusOr<CreateResult> created);
  // After a create of unknown outcome: the znode may be there.
  void FindOwn();
  // The server waits.
  void AwaitTurn();
  void OnTurn(const absl::StatusOr<GrantResult>& turn);
  void OnGrantEvent(const GrantEvent& event);
  // The server does not know how to: the line is looked at, and the one before or the own one watched,
  // until the connection is lost. Perhaps the next server knows.
  void LookAhead();
  void OnLine(absl::StatusOr<ListResult> line);
  void AwaitChangeOf(const std::string& predecessor);
  void GuardOwn();
  void Hold(Zxid token);
  void LoseOwn();
  // Tries a step again, a little later, when the error may pass; else the lock is lost.
  void RetryOrLose(const absl::Status& error, void (Lock::*step)());
  void Lose(const absl::Status& why);
  void DeleteOwn(absl::AnyInvocable<void(absl::Status)> done);

  CoordClient& client_;
  const std::string path_;
  const Data data_;
  LockCallbacks callbacks_;
  std::string prefix_;    // of the own znode's name; tells it from others after an unknown create
  std::string own_path_;
  bool acquired_ = false;
  bool ended_ = false;    // lost or released
  absl::AnyInvocable<void(absl::Status)> released_;  // waiting for an unanswered create
  bool creating_ = false;
  base::TimerId retry_timer_ = 0;
  CoordClient::ListenerId listener_ = 0;
  std::shared_ptr<bool> alive_;  // shared with callbacks that may outlive this
};

// Creates a persistent znode without data and all that is missing above it. OK when it is there.
void CreateWithParents(CoordClient& client, std::string path,
                       absl::AnyInvocable<void(absl::Status)> done);

}  // namespace bellwether::client
