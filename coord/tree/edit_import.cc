// The part of Edit that makes znodes as they are in another ensemble.
#include <algorithm>
#include <utility>

#include "coord/tree/edit.h"
#include "coord/tree/path.h"
#include "coord/tree/system_znodes.h"

namespace bellwether::coord::tree {
namespace {

bool IsValidMode(const ImportedZnode& given) {
  switch (given.mode) {
    case CreateMode::kPersistent:
    case CreateMode::kContainer:
      return given.ttl_ms == 0;
    case CreateMode::kPersistentWithTtl:
      return given.ttl_ms > 0 && given.ttl_ms <= kTtlMsMax;
    default:
      return false;
  }
}

bool IsValidTime(int64_t time_ms) { return time_ms >= 0 && time_ms <= kImportedTimeMsMax; }

// As the tree keeps it.
std::optional<int64_t> TtlOf(const ImportedZnode& given) {
  if (given.mode == CreateMode::kPersistent) return std::nullopt;
  return given.ttl_ms;
}

// All that an import gives a znode that exists, but for the counter.
bool IsAsGiven(const Znode& znode, const ImportedZnode& given, const Acl& acl) {
  return znode.data == given.data && znode.version() == given.version &&
         znode.mtime_ms() == given.mtime_ms && AversionOf(znode.access()) == given.aversion &&
         AclOf(znode.access()) == acl;
}

// Of "/" the system znodes are not counted (Z3).
size_t CountedChildren(std::string_view path, const Znode& znode) {
  const bool has_uncounted = path == "/" && znode.Child(kSystemPath.substr(1)) != nullptr;
  return znode.num_children() - (has_uncounted ? 1 : 0);
}

OperationResult ResultOf(ResultCode code) {
  OperationResult result;
  result.code = code;
  return result;
}

}  // namespace

OperationResult Edit::Apply(const ImportedZnode& given, bool overwrite) {
  std::optional<Acl> acl;
  const ResultCode code = CheckImported(given, acl);
  if (code != ResultCode::kOk) return ResultOf(code);
  if (given.path == "/") {
    const Znode& root = *tree_.Find("/");
    const bool is_fresh = root.version() == 0 && AversionOf(root.access()) == 0;
    return ImportExisting(given, std::move(acl), root, overwrite || is_fresh);
  }
  const PathParts parts = *SplitPath(given.path);
  const Znode* const parent = tree_.Find(parts.parent);
  if (parent == nullptr) return ResultOf(ResultCode::kNoNode);
  if (!May(*parent, kCreate)) return ResultOf(ResultCode::kNoAuth);
  const Znode* const znode = parent->Child(parts.name);
  if (znode != nullptr) return ImportExisting(given, std::move(acl), *znode, overwrite);
  if (parent->is_ephemeral()) return ResultOf(ResultCode::kNoChildrenForEphemerals);
  return ImportNew(given, std::move(acl), *parent);
}

ResultCode Edit::CheckImported(const ImportedZnode& given, std::optional<Acl>& acl) const {
  if (!IsValidPath(given.path) || !IsValidMode(given) || !IsValidTime(given.ctime_ms) ||
      !IsValidTime(given.mtime_ms)) {
    return ResultCode::kBadArguments;
  }
  if (given.path == kSystemPath || IsBelow(given.path, kSystemPath)) {
    return ResultCode::kBadArguments;
  }
  if (given.data.size() > kDataBytesMax) return ResultCode::kTooLarge;
  if (!given.acl.has_value()) return ResultCode::kOk;
  if (ExceedsLimits(*given.acl, acl_entries_max())) return ResultCode::kTooLarge;
  acl = FixUpAcl(*given.acl, {}, acl_entries_max());
  return acl.has_value() ? ResultCode::kOk : ResultCode::kInvalidAcl;
}

OperationResult Edit::ImportNew(const ImportedZnode& given, std::optional<Acl> acl,
                                const Znode& parent) {
  const Usage change{1, static_cast<int64_t>(given.data.size())};
  if (ExceedsItsQuota(given.path, change)) return ResultOf(ResultCode::kQuotaExceeded);

  ZnodeFields created_fields;
  created_fields.czxid = created_fields.mzxid = created_fields.pzxid = context_.zxid;
  created_fields.ctime_ms = given.ctime_ms;
  created_fields.mtime_ms = given.mtime_ms;
  created_fields.version = given.version;
  created_fields.create_counter = given.create_counter;
  created_fields.data = given.data;
  created_fields.access =
      tree_.MakeAccess(acl.has_value() ? *std::move(acl) : OpenAcl(), given.aversion);
  CowPtr<Znode> created = Znode::Make(std::move(created_fields));
  const Znode& znode = *created;
  const PathParts parts = *SplitPath(given.path);
  // A counter that has wrapped (Z11) is not compared: there, numbers have been used before.
  const int64_t counted = static_cast<int64_t>(CountedChildren(parts.parent, parent)) + 1;
  const int32_t counter = parent.create_counter();
  const Tree::ParentFields fields{
      context_.zxid, counter >= 0 && counter < counted ? NextCounter(counter) : counter};
  const Znode& changed_parent =
      tree_.Insert(parts.parent, parts.name, std::move(created), fields, TtlOf(given));
  Report(Change::Type::kCreated, given.path, znode);
  Report(Change::Type::kChildren, parts.parent, changed_parent);
  OperationResult result;
  result.path = given.path;
  AddToQuotaOf(given.path, change);
  return result;
}

OperationResult Edit::ImportExisting(const ImportedZnode& given, std::optional<Acl> acl,
                                     const Znode& znode, bool overwrite) {
  if (znode.is_ephemeral() || tree_.TtlOf(given.path) != TtlOf(given)) {
    return ResultOf(ResultCode::kNodeExists);
  }
  const Acl& kept = acl.has_value() ? *acl : OpenAcl();
  if (May(znode, kRead) && IsAsGiven(znode, given, kept)) {
    if (May(znode, kCreate)) RaiseCreateCounter(given.path, given.create_counter);
    return ResultOf(ResultCode::kAlreadySet);
  }
  if (!overwrite) return ResultOf(ResultCode::kNodeExists);
  if (!May(znode, kWrite) || !May(znode, kAdmin)) return ResultOf(ResultCode::kNoAuth);
  const Usage change{0, static_cast<int64_t>(given.data.size()) -
                            static_cast<int64_t>(znode.data.size())};
  if (ExceedsItsQuota(given.path, change)) return ResultOf(ResultCode::kQuotaExceeded);
  tree_.SetContent(given.path, {given.data, context_.zxid, given.mtime_ms, given.version});
  tree_.SetAccess(given.path, tree_.MakeAccess(kept, given.aversion));
  Report(Change::Type::kChanged, given.path, *tree_.Find(given.path));
  RaiseCreateCounter(given.path, given.create_counter);
  AddToQuotaOf(given.path, change);
  return {};
}

void Edit::RaiseCreateCounter(std::string_view path, int32_t counter) {
  if (counter <= tree_.Find(path)->create_counter()) return;
  Report(Change::Type::kChildren, path, tree_.SetParentFields(path, {context_.zxid, counter}));
}

}  // namespace bellwether::coord::tree
