#include "coord/tree/edit.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "coord/tree/path.h"
#include "coord/tree/system_znodes.h"

namespace bellwether::coord::tree {
namespace {

bool IsEphemeral(CreateMode mode) {
  return mode == CreateMode::kEphemeral || mode == CreateMode::kEphemeralSequential;
}

bool IsSequential(CreateMode mode) {
  return mode == CreateMode::kPersistentSequential || mode == CreateMode::kEphemeralSequential ||
         mode == CreateMode::kPersistentSequentialWithTtl;
}

bool HasTtl(CreateMode mode) {
  return mode == CreateMode::kPersistentWithTtl ||
         mode == CreateMode::kPersistentSequentialWithTtl;
}

// Z15.
bool IsValidMode(const Create& operation) {
  const auto last = static_cast<uint8_t>(CreateMode::kPersistentSequentialWithTtl);
  if (static_cast<uint8_t>(operation.mode) > last) return false;
  if (!HasTtl(operation.mode)) return operation.ttl_ms == 0;
  return operation.ttl_ms > 0 && operation.ttl_ms <= kTtlMsMax;
}

// As the tree keeps it: 0 for a container.
std::optional<int64_t> TtlOf(const Create& operation) {
  if (operation.mode == CreateMode::kContainer) return 0;
  if (HasTtl(operation.mode)) return operation.ttl_ms;
  return std::nullopt;
}

bool VersionMatches(int32_t expected, int32_t version) {
  return expected == kAnyVersion || expected == version;
}

int64_t SizeOf(const SharedBytes& data) { return static_cast<int64_t>(data.size()); }

OperationResult Failed(ResultCode code) {
  OperationResult result;
  result.code = code;
  return result;
}

OperationResult Succeeded(const Znode& znode) {
  OperationResult result;
  result.stat = znode.ToStat();
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
      changes_before_(changes.size()),
      has_quotas_(AtLevelOfAcls() && HasQuotas(tree)),
      tree_before_(undo == Undo::kKeep && has_quotas_ ? std::optional<Tree>(tree)
                                                      : std::nullopt),
      countable_(QuotaCountedZnodesMax(context.feature_level)) {}

OperationResult Edit::Apply(const Create& operation) {
  NewZnode checked;
  const ResultCode code = CheckCreate(operation, checked);
  if (code != ResultCode::kOk) return Failed(code);

  ZnodeFields fields;
  fields.czxid = fields.mzxid = fields.pzxid = context_.zxid;
  fields.ctime_ms = fields.mtime_ms = context_.time_ms;
  fields.data = std::move(checked.data);
  if (operation.acl.has_value()) fields.access = tree_.MakeAccess(std::move(checked.acl), 0);
  if (IsEphemeral(operation.mode)) {
    fields.owner = context_.session;
    sessions_.AddEphemeral(context_.session, checked.path);
  }
  CowPtr<Znode> created = Znode::Make(std::move(fields));
  const Znode& znode = *created;
  const PathParts parts = *SplitPath(checked.path);
  const Tree::ParentFields before = Tree::ParentFieldsOf(*tree_.Find(parts.parent));
  const Znode& changed_parent =
      tree_.Insert(parts.parent, parts.name, std::move(created),
                   {context_.zxid, NextCounter(before.create_counter)}, TtlOf(operation));
  if (undo_ == Undo::kKeep) {
    undo_log_.push_back(Inserted{{std::string(parts.parent), std::string(parts.name), before}});
  }
  Report(Change::Type::kCreated, checked.path, znode);
  Report(Change::Type::kChildren, parts.parent, changed_parent);
  OperationResult result = Succeeded(znode);
  // Of a quota's usage it is what the client asked for (Z54).
  result.stat->data_length = static_cast<int32_t>(operation.data.size());
  AddToQuotaOf(checked.path, {1, SizeOf(operation.data)});
  result.path = std::move(checked.path);
  return result;
}

ResultCode Edit::CheckCreate(const Create& operation, NewZnode& created) {
  if (FeatureLevelOf(operation) > context_.feature_level || !IsValidMode(operation)) {
    return ResultCode::kBadArguments;
  }
  if (operation.data.size() > kDataBytesMax) return ResultCode::kTooLarge;
  if (operation.acl.has_value() && ExceedsLimits(*operation.acl, acl_entries_max())) {
    return ResultCode::kTooLarge;
  }
  const std::optional<PathParts> given = SplitPath(operation.path);
  if (!given.has_value()) return ResultCode::kBadArguments;
  if (operation.acl.has_value()) {
    std::optional<Acl> acl = FixUpAcl(*operation.acl, context_.identities, acl_entries_max());
    if (!acl.has_value()) return ResultCode::kInvalidAcl;
    created.acl = std::move(*acl);
  }
  const Znode* const parent = tree_.Find(given->parent);
  if (parent == nullptr) return ResultCode::kNoNode;
  if (!May(*parent, kCreate)) return ResultCode::kNoAuth;
  created.path = operation.path;
  if (IsSequential(operation.mode)) created.path += SequenceSuffix(parent->create_counter());
  if (!IsValidPath(created.path)) return ResultCode::kBadArguments;
  const std::string_view name = SplitPath(created.path)->name;
  if (created.path == "/" || parent->Child(name) != nullptr) return ResultCode::kNodeExists;
  if (parent->is_ephemeral()) return ResultCode::kNoChildrenForEphemerals;
  created.data = operation.data;
  return AtLevelOfAcls() ? CheckQuotaOfNew(created) : ResultCode::kOk;
}

ResultCode Edit::CheckQuotaOfNew(NewZnode& created) {
  if (!IsValidQuota(created.path, created.data)) return ResultCode::kBadArguments;
  const Usage change{1, SizeOf(created.data)};
  if (ExceedsItsQuota(created.path, change)) return ResultCode::kQuotaExceeded;
  const std::string_view quota = QuotaOfUsage(created.path);
  if (quota.empty()) return ResultCode::kOk;
  std::optional<Usage> usage = CountUsage(tree_, quota, countable_);
  if (!usage.has_value()) return ResultCode::kTooLarge;
  if (IsBelow(created.path, quota)) {
    usage->count += change.count;
    usage->bytes += change.bytes;
  }
  created.data = UsageText(*usage);
  return ResultCode::kOk;
}

OperationResult Edit::Apply(const SetData& operation) {
  if (!IsValidPath(operation.path)) return Failed(ResultCode::kBadArguments);
  if (operation.data.size() > kDataBytesMax) return Failed(ResultCode::kTooLarge);
  const Znode* const znode = tree_.Find(operation.path);
  if (znode == nullptr) return Failed(ResultCode::kNoNode);
  if (!May(*znode, kWrite) && !MUTANT(49)) return Failed(ResultCode::kNoAuth);
  const Usage change{0, SizeOf(operation.data) - SizeOf(znode->data)};
  if (AtLevelOfAcls() && !IsValidQuota(operation.path, operation.data)) {
    return Failed(ResultCode::kBadArguments);
  }
  if (ExceedsItsQuota(operation.path, change)) return Failed(ResultCode::kQuotaExceeded);
  if (!VersionMatches(operation.expected_version, znode->version())) {
    return Failed(ResultCode::kBadVersion);
  }

  KeepContent(operation.path, *znode);
  const Znode& changed = tree_.SetContent(
      operation.path,
      {operation.data, context_.zxid, context_.time_ms, NextVersion(znode->version())});
  Report(Change::Type::kChanged, operation.path, changed);
  OperationResult result = Succeeded(changed);
  AddToQuotaOf(operation.path, change);
  return result;
}

OperationResult Edit::Apply(const SetAcl& operation) {
  if (FeatureLevelOf(operation) > context_.feature_level || !IsValidPath(operation.path)) {
    return Failed(ResultCode::kBadArguments);
  }
  if (ExceedsLimits(operation.acl, acl_entries_max())) return Failed(ResultCode::kTooLarge);
  std::optional<Acl> acl = FixUpAcl(operation.acl, context_.identities, acl_entries_max());
  if (!acl.has_value()) return Failed(ResultCode::kInvalidAcl);
  const Znode* const znode = tree_.Find(operation.path);
  if (znode == nullptr) return Failed(ResultCode::kNoNode);
  if (!May(*znode, kAdmin)) return Failed(ResultCode::kNoAuth);
  const int32_t aversion = AversionOf(znode->access());
  if (!VersionMatches(operation.expected_version, aversion)) {
    return Failed(ResultCode::kBadVersion);
  }
  return Succeeded(tree_.SetAccess(operation.path,
                                   tree_.MakeAccess(std::move(*acl), NextVersion(aversion))));
}

OperationResult Edit::Apply(const Delete& operation) {
  const std::optional<PathParts> parts = SplitPath(operation.path);
  if (!parts.has_value() || operation.path == "/") return Failed(ResultCode::kBadArguments);
  if (AtLevelOfAcls() && IsSystemPath(operation.path)) return Failed(ResultCode::kBadArguments);
  const Znode* const parent = tree_.Find(parts->parent);
  if (parent == nullptr) return Failed(ResultCode::kNoNode);
  if (!May(*parent, kDelete)) return Failed(ResultCode::kNoAuth);
  // "//x" has the root for its parent and names no znode (Z48). Earlier releases, which may be in
  // an ensemble below that level, take it for "/x".
  const bool is_no_path = AtLevelOfAcls() && operation.path.starts_with("//");
  const Znode* const znode = is_no_path ? nullptr : parent->Child(parts->name);
  if (znode == nullptr) return Failed(ResultCode::kNoNode);
  if (!VersionMatches(operation.expected_version, znode->version())) {
    return Failed(ResultCode::kBadVersion);
  }
  if (znode->num_children() > 0) return Failed(ResultCode::kNotEmpty);
  DeleteChild(parts->parent, parts->name);
  return {};
}

OperationResult Edit::Apply(const Check& operation) {
  if (FeatureLevelOf(operation) > context_.feature_level || !IsValidPath(operation.path)) {
    return Failed(ResultCode::kBadArguments);
  }
  const Znode* const znode = tree_.Find(operation.path);
  if (znode == nullptr) return Failed(ResultCode::kNoNode);
  if (!May(*znode, kRead)) return Failed(ResultCode::kNoAuth);
  if (!VersionMatches(operation.expected_version, znode->version())) {
    return Failed(ResultCode::kBadVersion);
  }
  return {};
}

bool Edit::MayRead(std::string_view path) const {
  const Znode* const znode = tree_.Find(path);
  return znode == nullptr || May(*znode, kRead);
}

ResultCode Edit::DeleteSubtree(std::string_view path, uint32_t& deleted) {
  deleted = 0;
  const std::optional<PathParts> parts = SplitPath(path);
  if (!parts.has_value()) return ResultCode::kBadArguments;
  if (AtLevelOfAcls() && path != "/" && IsSystemPath(path)) return ResultCode::kBadArguments;
  const Znode* const parent = tree_.Find(parts->parent);
  if (parent == nullptr) return ResultCode::kNoNode;
  if (!May(*parent, kDelete)) return ResultCode::kNoAuth;
  if (tree_.Find(path) == nullptr) return ResultCode::kNoNode;

  const std::vector<std::string> branches = BranchesOf(path);
  const ResultCode code = CheckBranches(branches, deleted);
  if (code != ResultCode::kOk || deleted == 0) return code;
  const size_t first_change = changes_.size();
  std::map<std::string, Usage> usage;
  for (const std::string& branch : branches) ReportBranch(branch, usage);
  std::reverse(changes_.begin() + static_cast<std::ptrdiff_t>(first_change), changes_.end());
  for (const std::string& branch : branches) RemoveBranch(branch);
  Report(Change::Type::kChildren, parts->parent, *tree_.Find(parts->parent));
  for (const auto& [quota, change] : usage) AddToQuota(quota, change);
  return ResultCode::kOk;
}

std::vector<std::string> Edit::BranchesOf(std::string_view path) const {
  if (path != "/") return {std::string(path)};
  std::vector<std::string> branches;
  for (const ChildTable::Entry& child : tree_.Find("/")->children()) {
    std::string branch = ChildPath("/", child.key.view());
    if (AtLevelOfAcls() && branch == kSystemPath) continue;
    branches.push_back(std::move(branch));
    if (branches.size() > kRecursiveDeleteZnodesMax) break;
  }
  return branches;
}

ResultCode Edit::CheckBranches(const std::vector<std::string>& branches, uint32_t& count) const {
  size_t met = 0;
  bool permitted = true;
  for (const std::string& branch : branches) {
    tree_.Walk(branch, [&](const ZnodeVisit& visit) {
      if (visit.znode.num_children() > 0) permitted = permitted && May(visit.znode, kDelete);
      return ++met <= kRecursiveDeleteZnodesMax;
    });
    if (met > kRecursiveDeleteZnodesMax) return ResultCode::kTooLarge;
  }
  if (!permitted) return ResultCode::kNoAuth;
  count = static_cast<uint32_t>(met);
  return ResultCode::kOk;
}

void Edit::ReportBranch(const std::string& branch, std::map<std::string, Usage>& usage) {
  tree_.Walk(branch, [&](const ZnodeVisit& visit) {
    Report(Change::Type::kDeleted, visit.path, visit.znode);
    if (visit.znode.is_ephemeral()) {
      sessions_.RemoveEphemeral(visit.znode.ephemeral_owner(), visit.path);
    }
    const std::string_view quota = has_quotas_ ? QuotaOf(tree_, visit.path) : std::string_view();
    if (quota.empty()) return true;
    Usage& change = usage[std::string(quota)];
    --change.count;
    change.bytes -= SizeOf(visit.data());
    return true;
  });
}

void Edit::RemoveBranch(const std::string& branch) {
  const PathParts parts = *SplitPath(branch);
  tree_.RemoveDescendants(branch, Tree::ParentFieldsOf(*tree_.Find(branch)));
  const int32_t counter = tree_.Find(parts.parent)->create_counter();
  tree_.Remove(parts.parent, parts.name, {context_.zxid, counter});
}

uint32_t Edit::DeleteEphemerals(SessionId session) {
  const PathSet paths = sessions_.Find(session)->ephemerals;
  for (const PathSet::Entry& entry : paths) {
    const PathParts parts = *SplitPath(entry.key.view());
    DeleteChild(parts.parent, parts.name);
  }
  return static_cast<uint32_t>(paths.size());
}

ResultCode Edit::DeleteExpired(std::string_view path) {
  const std::optional<PathParts> parts = SplitPath(path);
  if (!AtLevelOfAcls() || !parts.has_value()) return ResultCode::kBadArguments;
  const Znode* const znode = tree_.Find(path);
  if (znode == nullptr) return ResultCode::kNoNode;
  const std::optional<int64_t> ttl_ms = tree_.TtlOf(path);
  if (!ttl_ms.has_value()) return ResultCode::kNotExpired;
  if (znode->num_children() > 0) return ResultCode::kNotEmpty;
  const bool expired = IsExpired(*znode, *ttl_ms, context_.time_ms);
  if (!expired && !MUTANT(56)) return ResultCode::kNotExpired;
  DeleteChild(parts->parent, parts->name);
  return ResultCode::kOk;
}

OperationResult Edit::SetConfig(const SetEnsembleConfig& operation) {
  if (FeatureLevelOf(operation) > context_.feature_level) return Failed(ResultCode::kBadArguments);
  const Znode* const znode = tree_.Find(kConfigPath);
  if (znode == nullptr) return Failed(ResultCode::kNoNode);
  if (znode->version() != operation.expected_version) return Failed(ResultCode::kBadVersion);
  if (MembersOfConfig(znode->data.view()) == operation.members) {
    return Failed(ResultCode::kAlreadySet);
  }
  const std::string text = ConfigOf(operation.members, context_.zxid);
  if (text.size() > kDataBytesMax) return Failed(ResultCode::kTooLarge);
  const Znode& changed =
      tree_.SetContent(kConfigPath, {SharedBytes::Copy(text), context_.zxid, context_.time_ms,
                                     NextVersion(znode->version())});
  Report(Change::Type::kChanged, kConfigPath, changed);
  return Succeeded(changed);
}

void Edit::AddSystemZnodes() {
  tree::AddSystemZnodes(tree_, [this](Change::Type type, std::string_view path) {
    Report(type, path, *tree_.Find(path));
  });
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
  tree_.Insert(place.parent_path, place.name, std::move(entry.znode), place.before, entry.ttl_ms);
}

void Edit::Revert(Changed& entry) {
  if (!MUTANT(61)) tree_.SetContent(entry.path, std::move(entry.before));
}

bool Edit::ExceedsItsQuota(std::string_view path, const Usage& change) const {
  const Tree& tree = tree_before_.has_value() ? *tree_before_ : tree_;
  return has_quotas_ && ExceedsQuota(tree, path, change);
}

void Edit::AddToQuotaOf(std::string_view path, const Usage& change) {
  if (!AtLevelOfAcls()) return;
  const std::string_view quota = QuotaOf(tree_, path);
  if (!quota.empty()) AddToQuota(quota, change);
}

void Edit::AddToQuota(std::string_view quota, const Usage& change) {
  const std::string path = UsagePath(quota);
  const Znode* const znode = tree_.Find(path);
  if (znode == nullptr) return;
  std::optional<SharedBytes> text = AddUsage(znode->data, change);
  if (!text.has_value()) return;
  if (!MUTANT(59)) KeepContent(path, *znode);
  Tree::Content content = Tree::ContentOf(*znode);
  content.data = std::move(*text);
  tree_.SetContent(path, std::move(content));
}

void Edit::DeleteChild(std::string_view parent_path, std::string_view name) {
  const std::string path = ChildPath(parent_path, name);
  const Tree::ParentFields before = Tree::ParentFieldsOf(*tree_.Find(parent_path));
  const int32_t counter = before.create_counter - (MUTANT(64) ? 1 : 0);
  Tree::Removed removed = tree_.Remove(parent_path, name, {context_.zxid, counter});
  const Znode& znode = *removed.znode;
  if (znode.is_ephemeral()) sessions_.RemoveEphemeral(znode.ephemeral_owner(), path);
  Report(Change::Type::kDeleted, path, znode);
  Report(Change::Type::kChildren, parent_path, removed.parent);
  const Usage change{-1, -SizeOf(znode.data)};
  if (undo_ == Undo::kKeep) {
    undo_log_.push_back(Removed{{std::string(parent_path), std::string(name), before},
                                std::move(removed.znode),
                                removed.ttl_ms});
  }
  AddToQuotaOf(path, change);
}

void Edit::KeepContent(std::string_view path, const Znode& znode) {
  if (undo_ == Undo::kNone) return;
  undo_log_.push_back(Changed{std::string(path), Tree::ContentOf(znode)});
}

void Edit::Report(Change::Type type, std::string_view path, const Znode& znode) {
  Change& change = changes_.emplace_back();
  change.type = type;
  change.zxid = context_.zxid;
  change.path = std::string(path);
  change.stat = znode.ToStat();
  change.access = znode.access();
  if (type == Change::Type::kCreated || type == Change::Type::kChanged) change.data = znode.data;
}

}  // namespace bellwether::coord::tree
