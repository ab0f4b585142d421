#include "coord/replica/read_table.h"

#include <utility>

namespace bellwether::coord {

uint64_t ReadTable::Add(Round round) {
  if (!round.callers.empty()) ++own_;
  rounds_.emplace(++last_id_, std::move(round));
  return last_id_;
}

bool ReadTable::Take(uint64_t id, Round& round) {
  auto found = rounds_.find(id);
  if (found == rounds_.end()) return false;
  round = std::move(found->second);
  rounds_.erase(found);
  if (!round.callers.empty()) --own_;
  return true;
}

std::vector<ReadTable::Round> ReadTable::TakeStartedBefore(absl::Duration time) {
  std::vector<Round> rounds;
  // Ids grow with time, so the oldest are in front.
  while (!rounds_.empty() && rounds_.begin()->second.started < time) {
    Take(rounds_.begin()->first, rounds.emplace_back());
  }
  return rounds;
}

std::vector<ReadTable::Round> ReadTable::TakeAll() {
  return TakeStartedBefore(absl::InfiniteDuration());
}

}  // namespace bellwether::coord
