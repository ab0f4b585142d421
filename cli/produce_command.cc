#include <fcntl.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/parse.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/flags.h"
#include "cli/line_reader.h"
#include "cli/output.h"
#include "client/producer.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

struct ProduceFlags {
  std::string topic;
  std::string file = "-";
  std::string key_separator;
  std::optional<int64_t> partition;
  std::vector<std::string> headers;  // "K=V"
  std::string line_header;           // "NAME[=FIRST]"
  std::string compression = "none";
  std::optional<absl::Duration> linger;
  uint64_t batch_bytes = 1 << 20;
  std::string report;  // empty: none; "-": stdout
};

struct NamedValue {
  std::string name;
  std::string value;
};

absl::StatusOr<NamedValue> SplitHeader(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return absl::InvalidArgumentError(
        fmt::format("--header '{}' is not NAME=VALUE; write for example --header source=web",
                    text));
  }
  return NamedValue{text.substr(0, equals), text.substr(equals + 1)};
}

// Counts outcomes and writes the report, a line per record as soon as its outcome is known.
// Thread-safe.
class Tally {
 public:
  explicit Tally(std::FILE* report) : report_(report) {}

  void Record(int64_t line, const absl::StatusOr<client::RecordLocation>& location) {
    base::MutexLock lock(mutex_);
    const char* status = "acked";
    if (location.ok()) {
      ++acked_;
    } else if (base::OutcomeOf(location.status()) == base::Outcome::kUnknown) {
      status = "unknown";
      ++unknown_;
      last_error_ = location.status();
    } else {
      status = "rejected";
      ++rejected_;
      unavailable_ += ExitCodeOf(location.status()) == kExitUnavailable;
      last_error_ = location.status();
    }
    if (report_ == nullptr) return;
    nlohmann::ordered_json json = {{"line", line}, {"status", status}};
    json["partition"] = location.ok() ? nlohmann::ordered_json(location->partition) : nullptr;
    json["offset"] = location.ok() ? nlohmann::ordered_json(location->offset.value()) : nullptr;
    json["timestamp_ms"] =
        location.ok() ? nlohmann::ordered_json(location->timestamp_ms) : nullptr;
    json["error"] = location.ok() ? nlohmann::ordered_json(nullptr)
                                  : nlohmann::ordered_json(
                                        std::string(location.status().message()));
    fmt::print(report_, "{}\n",
               json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    std::fflush(report_);
  }

  // Requires: every record has its outcome.
  CommandResult Finish(const Context& context, const std::string& topic, int64_t bytes,
                       absl::Duration took) {
    base::MutexLock lock(mutex_);
    nlohmann::ordered_json summary = {{"topic", topic},
                                      {"records", acked_ + rejected_ + unknown_}};
    summary["acked"] = acked_;
    summary["rejected"] = rejected_;
    summary["unknown"] = unknown_;
    summary["bytes"] = bytes;
    summary["seconds"] = std::round(absl::ToDoubleMilliseconds(took)) / 1000;
    if (context.json) {
      PrintJson(summary);
    } else {
      fmt::print(stderr, "{}\n", summary.dump());
    }
    if (unknown_ == 0 && rejected_ == 0) return kExitOk;
    const int exit = unknown_ > 0 ? kExitUnknown
                     : acked_ == 0 && unavailable_ == rejected_ ? kExitUnavailable
                                                                : kExitFailed;
    return PrintError(last_error_, exit, context.json);
  }

 private:
  std::FILE* const report_;  // not owned; null: none
  base::Mutex mutex_;
  int64_t acked_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t rejected_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t unavailable_ ABSL_GUARDED_BY(mutex_) = 0;  // of rejected_
  int64_t unknown_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status last_error_ ABSL_GUARDED_BY(mutex_);
};

struct CloseFile {
  void operator()(std::FILE* file) const {
    if (file != stdin && file != stdout) std::fclose(file);
  }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

// `flags` and `mode` as of open and fdopen; "-" is the standard stream.
absl::StatusOr<File> OpenFile(const std::string& path, int flags, const char* mode,
                              std::FILE* standard) {
  if (path == "-") return File(standard);
  const int fd = open(path.c_str(), flags | O_CLOEXEC, 0644);
  File file(fd < 0 ? nullptr : fdopen(fd, mode));
  if (file == nullptr) {
    return absl::InvalidArgumentError(
        fmt::format("cannot open '{}': {}; name a file that can be used, or - for the standard "
                    "stream",
                    path, std::strerror(errno)));
  }
  return file;
}

// What all records of one run have in common, and the number of the next line.
struct Template {
  std::vector<NamedValue> headers;
  std::string line_header;
  int64_t next_line = 1;
};

absl::StatusOr<Template> MakeTemplate(const ProduceFlags& flags) {
  Template result;
  for (const std::string& text : flags.headers) {
    ASSIGN_OR_RETURN(NamedValue header, SplitHeader(text));
    result.headers.push_back(std::move(header));
  }
  const size_t equals = flags.line_header.find('=');
  result.line_header = flags.line_header.substr(0, equals);
  if (equals != std::string::npos) {
    auto first = base::ParseInteger(flags.line_header.substr(equals + 1), 0, INT64_MAX / 2);
    if (!first.ok()) return base::Annotate(first.status(), "--line-header");
    result.next_line = *first;
  }
  return result;
}

absl::Status SendLine(client::Producer& producer, const ProduceFlags& flags,
                      const Template& shape, int64_t line, std::string_view text, Tally& tally) {
  client::ProducerRecord record{.value = text};
  if (!flags.key_separator.empty()) {
    const size_t at = text.find(flags.key_separator);
    if (at != std::string_view::npos) {
      record.key = text.substr(0, at);
      record.value = text.substr(at + flags.key_separator.size());
    }
  }
  if (flags.partition.has_value()) record.partition = static_cast<int32_t>(*flags.partition);
  std::vector<record::Header> headers;
  for (const NamedValue& header : shape.headers) headers.push_back({header.name, header.value});
  const std::string number = std::to_string(line);
  if (!shape.line_header.empty()) headers.push_back({shape.line_header, number});
  record.headers = headers;
  return producer.Send(flags.topic, record, [&tally, line](auto location) {
    tally.Record(line, location);
  });
}

CommandResult Produce(const Context& context, const ProduceFlags& flags) {
  if (context.json && flags.report == "-") {
    return absl::InvalidArgumentError(
        "--report - and -o json both want stdout; give --report a file");
  }
  ASSIGN_OR_RETURN(Template shape, MakeTemplate(flags));
  client::Producer::Options options;
  ASSIGN_OR_RETURN(options.compression, record::ParseCompression(flags.compression));
  ASSIGN_OR_RETURN(const File input, OpenFile(flags.file, O_RDONLY, "r", stdin));
  File report;
  if (!flags.report.empty()) {
    ASSIGN_OR_RETURN(report, OpenFile(flags.report, O_WRONLY | O_CREAT | O_TRUNC, "w", stdout));
  }
  ASSIGN_OR_RETURN(options.addresses, context.BrokerAddresses());
  options.linger = flags.linger.value_or(absl::Milliseconds(5));
  options.batch_bytes_max = flags.batch_bytes;
  options.metadata_timeout = context.RequestTimeout();
  options.delivery_timeout = context.RequestTimeout();
  const absl::Duration start = base::SystemClock().Monotonic();
  Tally tally(report.get());
  int64_t bytes = 0;
  {
    const auto producer = client::Producer::Create(options);
    LineReader lines(input.get());
    while (true) {
      const auto line = lines.Next();
      if (!line.ok()) {
        tally.Record(shape.next_line, line.status());  // what was sent has its own outcome
        break;
      }
      if (!line->has_value()) break;
      const std::string_view text = **line;
      bytes += static_cast<int64_t>(text.size());
      const int64_t number = shape.next_line++;
      const absl::Status sent = SendLine(*producer, flags, shape, number, text, tally);
      if (sent.ok()) continue;
      // A record that can't be sent is the end: the next ones would fail alike or hide it.
      tally.Record(number, sent);
      break;
    }
    producer->Flush();
  }
  return tally.Finish(context, flags.topic, bytes, base::SystemClock().Monotonic() - start);
}

}  // namespace

void RegisterProduceCommand(CLI::App& app, Context& context) {
  auto flags = std::make_shared<ProduceFlags>();  // lives as long as the callbacks below
  CLI::App* const produce = app.add_subcommand("produce", "publish one record per line");
  produce->add_option("TOPIC", flags->topic, "an existing topic")->required();
  produce->add_option("FILE", flags->file, "lines to publish; - is stdin")->capture_default_str();
  produce->add_option("--key-separator", flags->key_separator,
                      "what stands before its first occurrence is the key; none: null key");
  AddInteger(*produce, "--partition", "send all to this partition", 0, INT32_MAX,
             flags->partition);
  produce->add_option("--header", flags->headers, "a header of every record; repeatable")
      ->type_name("K=V")
      ->allow_extra_args(false);
  produce->add_option("--line-header", flags->line_header, "header with the number of the line")
      ->type_name("NAME[=FIRST]");
  produce->add_option("--compression", flags->compression, "of batches")
      ->type_name("none|lz4|zstd")
      ->check(CLI::IsMember({"none", "lz4", "zstd"}))
      ->capture_default_str();
  AddDuration(*produce, "--linger", "how long a batch waits for company [5ms]", flags->linger);
  AddSize(*produce, "--batch-bytes", "bound on a batch before compression [1MiB]",
          flags->batch_bytes);
  produce->add_option("--report", flags->report, "one line of JSON per record and outcome")
      ->type_name("FILE|-");
  produce->callback([&context, flags] {
    context.command = [&context, flags] { return Produce(context, *flags); };
  });
}

}  // namespace bellwether::cli
