#include "coord/raft/membership_log.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"

namespace bellwether::coord::raft {

MembershipLog::MembershipLog(LogIndex index, Membership membership)
    : items_{Item{index, std::move(membership), /*is_entry=*/false}}, voters_(newest()) {}

const Membership& MembershipLog::At(LogIndex index) const {
  auto in_force = std::find_if(items_.rbegin(), items_.rend(),
                               [index](const Item& item) { return item.index <= index; });
  CHECK(in_force != items_.rend(), "index={} first={}", index, items_.front().index);
  return in_force->membership;
}

bool MembershipLog::IsVoterSince(LogIndex index, ServerId server) const {
  for (auto item = items_.rbegin(); item != items_.rend(); ++item) {
    if (item->membership.IsVoter(server)) return true;
    if (item->index <= index) break;
  }
  return false;
}

void MembershipLog::Append(LogIndex index, Membership membership) {
  CHECK(index > newest_index());
  items_.push_back(Item{index, std::move(membership)});
  voters_ = VoterSet(newest());
}

void MembershipLog::Truncate(LogIndex from) {
  CHECK(from > items_.front().index);
  if (items_.back().index < from || MUTANT(40)) return;
  while (items_.back().index >= from) items_.pop_back();
  voters_ = VoterSet(newest());
}

void MembershipLog::CompactTo(LogIndex index) {
  while (items_.size() > 1 && items_[1].index <= index) items_.pop_front();
}

}  // namespace bellwether::coord::raft
