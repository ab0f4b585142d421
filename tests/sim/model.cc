#include "tests/sim/model.h"

#include <algorithm>
#include <utility>

#include "tests/sim/check_unchanged.h"

namespace bellwether::sim {
namespace {

using coord::tree::Change;
using coord::tree::ResultCode;
using coord::tree::SessionId;

struct Tagged {
  std::string_view operator()(const coord::tree::Create& create) const {
    return create.data.view();
  }
  std::string_view operator()(const coord::tree::SetData& set) const { return set.data.view(); }
  std::string_view operator()(const coord::tree::Transaction& transaction) const {
    for (const auto& operation : transaction.operations) {
      const std::string_view tag = std::visit(*this, operation);
      if (!tag.empty()) return tag;
    }
    return {};
  }
  std::string_view operator()(const coord::tree::Import& import) const {
    return import.znodes.empty() ? std::string_view() : import.znodes.front().data.view();
  }
  // The last entry says it, in front of the colon.
  std::string_view operator()(const coord::tree::SetAcl& set) const {
    const std::string_view id = set.acl.empty() ? std::string_view() : set.acl.back().id;
    return id.substr(0, id.find(':'));
  }
  template <typename Other>
  std::string_view operator()(const Other&) const {
    return {};
  }
};

}  // namespace

bool PathOrder::operator()(std::string_view a, std::string_view b) const {
  const auto rank = [](char c) { return c == '/' ? 0 : 1 + static_cast<unsigned char>(c); };
  return std::lexicographical_compare(
      a.begin(), a.end(), b.begin(), b.end(),
      [&rank](char x, char y) { return rank(x) < rank(y); });
}

bool IsWithin(std::string_view path, std::string_view root) {
  if (root == "/") return true;
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

std::string_view ParentOf(std::string_view path) {
  return path.substr(0, std::max<size_t>(path.rfind('/'), 1));
}

bool WasAdmitted(const coord::tree::Result& result) {
  return result.code != ResultCode::kSessionExpired &&
         result.code != ResultCode::kStaleGeneration &&
         result.code != ResultCode::kSequenceGap &&
         result.code != ResultCode::kResultForgotten &&
         result.code != ResultCode::kSequenceReused && !result.repeated;
}

coord::tree::Stat ToTree(const client::Stat& stat) {
  coord::tree::Stat tree;
  tree.czxid = Zxid(stat.czxid.value());
  tree.mzxid = Zxid(stat.mzxid.value());
  tree.pzxid = Zxid(stat.pzxid.value());
  tree.ctime_ms = stat.ctime_ms;
  tree.mtime_ms = stat.mtime_ms;
  tree.version = stat.version;
  tree.cversion = stat.cversion;
  tree.aversion = stat.aversion;
  tree.data_length = stat.data_length;
  tree.num_children = stat.num_children;
  tree.ephemeral_owner = SessionId(stat.ephemeral_owner.value());
  return tree;
}

client::WatchEventType TypeOf(Change::Type type) {
  switch (type) {
    case Change::Type::kCreated:
      return client::WatchEventType::kCreated;
    case Change::Type::kChanged:
      return client::WatchEventType::kChanged;
    case Change::Type::kDeleted:
      return client::WatchEventType::kDeleted;
    case Change::Type::kChildren:
      break;
  }
  return client::WatchEventType::kChildren;
}

std::string_view TagOf(const coord::tree::Operation& operation) {
  return std::visit(Tagged(), operation);
}

coord::zk::wire::EventType ZkTypeOf(Change::Type type) {
  using coord::zk::wire::EventType;
  switch (type) {
    case Change::Type::kCreated:
      return EventType::kNodeCreated;
    case Change::Type::kChanged:
      return EventType::kNodeDataChanged;
    case Change::Type::kDeleted:
      return EventType::kNodeDeleted;
    case Change::Type::kChildren:
      break;
  }
  return EventType::kNodeChildrenChanged;
}

Model::Model(const CommittedLog& log, const std::map<LogIndex, uint64_t>& digests,
             Violations& violations) {
  Remember("/", Zxid());
  for (const CommittedLog::Entry& entry : log.entries()) {
    Replay(entry, violations);
    const auto digest = digests.find(entry.index);
    if (digest == digests.end() || digest->second == tree_.digest()) continue;
    violations.Add("state digest", "servers had {:#x} at index {}, a replay of the log gives {:#x}",
                   digest->second, entry.index, tree_.digest());
    return;
  }
}

void Model::Replay(const CommittedLog::Entry& entry, Violations& violations) {
  for (const std::string& bytes : entry.commands) {
    absl::StatusOr<coord::OpenedCommand> command = coord::OpenCommand(bytes);
    if (!command.ok()) {
      violations.Add("log", "a command of entry {} can't be decoded: {}", entry.index,
                     command.status().ToString());
      return;
    }
    const Zxid before = tree_.zxid();
    coord::tree::ApplyOutcome outcome = tree_.Apply(command->command, {entry.time_ms});
    const Zxid zxid = tree_.zxid();
    if (zxid <= before) {
      violations.Add("zxid", "the command behind zxid {} has zxid {}", before, zxid);
      return;
    }
    for (const Change& change : outcome.changes) {
      Remember(change.path, zxid);
      Remember(ParentOf(change.path), zxid);
    }
    // It changes nothing that a watch sees.
    if (const auto* set = std::get_if<coord::tree::SetAcl>(&command->command.operation)) {
      Remember(set->path, zxid);
    }
    if (const auto* import = std::get_if<coord::tree::Import>(&command->command.operation)) {
      for (const auto& znode : import->znodes) Remember(znode.path, zxid);
    }
    commands_.push_back({zxid, *std::move(command), std::move(outcome.result),
                         std::move(outcome.changes), entry.first_applied, entry.time_ms,
                         entry.index});
    const Applied& applied = commands_.back();
    CheckUnchanged(applied, *this, violations);
    quotas_.Follow(applied.command.command.operation, tree_, violations);
    retries_.Follow(applied.command.command, applied.result, applied.changes.size(), tree_,
                    violations);
    FollowSessions(applied, violations);
  }
}

void Model::Remember(std::string_view path, Zxid zxid) {
  std::optional<Snapshot> snapshot;
  if (auto znode = tree_.Get(path); znode.has_value()) {
    snapshot.emplace();
    snapshot->stat = znode->stat;
    if (!znode->data.is_null()) snapshot->data = std::string(znode->data.view());
    snapshot->children = tree_.Children(path)->names;
    snapshot->access = tree_.AccessOf(path);
    snapshot->ttl_ms = tree_.TtlOf(path);
  }
  timelines_[std::string(path)][zxid] = std::move(snapshot);
}

void Model::FollowSessions(const Applied& applied, Violations& violations) {
  const coord::tree::Operation& operation = applied.command.command.operation;
  if (applied.result.code != ResultCode::kOk) return;
  if (std::holds_alternative<coord::tree::CreateSession>(operation)) {
    sessions_.try_emplace(applied.result.session->session, SessionLife{applied.zxid});
    return;
  }
  SessionId ended;
  const auto* expire = std::get_if<coord::tree::ExpireSession>(&operation);
  if (expire != nullptr) ended = expire->session;
  if (std::holds_alternative<coord::tree::CloseSession>(operation)) {
    ended = applied.command.command.session;
  }
  if (ended == SessionId(0)) return;
  SessionLife& life = sessions_[ended];
  life.end = applied.zxid;
  life.expired = expire != nullptr;
  life.ended_at = applied.first_applied;
  tree_.Subtree("/", [&](const coord::tree::ZnodeVisit& visit) {
    if (visit.stat().ephemeral_owner == ended) {
      violations.Add("ephemerals", "{} outlives its session {:#x}, which ended at zxid {}",
                     visit.path, ended.value(), applied.zxid);
    }
    return true;
  });
}

std::span<const Model::Applied> Model::CommandsIn(Zxid after, Zxid last) const {
  const auto behind = [](Zxid zxid, const Applied& applied) { return zxid < applied.zxid; };
  const auto begin = std::upper_bound(commands_.begin(), commands_.end(), after, behind);
  return {begin, std::upper_bound(begin, commands_.end(), std::max(after, last), behind)};
}

const Model::Applied* Model::CommandAt(Zxid zxid) const {
  const std::span<const Applied> only = CommandsIn(zxid - 1, zxid);
  return only.empty() ? nullptr : &only.front();
}

const Model::Snapshot* Model::At(std::string_view path, Zxid zxid) const {
  const auto timeline = timelines_.find(path);
  if (timeline == timelines_.end()) return nullptr;
  auto after = timeline->second.upper_bound(zxid);
  if (after == timeline->second.begin()) return nullptr;
  const std::optional<Snapshot>& snapshot = std::prev(after)->second;
  return snapshot.has_value() ? &*snapshot : nullptr;
}

const std::map<Zxid, std::optional<Model::Snapshot>>& Model::TimelineOf(
    std::string_view path) const {
  static const std::map<Zxid, std::optional<Snapshot>> none;
  const auto timeline = timelines_.find(path);
  return timeline == timelines_.end() ? none : timeline->second;
}

std::map<std::string, const Model::Snapshot*, PathOrder> Model::Subtree(std::string_view path,
                                                                        Zxid zxid) const {
  std::map<std::string, const Snapshot*, PathOrder> found;
  for (const auto& [candidate, timeline] : timelines_) {
    if (!IsWithin(candidate, path)) continue;
    if (const Snapshot* snapshot = At(candidate, zxid)) found.emplace(candidate, snapshot);
  }
  return found;
}

bool Model::WasMissing(std::string_view path, Zxid first, Zxid last) const {
  if (At(path, first) == nullptr) return true;
  const auto& timeline = timelines_.find(path)->second;
  for (auto state = timeline.upper_bound(first); state != timeline.end(); ++state) {
    if (state->first > last) return false;
    if (!state->second.has_value()) return true;
  }
  return false;
}

}  // namespace bellwether::sim
