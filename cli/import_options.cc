#include "cli/import_options.h"

#include <utility>
#include <vector>

#include "cli/output.h"
#include "cli/quota.h"
#include "client/errors.h"
#include "coord/tree/path.h"
#include "coord/tree/quotas.h"
#include "coord/tree/system_znodes.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

using coord::tree::kSystemPath;

// Paths above one, the topmost first; never "/".
std::vector<std::string> AncestorsOf(const std::string& path) {
  std::vector<std::string> ancestors;
  for (size_t end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1)) {
    ancestors.push_back(path.substr(0, end));
  }
  return ancestors;
}

// nullopt for a text that is no quota's.
std::optional<QuotaLimits> LimitsOf(const std::string& text) {
  const auto numbers =
      coord::tree::QuotaNumbers::Parse(coord::tree::SharedBytes::Copy(text));
  if (!numbers.has_value()) return std::nullopt;
  const auto limit = [&numbers](std::string_view name) {
    const int64_t value = numbers->Get(name);
    return value < 0 ? std::nullopt : std::optional(value);
  };
  return QuotaLimits{limit("count"), limit("bytes"), limit("countHardLimit"),
                     limit("byteHardLimit")};
}

// Where there is none it is set; another one is replaced, or stays as a conflict.
absl::Status SetQuotaAt(client::Coord& coord, const std::string& path, const QuotaLimits& limits,
                        bool overwrite) {
  const auto present = ReadQuota(coord, path);
  if (present.ok()) {
    if (LimitsOf(present->limits) == limits) return absl::OkStatus();
    if (!overwrite) {
      return base::ErrorWithReason(absl::StatusCode::kAlreadyExists, "conflict",
                                   "the target has another quota there, which was left; give "
                                   "--overwrite to replace it");
    }
    RETURN_IF_ERROR(DeleteQuota(coord, path));
  } else if (!absl::IsNotFound(present.status())) {
    return present.status();
  }
  return SetQuota(coord, path, limits);
}

}  // namespace

absl::Status CheckImportOptions(const ImportOptions& options) {
  for (const std::string& path : {options.path, options.into}) {
    if (!coord::tree::IsValidPath(path)) {
      return absl::InvalidArgumentError(
          fmt::format("'{}' is not a path of a znode; write for example /app/config", path));
    }
    if (IsWithin(path, kSystemPath)) {
      return absl::InvalidArgumentError(fmt::format(
          "'{}' is of each ensemble's own and can't be copied; choose another path", path));
    }
  }
  return absl::OkStatus();
}

std::string TargetPath(const ImportOptions& options, std::string_view path) {
  if (options.into == "/") return std::string(path);
  return path == "/" ? options.into : fmt::format("{}{}", options.into, path);
}

bool IsWithin(std::string_view path, std::string_view top) {
  return path == top || coord::tree::IsBelow(path, top);
}

absl::Status CreateAncestors(client::Coord& coord, const ImportOptions& options) {
  for (const std::string& path : AncestorsOf(TargetPath(options, options.path))) {
    const absl::Status made = coord.Create(path, std::string()).status();
    if (!made.ok() && !absl::IsAlreadyExists(made)) return made;
  }
  return absl::OkStatus();
}

absl::Status CopyQuota(client::Coord& coord, const ImportOptions& options, const std::string& path,
                       const std::string& limits, ImportReport& report) {
  const std::string shown = fmt::format("/zookeeper/quota{}", path);
  const std::optional<QuotaLimits> wanted = LimitsOf(limits);
  if (!wanted.has_value()) {
    report.LeaveOut(shown, "quota", "its text is no quota's");
    return absl::OkStatus();
  }
  if (options.dry_run) {
    report.CountQuota();
    return absl::OkStatus();
  }
  const absl::Status set =
      SetQuotaAt(coord, TargetPath(options, path), *wanted, options.overwrite);
  if (set.ok()) {
    report.CountQuota();
    return set;
  }
  if (absl::IsUnavailable(set) || absl::IsDeadlineExceeded(set)) return set;
  report.LeaveOut(shown, client::ReasonOf(set) == "conflict" ? "conflict" : "quota",
                  base::StdView(set.message()));
  return absl::OkStatus();
}

absl::Status VerifyTarget(client::Coord& coord, const ImportOptions& options,
                          ImportReport& report) {
  const std::string top = TargetPath(options, options.path);
  const auto listed = coord.List(top, /*recursive=*/true);
  if (!listed.ok() && !absl::IsNotFound(listed.status())) return listed.status();
  if (listed.ok()) {
    for (const std::string& path : listed->names) report.Found(path);
  }
  report.CheckFound();
  return absl::OkStatus();
}

CommandResult PrintReport(const Context& context, const ImportReport& report,
                          nlohmann::ordered_json document, const absl::Status& ended) {
  if (context.json) {
    report.AddTo(document);
    if (!ended.ok()) document["complete"] = false;
    PrintJson(document);
  } else {
    report.PrintTables();
  }
  if (!ended.ok()) return PrintError(ended, kExitFailed, context.json);
  if (report.complete()) return kExitOk;
  return PrintError(
      absl::InternalError("not all was copied: see what was left out; run again to go on"),
      kExitFailed, context.json);
}

}  // namespace bellwether::cli
