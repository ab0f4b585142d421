#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "coord/tree/result.h"

namespace bellwether::coord::tree {

// What is kept of a command that was applied, for a client that sends it again.
struct KeptResult {
  uint64_t operation_hash = 0;  // OperationHash of what was applied
  Result result;                // without a session grant
};

// Appends its bytes to `out`. They stand in snapshots and count for the digest: they may not change
// within a format.
void EncodeKeptResult(uint64_t operation_hash, const Result& result, std::string& out);

// The result in exactly these bytes; nullopt when they are of none. Allocates in proportion to them.
std::optional<KeptResult> DecodeKeptResult(std::string_view bytes);

}  // namespace bellwether::coord::tree
