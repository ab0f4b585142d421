#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace bellwether::broker {

// A rejected request with a reason, a stable word for programs such as "not_leader".
absl::Status Refuse(absl::StatusCode code, std::string_view reason, std::string_view message);

// The reason, or "".
std::string RefusalReason(const absl::Status& status);

}  // namespace bellwether::broker
