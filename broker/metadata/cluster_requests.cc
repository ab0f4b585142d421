// The requests that Cluster answers: topics, and waiting for views.
#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "base/status.h"
#include "broker/metadata/cluster.h"
#include "broker/metadata/paths.h"
#include "client/errors.h"
#include "fmt/format.h"

namespace bellwether::broker {
namespace {

constexpr absl::Duration kWaiterTick = absl::Milliseconds(100);
constexpr absl::Duration kConflictDelay = absl::Milliseconds(50);

absl::Status NoCoord(std::string_view what) {
  return absl::UnavailableError(
      fmt::format("{}: this broker has no session with coord; check coord and try again", what));
}

}  // namespace

void Cluster::CreateTopic(TopicSpec spec, absl::Duration timeout,
                          absl::AnyInvocable<void(absl::StatusOr<base::Uuid>)> done) {
  executor_.Post([this, spec = std::move(spec), timeout, done = std::move(done),
                  alive = alive_]() mutable {
    if (!*alive || client_ == nullptr || !view_complete_) {
      return done(NoCoord(fmt::format("topic '{}' not created", spec.name)));
    }
    const base::Uuid topic_id = base::Uuid::Generate();
    auto creation = CreationOf(*view(), spec, topic_id, base::SystemRandom());
    if (!creation.ok()) return done(creation.status());
    client_->Commit(
        *std::move(creation), {.timeout = timeout},
        [this, name = spec.name, topic_id, timeout,
         done = std::move(done)](absl::StatusOr<client::TransactionResult> result) mutable {
          if (client::ReasonOf(result.status()) == "node_exists") {
            return done(absl::AlreadyExistsError(fmt::format("topic '{}' exists", name)));
          }
          if (!result.ok()) return done(result.status());
          LOG_INFO("topic created name={} topic_id={} zxid={}", name, topic_id.ToString(),
                   result->zxid);
          // It exists, whatever becomes of the wait.
          Wait([topic_id](const ClusterView& view) { return HasAllLeaders(view, topic_id); },
               timeout,
               [topic_id, done = std::move(done)](const absl::Status&) mutable { done(topic_id); });
        });
  });
}

void Cluster::DeleteTopic(std::string name, absl::Duration timeout, Done done) {
  const absl::Duration deadline = clock_.Monotonic() + timeout;
  WaitForTopic(name, timeout,
               [this, name, deadline, done = std::move(done)](const absl::Status& found) mutable {
                 if (!found.ok()) return done(found);
                 TryDeleteTopic(std::move(name), deadline, std::move(done));
               });
}

void Cluster::TryDeleteTopic(std::string name, absl::Duration deadline, Done done) {
  const absl::Duration left = deadline - clock_.Monotonic();
  auto deletion = DeletionOf(*view(), name);
  if (!deletion.ok()) return done(deletion.status());
  client_->Commit(
      *std::move(deletion), {.timeout = left},
      [this, name, deadline, left,
       done = std::move(done)](absl::StatusOr<client::TransactionResult> result) mutable {
        if (result.ok()) {
          LOG_INFO("topic deleted name={} zxid={}", name, result->zxid);
          Wait([zxid = result->zxid](const ClusterView& view) { return view.zxid() >= zxid; },
               left,
               [done = std::move(done)](const absl::Status&) mutable { done(absl::OkStatus()); });
          return;
        }
        // The topic changed under us: with a newer view it may work.
        const bool conflict = client::TransactionFailureOf(result.status()).compare >= 0 ||
                              client::TransactionFailureOf(result.status()).operation >= 0;
        if (!conflict || clock_.Monotonic() + kConflictDelay >= deadline) {
          return done(result.status());
        }
        executor_.RunAfter(kConflictDelay, [this, name, deadline, done = std::move(done),
                                            alive = alive_]() mutable {
          if (!*alive || client_ == nullptr) return done(NoCoord("topic not deleted"));
          TryDeleteTopic(std::move(name), deadline, std::move(done));
        });
      });
}

void Cluster::ConfirmDeletion(const DeletionRecord& record) {
  if (client_ == nullptr || !record.pending.contains(options_.self.id)) return;
  client_->Commit(ConfirmationOf(record, options_.self.id), {},
                  [topic_id = record.topic_id](const auto& result) {
                    // When it failed, the record changed, and the next view brings it again.
                    if (result.ok()) return;
                    LOG_INFO("deletion not confirmed yet topic_id={} error={}",
                             topic_id.ToString(), result.status());
                  });
}

void Cluster::WaitForView(Zxid zxid, absl::Duration timeout, Done done) {
  executor_.Post([this, zxid, timeout, done = std::move(done), alive = alive_]() mutable {
    if (!*alive) return done(NoCoord("no view"));
    Wait([zxid](const ClusterView& view) { return view.zxid() >= zxid; }, timeout,
         std::move(done));
  });
}

void Cluster::WaitForTopic(std::string name, absl::Duration timeout, Done done) {
  executor_.Post([this, name = std::move(name), timeout, done = std::move(done),
                  alive = alive_]() mutable {
    const std::string what = fmt::format("topic '{}' not looked up", name);
    if (!*alive || client_ == nullptr) return done(NoCoord(what));
    if (view()->FindTopic(std::string_view(name)) != nullptr) return done(absl::OkStatus());
    client::ReadOptions read;
    read.timeout = timeout;
    client_->Get(paths::Topic(name), std::move(read),
                 [this, name, timeout, done = std::move(done)](
                     const absl::StatusOr<client::GetResult>& found) mutable {
                   if (client::ReasonOf(found.status()) == "no_node") {
                     return done(absl::NotFoundError(fmt::format(
                         "topic '{}' does not exist; check the name, or create it first", name)));
                   }
                   if (!found.ok()) return done(found.status());
                   Wait([zxid = found->stat.mzxid](
                            const ClusterView& view) { return view.zxid() >= zxid; },
                        timeout, std::move(done));
                 });
  });
}

void Cluster::Wait(std::function<bool(const ClusterView&)> holds, absl::Duration timeout,
                   Done done) {
  if (view_complete_ && holds(*view())) return done(absl::OkStatus());
  if (waiters_.size() >= kWaitersMax) {
    return done(absl::ResourceExhaustedError("too many requests wait for the cluster's metadata"));
  }
  waiters_.push_back({.holds = std::move(holds),
                      .deadline = clock_.Monotonic() + timeout,
                      .done = std::move(done)});
  // Nobody waited for the zxids since the last view, so that none was made of them.
  if (view_complete_ && builder_->zxid() > view()->zxid()) SchedulePublish();
  ExpireWaiters();
}

void Cluster::RunWaiters(const ClusterView& view) {
  std::list<Waiter> ready;
  for (auto it = waiters_.begin(); it != waiters_.end();) {
    const auto next = std::next(it);
    if (it->holds(view)) ready.splice(ready.end(), waiters_, it);
    it = next;
  }
  for (Waiter& waiter : ready) waiter.done(absl::OkStatus());
}

void Cluster::ExpireWaiters() {
  const absl::Duration now = clock_.Monotonic();
  std::list<Waiter> expired;
  for (auto it = waiters_.begin(); it != waiters_.end();) {
    const auto next = std::next(it);
    if (stopped_ || it->deadline <= now) expired.splice(expired.end(), waiters_, it);
    it = next;
  }
  for (Waiter& waiter : expired) {
    waiter.done(absl::DeadlineExceededError(
        "the cluster's metadata did not get there in time; check coord and try again"));
  }
  if (waiters_.empty() || expire_timer_set_) return;
  expire_timer_set_ = true;
  executor_.RunAfter(kWaiterTick, [this, alive = alive_] {
    if (!*alive) return;
    expire_timer_set_ = false;
    ExpireWaiters();
  });
}

void Cluster::UpdateMetrics(const ClusterView& view) {
  int64_t offline = 0, under_replicated = 0;
  view.topics().ForEach([&](const std::string&, const std::shared_ptr<const Topic>& topic) {
    for (int32_t p = 0; p < topic->partition_count(); ++p) {
      const Partition& partition = *topic->partitions[p];
      if (!partition.state || partition.state->leader == kNoBroker) {
        ++offline;
      } else if (partition.state->isr.size() < partition.replicas.size()) {
        ++under_replicated;
      }
    }
  });
  offline_gauge_.Set(offline);
  under_replicated_gauge_.Set(under_replicated);
  brokers_gauge_.Set(static_cast<int64_t>(view.brokers()->size()));
  topics_gauge_.Set(static_cast<int64_t>(view.topics().size()));
  unreadable_gauge_.Set(static_cast<int64_t>(view.unreadable()->size()));
}

}  // namespace bellwether::broker
