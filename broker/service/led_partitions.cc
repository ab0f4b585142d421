#include "broker/service/led_partitions.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "broker/service/refusal.h"
#include "fmt/format.h"

namespace bellwether::broker {
namespace {

constexpr absl::Duration kRetryDelay = absl::Seconds(1);

PartitionConfig ConfigOf(const TopicSettings& settings) {
  return {.retention_ms = settings.retention_ms, .retention_bytes = settings.retention_bytes};
}

}  // namespace

LedPartitions::LedPartitions(Options options, LogStore& store, base::Executor& storage,
                                   base::Metrics& metrics)
    : options_(std::move(options)), store_(store), storage_(storage),
      led_gauge_(metrics.AddGauge("bell_partitions_led", "Partitions that this broker leads")),
      stray_gauge_(metrics.AddGauge(
          "bell_partitions_stray", "Partitions in the data folder that the cluster doesn't know")),
      failed_gauge_(metrics.AddGauge("bell_partitions_failed",
                                     "Partitions to be led whose log can't be opened")),
      view_(std::make_shared<const ClusterView>()) {}

std::optional<LeaderEpoch> LedPartitions::Granted(const ClusterView& view, BrokerEpoch epoch,
                                                     TopicPartition id) const {
  const auto topic = view.FindTopic(id.topic_id);
  if (epoch == BrokerEpoch() || topic == nullptr || id.partition < 0 ||
      id.partition >= topic->partition_count()) {
    return std::nullopt;
  }
  const auto& state = topic->partitions[id.partition]->state;
  const IsrMember self{
      .broker = options_.self, .epoch = epoch, .folder_id = options_.folder_id};
  if (!state || state->leader != options_.self ||
      std::find(state->isr.begin(), state->isr.end(), self) == state->isr.end()) {
    return std::nullopt;
  }
  return state->leader_epoch;
}

void LedPartitions::OnView(std::shared_ptr<const ClusterView> view, BrokerEpoch epoch) {
  std::vector<std::shared_ptr<Leadership>> ended;
  bool post = false;
  {
    base::WriterLock lock(mutex_);
    if (stopped_) return;
    view_ = std::move(view);
    epoch_ = epoch;
    for (auto it = table_.begin(); it != table_.end();) {
      const auto next = std::next(it);
      if (Granted(*view_, epoch_, it->first) != it->second->epoch()) {
        ended.push_back(std::move(it->second));
        table_.erase(it);
      }
      it = next;
    }
    led_gauge_.Set(static_cast<int64_t>(table_.size()));
    post = !std::exchange(reconcile_pending_, true);
  }
  for (const auto& leadership : ended) {
    LOG_INFO("leadership ended topic={} partition={} leader_epoch={}", leadership->topic(),
             leadership->log().id().partition, leadership->epoch());
    leadership->End();
  }
  if (post) storage_.Post([this] { Reconcile(); });
}

absl::StatusOr<std::shared_ptr<Leadership>> LedPartitions::Find(TopicPartition id,
                                                                   int32_t leader_epoch) const {
  std::shared_ptr<Leadership> found;
  {
    base::ReaderLock lock(mutex_);
    const auto it = table_.find(id);
    if (it == table_.end()) return WhyNotLeading(id);
    found = it->second;
  }
  if (leader_epoch < 0 || leader_epoch == found->epoch().value()) return found;
  const std::string where = fmt::format("partition {} of topic '{}' has leader epoch {}, not {}",
                                        id.partition, found->topic(), found->epoch(), leader_epoch);
  if (leader_epoch < found->epoch().value()) {
    return Refuse(absl::StatusCode::kFailedPrecondition, "fenced_leader_epoch",
                  where + "; fetch metadata again");
  }
  return Refuse(absl::StatusCode::kUnavailable, "unknown_leader_epoch",
                where + "; this broker will learn of it, try again");
}

absl::Status LedPartitions::WhyNotLeading(TopicPartition id) const {
  const auto topic = view_->FindTopic(id.topic_id);
  if (topic == nullptr || id.partition < 0 || id.partition >= topic->partition_count()) {
    return Refuse(absl::StatusCode::kNotFound, "unknown_topic_or_partition",
                  fmt::format("no partition {} of topic id {}", id.partition,
                              id.topic_id.ToString()));
  }
  const auto& state = topic->partitions[id.partition]->state;
  if (!state || state->leader == kNoBroker) {
    return Refuse(absl::StatusCode::kUnavailable, "partition_offline",
                  fmt::format("partition {} of topic '{}' is offline: its broker or its disk is "
                              "away; start that broker",
                              id.partition, topic->name));
  }
  return Refuse(absl::StatusCode::kUnavailable, "not_leader",
                fmt::format("broker {} does not lead partition {} of topic '{}' (leader {}); "
                            "fetch metadata again",
                            options_.self, id.partition, topic->name, state->leader));
}

void LedPartitions::Stop() {
  Table table;
  {
    base::WriterLock lock(mutex_);
    stopped_ = true;
    table.swap(table_);
  }
  for (const auto& [id, leadership] : table) leadership->End();
}

void LedPartitions::Reconcile() {
  std::shared_ptr<const ClusterView> view;
  BrokerEpoch epoch;
  {
    base::WriterLock lock(mutex_);
    reconcile_pending_ = false;
    if (stopped_) return;
    view = view_;
    epoch = epoch_;
  }
  if (view->zxid() == Zxid()) return;  // nothing is known yet: nothing is stray
  failed_ = 0;
  view->topics().ForEach([&](const std::string&, const std::shared_ptr<const Topic>& topic) {
    if (topic->readable) ReconcileTopic(*view, epoch, *topic);
  });
  DeleteRecorded(*view);
  NoticeStrays(*view);
  failed_gauge_.Set(failed_);
  if (failed_ > 0) RetrySoon();
}

void LedPartitions::ReconcileTopic(const ClusterView& view, BrokerEpoch epoch,
                                      const Topic& topic) {
  const TopicSettings settings = SettingsOf(view.ConfigsOf(topic.name));
  for (int32_t p = 0; p < topic.partition_count(); ++p) {
    const TopicPartition id{.topic_id = topic.topic_id, .partition = p};
    if (const auto granted = Granted(view, epoch, id)) Lead(topic, id, *granted, settings);
  }
}

void LedPartitions::Lead(const Topic& topic, TopicPartition id, LeaderEpoch epoch,
                            const TopicSettings& settings) {
  const PartitionConfig config = ConfigOf(settings);
  {
    base::ReaderLock lock(mutex_);
    const auto it = table_.find(id);
    if (it != table_.end() && it->second->epoch() == epoch &&
        it->second->log().config() == config) {
      it->second->set_max_message_bytes(settings.max_message_bytes);
      return;
    }
  }
  auto log = OpenLog(topic, id, epoch, config);
  if (!log.ok()) {
    ++failed_;
    LOG_ERROR("cannot lead topic={} partition={} error={}", topic.name, id.partition,
              log.status());
    return;
  }
  base::WriterLock lock(mutex_);
  if (stopped_ || Granted(*view_, epoch_, id) != epoch) return;
  if (const auto it = table_.find(id); it != table_.end()) {
    it->second->set_max_message_bytes(settings.max_message_bytes);
    return;
  }
  table_[id] = std::make_shared<Leadership>(topic.name, epoch, *std::move(log),
                                            settings.max_message_bytes);
  led_gauge_.Set(static_cast<int64_t>(table_.size()));
  LOG_INFO("leading topic={} partition={} leader_epoch={}", topic.name, id.partition, epoch);
}

absl::StatusOr<std::shared_ptr<PartitionLog>> LedPartitions::OpenLog(
    const Topic& topic, TopicPartition id, LeaderEpoch epoch, const PartitionConfig& config) {
  std::shared_ptr<PartitionLog> log = store_.Find(id);
  if (log == nullptr) {
    if (epoch > LeaderEpoch()) {
      LOG_WARN("no log found, an empty one is made topic={} partition={} leader_epoch={}",
               topic.name, id.partition, epoch);
    }
    return store_.CreatePartition(id, config);
  }
  const std::vector<EpochStart> epochs = log->epochs();
  if (!epochs.empty() && epochs.back().epoch > epoch) {
    return absl::FailedPreconditionError(fmt::format(
        "its log has leader epoch {}, but coord says {}: coord lost changes; restore it",
        epochs.back().epoch, epoch));
  }
  if (!(log->config() == config)) RETURN_IF_ERROR(store_.Configure(id, config));
  return log;
}

void LedPartitions::DeleteRecorded(const ClusterView& view) {
  for (const auto& [topic_id, record] : *view.deletions()) {
    if (!record.pending.contains(options_.self) || view.FindTopic(topic_id) != nullptr) continue;
    absl::Status status;
    for (const auto& log : store_.Partitions()) {
      if (log->id().topic_id != topic_id) continue;
      const absl::Status deleted = store_.DeletePartition(log->id());
      LOG_INFO("partition deleted topic={} id={} status={}", record.name, log->id().ToString(),
               deleted);
      if (!deleted.ok() && !absl::IsNotFound(deleted)) status = deleted;
    }
    if (status.ok()) {
      options_.confirm_deletion(record);
    } else {
      ++failed_;
    }
  }
}

void LedPartitions::NoticeStrays(const ClusterView& view) {
  std::set<TopicPartition> strays;
  for (const auto& log : store_.Partitions()) {
    const TopicPartition id = log->id();
    const auto topic = view.FindTopic(id.topic_id);
    const bool assigned = topic != nullptr && id.partition < topic->partition_count() &&
                          std::count(topic->partitions[id.partition]->replicas.begin(),
                                     topic->partitions[id.partition]->replicas.end(),
                                     options_.self) > 0;
    if (assigned || view.deletions()->contains(id.topic_id)) continue;
    strays.insert(id);
    if (strays_.contains(id)) continue;
    LOG_WARN("stray partition kept: the cluster does not assign it to this broker id={} bytes={}",
             id.ToString(), log->size_bytes());
  }
  strays_ = std::move(strays);
  stray_gauge_.Set(static_cast<int64_t>(strays_.size()));
}

void LedPartitions::RetrySoon() {
  if (std::exchange(retrying_, true)) return;
  storage_.RunAfter(kRetryDelay, [this] {
    retrying_ = false;
    Reconcile();
  });
}

}  // namespace bellwether::broker
