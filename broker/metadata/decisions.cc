#include "broker/metadata/decisions.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "broker/metadata/paths.h"
#include "broker/metadata/znode_json.h"
#include "fmt/format.h"

namespace bellwether::broker {
namespace {

client::Compare Holds(std::string path) {
  client::Compare compare;
  compare.path = std::move(path);
  return compare;
}

// Every write of a controller carries these: it still holds the office.
std::vector<client::Compare> InOffice(const ControllerTerm& term) {
  client::Compare office = Holds(std::string(paths::kController));
  office.czxid = term.election_zxid;
  office.ephemeral_owner = term.session_id;
  client::Compare epoch = Holds(std::string(paths::kControllerEpoch));
  epoch.mzxid = term.election_zxid;
  return {std::move(office), std::move(epoch)};
}

// The broker is, or isn't, registered as the view says.
client::Compare RegisteredAs(BrokerId id, const Broker* broker) {
  client::Compare compare = Holds(paths::Broker(id));
  if (broker == nullptr) {
    compare.exists = false;
  } else {
    compare.czxid = Zxid(broker->epoch.value());
  }
  return compare;
}

// What should become of one partition's state.
struct Wanted {
  PartitionState state;
  BrokerId depends_on;  // the broker whose registration decided it
  std::string why;
};

// The first replica, in order of preference, that is registered and may lead: it has the disk that
// an ISR member had, or nothing was ever written.
const Broker* Candidate(const ClusterView& view, const Partition& partition) {
  for (const BrokerId id : partition.replicas) {
    const Broker* broker = view.FindBroker(id);
    if (broker == nullptr) continue;
    if (!partition.state) return broker;
    for (const IsrMember& member : partition.state->isr) {
      if (member.broker == id && member.folder_id == broker->folder_id) return broker;
    }
  }
  return nullptr;
}

bool LedBy(const PartitionState& state, const Broker& broker) {
  const IsrMember current{
      .broker = broker.id, .epoch = broker.epoch, .folder_id = broker.folder_id};
  return state.leader == broker.id &&
         std::find(state.isr.begin(), state.isr.end(), current) != state.isr.end();
}

std::optional<Wanted> WantedState(const ClusterView& view, const Partition& partition,
                                  int64_t controller_epoch) {
  if (partition.state_unreadable || partition.replicas.empty()) return std::nullopt;
  Wanted wanted;
  if (partition.state) wanted.state = *partition.state;
  wanted.state.controller_epoch = controller_epoch;
  if (const Broker* broker = Candidate(view, partition)) {
    if (partition.state && LedBy(*partition.state, *broker)) return std::nullopt;
    wanted.state.leader = broker->id;
    if (partition.state) ++wanted.state.leader_epoch;
    wanted.state.isr = {
        {.broker = broker->id, .epoch = broker->epoch, .folder_id = broker->folder_id}};
    wanted.depends_on = broker->id;
    wanted.why = partition.state ? "new leader" : "first leader";
    return wanted;
  }
  if (!partition.state || partition.state->leader == kNoBroker) return std::nullopt;
  wanted.depends_on = partition.state->leader;
  wanted.state.leader = kNoBroker;
  wanted.why = view.FindBroker(wanted.depends_on) == nullptr
                   ? "offline: its broker is gone"
                   : "offline: its broker came back with another data folder";
  return wanted;
}

Decision DecidePartition(const ClusterView& view, const Topic& topic, int32_t number,
                         const Wanted& wanted, const ControllerTerm& term) {
  const Partition& partition = *topic.partitions[number];
  Decision decision;
  decision.path = paths::PartitionState(topic.name, number);
  decision.why = wanted.why;
  auto& compares = decision.transaction.compares;
  compares = InOffice(term);
  compares.push_back(RegisteredAs(wanted.depends_on, view.FindBroker(wanted.depends_on)));
  client::Compare assignment = Holds(paths::Topic(topic.name));
  assignment.mzxid = topic.mzxid;
  assignment.czxid = topic.czxid;
  compares.push_back(std::move(assignment));

  std::string content = EncodePartitionState(wanted.state);
  auto& operations = decision.transaction.operations;
  if (partition.state) {
    client::Compare state = Holds(decision.path);
    state.mzxid = partition.state->mzxid;
    compares.push_back(std::move(state));
    operations.push_back(client::SetOperation{.path = decision.path, .data = std::move(content)});
  } else {
    operations.push_back(client::CreateOperation{.path = paths::Partition(topic.name, number)});
    operations.push_back(
        client::CreateOperation{.path = decision.path, .data = std::move(content)});
  }
  return decision;
}

void DecideTopic(const ClusterView& view, const Topic& topic, const Topic* previous,
                 const ControllerTerm& term, std::vector<Decision>& decisions) {
  if (!topic.readable) return;
  static const SharedVector<std::shared_ptr<const Partition>> kNothing;
  // A changed assignment is part of every compare: look at all partitions again.
  const bool same_assignment =
      previous != nullptr && previous->mzxid == topic.mzxid && previous->readable;
  topic.partitions.ForEachChanged(
      same_assignment ? previous->partitions : kNothing,
      [&](size_t number, const std::shared_ptr<const Partition>& partition) {
        const auto wanted = WantedState(view, *partition, term.epoch);
        if (!wanted) return;
        decisions.push_back(
            DecidePartition(view, topic, static_cast<int32_t>(number), *wanted, term));
      });
}

void DecideDeletions(const ClusterView& view, const ControllerTerm& term,
                     std::vector<Decision>& decisions) {
  for (const auto& [id, record] : *view.deletions()) {
    if (!record.pending.empty()) continue;
    Decision decision;
    decision.path = paths::DeletionRecord(id);
    decision.why = "all brokers deleted the data";
    decision.transaction.compares = InOffice(term);
    client::Compare unchanged = Holds(decision.path);
    unchanged.mzxid = record.mzxid;
    decision.transaction.compares.push_back(std::move(unchanged));
    decision.transaction.operations.push_back(client::DeleteOperation{.path = decision.path});
    decisions.push_back(std::move(decision));
  }
}

}  // namespace

client::Transaction ElectionOf(const ClusterView& view, BrokerId id, int64_t now_ms) {
  const ControllerView& controller = view.controller();
  CHECK(!controller.exists);
  client::Transaction transaction;
  const std::string path(paths::kController);
  const std::string epoch_path(paths::kControllerEpoch);
  const std::string next = fmt::to_string(controller.epoch + 1);
  client::Compare epoch = Holds(epoch_path);
  if (controller.epoch_exists) {
    epoch.mzxid = controller.epoch_mzxid;
    transaction.operations.push_back(client::SetOperation{.path = epoch_path, .data = next});
  } else {
    epoch.exists = false;
    transaction.operations.push_back(client::CreateOperation{.path = epoch_path, .data = next});
  }
  transaction.compares.push_back(std::move(epoch));
  transaction.operations.push_back(
      client::CreateOperation{.path = path,
                              .data = EncodeController(id, now_ms),
                              .mode = client::CreateMode::kEphemeral});
  return transaction;
}

std::vector<Decision> Decide(const ClusterView& view, const ClusterView* previous,
                             const ControllerTerm& term) {
  CHECK(view.zxid() >= term.election_zxid);
  // Who is registered matters to every partition.
  if (previous != nullptr && previous->brokers() != view.brokers()) previous = nullptr;
  std::vector<Decision> decisions;
  view.topics().ForEach([&](const std::string& name, const std::shared_ptr<const Topic>& topic) {
    const std::shared_ptr<const Topic> old =
        previous == nullptr ? nullptr : previous->FindTopic(std::string_view(name));
    if (old != topic) DecideTopic(view, *topic, old.get(), term, decisions);
  });
  if (previous == nullptr || previous->deletions() != view.deletions()) {
    DecideDeletions(view, term, decisions);
  }
  return decisions;
}

}  // namespace bellwether::broker
