// Records through brokers, with the producer and consumer that programs use. Prints one line of
// JSON; exit 1 when a record was not acknowledged or not read back.
//   bench_broker produce --broker H:P[,H:P] --topic T [--bytes N] [--seconds S] [--partitions P]
//   bench_broker consume --broker H:P[,H:P] --topic T     all records that T has now
//   bench_broker batches [--bytes N] [--seconds S]        builds batches, sends nothing

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/record/record_batch.h"
#include "base/status.h"
#include "client/admin.h"
#include "client/consumer.h"
#include "client/producer.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "tests/bench/latency_histogram.h"
#include "tests/bench/process.h"

namespace bellwether::bench {
namespace {

using Json = nlohmann::ordered_json;

// One record in so many has its latency taken: reading the clock twice per record would show.
constexpr int64_t kLatencySampling = 32;

struct Flags {
  std::string mode;
  std::vector<std::string> broker;
  std::string topic;
  int partitions = 6;
  int bytes = 100;     // of a record's value; it has no key
  double seconds = 3;  // of producing or building
};

absl::Duration Now() { return base::SystemClock().Monotonic(); }

Json Report(int64_t records, int64_t value_bytes, absl::Duration took, double cpu_seconds) {
  const double seconds = absl::ToDoubleMicroseconds(took) / 1e6;
  Json report = {{"records", records}, {"value_bytes", value_bytes}, {"seconds", seconds}};
  report["per_second"] = static_cast<double>(records) / seconds;
  report["megabytes_per_second"] = static_cast<double>(value_bytes) / 1e6 / seconds;
  report["generator_cpu_seconds"] = cpu_seconds;
  return report;
}

// What became of the records. Used on the producer's thread, and by others after Flush.
struct Outcomes {
  void Count(const absl::StatusOr<client::RecordLocation>& location) {
    if (location.ok()) {
      ++acked;
    } else {
      ++failed;
      failure = location.status();
    }
  }

  int64_t acked = 0;
  int64_t failed = 0;
  absl::Status failure;  // the last one
  LatencyHistogram latencies;
};

// The callback of one record. One without latency is small enough to need no memory of its own.
client::Producer::Done CountIn(Outcomes& outcomes, std::optional<absl::Duration> sent) {
  using Location = absl::StatusOr<client::RecordLocation>;
  if (!sent) return [&outcomes](const Location& location) { outcomes.Count(location); };
  return [&outcomes, sent](const Location& location) {
    outcomes.Count(location);
    if (location.ok()) outcomes.latencies.Record(Now() - *sent);
  };
}

absl::StatusOr<Json> Produce(const Flags& flags) {
  client::Admin::NewTopic topic;
  topic.name = flags.topic;
  topic.partitions = flags.partitions;
  const auto admin = client::Admin::Create({.addresses = flags.broker});
  RETURN_IF_ERROR(admin->CreateTopic(topic).status());

  const std::string value(static_cast<size_t>(flags.bytes), 'x');
  Outcomes outcomes;
  client::Producer::Options options;
  options.addresses = flags.broker;
  const auto producer = client::Producer::Create(options);
  const double cpu_before = CpuSeconds();
  const absl::Duration start = Now();
  const absl::Duration end = start + absl::Seconds(flags.seconds);
  absl::Duration now = start;
  for (int64_t i = 0; now < end; ++i) {
    std::optional<absl::Duration> sent;
    if (i % kLatencySampling == 0) sent = now = Now();
    RETURN_IF_ERROR(producer->Send(flags.topic, {.value = value}, CountIn(outcomes, sent)));
  }
  producer->Flush();
  const absl::Duration took = Now() - start;
  if (outcomes.failed > 0) {
    return base::Annotate(outcomes.failure, fmt::format("{} records failed", outcomes.failed));
  }
  Json report =
      Report(outcomes.acked, outcomes.acked * flags.bytes, took, CpuSeconds() - cpu_before);
  report["p50_us"] = absl::ToDoubleMicroseconds(outcomes.latencies.Percentile(0.5));
  report["p99_us"] = absl::ToDoubleMicroseconds(outcomes.latencies.Percentile(0.99));
  return report;
}

// What a consumer has read.
struct Read {
  int64_t records = 0;
  int64_t value_bytes = 0;
};

absl::Status ReadBatch(const client::ConsumedBatch& batch, Read& read) {
  auto reader = record::RecordReader::Open(batch.bytes);
  RETURN_IF_ERROR(reader.status());
  record::Record record;
  while (true) {
    const auto more = reader->Next(record);
    RETURN_IF_ERROR(more.status());
    if (!*more) return absl::OkStatus();
    ++read.records;
    read.value_bytes += static_cast<int64_t>(record.value.value_or("").size());
  }
}

absl::StatusOr<Json> Consume(const Flags& flags) {
  client::Consumer::Options options;
  options.addresses = flags.broker;
  options.topic = flags.topic;
  const double cpu_before = CpuSeconds();
  const absl::Duration start = Now();
  auto consumer = client::Consumer::Open(options);
  RETURN_IF_ERROR(consumer.status());
  int64_t wanted = 0;
  for (const int32_t partition : (*consumer)->partitions()) {
    wanted += (*consumer)->EndAtOpen(partition).value();
  }
  Read read;
  while (read.records < wanted) {
    const auto batch = (*consumer)->Poll(absl::Seconds(10));
    RETURN_IF_ERROR(batch.status());
    if (!batch->has_value()) {
      return absl::DeadlineExceededError(fmt::format(
          "{} of {} records came, then none for 10 s", read.records, wanted));
    }
    RETURN_IF_ERROR(ReadBatch(**batch, read));
  }
  if (read.records != wanted) {
    return absl::DataLossError(fmt::format("{} records came instead of {}", read.records, wanted));
  }
  return Report(read.records, read.value_bytes, Now() - start, CpuSeconds() - cpu_before);
}

absl::StatusOr<Json> BuildBatches(const Flags& flags) {
  const std::string value(static_cast<size_t>(flags.bytes), 'x');
  record::Record record;
  record.value = value;
  record.timestamp_ms = base::SystemClock().WallMillis();
  record::BatchBuilder builder(record::BatchBuilder::Options{});
  int64_t records = 0;
  const double cpu_before = CpuSeconds();
  const absl::Duration start = Now();
  const absl::Duration end = start + absl::Seconds(flags.seconds);
  while (Now() < end) {
    while (builder.Append(record).ok()) ++records;
    RETURN_IF_ERROR(builder.Finish().status());
  }
  return Report(records, records * flags.bytes, Now() - start, CpuSeconds() - cpu_before);
}

absl::StatusOr<Json> Run(const Flags& flags) {
  if (flags.mode == "batches") return BuildBatches(flags);
  if (flags.broker.empty() || flags.topic.empty()) {
    return absl::InvalidArgumentError("this mode needs --broker and --topic");
  }
  return flags.mode == "produce" ? Produce(flags) : Consume(flags);
}

}  // namespace
}  // namespace bellwether::bench

int main(int argc, char** argv) {
  bellwether::bench::Flags flags;
  CLI::App app("records through brokers");
  app.add_option("mode", flags.mode)
      ->required()
      ->check(CLI::IsMember({"produce", "consume", "batches"}));
  app.add_option("--broker", flags.broker, "HOST:PORT of brokers")->delimiter(',');
  app.add_option("--topic", flags.topic, "made by mode produce: a new one");
  app.add_option("--partitions", flags.partitions)->check(CLI::Range(1, 10000));
  app.add_option("--bytes", flags.bytes, "of a record's value")->check(CLI::Range(0, 1000000));
  app.add_option("--seconds", flags.seconds, "of producing or building")
      ->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);

  const auto report = bellwether::bench::Run(flags);
  if (!report.ok()) {
    fmt::print(stderr, "bench_broker: error: {}\n", std::string(report.status().message()));
    return 1;
  }
  fmt::print("{}\n", report->dump());
  return 0;
}
