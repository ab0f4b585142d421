#include "tests/sim/check_locks.h"

#include <algorithm>
#include <map>
#include <string>

namespace bellwether::sim {
namespace {

// In the order in which they held the lock, by the log.
using Holders = std::map<Zxid, const LockRecord*>;

bool IsSmallerPlace(const std::string& a, const std::string& b) {
  constexpr size_t kDigits = 10;
  return a.substr(a.size() - kDigits) < b.substr(b.size() - kDigits);
}

// Since when the znode was the first of the line; never: nullopt.
std::optional<Zxid> FirstSince(const LockRecord& record, const Model& model) {
  const std::string name = record.path.substr(kRecipePath.size() + 1);
  for (const auto& [zxid, line] : model.TimelineOf(kRecipePath)) {
    if (zxid < record.token || !line.has_value()) continue;
    const auto& places = line->children;
    if (std::count(places.begin(), places.end(), name) == 0) return std::nullopt;
    if (*std::min_element(places.begin(), places.end(), IsSmallerPlace) == name) return zxid;
  }
  return std::nullopt;
}

void CheckRecord(const LockRecord& record, const Model& model, Holders& holders,
                 Violations& violations) {
  const Model::Snapshot* const own = model.At(record.path, record.token);
  const std::optional<Zxid> since = FirstSince(record, model);
  if (own == nullptr || own->stat.czxid != record.token || !since.has_value() ||
      *since > record.ceiling) {
    violations.Add("locks", "client {} has the lock with {}, token {}, by zxid {}; it is first at {}",
                   record.client, record.path, record.token, record.ceiling,
                   since.value_or(Zxid()));
    return;
  }
  holders[*since] = &record;
}

// The session of who has it can't have ended before its deadline.
void CheckAlone(const LockRecord& a, const LockRecord& b, Violations& violations) {
  if (std::max(a.from, b.from) >= std::min({a.to, b.to, a.deadline, b.deadline})) return;
  violations.Add("locks", "clients {} and {} have the lock at once, tokens {} and {}", a.client,
                 b.client, a.token, b.token);
}

}  // namespace

void CheckLocks(const History& history, const Model& model, double clock_rate_max,
                Violations& violations) {
  Holders holders;
  for (const LockRecord& record : history.locks) CheckRecord(record, model, holders, violations);
  const LockRecord* before = nullptr;
  for (const auto& [since, record] : holders) {
    if (before != nullptr && before->token >= record->token) {
      violations.Add("locks", "token {} of client {} comes behind {} of client {}", record->token,
                     record->client, before->token, before->client);
    }
    before = record;
  }
  if (clock_rate_max > 1) return;
  for (auto a = history.locks.begin(); a != history.locks.end(); ++a) {
    for (auto b = std::next(a); b != history.locks.end(); ++b) CheckAlone(*a, *b, violations);
  }
}

}  // namespace bellwether::sim
