#include "base/pacer.h"

#include <algorithm>
#include <thread>

#include "base/check.h"

namespace bellwether::base {
namespace {

constexpr absl::Duration kWorkMin = absl::Milliseconds(1);
constexpr absl::Duration kRestMax = absl::Milliseconds(100);

}  // namespace

Pacer::Pacer(double share, Clock& clock)
    : share_(share), clock_(clock), resumed_(clock.Monotonic()) {
  CHECK(share > 0);
}

absl::Duration Pacer::Due() const {
  if (share_ >= 1) return absl::ZeroDuration();
  const absl::Duration worked = clock_.Monotonic() - resumed_;
  if (worked < kWorkMin) return absl::ZeroDuration();
  return std::min(worked * (1 / share_ - 1), kRestMax);
}

void Pacer::Rest() {
  const absl::Duration due = Due();
  if (due == absl::ZeroDuration()) return;
  std::this_thread::sleep_for(absl::ToChronoNanoseconds(due));
  resumed_ = clock_.Monotonic();
}

}  // namespace bellwether::base
