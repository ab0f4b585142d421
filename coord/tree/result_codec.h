#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "coord/tree/result.h"
#include "coord/tree/shared_bytes.h"

namespace bellwether::coord::tree {

// What is kept of a command that was applied, for a client that sends it again.
struct KeptResult {
  uint64_t operation_hash = 0;  // OperationHash of what was applied
  Result result;                // without a session grant
};

// Its bytes stand in snapshots and count for the digest: they may not change within a format.
SharedBytes EncodeKeptResult(uint64_t operation_hash, const Result& result);

// The result in exactly these bytes; nullopt when they are of none. Allocates in proportion to them.
std::optional<KeptResult> DecodeKeptResult(std::string_view bytes);

}  // namespace bellwether::coord::tree
