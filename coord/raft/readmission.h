#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/uuid.h"
#include "coord/raft/types.h"

namespace bellwether::coord::raft {

// Payload of a kReadmit entry: the server, with this data folder, votes and counts from here on.
struct Readmission {
  ServerId server;
  base::Uuid folder_id;

  friend bool operator==(const Readmission&, const Readmission&) = default;
};

std::string Encode(const Readmission& readmission);
// nullopt for bytes that Encode of this format version did not write.
std::optional<Readmission> DecodeReadmission(std::string_view payload);

}  // namespace bellwether::coord::raft
