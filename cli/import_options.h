#pragma once

#include <string>

#include "absl/status/status.h"
#include "base/status.h"
#include "cli/context.h"
#include "cli/import_report.h"
#include "client/coord.h"
#include "nlohmann/json_fwd.hpp"

// What all that copies znodes into an ensemble has in common.
namespace bellwether::cli {

struct ImportOptions {
  std::string path = "/";  // what is copied: this znode and all below it
  std::string into = "/";  // goes before all paths
  bool overwrite = false;
  bool dry_run = false;
};

// OK for paths that a znode may have; /zookeeper is of each ensemble's own.
absl::Status CheckImportOptions(const ImportOptions& options);

// Where a znode goes.
std::string TargetPath(const ImportOptions& options, std::string_view path);

// True for a path that is `top` or below it.
bool IsWithin(std::string_view path, std::string_view top);

// Makes what is above the topmost znode and not there, as empty znodes.
absl::Status CreateAncestors(client::Coord& coord, const ImportOptions& options);

// Sets the quota that ZooKeeper's text describes, of a path of the source; reports what can't be.
// Errors: only what is no reason to go on.
absl::Status CopyQuota(client::Coord& coord, const ImportOptions& options, const std::string& path,
                       const std::string& limits, ImportReport& report);

// Counts what is there now.
absl::Status VerifyTarget(client::Coord& coord, const ImportOptions& options,
                          ImportReport& report);

// Prints the report, or with -o json the document with its fields; and the exit code: 0 when all was
// copied but for ephemerals, else 1. An error that ended the copy is the last line.
CommandResult PrintReport(const Context& context, const ImportReport& report,
                          nlohmann::ordered_json document, const absl::Status& ended);

}  // namespace bellwether::cli
