#include "broker/options.h"

#include <unistd.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/options/setters.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::broker {
namespace {

constexpr int64_t kBrokerIdLast = std::numeric_limits<int32_t>::max();
constexpr int64_t kIoThreadsMax = 64;

using base::CheckPlaintext;
using base::HostPort;
using base::Keep;
using base::KeepAddressOrOff;
using base::KeepInteger;
using base::OptionTable;

absl::StatusOr<BrokerId> ParseId(const std::string& text) {
  ASSIGN_OR_RETURN(const int64_t id, base::ParseInteger(text, 0, kBrokerIdLast));
  return BrokerId(static_cast<int32_t>(id));
}

absl::StatusOr<std::vector<std::string>> ParseCoord(const std::string& text) {
  ASSIGN_OR_RETURN(const std::vector<HostPort> parsed, base::ParseHostPorts(text));
  std::vector<std::string> addresses;
  for (const HostPort& address : parsed) addresses.push_back(address.ToString());
  return addresses;
}

absl::StatusOr<std::string> ParseAdvertise(const std::string& text) {
  ASSIGN_OR_RETURN(const HostPort address, base::ParseHostPort(text));
  if (address.port != 0) return address.ToString();
  return absl::InvalidArgumentError(
      fmt::format("\"{}\": clients need to know the port; give one above 0", text));
}

absl::StatusOr<absl::Duration> ParseSessionTimeout(const std::string& text) {
  ASSIGN_OR_RETURN(const absl::Duration timeout, base::ParseDuration(text));
  if (timeout >= absl::Seconds(1) && timeout <= absl::Minutes(2)) return timeout;
  return absl::InvalidArgumentError(fmt::format("\"{}\" is not within 1s to 2m", text));
}

absl::StatusOr<absl::Duration> ParseSlice(const std::string& text) {
  ASSIGN_OR_RETURN(const absl::Duration slice, base::ParseDuration(text));
  if (slice >= absl::Seconds(1)) return slice;
  return absl::InvalidArgumentError(fmt::format("\"{}\" is less than 1s", text));
}

absl::Status Check(const BrokerServerOptions& options) {
  if (options.id == kNoBroker) {
    return absl::InvalidArgumentError("--id: not given; give this broker's number, 0 or above");
  }
  if (options.data_dir.empty()) {
    return absl::InvalidArgumentError(
        "--data-dir: not given; name the folder for this broker's data");
  }
  RETURN_IF_ERROR(CheckPlaintext("listen", options.listen, options.allow_plaintext));
  RETURN_IF_ERROR(CheckPlaintext("listen-admin", options.listen_admin, options.allow_plaintext));
  if (options.listen.IsAny() && options.advertise.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("--advertise: not given, and clients can't connect to {}; give the address "
                    "they should use",
                    options.listen.ToString()));
  }
  return absl::OkStatus();
}

void AddOptions(OptionTable& table, BrokerServerOptions& options) {
  table.AddText("id", "N", "this broker's number in the cluster", "", Keep(options.id, ParseId));
  table.AddText("data-dir", "DIR", "folder of this broker's data", "",
                OptionTable::Into(options.data_dir));
  table.AddText("coord", "HOST:PORT,...", "servers of the coordination ensemble",
                "127.0.0.1:2191", Keep(options.coord, ParseCoord));
  table.AddText("listen", "HOST:PORT", "where clients connect", "127.0.0.1:9192",
                Keep(options.listen, base::ParseHostPort));
  table.AddText("listen-admin", "HOST:PORT|off", "metrics and health over HTTP", "127.0.0.1:9190",
                KeepAddressOrOff(options.listen_admin));
  table.AddText("advertise", "HOST:PORT", "the address that clients are told (default: --listen)",
                "", Keep(options.advertise, ParseAdvertise));
  table.AddText("rack", "NAME", "where this broker stands", "", OptionTable::Into(options.rack));
  table.AddText("session-timeout", "D",
                "silence after which the others take this broker for gone", "6s",
                Keep(options.session_timeout, ParseSessionTimeout));
  const int64_t cores = std::clamp<int64_t>(sysconf(_SC_NPROCESSORS_ONLN), 1, 4);
  table.AddText("io-threads", "N", "threads that read for consumers", std::to_string(cores),
                KeepInteger(options.io_threads, 1, kIoThreadsMax));
  table.AddText("slice", "D",
                "how long one slice of the logs takes appends (default: 1/16 of the retention, at "
                "least 1h)",
                "", Keep(options.slice, ParseSlice));
  base::AddLogOptions(table, options.log_level, options.log_format);
  base::AddPlaintextSwitch(table, options.allow_plaintext);
}

}  // namespace

absl::StatusOr<ParsedBrokerOptions> ParseBrokerOptions(int argc, const char* const* argv) {
  ParsedBrokerOptions result;
  OptionTable table("bell-broker", "One broker of the Bellwether message log.");
  AddOptions(table, result.options);
  ASSIGN_OR_RETURN(result.parsed, table.Parse(argc, argv));
  if (result.parsed.action != OptionTable::Action::kExit) RETURN_IF_ERROR(Check(result.options));
  return result;
}

}  // namespace bellwether::broker
