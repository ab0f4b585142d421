#include "coord/tree/state_view.h"

#include "base/check.h"
#include "coord/tree/digest.h"

namespace bellwether::coord::tree {

std::optional<StateView::ZnodeView> StateView::Get(std::string_view path) const {
  const Znode* const znode = tree_.Find(path);
  if (znode == nullptr) return std::nullopt;
  return ZnodeView{znode->ToStat(), znode->data};
}

std::optional<Stat> StateView::Exists(std::string_view path) const {
  const Znode* const znode = tree_.Find(path);
  if (znode == nullptr) return std::nullopt;
  return znode->ToStat();
}

std::optional<StateView::ChildrenView> StateView::Children(std::string_view path) const {
  const Znode* const znode = tree_.Find(path);
  if (znode == nullptr) return std::nullopt;
  ChildrenView view{znode->ToStat(), {}};
  view.names.reserve(znode->num_children());
  for (const ChildTable::Entry& child : znode->children()) {
    view.names.emplace_back(child.key.view());
  }
  return view;
}

std::optional<uint64_t> StateView::DescendantCount(std::string_view path) const {
  if (path == "/") return tree_.znode_count() - 1;
  uint64_t met = 0;
  const bool exists = tree_.Walk(path, [&met](const ZnodeVisit&) { return ++met > 0; });
  if (!exists) return std::nullopt;
  return met - 1;
}

AclPtr StateView::AccessOf(std::string_view path) const {
  const Znode* const znode = tree_.Find(path);
  return znode == nullptr ? AclPtr() : znode->access();
}

std::optional<StateView::AclView> StateView::GetAcl(std::string_view path) const {
  const Znode* const znode = tree_.Find(path);
  if (znode == nullptr) return std::nullopt;
  return AclView{AclOf(znode->access()), znode->ToStat()};
}

bool StateView::Subtree(std::string_view path,
                           absl::FunctionRef<bool(const ZnodeVisit&)> visitor) const {
  return tree_.Walk(path, visitor);
}

std::optional<Stat> StateView::ChildrenAfter(
    std::string_view path, std::string_view after,
    absl::FunctionRef<bool(std::string_view name)> visitor) const {
  const Znode* const znode = tree_.Find(path);
  if (znode == nullptr) return std::nullopt;
  ChildTable::Iterator next = znode->children().LowerBound(after);
  if (next != ChildTable::Iterator() && next->key.view() == after) ++next;
  while (next != ChildTable::Iterator() && visitor(next->key.view())) ++next;
  return znode->ToStat();
}

bool StateView::SubtreeAfter(std::string_view path, std::string_view after,
                             absl::FunctionRef<bool(const ZnodeVisit&)> visitor) const {
  return tree_.WalkAfter(path, after, visitor);
}

StateView::ExpiredPage StateView::ExpirableAfter(std::string_view after, size_t paths_max,
                                                 size_t visits_max, int64_t now_ms,
                                                 size_t path_bytes_max) const {
  ExpiredPage page;
  size_t path_bytes = 0;
  Expirables::Iterator next = tree_.expirables().LowerBound(after);
  if (next != Expirables::Iterator() && next->key.view() == after) ++next;
  for (size_t visits = 0; next != Expirables::Iterator(); ++visits, ++next) {
    if (visits == visits_max || page.paths.size() == paths_max || path_bytes >= path_bytes_max) {
      return page;
    }
    page.resume_after = next->key.view();
    path_bytes += page.resume_after.size();
    const Znode* const znode = tree_.Find(page.resume_after);
    CHECK(znode != nullptr);
    if (IsExpired(*znode, next->value, now_ms)) page.paths.push_back(page.resume_after);
  }
  page.resume_after.clear();
  return page;
}

std::optional<StateView::SessionView> StateView::FindSession(SessionId session) const {
  const Session* const found = sessions_.Find(session);
  if (found == nullptr) return std::nullopt;
  return SessionView{found->generation, found->last_sequence, found->timeout_ms,
                     found->ephemerals.size(), found->kept_results};
}

std::vector<SessionId> StateView::SessionIds() const { return sessions_.Ids(); }

std::vector<std::string> StateView::Ephemerals(SessionId session) const {
  const Session* const found = sessions_.Find(session);
  if (found == nullptr) return {};
  std::vector<std::string> paths;
  paths.reserve(found->ephemerals.size());
  for (const PathSet::Entry& entry : found->ephemerals) paths.emplace_back(entry.key.view());
  return paths;
}

uint64_t StateView::DigestOf(uint64_t tree_digest, uint64_t sessions_digest) const {
  return Hasher('m')
      .Number(tree_digest)
      .Number(sessions_digest)
      .Number(static_cast<uint64_t>(zxid_.value()))
      .Number(static_cast<uint64_t>(time_ms_))
      .Number(ensemble_id_.high())
      .Number(ensemble_id_.low())
      .Number(feature_level_)
      .Finish();
}

uint64_t StateView::digest() const { return DigestOf(tree_.digest(), sessions_.digest()); }

uint64_t StateView::RecomputeDigest() const {
  return DigestOf(tree_.RecomputeDigest(), sessions_.RecomputeDigest());
}

}  // namespace bellwether::coord::tree
