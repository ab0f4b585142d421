#include "client/server_list.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/check.h"

namespace bellwether::client {
namespace {

constexpr absl::Duration kBackoffFirst = absl::Milliseconds(50);
constexpr absl::Duration kBackoffMax = absl::Seconds(1);

}  // namespace

ServerList::ServerList(std::vector<std::string> addresses, base::Uuid ensemble_id, uint64_t seed)
    : addresses_(std::move(addresses)), ensemble_id_(ensemble_id), random_(seed) {
  CHECK(!addresses_.empty());
  for (size_t i = addresses_.size(); i > 1; --i) {
    std::swap(addresses_[i - 1], addresses_[random_.Below(i)]);
  }
}

const std::string& ServerList::ForAttempt(uint64_t attempt) const {
  return addresses_[attempt % addresses_.size()];
}

absl::Duration ServerList::Backoff(int failures) {
  const int rounds = failures / static_cast<int>(addresses_.size());
  if (rounds == 0 || failures % static_cast<int>(addresses_.size()) != 0) {
    return absl::ZeroDuration();
  }
  const absl::Duration wait = std::min(kBackoffMax, kBackoffFirst * (1 << std::min(rounds - 1, 5)));
  return wait * (1 - 0.5 * static_cast<double>(random_.Below(1000)) / 1000);
}

void ServerList::SawZxid(Zxid zxid) {
  int64_t highest = highest_zxid_.load(std::memory_order_relaxed);
  while (highest < zxid.value() &&
         !highest_zxid_.compare_exchange_weak(highest, zxid.value(), std::memory_order_relaxed)) {
  }
}

void ServerList::NoteFailure(const std::string& address, const absl::Status& status) {
  const bool names_it = absl::StrContains(status.message(), address);
  last_failure_ = names_it ? std::string(status.message())
                           : absl::StrCat("coord ", address, ": ", status.message());
}

std::string ServerList::LastFailure() const {
  if (!last_failure_.empty()) return last_failure_;
  return absl::StrJoin(addresses_, ",");
}

}  // namespace bellwether::client
