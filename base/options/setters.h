#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/options/option_table.h"
#include "base/parse.h"
#include "base/status.h"

namespace bellwether::base {

// A setter that parses a value and keeps it. `parse` takes a text and gives a StatusOr.
template <typename T, typename Parse>
OptionTable::Setter Keep(T& target, Parse parse) {
  return [&target, parse](const std::string& text) -> absl::Status {
    ASSIGN_OR_RETURN(target, parse(text));
    return absl::OkStatus();
  };
}

// A whole number from `first` to `last`.
template <typename T>
OptionTable::Setter KeepInteger(T& target, int64_t first, int64_t last) {
  return [&target, first, last](const std::string& text) -> absl::Status {
    ASSIGN_OR_RETURN(const int64_t value, ParseInteger(text, first, last));
    target = static_cast<T>(value);
    return absl::OkStatus();
  };
}

// HOST:PORT, or "off" for none.
OptionTable::Setter KeepAddressOrOff(std::optional<HostPort>& target);

// --log-level and --log-format, as every server has them.
void AddLogOptions(OptionTable& table, std::string& level, std::string& format);

// --allow-plaintext, for CheckPlaintext.
void AddPlaintextSwitch(OptionTable& table, bool& allowed);

// Refuses an address that others can reach, unless `allowed`: connections aren't encrypted yet.
absl::Status CheckPlaintext(std::string_view flag, const std::optional<HostPort>& address,
                            bool allowed);

}  // namespace bellwether::base
