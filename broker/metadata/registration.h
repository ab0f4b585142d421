#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "broker/metadata/cluster_view.h"
#include "broker/metadata/coord_session.h"

namespace bellwether::broker {

// Registers this incarnation of the broker under one session: makes the folders of the layout,
// then /brokers/ids/<id>. What an earlier process left behind is told by the data folder, which
// only one process can hold: a registration that names this folder is replaced in one transaction,
// and the office of controller that its session held is freed; any other registration belongs to
// somebody else and is waited for until its session must have expired (K17).
//
// Owned by Cluster; on the metadata executor. One object per session.
class Registration {
 public:
  struct Options {
    Broker self;                 // epoch and session are not used
    absl::Duration holder_wait;  // how long another process's registration is waited for
    // Whether a process of this machine is alive.
    std::function<bool(int64_t pid)> is_alive;
  };
  // The epoch, or why there is none: ALREADY_EXISTS when another process has the id (named by host
  // and pid). Other errors are tried again inside.
  using Done = std::function<void(absl::StatusOr<BrokerEpoch>)>;

  Registration(Options options, CoordSession& session, base::Executor& executor,
               base::Clock& clock, Done done);
  ~Registration();

  // Begins, or begins again after the registration was lost though the session lives.
  void Start();

 private:
  void MakeFolder(size_t index);
  void LookAtHolder();
  void OnHolder(const client::GetResult& found);
  void WaitForHolder(const Broker& holder);
  void FreeController(const Broker& old);
  void Register(const Broker* replaced);
  void Retry(const absl::Status& status);
  // Runs `task` later unless this is gone by then.
  void After(absl::Duration delay, std::function<void()> task);

  const Options options_;
  CoordSession& session_;
  base::Executor& executor_;
  base::Clock& clock_;
  const Done done_;
  const std::string path_;
  bool under_way_ = false;
  absl::Duration give_up_at_ = absl::InfiniteDuration();  // on the monotonic clock
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // shared with callbacks
};

}  // namespace bellwether::broker
