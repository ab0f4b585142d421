#include "tests/integration/chaos_history.h"

#include <algorithm>
#include <set>

#include "fmt/format.h"

namespace bellwether::tests {

void ChaosHistory::Count(Outcome outcome, absl::Duration now) {
  if (outcome == Outcome::kUnknown) ++counted_.unknown;
  if (outcome != Outcome::kAcked) return;
  ++counted_.acked;
  if (last_ack_ > absl::ZeroDuration()) {
    counted_.longest_gap = std::max(counted_.longest_gap, now - last_ack_);
  }
  last_ack_ = std::max(last_ack_, now);
}

void ChaosHistory::Wrote(int writer, int64_t value, Outcome outcome, absl::Duration now) {
  base::MutexLock lock(mutex_);
  Register& r = registers_[static_cast<size_t>(writer)];
  r.attempted = value;
  if (outcome == Outcome::kAcked) r.acked = value;
  if (outcome != Outcome::kRejected) r.written = value;
  Count(outcome, now);
}

void ChaosHistory::Created(const std::string& path, Outcome outcome, absl::Duration now) {
  base::MutexLock lock(mutex_);
  created_[path] = outcome;
  Count(outcome, now);
}

int64_t ChaosHistory::AckedOf(int writer) const {
  base::MutexLock lock(mutex_);
  return registers_[static_cast<size_t>(writer)].acked;
}

int64_t ChaosHistory::AttemptedOf(int writer) const {
  base::MutexLock lock(mutex_);
  return registers_[static_cast<size_t>(writer)].attempted;
}

void ChaosHistory::Read(int writer, int64_t at_least, int64_t seen) {
  base::MutexLock lock(mutex_);
  ++counted_.reads;
  if (seen >= at_least) return;
  ++counted_.stale_reads;
  counted_.examples.push_back(
      fmt::format("stale read of writer {}: saw {}, {} was acknowledged before", writer, seen,
                  at_least));
}

ChaosHistory::Verdict ChaosHistory::Check(const std::vector<int64_t>& registers,
                                          const std::vector<std::string>& paths) const {
  base::MutexLock lock(mutex_);
  Verdict verdict = counted_;
  const auto lose = [&verdict](std::string example) {
    ++verdict.lost;
    verdict.examples.push_back(std::move(example));
  };
  for (size_t i = 0; i < registers_.size(); ++i) {
    if (registers[i] < registers_[i].acked || registers[i] > registers_[i].written) {
      lose(fmt::format("register of writer {} is {}: {} was acknowledged, {} written", i,
                       registers[i], registers_[i].acked, registers_[i].written));
    }
  }
  const std::set<std::string> there(paths.begin(), paths.end());
  for (const auto& [path, outcome] : created_) {
    if (outcome == Outcome::kAcked && !there.contains(path)) {
      lose(fmt::format("{} was acknowledged and is not there", path));
    }
    if (outcome == Outcome::kRejected && there.contains(path)) {
      lose(fmt::format("{} was rejected and is there", path));
    }
  }
  return verdict;
}

}  // namespace bellwether::tests
