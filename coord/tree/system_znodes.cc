#include "coord/tree/system_znodes.h"

#include <charconv>
#include <cstdint>
#include <system_error>
#include <utility>

#include "coord/tree/acl.h"
#include "coord/tree/path.h"
#include "coord/tree/shared_bytes.h"
#include "fmt/format.h"

namespace bellwether::coord::tree {
namespace {

// ZooKeeper gives its config an ACL without counting it, and from -1 on.
constexpr int32_t kConfigAversion = -1;

constexpr std::string_view kVersionKey = "version=";

// Where the last line begins, if that is the version's; else the end.
size_t VersionLineOf(std::string_view config) {
  const size_t last = config.rfind('\n');
  const size_t begin = last == std::string_view::npos ? 0 : last + 1;
  return config.substr(begin).starts_with(kVersionKey) ? begin : config.size();
}

AclPtr AccessOfNew(Tree& tree, std::string_view path) {
  if (path != kConfigPath) return {};
  return tree.MakeAccess({AclEntry{kRead, "world", "anyone"}}, kConfigAversion);
}

}  // namespace

bool IsSystemPath(std::string_view path) {
  return path == "/" || path == kSystemPath || path == kConfigPath || path == kQuotaPath;
}

void AddSystemZnodes(Tree& tree,
                     absl::FunctionRef<void(Change::Type type, std::string_view path)> report) {
  const SharedBytes empty = SharedBytes::Copy("");
  Tree::Content root = Tree::ContentOf(*tree.Find("/"));
  if (root.data.is_null() && root.version == 0) {
    root.data = empty;
    tree.SetContent("/", std::move(root));
    report(Change::Type::kChanged, "/");
  }
  for (const std::string_view path : {kSystemPath, kConfigPath, kQuotaPath}) {
    const PathParts parts = *SplitPath(path);
    const Znode& parent = *tree.Find(parts.parent);
    if (parent.is_ephemeral() || parent.Child(parts.name) != nullptr) continue;
    ZnodeFields znode;
    znode.data = empty;
    znode.access = AccessOfNew(tree, path);
    tree.Insert(parts.parent, parts.name, Znode::Make(std::move(znode)),
                Tree::ParentFieldsOf(parent));
    report(Change::Type::kCreated, path);
    report(Change::Type::kChildren, parts.parent);
  }
}

std::string ConfigOf(std::string_view members, Zxid version) {
  return fmt::format("{}{}{:x}", members, kVersionKey, version.value());
}

std::string_view MembersOfConfig(std::string_view config) {
  return config.substr(0, VersionLineOf(config));
}

std::optional<Zxid> VersionOfConfig(std::string_view config) {
  std::string_view hex = config.substr(VersionLineOf(config));
  if (hex.empty()) return std::nullopt;
  hex.remove_prefix(kVersionKey.size());
  int64_t version = 0;
  const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), version, 16);
  if (error != std::errc() || end != hex.data() + hex.size()) return std::nullopt;
  return Zxid(version);
}

}  // namespace bellwether::coord::tree
