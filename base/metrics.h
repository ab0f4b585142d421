#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "base/mutex.h"

namespace bellwether::base {

// A number that only grows. Thread-safe.
class Counter {
 public:
  void Add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_ = 0;
};

// A number that goes up and down. Thread-safe.
class Gauge {
 public:
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void Add(int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_ = 0;
};

// Durations in buckets of powers of two from 1 us to 64 s. Thread-safe, no lock.
class Histogram {
 public:
  static constexpr int kBuckets = 27;

  void Observe(absl::Duration duration);
  uint64_t count() const;
  absl::Duration sum() const;
  uint64_t bucket(int i) const { return buckets_[i].load(std::memory_order_relaxed); }
  // The upper bound of bucket `i`; the last has none.
  static absl::Duration UpperBound(int i) { return absl::Microseconds(int64_t{1} << i); }

 private:
  std::array<std::atomic<uint64_t>, kBuckets + 1> buckets_{};
  std::atomic<int64_t> sum_us_ = 0;
};

// Owns a process's metrics and writes them in Prometheus' text format 0.0.4. Thread-safe. Metrics
// live as long as the registry; asking again for the same name and labels gives the same one.
// `labels` is Prometheus text without braces, as in `peer="2"`, or empty.
class Metrics {
 public:
  Counter& AddCounter(std::string_view name, std::string_view help, std::string_view labels = "");
  Gauge& AddGauge(std::string_view name, std::string_view help, std::string_view labels = "");
  Histogram& AddHistogram(std::string_view name, std::string_view help,
                          std::string_view labels = "");
  // A gauge read when somebody looks; `read` is called from the thread that looks, with no lock of
  // the registry held.
  void AddGauge(std::string_view name, std::string_view help, std::function<double()> read);

  std::string Text() const;

 private:
  struct Family {
    std::string help;
    std::string type;
    std::map<std::string, std::shared_ptr<Counter>> counters;      // shared with Text() callers
    std::map<std::string, std::shared_ptr<Gauge>> gauges;          // likewise
    std::map<std::string, std::shared_ptr<Histogram>> histograms;  // likewise
    std::function<double()> read;
  };

  Family& FamilyOf(std::string_view name, std::string_view help, std::string_view type)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  std::map<std::string, Family, std::less<>> families_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwether::base
