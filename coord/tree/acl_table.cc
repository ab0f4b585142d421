#include "coord/tree/acl_table.h"

#include <algorithm>
#include <tuple>

namespace bellwether::coord::tree {

bool AccessLess::operator()(const AclPtr& a, const AclPtr& b) const {
  if (a.get() == b.get()) return false;
  if (a->aversion != b->aversion) return a->aversion < b->aversion;
  return std::lexicographical_compare(
      a->acl.begin(), a->acl.end(), b->acl.begin(), b->acl.end(),
      [](const AclEntry& one, const AclEntry& other) {
        return std::tie(one.permissions, one.scheme, one.id) <
               std::tie(other.permissions, other.scheme, other.id);
      });
}

AclPtr AclTable::Get(Acl acl, int32_t aversion) {
  if (aversion == 0 && acl == OpenAcl()) return {};
  const auto [entry, is_new] =
      entries_.insert(AclPtr(new Access{std::move(acl), aversion, RefCount()}));
  AclPtr access = *entry;  // held, so that the sweep leaves it
  if (is_new) Sweep();
  return access;
}

void AclTable::Sweep() {
  auto next = swept_ ? entries_.upper_bound(swept_) : entries_.begin();
  for (int looked_at = 0; looked_at < 2; ++looked_at) {
    if (next == entries_.end()) {
      swept_ = AclPtr();
      return;
    }
    if (next->IsOnly()) {
      next = entries_.erase(next);
    } else {
      swept_ = *next++;
    }
  }
}

}  // namespace bellwether::coord::tree
