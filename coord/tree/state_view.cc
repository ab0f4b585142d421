#include "coord/tree/state_view.h"

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

std::optional<StateView::SessionView> StateView::FindSession(SessionId session) const {
  const Session* const found = sessions_.Find(session);
  if (found == nullptr) return std::nullopt;
  return SessionView{found->generation, found->last_sequence, found->timeout_ms,
                     found->ephemerals.size()};
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
