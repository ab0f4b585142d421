#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/statusor.h"
#include "client/coord_types.h"

// The lines of `bell export`, each a JSON object: a header, znodes with parents before their children,
// quotas, and an end, by which a whole file is told from the beginning of one. See cli/README.md.
namespace bellwether::cli {

inline constexpr int kExportFormat = 1;

struct ExportHeader {
  std::string ensemble_id;
  client::Zxid zxid;  // all is of this one
  std::string path;   // the topmost znode
};

struct ExportedZnode {
  std::string path;
  client::Data data;
  client::Stat stat;
  client::ZnodeAccess access;
};

// Of the znode `path` and all below it, as ZooKeeper's text.
struct ExportedQuota {
  std::string path;
  std::string limits;
};

struct ExportEnd {
  uint64_t znodes = 0;
  uint64_t bytes = 0;  // of their data
  uint64_t quotas = 0;
};

using ExportLine = std::variant<ExportHeader, ExportedZnode, ExportedQuota, ExportEnd>;

// Without the newline.
std::string ToLine(const ExportLine& line);

// DATA_LOSS that says what is wrong; fields that it does not know are ignored. A header of another
// format is UNIMPLEMENTED.
absl::StatusOr<ExportLine> ParseExportLine(std::string_view line);

}  // namespace bellwether::cli
