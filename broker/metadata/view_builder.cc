#include "broker/metadata/view_builder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "base/log.h"
#include "base/status.h"
#include "broker/metadata/paths.h"
#include "broker/metadata/znode_json.h"

namespace bellwether::broker {
namespace {

constexpr size_t kUnreadableMax = 1000;  // noted; further ones are only logged

std::string_view DataOf(const client::WatchChange& change) {
  return change.data ? std::string_view(*change.data) : std::string_view();
}

}  // namespace

bool ViewBuilder::Apply(const client::WatchBatch& batch) {
  bool changed = false;
  for (const client::WatchChange& change : batch.changes) {
    if (change.type == client::WatchEventType::kChildren) continue;
    const bool deleted = change.type == client::WatchEventType::kDeleted;
    const paths::Parsed parsed = paths::Parse(change.path);
    changed = changed || parsed.kind != paths::Kind::kOther;
    switch (parsed.kind) {
      case paths::Kind::kOther: break;
      case paths::Kind::kBroker: ApplyBroker(change, parsed.name, deleted); break;
      case paths::Kind::kTopic: ApplyTopic(change, parsed.name, deleted); break;
      case paths::Kind::kTopicConfig: ApplyConfigs(change, parsed.name, deleted); break;
      case paths::Kind::kPartitionState:
        ApplyState(change, parsed.name, parsed.partition, deleted);
        break;
      case paths::Kind::kController: ApplyController(change, deleted); break;
      case paths::Kind::kControllerEpoch: ApplyControllerEpoch(change, deleted); break;
      case paths::Kind::kDeletionRecord: ApplyDeletion(change, parsed.name, deleted); break;
    }
  }
  view_.zxid_ = std::max(view_.zxid_, batch.zxid);
  return changed;
}

void ViewBuilder::Note(const std::string& path, const absl::Status& status) {
  const bool noted = view_.unreadable_->contains(path);
  if (status.ok() && !noted) return;
  auto unreadable = std::make_shared<std::map<std::string, std::string>>(*view_.unreadable_);
  if (status.ok()) {
    unreadable->erase(path);
  } else {
    LOG_ERROR("metadata unreadable, skipped path={} error={}", path, status);
    if (!noted && unreadable->size() >= kUnreadableMax) return;
    (*unreadable)[path] = std::string(status.message());
  }
  view_.unreadable_ = std::move(unreadable);
}

void ViewBuilder::ApplyBroker(const client::WatchChange& change, std::string_view id_text,
                              bool deleted) {
  int32_t id = 0;
  if (!absl::SimpleAtoi(base::AbslView(id_text), &id) || id < 0) {
    return Note(change.path, deleted ? absl::OkStatus()
                                     : absl::InvalidArgumentError("its name is not a broker id"));
  }
  auto brokers = std::make_shared<ClusterView::BrokerMap>(*view_.brokers_);
  brokers->erase(BrokerId(id));
  absl::Status status;
  if (!deleted) {
    auto broker = DecodeBroker(DataOf(change), change.stat, BrokerId(id));
    status = broker.status();
    if (broker.ok()) brokers->emplace(BrokerId(id), *std::move(broker));
  }
  view_.brokers_ = std::move(brokers);
  Note(change.path, status);
}

void ViewBuilder::ApplyTopic(const client::WatchChange& change, std::string_view name,
                             bool deleted) {
  const auto* old = view_.topics_.Find(name);
  if (old != nullptr && (*old)->readable) view_.topic_names_.Erase((*old)->topic_id);
  // A znode made anew is another topic: what was known below the old one is gone with it.
  const bool same = old != nullptr && !deleted &&
                    ((*old)->czxid == change.stat.czxid || (*old)->czxid == Zxid());
  if (deleted) {
    view_.topics_.Erase(name);
    return Note(change.path, absl::OkStatus());
  }
  auto topic = same ? std::make_shared<Topic>(**old) : std::make_shared<Topic>();
  topic->name = std::string(name);
  topic->czxid = change.stat.czxid;
  topic->mzxid = change.stat.mzxid;
  ApplyAssignment(change, *topic);
  if (topic->readable) view_.topic_names_.Set(topic->topic_id, topic->name);
  view_.topics_.Set(name, std::move(topic));
}

void ViewBuilder::ApplyAssignment(const client::WatchChange& change, Topic& topic) {
  auto assignment = DecodeAssignment(DataOf(change));
  topic.readable = assignment.ok();
  Note(change.path, assignment.status());
  if (!assignment.ok()) return;
  topic.topic_id = assignment->topic_id;
  topic.partitions.Resize(assignment->replicas.size());
  for (size_t p = 0; p < assignment->replicas.size(); ++p) {
    const auto& old = topic.partitions[p];
    if (old != nullptr && old->replicas == assignment->replicas[p]) continue;
    auto partition = old == nullptr ? std::make_shared<Partition>()
                                    : std::make_shared<Partition>(*old);
    partition->replicas = std::move(assignment->replicas[p]);
    topic.partitions.Set(p, std::move(partition));
  }
}

void ViewBuilder::ApplyState(const client::WatchChange& change, std::string_view name,
                             int32_t number, bool deleted) {
  if (number >= kPartitionsMax) return;
  const auto* old = view_.topics_.Find(name);
  if (deleted && (old == nullptr || number >= (*old)->partition_count())) {
    return Note(change.path, absl::OkStatus());
  }
  auto topic = old == nullptr ? std::make_shared<Topic>() : std::make_shared<Topic>(**old);
  if (old == nullptr) topic->name = std::string(name);
  for (int32_t p = topic->partition_count(); p <= number; ++p) {
    topic->partitions.Resize(p + 1);
    topic->partitions.Set(p, std::make_shared<Partition>());
  }
  auto partition = std::make_shared<Partition>(*topic->partitions[number]);
  absl::Status status;
  partition->state.reset();
  if (!deleted) {
    auto state = DecodePartitionState(DataOf(change), change.stat);
    status = state.status();
    if (state.ok()) partition->state = *std::move(state);
  }
  partition->state_unreadable = !status.ok();
  topic->partitions.Set(number, std::move(partition));
  view_.topics_.Set(name, std::move(topic));
  Note(change.path, status);
}

void ViewBuilder::ApplyConfigs(const client::WatchChange& change, std::string_view name,
                               bool deleted) {
  if (deleted) {
    view_.configs_.Erase(name);
    return Note(change.path, absl::OkStatus());
  }
  auto configs = DecodeConfigs(DataOf(change));
  Note(change.path, configs.status());
  // Unreadable settings leave the last good ones in force: a typo must not start retention.
  if (!configs.ok() && view_.HasConfigs(name)) return;
  if (!configs.ok()) configs = ClusterView::Configs();
  view_.configs_.Set(name, std::make_shared<const ClusterView::Configs>(*std::move(configs)));
}

void ViewBuilder::ApplyController(const client::WatchChange& change, bool deleted) {
  ControllerView& controller = view_.controller_;
  controller.exists = !deleted;
  controller.id = kNoBroker;
  controller.czxid = deleted ? Zxid() : change.stat.czxid;
  controller.session_id = deleted ? client::SessionId() : change.stat.ephemeral_owner;
  if (deleted) return Note(change.path, absl::OkStatus());
  const auto id = DecodeController(DataOf(change));
  Note(change.path, id.status());
  if (id.ok()) controller.id = *id;
}

void ViewBuilder::ApplyControllerEpoch(const client::WatchChange& change, bool deleted) {
  ControllerView& controller = view_.controller_;
  controller.epoch_exists = !deleted;
  controller.epoch_mzxid = deleted ? Zxid() : change.stat.mzxid;
  if (deleted) return Note(change.path, absl::OkStatus());
  int64_t epoch = 0;
  const bool readable = absl::SimpleAtoi(base::AbslView(DataOf(change)), &epoch) && epoch >= 0;
  // The epoch known before stays: the next controller goes on from there.
  if (readable) controller.epoch = std::max(controller.epoch, epoch);
  Note(change.path, readable ? absl::OkStatus() : absl::InvalidArgumentError("not a number"));
}

void ViewBuilder::ApplyDeletion(const client::WatchChange& change, std::string_view id_text,
                                bool deleted) {
  const auto id = base::Uuid::Parse(id_text);
  if (!id) {
    return Note(change.path, deleted ? absl::OkStatus()
                                     : absl::InvalidArgumentError("its name is not a topic id"));
  }
  auto deletions = std::make_shared<std::map<base::Uuid, DeletionRecord>>(*view_.deletions_);
  deletions->erase(*id);
  absl::Status status;
  if (!deleted) {
    auto record = DecodeDeletionRecord(DataOf(change), change.stat, *id);
    status = record.status();
    if (record.ok()) deletions->emplace(*id, *std::move(record));
  }
  view_.deletions_ = std::move(deletions);
  Note(change.path, status);
}

}  // namespace bellwether::broker
