#include "broker/metadata/cluster.h"

#include <signal.h>

#include <cerrno>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "base/status.h"
#include "broker/metadata/paths.h"

namespace bellwether::broker {
namespace {

constexpr absl::Duration kSessionRetryDelay = absl::Milliseconds(200);

bool ProcessIsAlive(int64_t pid) {
  return pid > 0 && (kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM);
}

}  // namespace

// A CoordClient as the seam that registration and controller use.
class Cluster::ClientSession : public CoordSession {
 public:
  explicit ClientSession(client::CoordClient& client) : client_(client) {}

  client::SessionId id() const override { return client_.session().id; }
  void Commit(client::Transaction transaction,
              client::Callback<client::TransactionResult> done) override {
    client_.Commit(std::move(transaction), {}, std::move(done));
  }
  void Get(std::string path, client::Callback<client::GetResult> done) override {
    client_.Get(std::move(path), {}, std::move(done));
  }

 private:
  client::CoordClient& client_;
};

Cluster::Cluster(ClusterOptions options, ClusterCallbacks callbacks, base::Executor& executor,
                 base::Clock& clock, client::CoordConnector& connector, base::Metrics& metrics)
    : options_(std::move(options)), callbacks_(std::move(callbacks)), executor_(executor),
      clock_(clock), connector_(connector), metrics_(metrics),
      offline_gauge_(metrics.AddGauge("bell_partitions_offline", "Partitions without a leader")),
      under_replicated_gauge_(metrics.AddGauge("bell_partitions_under_replicated",
                                               "Partitions with replicas missing from their ISR")),
      brokers_gauge_(metrics.AddGauge("bell_brokers", "Registered brokers")),
      topics_gauge_(metrics.AddGauge("bell_topics", "Topics")),
      unreadable_gauge_(metrics.AddGauge("bell_metadata_unreadable",
                                         "Znodes of the brokers that can't be read")),
      sessions_counter_(metrics.AddCounter("bell_broker_sessions_total",
                                           "Sessions with coord that were begun")),
      view_(std::make_shared<const ClusterView>()) {}

Cluster::~Cluster() {
  *alive_ = false;
  CloseEverything();
}

void Cluster::Start(std::string grpc) {
  executor_.Post([this, grpc = std::move(grpc), alive = alive_]() mutable {
    if (!*alive) return;
    options_.self.grpc = std::move(grpc);
    OpenSession();
  });
}

void Cluster::OpenSession() {
  if (stopped_) return;
  CloseEverything();
  client_ = std::make_unique<client::CoordClient>(
      client::CoordOptions{.addresses = options_.coord,
                           .session_timeout = options_.session_timeout,
                           .seed = base::SystemRandom()},
      executor_, clock_, connector_);
  {
    base::MutexLock lock(mutex_);
    deadline_source_ = client_.get();
  }
  sessions_counter_.Add();
  ensemble_checked_ = false;
  view_complete_ = false;
  builder_ = std::make_unique<ViewBuilder>();
  session_ = std::make_unique<ClientSession>(*client_);
  client_->AddStateListener([this](client::SessionState state) { OnState(state); });
  client_->Start();
}

void Cluster::CloseEverything() {
  {
    base::MutexLock lock(mutex_);
    deadline_source_ = nullptr;
  }
  controller_.reset();
  registration_.reset();
  watch_.reset();
  session_.reset();
  client_.reset();
}

void Cluster::OnState(client::SessionState state) {
  LOG_INFO("coord session id={:#x} state={}", client_->session().id.value(),
           client::SessionStateName(state));
  if (stopped_) return;
  if (state == client::SessionState::kConnected && !ensemble_checked_) return OnConnected();
  if (state != client::SessionState::kExpired) return;
  SetEpoch(BrokerEpoch());
  // The client may not be destroyed while it calls.
  executor_.RunAfter(kSessionRetryDelay, [this, alive = alive_] {
    if (*alive) OpenSession();
  });
}

void Cluster::OnConnected() {
  ensemble_checked_ = true;
  const base::Uuid ensemble = client_->session().ensemble_id;
  if (const absl::Status status = callbacks_.on_ensemble(ensemble); !status.ok()) {
    return Fail(status);
  }
  {
    base::MutexLock lock(mutex_);
    ensemble_id_ = ensemble;
  }
  client::WatchOptions watch;
  watch.recursive = true;
  watch.further_paths.assign(std::begin(paths::kWatched) + 1, std::end(paths::kWatched));
  // Somebody may wait for a zxid that changed nothing of ours.
  watch.prompt_progress = true;
  watch_ = client_->Watch(
      std::string(paths::kWatched[0]), std::move(watch),
      {.on_batch = [this](const client::WatchBatch& batch) { OnBatch(batch); },
       .on_end =
           [this](const absl::Status& status) {
             Fail(base::Annotate(status, "the watch of the cluster's metadata ended"));
           }});
  registration_ = std::make_unique<Registration>(
      Registration::Options{.self = options_.self,
                            .holder_wait = options_.session_timeout * 1.5,
                            .is_alive = ProcessIsAlive},
      *session_, executor_, clock_,
      [this](const absl::StatusOr<BrokerEpoch>& epoch) { OnRegistered(epoch); });
  registration_->Start();
}

void Cluster::OnRegistered(const absl::StatusOr<BrokerEpoch>& epoch) {
  if (!epoch.ok()) return Fail(epoch.status());
  LOG_INFO("registered id={} epoch={} folder_id={}", options_.self.id, *epoch,
           options_.self.folder_id.ToString());
  if (controller_ == nullptr) {
    controller_ = std::make_unique<Controller>(options_.self.id, *session_, executor_, clock_,
                                               metrics_);
  }
  SetEpoch(*epoch);
  if (view_complete_) controller_->OnView(view());
}

void Cluster::OnBatch(const client::WatchBatch& batch) {
  const bool changed = builder_->Apply(batch);
  if (!batch.complete) return;
  const bool first = !view_complete_;
  view_complete_ = true;
  // A batch without changes of ours still moves the zxid, which somebody may wait for.
  if (changed || first || !waiters_.empty()) SchedulePublish();
}

// All batches that are queued by now become one view.
void Cluster::SchedulePublish() {
  if (std::exchange(publish_pending_, true)) return;
  executor_.Post([this, alive = alive_] {
    if (*alive) Publish();
  });
}

void Cluster::Publish() {
  publish_pending_ = false;
  if (stopped_ || !view_complete_) return;
  const std::shared_ptr<const ClusterView> view = builder_->Build();
  {
    base::MutexLock lock(mutex_);
    view_ = view;
  }
  UpdateMetrics(*view);
  callbacks_.on_view(view, epoch());
  CheckRegistration(*view);
  if (controller_ != nullptr) controller_->OnView(view);
  RunWaiters(*view);
}

void Cluster::CheckRegistration(const ClusterView& view) {
  const BrokerEpoch mine = epoch();
  if (mine == BrokerEpoch() || view.zxid().value() < mine.value()) return;
  const Broker* registered = view.FindBroker(options_.self.id);
  if (registered != nullptr && registered->epoch == mine) return;
  LOG_WARN("registration lost, registering again id={} epoch={}", options_.self.id, mine);
  SetEpoch(BrokerEpoch());
  registration_->Start();
}

void Cluster::SetEpoch(BrokerEpoch epoch) {
  if (epoch_.exchange(epoch.value()) != epoch.value()) callbacks_.on_view(view(), epoch);
}

void Cluster::Fail(const absl::Status& status) {
  if (stopped_) return;
  SetEpoch(BrokerEpoch());
  callbacks_.on_fatal(status);
}

void Cluster::Stop(absl::Duration timeout, absl::AnyInvocable<void()> done) {
  // Shared by the two that race to run it: the answer and the timer.
  auto once = std::make_shared<absl::AnyInvocable<void()>>(std::move(done));
  const auto finish = [once] {
    auto task = std::exchange(*once, nullptr);
    if (task != nullptr) task();
  };
  executor_.Post([this, timeout, finish] {
    stopped_ = true;
    epoch_ = 0;
    controller_.reset();
    registration_.reset();
    watch_.reset();
    ExpireWaiters();
    if (client_ == nullptr) return finish();
    executor_.RunAfter(timeout, finish);
    client_->CloseSession({.timeout = timeout}, [finish](const auto&) { finish(); });
  });
}

std::shared_ptr<const ClusterView> Cluster::view() const {
  base::MutexLock lock(mutex_);
  return view_;
}

bool Cluster::WithinDeadline() const {
  base::MutexLock lock(mutex_);
  return deadline_source_ != nullptr && epoch() != BrokerEpoch() &&
         clock_.Monotonic() < deadline_source_->SessionDeadline();
}

base::Uuid Cluster::ensemble_id() const {
  base::MutexLock lock(mutex_);
  return ensemble_id_;
}

}  // namespace bellwether::broker
