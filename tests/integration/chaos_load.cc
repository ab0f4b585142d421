#include "tests/integration/chaos_load.h"

#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/random.h"
#include "base/status.h"
#include "client/coord.h"
#include "fmt/format.h"

namespace bellwether::tests {
namespace {

using Outcome = ChaosHistory::Outcome;

absl::Duration Now() { return base::SystemClock().Monotonic(); }

std::string RegisterPath(int writer) { return fmt::format("/chaos/register-{}", writer); }

Outcome OutcomeOf(const absl::Status& status) {
  if (status.ok()) return Outcome::kAcked;
  return base::OutcomeOf(status) == base::Outcome::kUnknown ? Outcome::kUnknown
                                                            : Outcome::kRejected;
}

// A client that makes a new session when its own is lost.
class Connection {
 public:
  Connection(std::vector<std::string> addresses, Ending& ending)
      : addresses_(std::move(addresses)), ending_(ending) {}

  // nullptr when the run has ended.
  client::Coord* Get() {
    while (coord_ == nullptr || coord_->state() == client::SessionState::kExpired) {
      auto connected = client::Coord::Connect(
          {.addresses = addresses_, .request_timeout = absl::Seconds(2)});
      if (connected.ok()) {
        coord_ = *std::move(connected);
      } else if (!ending_.Pause(absl::Milliseconds(20))) {
        return nullptr;
      }
    }
    return ending_.Pause(absl::ZeroDuration()) ? coord_.get() : nullptr;
  }

 private:
  const std::vector<std::string> addresses_;
  Ending& ending_;
  std::unique_ptr<client::Coord> coord_;
};

}  // namespace

void Ending::Set() {
  base::MutexLock lock(mutex_);
  ended_ = true;
  changed_.SignalAll();
}

bool Ending::Pause(absl::Duration duration) {
  const absl::Duration until = Now() + duration;
  base::MutexLock lock(mutex_);
  while (!ended_) {
    const absl::Duration left = until - Now();
    if (left <= absl::ZeroDuration()) break;
    changed_.WaitFor(mutex_, left);
  }
  return !ended_;
}

ChaosLoad::ChaosLoad(const std::vector<std::string>& addresses, ChaosHistory& history,
                     Readers readers)
    : addresses_(addresses), history_(history) {
  for (int writer = 0; writer < kWriters; ++writer) {
    threads_.push_back(
        std::make_unique<base::Thread>("writer", [this, writer] { Write(writer); }));
  }
  if (readers == Readers::kNone) return;
  for (const std::string& address : addresses_) {
    threads_.push_back(
        std::make_unique<base::Thread>("reader", [this, address] { ReadThrough(address); }));
  }
}

ChaosLoad::~ChaosLoad() {
  ending_.Set();
  for (const auto& thread : threads_) thread->Join();
}

// Alternates between setting its register and creating a znode; the first writer moves between
// servers in the middle of that.
void ChaosLoad::Write(int writer) {
  Connection connection(addresses_, ending_);
  base::Random random(static_cast<uint64_t>(writer) + 1);
  const bool moves = writer == 0 && addresses_.size() > 1;
  for (int64_t n = history_.AttemptedOf(writer) + 1; client::Coord* const coord = connection.Get();
       ++n) {
    if (moves && random.Chance(0.02)) {
      coord->Run([](client::CoordClient& client) { client.Reconnect(); });
    }
    const auto set = coord->Set(RegisterPath(writer), std::to_string(n));
    history_.Wrote(writer, n, OutcomeOf(set.status()), Now());
    const std::string path = fmt::format("/chaos/row/{}-{}", writer, n);
    const auto created = coord->Create(path, "x");
    history_.Created(path, OutcomeOf(created.status()), Now());
  }
}

// Reads registers through one server only: also the one that wakes from SIGSTOP believing it leads.
void ChaosLoad::ReadThrough(const std::string& address) {
  Connection connection({address}, ending_);
  for (int writer = 0; client::Coord* const coord = connection.Get();
       writer = (writer + 1) % kWriters) {
    const int64_t at_least = history_.AckedOf(writer);
    const auto read = coord->Get(RegisterPath(writer));
    if (!read.ok()) continue;
    history_.Read(writer, at_least, std::stoll(read->data.value_or("0")));
  }
}

absl::Status ChaosLoad::Prepare(const std::vector<std::string>& addresses) {
  ASSIGN_OR_RETURN(const auto coord, client::Coord::Connect({.addresses = addresses}));
  RETURN_IF_ERROR(coord->Create("/chaos", std::nullopt).status());
  RETURN_IF_ERROR(coord->Create("/chaos/row", std::nullopt).status());
  for (int writer = 0; writer < kWriters; ++writer) {
    RETURN_IF_ERROR(coord->Create(RegisterPath(writer), "0").status());
  }
  return coord->CloseSession();
}

absl::StatusOr<ChaosHistory::Verdict> ChaosLoad::ReadBack(
    const std::vector<std::string>& addresses, const ChaosHistory& history) {
  ASSIGN_OR_RETURN(const auto coord, client::Coord::Connect({.addresses = addresses}));
  std::vector<int64_t> registers;
  for (int writer = 0; writer < kWriters; ++writer) {
    ASSIGN_OR_RETURN(const auto read, coord->Get(RegisterPath(writer)));
    registers.push_back(std::stoll(read.data.value_or("0")));
  }
  ASSIGN_OR_RETURN(const auto row, coord->List("/chaos/row"));
  std::vector<std::string> paths;
  for (const std::string& name : row.names) paths.push_back("/chaos/row/" + name);
  RETURN_IF_ERROR(coord->CloseSession());
  return history.Check(registers, paths);
}

}  // namespace bellwether::tests
