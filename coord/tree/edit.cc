#include "coord/tree/edit.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "coord/tree/path.h"

namespace bellwether::coord::tree {
namespace {

bool IsEphemeral(CreateMode mode) {
  return mode == CreateMode::kEphemeral || mode == CreateMode::kEphemeralSequential;
}

bool IsSequential(CreateMode mode) {
  return mode == CreateMode::kPersistentSequential || mode == CreateMode::kEphemeralSequential;
}

bool IsKnown(CreateMode mode) {
  return static_cast<uint8_t>(mode) <= static_cast<uint8_t>(CreateMode::kEphemeralSequential);
}

bool VersionMatches(int32_t expected, const Znode& znode) {
  return expected == kAnyVersion || expected == znode.version;
}

OperationResult Failed(ResultCode code) {
  OperationResult result;
  result.code = code;
  return result;
}

}  // namespace

Edit::Edit(const EditContext& context, Undo undo, Tree& tree, Sessions& sessions,
           std::vector<Change>& changes)
    : context_(context),
      undo_(undo),
      tree_(tree),
      sessions_(sessions),
      changes_(changes),
      changes_before_(changes.size()) {}

OperationResult Edit::Apply(const Create& operation) {
  if (!IsKnown(operation.mode)) return Failed(ResultCode::kBadArguments);
  if (operation.data.size() > kDataBytesMax) return Failed(ResultCode::kTooLarge);
  const std::optional<PathParts> given = SplitPath(operation.path);
  if (!given.has_value()) return Failed(ResultCode::kBadArguments);
  const Znode* const parent = tree_.Find(given->parent);
  if (parent == nullptr) return Failed(ResultCode::kNoNode);
  std::string path = operation.path;
  if (IsSequential(operation.mode)) path += SequenceSuffix(parent->create_counter);
  if (!IsValidPath(path)) return Failed(ResultCode::kBadArguments);
  const std::string_view name = SplitPath(path)->name;
  if (path == "/" || parent->Child(name) != nullptr) return Failed(ResultCode::kNodeExists);
  if (parent->is_ephemeral()) return Failed(ResultCode::kNoChildrenForEphemerals);

  CowPtr<Znode> created(new Znode());
  Znode& znode = created.Owned();
  znode.czxid = znode.mzxid = znode.pzxid = context_.zxid;
  znode.ctime_ms = znode.mtime_ms = context_.time_ms;
  znode.data = operation.data;
  if (IsEphemeral(operation.mode)) {
    znode.SetOwner(context_.session);
    sessions_.AddEphemeral(context_.session, path);
  }
  const Tree::ParentFields before = Tree::ParentFieldsOf(*parent);
  const Znode& changed_parent =
      tree_.Insert(given->parent, name, std::move(created),
                   {context_.zxid, NextCounter(before.create_counter)});
  if (undo_ == Undo::kKeep) {
    undo_log_.push_back(Inserted{{std::string(given->parent), std::string(name), before}});
  }
  Report(Change::Type::kCreated, path, znode);
  Report(Change::Type::kChildren, given->parent, changed_parent);
  OperationResult result;
  result.stat = znode.ToStat();
  result.path = std::move(path);
  return result;
}

OperationResult Edit::Apply(const SetData& operation) {
  if (!IsValidPath(operation.path)) return Failed(ResultCode::kBadArguments);
  if (operation.data.size() > kDataBytesMax) return Failed(ResultCode::kTooLarge);
  const Znode* const znode = tree_.Find(operation.path);
  if (znode == nullptr) return Failed(ResultCode::kNoNode);
  if (!VersionMatches(operation.expected_version, *znode)) return Failed(ResultCode::kBadVersion);

  if (undo_ == Undo::kKeep) {
    undo_log_.push_back(Changed{operation.path, Tree::ContentOf(*znode)});
  }
  const Znode& changed = tree_.SetContent(
      operation.path,
      {operation.data, context_.zxid, context_.time_ms, NextVersion(znode->version)});
  Report(Change::Type::kChanged, operation.path, changed);
  OperationResult result;
  result.stat = changed.ToStat();
  return result;
}

OperationResult Edit::Apply(const Delete& operation) {
  const std::optional<PathParts> parts = SplitPath(operation.path);
  if (!parts.has_value() || operation.path == "/") return Failed(ResultCode::kBadArguments);
  const Znode* const parent = tree_.Find(parts->parent);
  if (parent == nullptr) return Failed(ResultCode::kNoNode);
  const Znode* const znode = parent->Child(parts->name);
  if (znode == nullptr) return Failed(ResultCode::kNoNode);
  if (!VersionMatches(operation.expected_version, *znode)) return Failed(ResultCode::kBadVersion);
  if (znode->num_children() > 0) return Failed(ResultCode::kNotEmpty);
  DeleteChild(parts->parent, parts->name);
  return {};
}

ResultCode Edit::DeleteSubtree(std::string_view path, uint32_t& deleted) {
  deleted = 0;
  const std::optional<PathParts> parts = SplitPath(path);
  if (!parts.has_value()) return ResultCode::kBadArguments;
  const Znode* const top = tree_.Find(path);
  if (top == nullptr) return ResultCode::kNoNode;
  const bool is_root = path == "/";

  // The root stays, so it takes no place in the count.
  const size_t limit = kRecursiveDeleteZnodesMax + (is_root ? 1 : 0);
  size_t met = 0;
  tree_.Walk(path, [&](const ZnodeVisit&) { return ++met <= limit; });
  if (met > limit) return ResultCode::kTooLarge;
  deleted = static_cast<uint32_t>(is_root ? met - 1 : met);
  if (deleted == 0) return ResultCode::kOk;

  const size_t first_change = changes_.size();
  tree_.Walk(path, [&](const ZnodeVisit& visit) {
    if (visit.depth == 0) return true;
    Report(Change::Type::kDeleted, visit.path, visit.znode);
    if (visit.znode.is_ephemeral()) {
      sessions_.RemoveEphemeral(visit.znode.ephemeral_owner(), visit.path);
    }
    return true;
  });
  std::reverse(changes_.begin() + static_cast<std::ptrdiff_t>(first_change), changes_.end());
  const Znode& emptied =
      tree_.RemoveDescendants(path, {context_.zxid, top->create_counter});
  if (is_root) {
    Report(Change::Type::kChildren, path, emptied);
  } else {
    DeleteChild(parts->parent, parts->name);
  }
  return ResultCode::kOk;
}

uint32_t Edit::DeleteEphemerals(SessionId session) {
  const PathSet paths = sessions_.Find(session)->ephemerals;
  for (const PathSet::Entry& entry : paths) {
    const PathParts parts = *SplitPath(entry.key.view());
    DeleteChild(parts.parent, parts.name);
  }
  return static_cast<uint32_t>(paths.size());
}

void Edit::Rollback() {
  CHECK(undo_ == Undo::kKeep);
  for (auto entry = undo_log_.rbegin(); entry != undo_log_.rend(); ++entry) {
    std::visit([this](auto& done) { Revert(done); }, *entry);
  }
  undo_log_.clear();
  changes_.resize(changes_before_);
}

void Edit::Revert(Inserted& entry) {
  const Place& place = entry.place;
  const CowPtr<Znode> znode = tree_.Remove(place.parent_path, place.name, place.before).znode;
  if (znode->is_ephemeral()) {
    sessions_.RemoveEphemeral(znode->ephemeral_owner(), ChildPath(place.parent_path, place.name));
  }
}

void Edit::Revert(Removed& entry) {
  const Place& place = entry.place;
  if (entry.znode->is_ephemeral() && !MUTANT(15)) {
    sessions_.AddEphemeral(entry.znode->ephemeral_owner(),
                           ChildPath(place.parent_path, place.name));
  }
  tree_.Insert(place.parent_path, place.name, std::move(entry.znode), place.before);
}

void Edit::Revert(Changed& entry) { tree_.SetContent(entry.path, std::move(entry.before)); }

void Edit::DeleteChild(std::string_view parent_path, std::string_view name) {
  const std::string path = ChildPath(parent_path, name);
  const Tree::ParentFields before = Tree::ParentFieldsOf(*tree_.Find(parent_path));
  Tree::Removed removed =
      tree_.Remove(parent_path, name, {context_.zxid, before.create_counter});
  const Znode& znode = *removed.znode;
  if (znode.is_ephemeral()) sessions_.RemoveEphemeral(znode.ephemeral_owner(), path);
  Report(Change::Type::kDeleted, path, znode);
  Report(Change::Type::kChildren, parent_path, removed.parent);
  if (undo_ == Undo::kKeep) {
    undo_log_.push_back(Removed{{std::string(parent_path), std::string(name), before},
                                std::move(removed.znode)});
  }
}

void Edit::Report(Change::Type type, std::string_view path, const Znode& znode) {
  Change& change = changes_.emplace_back();
  change.type = type;
  change.zxid = context_.zxid;
  change.path = std::string(path);
  change.stat = znode.ToStat();
  if (type == Change::Type::kCreated || type == Change::Type::kChanged) change.data = znode.data;
}

}  // namespace bellwether::coord::tree
