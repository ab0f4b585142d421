#include "broker/service/led_partitions.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::broker {
namespace {

constexpr absl::Duration kRetryDelay = absl::Seconds(1);

PartitionConfig ConfigOf(const TopicSettings& settings) {
  return {.retention_ms = settings.retention_ms, .retention_bytes = settings.retention_bytes};
}

absl::Status CheckEpochs(const PartitionLog& log, LeaderEpoch granted) {
  const std::vector<EpochStart> epochs = log.epochs();
  if (epochs.empty() || epochs.back().epoch <= granted) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("its log has leader epoch {}, but coord says {}: coord lost changes; restore it",
                  epochs.back().epoch, granted));
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
    return base::ErrorWithReason(absl::StatusCode::kFailedPrecondition, "fenced_leader_epoch",
                                 where + "; fetch metadata again");
  }
  return base::ErrorWithReason(absl::StatusCode::kUnavailable, "unknown_leader_epoch",
                               where + "; this broker will learn of it, try again");
}

absl::Status LedPartitions::WhyNotLeading(TopicPartition id) const {
  const auto topic = view_->FindTopic(id.topic_id);
  if (topic == nullptr || id.partition < 0 || id.partition >= topic->partition_count()) {
    return base::ErrorWithReason(absl::StatusCode::kNotFound, "unknown_topic_or_partition",
                                 fmt::format("no partition {} of topic id {}", id.partition,
                                             id.topic_id.ToString()));
  }
  const auto& state = topic->partitions[id.partition]->state;
  if (!state || state->leader == kNoBroker) {
    return base::ErrorWithReason(
        absl::StatusCode::kUnavailable, "partition_offline",
        fmt::format("partition {} of topic '{}' is offline: its broker or its disk is away; start "
                    "that broker",
                    id.partition, topic->name));
  }
  return base::ErrorWithReason(
      absl::StatusCode::kUnavailable, "not_leader",
      fmt::format("broker {} does not lead partition {} of topic '{}' (leader {}); fetch metadata "
                  "again",
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
  LeadGranted(*view, epoch);
  DeleteRecorded(*view);
  NoticeStrays(*view);
  failed_gauge_.Set(failed_);
  if (failed_ > 0) RetrySoon();
}

void LedPartitions::LeadGranted(const ClusterView& view, BrokerEpoch epoch) {
  std::vector<Grant> grants;
  view.topics().ForEach([&](const std::string&, const std::shared_ptr<const Topic>& topic) {
    if (topic->readable) AddGrants(view, epoch, *topic, grants);
  });
  const std::vector<absl::Status> prepared = PrepareLogs(grants);
  for (size_t i = 0; i < grants.size(); ++i) {
    if (prepared[i].ok()) {
      Lead(grants[i]);
    } else {
      ++failed_;
      LOG_ERROR("cannot lead topic={} partition={} error={}", grants[i].topic->name,
                grants[i].id.partition, prepared[i]);
    }
  }
}

void LedPartitions::AddGrants(const ClusterView& view, BrokerEpoch epoch, const Topic& topic,
                              std::vector<Grant>& grants) const {
  const TopicSettings settings = SettingsOf(view.ConfigsOf(topic.name));
  for (int32_t p = 0; p < topic.partition_count(); ++p) {
    const TopicPartition id{.topic_id = topic.topic_id, .partition = p};
    const auto granted = Granted(view, epoch, id);
    if (!granted) continue;
    Grant grant{.topic = &topic, .id = id, .epoch = *granted, .settings = settings};
    if (!LeadsAs(grant)) grants.push_back(std::move(grant));
  }
}

bool LedPartitions::LeadsAs(const Grant& grant) const {
  base::ReaderLock lock(mutex_);
  const auto it = table_.find(grant.id);
  if (it == table_.end() || it->second->epoch() != grant.epoch) return false;
  it->second->set_max_message_bytes(grant.settings.max_message_bytes);
  return it->second->log().config() == ConfigOf(grant.settings);
}

std::vector<absl::Status> LedPartitions::PrepareLogs(const std::vector<Grant>& grants) {
  struct Change {
    std::vector<PartitionSpec> wanted;
    std::vector<size_t> indexes;  // of the grants
  };
  Change create;
  Change configure;
  std::vector<absl::Status> outcomes(grants.size());
  for (size_t i = 0; i < grants.size(); ++i) {
    const Grant& grant = grants[i];
    const PartitionSpec wanted{.id = grant.id, .config = ConfigOf(grant.settings)};
    const std::shared_ptr<PartitionLog> log = store_.Find(grant.id);
    if (log != nullptr) outcomes[i] = CheckEpochs(*log, grant.epoch);
    if (!outcomes[i].ok() || (log != nullptr && log->config() == wanted.config)) continue;
    Change& change = log == nullptr ? create : configure;
    change.wanted.push_back(wanted);
    change.indexes.push_back(i);
    if (log != nullptr || grant.epoch == LeaderEpoch()) continue;
    // Its first leader ended before it made one: a folder that lost its logs has another id.
    LOG_WARN("no log found, an empty one is made topic={} partition={} leader_epoch={}",
             grant.topic->name, grant.id.partition, grant.epoch);
  }
  const auto spread = [&outcomes](const Change& change, std::vector<absl::Status> changed) {
    for (size_t i = 0; i < changed.size(); ++i) {
      outcomes[change.indexes[i]] = std::move(changed[i]);
    }
  };
  if (!create.wanted.empty()) spread(create, store_.CreatePartitions(create.wanted));
  if (!configure.wanted.empty()) spread(configure, store_.ConfigurePartitions(configure.wanted));
  return outcomes;
}

void LedPartitions::Lead(const Grant& grant) {
  std::shared_ptr<PartitionLog> log = store_.Find(grant.id);
  CHECK(log != nullptr);  // only this executor deletes any
  base::WriterLock lock(mutex_);
  if (stopped_ || Granted(*view_, epoch_, grant.id) != grant.epoch) return;
  if (table_.contains(grant.id)) return;  // its log was configured
  table_[grant.id] = std::make_shared<Leadership>(grant.topic->name, grant.epoch, std::move(log),
                                                  grant.settings.max_message_bytes);
  led_gauge_.Set(static_cast<int64_t>(table_.size()));
  LOG_INFO("leading topic={} partition={} leader_epoch={}", grant.topic->name, grant.id.partition,
           grant.epoch);
}

void LedPartitions::DeleteRecorded(const ClusterView& view) {
  std::map<base::Uuid, absl::Status> outcomes;  // by id of a topic whose deletion is recorded
  for (const auto& [topic_id, record] : *view.deletions()) {
    if (record.pending.contains(options_.self) && view.FindTopic(topic_id) == nullptr) {
      outcomes.emplace(topic_id, absl::OkStatus());
    }
  }
  if (outcomes.empty()) return;
  std::vector<TopicPartition> ids;
  for (const auto& log : store_.Partitions()) {
    if (outcomes.contains(log->id().topic_id)) ids.push_back(log->id());
  }
  const std::vector<absl::Status> deleted = store_.DeletePartitions(ids);
  for (size_t i = 0; i < ids.size(); ++i) {
    LOG_INFO("partition deleted topic={} id={} status={}",
             view.deletions()->at(ids[i].topic_id).name, ids[i].ToString(), deleted[i]);
    if (!absl::IsNotFound(deleted[i])) outcomes[ids[i].topic_id].Update(deleted[i]);
  }
  for (const auto& [topic_id, outcome] : outcomes) {
    if (outcome.ok()) {
      options_.confirm_deletion(view.deletions()->at(topic_id));
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
