#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "base/status.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/partial_file.h"
#include "client/coord.h"
#include "coord/snapshot/saved_snapshot.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

using Json = nlohmann::ordered_json;
using coord::SnapshotSummary;

// The first piece is answered when the server has written the snapshot, which a large state delays.
constexpr absl::Duration kPieceTimeout = absl::Seconds(60);

struct SaveOptions {
  std::string file;
  bool force = false;
};

void Print(const Context& context, const std::string& file, const SnapshotSummary& summary) {
  const bool has_id = !summary.ensemble_id.IsNil();
  if (context.json) {
    const Json id = has_id ? Json(summary.ensemble_id.ToString()) : Json(nullptr);
    const Json document = {{"file", file},
                           {"ensemble_id", id},
                           {"index", summary.index},
                           {"term", summary.term},
                           {"zxid", summary.zxid},
                           {"znodes", summary.znodes},
                           {"data_bytes", summary.data_bytes},
                           {"sessions", summary.sessions},
                           {"ephemerals", summary.ephemerals},
                           {"feature_level", summary.feature_level},
                           {"digest", fmt::format("0x{:016x}", summary.digest)},
                           {"bytes", summary.file_bytes}};
    return PrintJson(document);
  }
  PrintTable({{"FILE", "ENSEMBLE", "INDEX", "ZXID", "ZNODES", "SESSIONS", "BYTES"},
              {file, has_id ? summary.ensemble_id.ToString() : "-", fmt::to_string(summary.index),
               fmt::to_string(summary.zxid), fmt::to_string(summary.znodes),
               fmt::to_string(summary.sessions), fmt::to_string(summary.file_bytes)}});
}

absl::Status CheckPlace(const SaveOptions& options) {
  std::error_code error;
  const auto status = std::filesystem::symlink_status(options.file, error);
  if (std::filesystem::is_directory(status) ||
      !std::filesystem::path(options.file).has_filename()) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is a folder; name a file for the snapshot", options.file));
  }
  if (!std::filesystem::exists(status)) return absl::OkStatus();
  if (!std::filesystem::is_regular_file(status) && !std::filesystem::is_symlink(status)) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is a device or the like; name a file for the snapshot", options.file));
  }
  return options.force ? absl::OkStatus() : ExistsError(options.file);
}

CommandResult Save(const Context& context, const SaveOptions& options) {
  RETURN_IF_ERROR(CheckPlace(options));
  ASSIGN_OR_RETURN(const auto partial, PartialFile::Create(options.file));
  ASSIGN_OR_RETURN(const auto coord, context.ConnectCoordReadOnly());
  RETURN_IF_ERROR(
      coord
          ->SaveSnapshot([&partial](std::string_view piece) { return partial->Append(piece); },
                         context.timeout.value_or(kPieceTimeout))
          .status());
  RETURN_IF_ERROR(partial->Sync());
  ASSIGN_OR_RETURN(const SnapshotSummary summary, coord::VerifySavedSnapshot(partial->path()));
  RETURN_IF_ERROR(partial->Publish(options.force));
  Print(context, options.file, summary);
  return kExitOk;
}

CommandResult Verify(const Context& context, const std::string& file) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    return absl::NotFoundError(fmt::format("there is no file '{}'; name a saved snapshot", file));
  }
  if (std::filesystem::is_directory(status)) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is a folder; name a saved snapshot", file));
  }
  ASSIGN_OR_RETURN(const SnapshotSummary summary, coord::VerifySavedSnapshot(file));
  Print(context, file, summary);
  return kExitOk;
}

}  // namespace

void RegisterSnapshotCommands(CLI::App& app, Context& context) {
  auto options = std::make_shared<SaveOptions>();  // lives as long as the callbacks below
  CLI::App* const snapshot = app.add_subcommand("snapshot", "the state of coord as a file");
  snapshot->require_subcommand(1);
  CLI::App* const save = snapshot->add_subcommand("save", "save the state as of now");
  save->add_option("FILE", options->file, "where to")->required();
  save->add_flag("--force", options->force, "replace a file that exists");
  save->callback([&context, options] {
    context.command = [&context, options] { return Save(context, *options); };
  });
  CLI::App* const verify =
      snapshot->add_subcommand("verify", "whether a saved file is whole, and what it holds");
  verify->add_option("FILE", options->file, "a snapshot")->required();
  verify->callback([&context, options] {
    context.command = [&context, options] { return Verify(context, options->file); };
  });
}

}  // namespace bellwether::cli
