#include "base/metrics.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "fmt/format.h"

namespace bellwether::base {
namespace {

std::string WithLabels(const std::string& name, const std::string& labels) {
  return labels.empty() ? name : fmt::format("{}{{{}}}", name, labels);
}

void AppendHistogram(std::string& out, const std::string& name, const std::string& labels,
                     const Histogram& histogram) {
  const std::string separator = labels.empty() ? "" : labels + ",";
  uint64_t cumulative = 0;
  for (int i = 0; i < Histogram::kBuckets; ++i) {
    cumulative += histogram.bucket(i);
    out += fmt::format("{}_bucket{{{}le=\"{}\"}} {}\n", name, separator,
                       absl::ToDoubleSeconds(Histogram::UpperBound(i)), cumulative);
  }
  cumulative += histogram.bucket(Histogram::kBuckets);
  out += fmt::format("{}_bucket{{{}le=\"+Inf\"}} {}\n", name, separator, cumulative);
  out += fmt::format("{} {}\n", WithLabels(name + "_sum", labels),
                     absl::ToDoubleSeconds(histogram.sum()));
  out += fmt::format("{} {}\n", WithLabels(name + "_count", labels), cumulative);
}

}  // namespace

void Histogram::Observe(absl::Duration duration) {
  const int64_t us = std::max<int64_t>(0, absl::ToInt64Microseconds(duration));
  const int bucket = us <= 1 ? 0 : std::bit_width(static_cast<uint64_t>(us - 1));
  buckets_[std::min(bucket, kBuckets)].fetch_add(1, std::memory_order_relaxed);
  sum_us_.fetch_add(us, std::memory_order_relaxed);
}

uint64_t Histogram::count() const {
  uint64_t total = 0;
  for (const auto& bucket : buckets_) total += bucket.load(std::memory_order_relaxed);
  return total;
}

absl::Duration Histogram::sum() const {
  return absl::Microseconds(sum_us_.load(std::memory_order_relaxed));
}

Metrics::Family& Metrics::FamilyOf(std::string_view name, std::string_view help,
                                   std::string_view type) {
  auto it = families_.find(name);
  if (it == families_.end()) {
    it = families_.emplace(std::string(name), Family{}).first;
    it->second.help = help;
    it->second.type = type;
  }
  CHECK(it->second.type == type, "metric {} has two types", name);
  return it->second;
}

Counter& Metrics::AddCounter(std::string_view name, std::string_view help,
                             std::string_view labels) {
  MutexLock lock(mutex_);
  auto& slot = FamilyOf(name, help, "counter").counters[std::string(labels)];
  if (slot == nullptr) slot = std::make_shared<Counter>();
  return *slot;
}

Gauge& Metrics::AddGauge(std::string_view name, std::string_view help, std::string_view labels) {
  MutexLock lock(mutex_);
  auto& slot = FamilyOf(name, help, "gauge").gauges[std::string(labels)];
  if (slot == nullptr) slot = std::make_shared<Gauge>();
  return *slot;
}

Histogram& Metrics::AddHistogram(std::string_view name, std::string_view help,
                                 std::string_view labels) {
  MutexLock lock(mutex_);
  auto& slot = FamilyOf(name, help, "histogram").histograms[std::string(labels)];
  if (slot == nullptr) slot = std::make_shared<Histogram>();
  return *slot;
}

void Metrics::AddGauge(std::string_view name, std::string_view help,
                       std::function<double()> read) {
  MutexLock lock(mutex_);
  FamilyOf(name, help, "gauge").read = std::move(read);
}

std::string Metrics::Text() const {
  std::map<std::string, Family, std::less<>> families;
  {
    MutexLock lock(mutex_);
    families = families_;
  }
  std::string out;
  for (const auto& [name, family] : families) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, family.help, name, family.type);
    for (const auto& [labels, counter] : family.counters) {
      out += fmt::format("{} {}\n", WithLabels(name, labels), counter->value());
    }
    for (const auto& [labels, gauge] : family.gauges) {
      out += fmt::format("{} {}\n", WithLabels(name, labels), gauge->value());
    }
    for (const auto& [labels, histogram] : family.histograms) {
      AppendHistogram(out, name, labels, *histogram);
    }
    if (family.read) out += fmt::format("{} {}\n", name, family.read());
  }
  return out;
}

}  // namespace bellwether::base
