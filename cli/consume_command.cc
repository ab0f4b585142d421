#include <CLI/CLI.hpp>
#include <limits>

#include "base/parse.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "cli/record_format.h"
#include "client/consumer.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

struct ConsumeFlags {
  std::string topic;
  std::vector<int32_t> partitions;
  std::string from = "beginning";
  std::optional<int64_t> count;
  bool exit_at_end = false;
  std::string format = "%v\\n";
  std::string null_text;
};

absl::StatusOr<client::StartPosition> ParseFrom(const std::string& text) {
  using Kind = client::StartPosition::Kind;
  if (text == "beginning") return client::StartPosition{.kind = Kind::kBeginning};
  if (text == "end") return client::StartPosition{.kind = Kind::kEnd};
  const bool special = text.starts_with("-") || text.starts_with("@");
  const auto value =
      base::ParseInteger(special ? text.substr(1) : text, 0, std::numeric_limits<int64_t>::max());
  if (!value.ok()) {
    return absl::InvalidArgumentError(fmt::format(
        "--from '{}' is not a position; write beginning, end, an offset, -N for the last N, or "
        "@MS for a time in ms since 1970",
        text));
  }
  return client::StartPosition{.kind = text.starts_with("-")   ? Kind::kTail
                                       : text.starts_with("@") ? Kind::kTimestamp
                                                               : Kind::kOffset,
                               .value = *value};
}

nlohmann::ordered_json ToJson(const std::string& topic, const client::ConsumedBatch& batch,
                              const record::Record& record) {
  nlohmann::ordered_json json = {
      {"topic", topic}, {"partition", batch.partition}, {"offset", record.offset}};
  json["timestamp_ms"] = record.timestamp_ms;
  json["leader_epoch"] = batch.leader_epoch.value();
  AddBytes(json, "key", record.key);
  AddBytes(json, "value", record.value);
  json["headers"] = nlohmann::ordered_json::array();
  for (const record::Header& header : record.headers) {
    nlohmann::ordered_json item = {{"key", std::string(header.key)}};
    AddBytes(item, "value", header.value);
    json["headers"].push_back(std::move(item));
  }
  return json;
}

// One run of `bell consume`.
class Consumption {
 public:
  Consumption(const Context& context, const ConsumeFlags& flags, RecordFormat format,
              client::Consumer& consumer)
      : context_(context), flags_(flags), format_(std::move(format)), consumer_(consumer) {}

  CommandResult Run() {
    while (!Finished()) {
      ASSIGN_OR_RETURN(auto batch,
                       consumer_.Poll(context_.timeout.value_or(absl::InfiniteDuration())));
      if (!batch.has_value()) return TimedOut();
      RETURN_IF_ERROR(Print(*batch));
      RETURN_IF_ERROR(FlushStdout());
    }
    return kExitOk;
  }

 private:
  bool CountReached() const { return flags_.count.has_value() && printed_ >= *flags_.count; }

  bool Finished() const {
    if (CountReached()) return true;
    if (!flags_.exit_at_end) return false;
    for (const int32_t partition : consumer_.partitions()) {
      if (consumer_.Position(partition) < consumer_.EndAtOpen(partition)) return false;
    }
    return true;
  }

  CommandResult TimedOut() const {
    if (!flags_.count.has_value() && !flags_.exit_at_end) return kExitOk;
    return absl::DeadlineExceededError(fmt::format(
        "no record of topic '{}' came for {} after {} of them; wait longer with --timeout",
        flags_.topic, absl::FormatDuration(*context_.timeout), printed_));
  }

  absl::Status Print(const client::ConsumedBatch& batch) {
    ASSIGN_OR_RETURN(record::RecordReader reader, record::RecordReader::Open(batch.bytes));
    record::Record record;
    while (!CountReached()) {
      ASSIGN_OR_RETURN(const bool more, reader.Next(record));
      if (!more) break;
      if (record.offset < batch.first_offset.value()) continue;
      if (flags_.exit_at_end && record.offset >= consumer_.EndAtOpen(batch.partition).value()) {
        break;  // came after the start
      }
      ++printed_;
      if (context_.json) {
        PrintJson(ToJson(flags_.topic, batch, record));
      } else {
        RETURN_IF_ERROR(WriteStdout(format_.Format(flags_.topic, batch.partition, record)));
      }
    }
    return absl::OkStatus();
  }

  const Context& context_;
  const ConsumeFlags& flags_;
  const RecordFormat format_;
  client::Consumer& consumer_;
  int64_t printed_ = 0;
};

CommandResult Consume(const Context& context, const ConsumeFlags& flags, bool format_given) {
  if (context.json && format_given) {
    return absl::InvalidArgumentError("--format and -o json exclude each other; give one");
  }
  ASSIGN_OR_RETURN(RecordFormat format, RecordFormat::Parse(flags.format, flags.null_text));
  client::Consumer::Options options;
  ASSIGN_OR_RETURN(options.start, ParseFrom(flags.from));
  ASSIGN_OR_RETURN(options.addresses, context.BrokerAddresses());
  options.topic = flags.topic;
  options.partitions = flags.partitions;
  options.timeout = context.RequestTimeout();
  ASSIGN_OR_RETURN(const auto consumer, client::Consumer::Open(std::move(options)));
  return Consumption(context, flags, std::move(format), *consumer).Run();
}

}  // namespace

void RegisterConsumeCommand(CLI::App& app, Context& context) {
  auto flags = std::make_shared<ConsumeFlags>();  // lives as long as the callbacks below
  CLI::App* const consume = app.add_subcommand("consume", "read the records of a topic");
  consume->add_option("TOPIC", flags->topic, "an existing topic")->required();
  consume->add_option("--partition", flags->partitions, "read only this one; repeatable [all]")
      ->type_name("P")
      ->allow_extra_args(false);
  consume->add_option("--from", flags->from, "beginning, end, offset N, last -N, or time @MS")
      ->type_name("POSITION")
      ->capture_default_str();
  AddInteger(*consume, "--count", "stop after this many records", 1, INT64_MAX, flags->count);
  consume->add_flag("--exit-at-end", flags->exit_at_end,
                    "stop at what was the end when the command began");
  CLI::Option* const format =
      consume
          ->add_option("--format", flags->format,
                       "%t topic %p partition %o offset %k key %v value %T ms %h headers %% ; "
                       "\\n \\t \\0 \\\\")
          ->capture_default_str();
  consume->add_option("--null", flags->null_text, "what stands for a null key or value");
  consume->callback([&context, flags, format] {
    context.timeout_is_commands = true;
    const bool format_given = format->count() > 0;
    context.command = [&context, flags, format_given] {
      return Consume(context, *flags, format_given);
    };
  });
}

}  // namespace bellwether::cli
