#pragma once

#include <string_view>

#include "base/metrics.h"
#include "fmt/format.h"

namespace bellwether::broker {

// The metrics of a LogStore, looked up once. Thread-safe.
struct LogMetrics {
  explicit LogMetrics(base::Metrics& metrics)
      : syncs(metrics.AddCounter("bell_log_syncs_total", "Synced writes to the log database")),
        sync_duration(metrics.AddHistogram("bell_log_sync_seconds",
                                           "Time of a synced write to the log database")),
        appended_batches(metrics.AddCounter("bell_log_appended_batches_total", "Batches appended")),
        appended_records(metrics.AddCounter("bell_log_appended_records_total", "Records appended")),
        appended_bytes(metrics.AddCounter("bell_log_appended_bytes_total", "Bytes appended")),
        rejected_queue_full(Rejected(metrics, "queue_full")),
        rejected_disk_full(Rejected(metrics, "disk_full")),
        rejected_invalid(Rejected(metrics, "invalid")),
        queue_bytes(metrics.AddGauge("bell_log_queue_bytes", "Bytes of appends not yet written")),
        tail_bytes(metrics.AddGauge("bell_log_tail_bytes", "Bytes of batches kept in memory")),
        tail_reads(Reads(metrics, "tail")),
        catch_up_reads(Reads(metrics, "disk")),
        partitions(metrics.AddGauge("bell_log_partitions", "Partitions in the data folder")),
        slices(metrics.AddGauge("bell_log_slices", "Slices (column families of data)")),
        slices_dropped(metrics.AddCounter("bell_log_slices_dropped_total",
                                          "Slices dropped, their files deleted")),
        slices_late(metrics.AddCounter("bell_log_slices_late_total",
                                       "Rounds that wrote to an overdue slice for lack of a new one")),
        disk_full(metrics.AddGauge("bell_log_disk_full",
                                   "1 while appends are refused to keep the disk reserve")) {}

  base::Counter& syncs;
  base::Histogram& sync_duration;
  base::Counter& appended_batches;
  base::Counter& appended_records;
  base::Counter& appended_bytes;
  base::Counter& rejected_queue_full;
  base::Counter& rejected_disk_full;
  base::Counter& rejected_invalid;
  base::Gauge& queue_bytes;
  base::Gauge& tail_bytes;
  base::Counter& tail_reads;
  base::Counter& catch_up_reads;
  base::Gauge& partitions;
  base::Gauge& slices;
  base::Counter& slices_dropped;
  base::Counter& slices_late;
  base::Gauge& disk_full;

 private:
  static base::Counter& Rejected(base::Metrics& metrics, std::string_view reason) {
    return metrics.AddCounter("bell_log_rejected_batches_total", "Batches refused",
                              fmt::format("reason=\"{}\"", reason));
  }
  static base::Counter& Reads(base::Metrics& metrics, std::string_view source) {
    return metrics.AddCounter("bell_log_reads_total", "Reads answered with batches",
                              fmt::format("source=\"{}\"", source));
  }
};

}  // namespace bellwether::broker
