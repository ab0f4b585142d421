#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/uuid.h"
#include "broker/metadata/cluster_view.h"
#include "broker/metadata/controller.h"
#include "broker/metadata/coord_session.h"
#include "broker/metadata/registration.h"
#include "broker/metadata/topic_admin.h"
#include "broker/metadata/view_builder.h"
#include "client/coord_client.h"

namespace bellwether::broker {

struct ClusterOptions {
  Broker self;                                        // as to be registered
  std::vector<std::string> coord;                     // servers of the ensemble
  absl::Duration session_timeout = absl::Seconds(6);  // wanted
};

// What Cluster tells the broker. Called on the metadata executor; must not block for long.
struct ClusterCallbacks {
  // Once per session, before anything is written: an error ends the broker (another ensemble).
  std::function<absl::Status(base::Uuid ensemble_id)> on_ensemble;
  // With each new view and each change of this broker's epoch (0: not registered).
  std::function<void(std::shared_ptr<const ClusterView>, BrokerEpoch)> on_view;
  // The broker can't take part, and why: the process should end.
  std::function<void(const absl::Status&)> on_fatal;
};

// This broker's place in the cluster: its session with coord, its registration, the view of
// everything from one recursive watch, and the controller while this broker holds that office.
// A session that expired is replaced by a new one with a new epoch.
//
// Runs on the metadata executor; methods marked thread-safe may be called from anywhere. The
// executor, clock, connector and metrics outlive it; destroy it after the executor has stopped.
// Limits: kWaitersMax requests waiting for a view.
class Cluster {
 public:
  Cluster(ClusterOptions options, ClusterCallbacks callbacks, base::Executor& executor,
          base::Clock& clock, client::CoordConnector& connector, base::Metrics& metrics);
  ~Cluster();

  // Begins to connect, and to register with `grpc` as the address for clients. Thread-safe.
  void Start(std::string grpc);

  // Closes the session, so that the others see this broker go at once; `done` runs on the executor
  // at the latest after `timeout`. Nothing is written or called back after that. Thread-safe.
  void Stop(absl::Duration timeout, absl::AnyInvocable<void()> done);

  // The newest view; empty, of zxid 0, before the first. Thread-safe.
  std::shared_ptr<const ClusterView> view() const;
  // Of the present registration; 0: not registered. Thread-safe.
  BrokerEpoch epoch() const { return BrokerEpoch(epoch_.load()); }
  // Whether coord provably still keeps this broker's session (K14). Thread-safe.
  bool WithinDeadline() const;
  // nil before the first session. Thread-safe.
  base::Uuid ensemble_id() const;

  using Done = absl::AnyInvocable<void(absl::Status)>;

  // Creates a topic, and waits until every partition has a leader in the view, or for `timeout`:
  // then it exists all the same. Gives the topic id. Errors: those of CreationOf; of unknown
  // outcome when coord didn't answer. Thread-safe.
  void CreateTopic(TopicSpec spec, absl::Duration timeout,
                   absl::AnyInvocable<void(absl::StatusOr<base::Uuid>)> done);
  // Deletes a topic and waits until the view shows it. Errors: those of DeletionOf. Thread-safe.
  void DeleteTopic(std::string name, absl::Duration timeout, Done done);
  // Tells the others that this broker holds no data of a deleted topic. Executor only.
  void ConfirmDeletion(const DeletionRecord& record);
  // Waits until the view is that of `zxid` or newer. DEADLINE_EXCEEDED after `timeout`;
  // RESOURCE_EXHAUSTED when too many wait. Thread-safe.
  void WaitForView(Zxid zxid, absl::Duration timeout, Done done);
  // Waits until the view has the topic if coord has it now. NOT_FOUND when coord doesn't; else as
  // WaitForView. Thread-safe.
  void WaitForTopic(std::string name, absl::Duration timeout, Done done);

 private:
  static constexpr size_t kWaitersMax = 10000;

  class ClientSession;

  // Runs `done` when `holds` is true of a view, with DEADLINE_EXCEEDED at `deadline`.
  struct Waiter {
    std::function<bool(const ClusterView&)> holds;
    absl::Duration deadline;  // on the monotonic clock
    Done done;
  };

  void OpenSession();
  void CloseEverything();
  void OnState(client::SessionState state);
  void OnConnected();
  void OnRegistered(const absl::StatusOr<BrokerEpoch>& epoch);
  void OnBatch(const client::WatchBatch& batch);
  void SchedulePublish();
  void Publish();
  void CheckRegistration(const ClusterView& view);
  void SetEpoch(BrokerEpoch epoch);
  void Wait(std::function<bool(const ClusterView&)> holds, absl::Duration timeout, Done done);
  void RunWaiters(const ClusterView& view);
  // Those whose deadline has passed, or all once this is stopped.
  void ExpireWaiters();
  void Fail(const absl::Status& status);
  // Tries again while the topic changes, until `deadline` on the monotonic clock.
  void TryDeleteTopic(std::string name, absl::Duration deadline, Done done);
  void UpdateMetrics(const ClusterView& view);

  ClusterOptions options_;  // constant once started
  const ClusterCallbacks callbacks_;
  base::Executor& executor_;
  base::Clock& clock_;
  client::CoordConnector& connector_;
  base::Metrics& metrics_;
  base::Gauge& offline_gauge_;
  base::Gauge& under_replicated_gauge_;
  base::Gauge& brokers_gauge_;
  base::Gauge& topics_gauge_;
  base::Gauge& unreadable_gauge_;
  base::Counter& sessions_counter_;

  // On the executor. One set per session, destroyed in reverse order.
  std::unique_ptr<client::CoordClient> client_;
  std::unique_ptr<ClientSession> session_;
  std::unique_ptr<client::CoordWatch> watch_;
  std::unique_ptr<Registration> registration_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<ViewBuilder> builder_;

  bool stopped_ = false;
  bool ensemble_checked_ = false;
  bool view_complete_ = false;    // the builder has the whole state
  bool publish_pending_ = false;
  bool expire_timer_set_ = false;
  std::list<Waiter> waiters_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // shared with posted tasks

  std::atomic<int64_t> epoch_ = 0;
  mutable base::Mutex mutex_;
  std::shared_ptr<const ClusterView> view_ ABSL_GUARDED_BY(mutex_);
  client::CoordClient* deadline_source_ ABSL_GUARDED_BY(mutex_) = nullptr;  // client_
  base::Uuid ensemble_id_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwether::broker
