// The replicated state alone, in memory: bytes per znode, the price of a view, the time of a write
// while a view is written as a snapshot on another thread, and the speed of the snapshot codec.
//   bench_tree [--znodes N]        N znodes of 100 B, default 1,000,000: 1,000 in each parent,
//              [--children]        or all in one
//              [--p999-max US]     fails when p99.9 of the writes during snapshots takes longer
// The last line is JSON.

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/parse.h"
#include "base/random.h"
#include "base/thread.h"
#include "coord/tree/snapshot_codec.h"
#include "coord/tree/state_machine.h"
#include "fmt/format.h"
#include "tests/bench/latency_histogram.h"
#include "tests/bench/process.h"

namespace bellwether::coord::tree {
namespace {

constexpr uint64_t kChildrenPerParent = 1000;
constexpr size_t kDataBytes = 100;
constexpr uint64_t kViews = 100'000;
constexpr uint64_t kWritesAlone = 300'000;
constexpr int kSnapshots = 3;

absl::Duration Now() { return base::SystemClock().Monotonic(); }

// A state machine of N znodes and the client that fills it.
class Load {
 public:
  Load(uint64_t znodes, bool one_parent) : znodes_(znodes), one_parent_(one_parent) {
    CreateSession open{base::Uuid(1, 1), {}, 10'000, 1};
    session_ = state_.Apply({{}, {}, {}, {}, open}, {1}).result.session->session;
    const uint64_t parents = one_parent ? 1 : (znodes - 1) / kChildrenPerParent + 1;
    for (uint64_t i = 0; i < parents; ++i) Apply(Create{ParentOf(i), {}});
    bytes_before_ = mallinfo2().uordblks;
    for (uint64_t i = 0; i < znodes; ++i) Apply(Create{PathOf(i), Data(i)});
    bytes_after_ = mallinfo2().uordblks;
  }

  // What a znode takes beyond its name and data, allocator included.
  double OverheadBytes() const {
    const size_t name_bytes = PathOf(0).size() - ParentOf(0).size() - 1;
    return static_cast<double>(bytes_after_ - bytes_before_) / static_cast<double>(znodes_) -
           static_cast<double>(name_bytes + kDataBytes);
  }

  // Changes the data of one of them; says how long that took.
  absl::Duration Write() {
    Command command = Next(SetData{PathOf(random_.Below(znodes_)), Data(random_.Next())});
    const absl::Duration begin = Now();
    const ApplyOutcome outcome = state_.Apply(command, {2});
    const absl::Duration took = Now() - begin;
    CHECK(outcome.result.code == ResultCode::kOk);
    return took;
  }

  const StateMachine& state() const { return state_; }

 private:
  static SharedBytes Data(uint64_t fill) {
    return SharedBytes::Copy(std::string(kDataBytes, static_cast<char>('a' + fill % 26)));
  }
  std::string ParentOf(uint64_t parent) const { return fmt::format("/parent-{:06}", parent); }
  std::string PathOf(uint64_t znode) const {
    const uint64_t parent = one_parent_ ? 0 : znode / kChildrenPerParent;
    return fmt::format("{}/znode-{:08}", ParentOf(parent), znode);
  }
  Command Next(Operation operation) {
    return {session_, SessionGeneration(1), ++sequence_, {}, std::move(operation)};
  }
  void Apply(Operation operation) {
    CHECK(state_.Apply(Next(std::move(operation)), {2}).result.code == ResultCode::kOk);
  }

  const uint64_t znodes_;
  const bool one_parent_;
  base::Random random_{1};
  StateMachine state_;
  SessionId session_;
  CommandSequence sequence_;
  size_t bytes_before_ = 0;
  size_t bytes_after_ = 0;
};

struct Latencies {
  double p99_us = 0;
  double p999_us = 0;
};

// Writes for as long as `more` says so; the numbers are those of single writes.
template <typename More>
Latencies MeasureWrites(const char* what, Load& load, More more) {
  bench::LatencyHistogram histogram;
  absl::Duration worst;
  while (more()) {
    const absl::Duration took = load.Write();
    histogram.Record(took);
    worst = std::max(worst, took);
  }
  const auto us = [&](double share) {
    return absl::ToDoubleMicroseconds(histogram.Percentile(share));
  };
  fmt::print("{}: p50={:.2f}us p99={:.2f}us p99.9={:.2f}us worst={:.1f}us n={}\n", what, us(0.5),
             us(0.99), us(0.999), absl::ToDoubleMicroseconds(worst), histogram.count());
  return {us(0.99), us(0.999)};
}

double MeasureView(const StateMachine& state) {
  const absl::Duration begin = Now();
  uint64_t znodes = 0;
  for (uint64_t i = 0; i < kViews; ++i) znodes += state.View().znode_count();
  CHECK(znodes == kViews * state.znode_count());
  const double ns = absl::ToDoubleNanoseconds(Now() - begin) / static_cast<double>(kViews);
  fmt::print("view: taken and dropped in {:.0f}ns\n", ns);
  return ns;
}

// Writes beside a thread that takes a snapshot, again and again from a new view.
Latencies MeasureWritesDuringSnapshots(Load& load) {
  std::atomic<int> done = 0;
  std::atomic<bool> view_wanted = false;
  std::atomic<bool> view_ready = false;
  StateView view;
  base::Thread reader("snapshot", [&] {
    for (; done < kSnapshots; ++done) {
      view_wanted = true;
      view_ready.wait(false);
      view_ready = false;
      const StateView mine = std::exchange(view, StateView());
      size_t bytes = 0;
      CHECK(WriteSnapshot(mine, [&bytes](std::string_view record) {
              bytes += record.size();
              return absl::OkStatus();
            }).ok());
      CHECK(bytes > 0);
    }
  });
  const Latencies found = MeasureWrites("writes during snapshots", load, [&] {
    if (view_wanted.exchange(false)) {
      view = load.state().View();
      view_ready = true;
      view_ready.notify_one();
    }
    return done < kSnapshots;
  });
  reader.Join();
  return found;
}

// Megabytes per second of CPU time.
struct CodecSpeed {
  double write_megabytes = 0;
  double load_megabytes = 0;
};

CodecSpeed MeasureCodec(const StateMachine& state) {
  std::vector<std::string> records;
  size_t bytes = 0;
  const double begin = bench::CpuSeconds();
  CHECK(WriteSnapshot(state.View(), [&](std::string_view record) {
          bytes += record.size();
          records.emplace_back(record);
          return absl::OkStatus();
        }).ok());
  const double written = bench::CpuSeconds();
  SnapshotLoader loader;
  for (const std::string& record : records) CHECK(loader.Add(record).ok());
  const auto loaded = loader.Finish();
  CHECK(loaded.ok());
  const double end = bench::CpuSeconds();
  CHECK((*loaded)->digest() == state.digest());
  const double megabytes = static_cast<double>(bytes) / 1e6;
  const CodecSpeed found{megabytes / (written - begin), megabytes / (end - written)};
  fmt::print("snapshot: {:.0f} MB in {} records, {:.0f} MB/s written, {:.0f} MB/s loaded (CPU)\n",
             megabytes, records.size(), found.write_megabytes, found.load_megabytes);
  return found;
}

struct Flags {
  uint64_t znodes = 1'000'000;
  bool one_parent = false;
  uint64_t p999_max_us = 0;  // 0: none
};

// False when the words are none of the usage.
bool ParseWords(int argc, char** argv, Flags& flags) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--children") {
      flags.one_parent = true;
      continue;
    }
    uint64_t* const number = word == "--znodes"     ? &flags.znodes
                             : word == "--p999-max" ? &flags.p999_max_us
                                                    : nullptr;
    if (number == nullptr || i + 1 == argc) return false;
    const absl::StatusOr<int64_t> count = base::ParseInteger(argv[++i], 1, 100'000'000);
    if (!count.ok()) return false;
    *number = static_cast<uint64_t>(*count);
  }
  return true;
}

int Main(int argc, char** argv) {
  Flags flags;
  if (!ParseWords(argc, argv, flags)) {
    fmt::print(stderr, "usage: bench_tree [--znodes N] [--children] [--p999-max US]\n");
    return 2;
  }
  const absl::Duration begin = Now();
  Load load(flags.znodes, flags.one_parent);
  const double creates = static_cast<double>(flags.znodes) / absl::ToDoubleSeconds(Now() - begin);
  fmt::print("{} znodes: created at {:.0f}/s, {:.1f} bytes each beyond name and data\n",
             flags.znodes, creates, load.OverheadBytes());
  const double view_ns = MeasureView(load.state());
  uint64_t left = kWritesAlone;
  const Latencies alone = MeasureWrites("writes alone", load, [&left] { return left-- > 0; });
  const Latencies during = MeasureWritesDuringSnapshots(load);
  const CodecSpeed codec = MeasureCodec(load.state());
  fmt::print(
      "{{\"znode_overhead\":{:.1f},\"view\":{:.0f},\"write_p99\":{:.2f},\"write_p999\":{:.2f},"
      "\"snapshot_write_p99\":{:.2f},\"snapshot_write_p999\":{:.2f},\"snapshot_encode\":{:.0f},"
      "\"snapshot_load\":{:.0f}}}\n",
      load.OverheadBytes(), view_ns, alone.p99_us, alone.p999_us, during.p99_us, during.p999_us,
      codec.write_megabytes, codec.load_megabytes);
  if (flags.p999_max_us == 0 || during.p999_us <= static_cast<double>(flags.p999_max_us)) return 0;
  fmt::print(stderr, "bench_tree: writes during snapshots took {:.0f} us (p99.9), and may take {}\n",
             during.p999_us, flags.p999_max_us);
  return 1;
}

}  // namespace
}  // namespace bellwether::coord::tree

int main(int argc, char** argv) { return bellwether::coord::tree::Main(argc, argv); }
