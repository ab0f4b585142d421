#include "base/options/setters.h"

#include "fmt/format.h"

namespace bellwether::base {

OptionTable::Setter KeepAddressOrOff(std::optional<HostPort>& target) {
  return [&target](const std::string& text) -> absl::Status {
    if (text == "off") {
      target.reset();
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(target, ParseHostPort(text));
    return absl::OkStatus();
  };
}

void AddLogOptions(OptionTable& table, std::string& level, std::string& format) {
  table.AddText("log-level", "LEVEL", "trace, debug, info, warn or error", "info",
                OptionTable::OneOf(level, {"trace", "debug", "info", "warn", "error"}));
  table.AddText("log-format", "FORMAT", "text or json, on stderr", "text",
                OptionTable::OneOf(format, {"text", "json"}));
}

void AddPlaintextSwitch(OptionTable& table, bool& allowed) {
  table.AddSwitch("allow-plaintext", "listen on other than loopback addresses, unencrypted",
                  allowed);
}

absl::Status CheckPlaintext(std::string_view flag, const std::optional<HostPort>& address,
                            bool allowed) {
  if (allowed || !address.has_value() || address->IsLoopback()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("--{}: {} is not a loopback address and connections are not encrypted; listen "
                  "on 127.0.0.1, or accept that with --allow-plaintext",
                  flag, address->ToString()));
}

}  // namespace bellwether::base
