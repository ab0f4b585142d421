// `bell export`: a part of the tree as of one zxid, as lines of JSON.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "base/status.h"
#include "cli/acl_text.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/export_format.h"
#include "cli/import_options.h"
#include "cli/output.h"
#include "cli/partial_file.h"
#include "client/coord.h"
#include "coord/tree/path.h"
#include "coord/tree/system_znodes.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

constexpr std::string_view kLimitsName = "/zookeeper_limits";
constexpr size_t kWriteBytes = 256 << 10;

struct ExportOptions {
  std::string path = "/";
  std::string file = "-";
  bool force = false;
};

// Takes the lines: stdout, or a file that gets its name when it is whole.
class ExportOutput {
 public:
  static absl::StatusOr<ExportOutput> Open(const ExportOptions& options) {
    ExportOutput output;
    if (options.file == "-") return output;
    if (!options.force && std::filesystem::exists(options.file)) return ExistsError(options.file);
    ASSIGN_OR_RETURN(output.file_, PartialFile::Create(options.file));
    return output;
  }

  absl::Status Write(const ExportLine& line) {
    lines_ += ToLine(line);
    lines_ += '\n';
    return lines_.size() < kWriteBytes ? absl::OkStatus() : Flush();
  }

  absl::Status Finish(bool force) {
    RETURN_IF_ERROR(Flush());
    if (file_ == nullptr) return FlushStdout();
    RETURN_IF_ERROR(file_->Sync());
    return file_->Publish(force);
  }

 private:
  absl::Status Flush() {
    const absl::Status written =
        file_ == nullptr ? WriteStdout(lines_) : OnOwnDisk(file_->Append(lines_));
    lines_.clear();
    return written;
  }

  std::unique_ptr<PartialFile> file_;
  std::string lines_;
};

// One export, from the header to the end.
class Export {
 public:
  Export(const Context& context, const ExportOptions& options)
      : context_(context), options_(options) {}

  CommandResult Run() {
    RETURN_IF_ERROR(CheckImportOptions({options_.path}));
    ASSIGN_OR_RETURN(ExportOutput output, ExportOutput::Open(options_));
    ASSIGN_OR_RETURN(const auto coord, context_.ConnectCoordReadOnly());
    ensemble_id_ = coord->session().ensemble_id.ToString();
    RETURN_IF_ERROR(CopyState(*coord, output));
    if (end_.znodes == 0) {
      return absl::NotFoundError(fmt::format(
          "{} is not there, or its ACL permits you no reading; check --path and --auth",
          options_.path));
    }
    RETURN_IF_ERROR(output.Write(end_));
    RETURN_IF_ERROR(output.Finish(options_.force));
    Print();
    if (unreadable_ + hidden_acls_ == 0) return kExitOk;
    return PrintError(
        absl::InternalError(fmt::format(
            "not all was exported: {} znodes may not be read, with what is below them, and of {} the "
            "ACL is shown in part; give --auth of who may",
            unreadable_, hidden_acls_)),
        kExitFailed, context_.json);
  }

 private:
  // A znode that was met, and whose children are coming.
  struct Open {
    std::string path;
    int64_t missing = 0;  // children that were not met
  };

  absl::Status CopyState(client::Coord& coord, ExportOutput& output) {
    client::WatchOptions options;
    options.recursive = true;
    options.with_access = true;
    if (options_.path != "/") options.further_paths = {std::string(coord::tree::kQuotaPath)};
    const auto watch = coord.Watch(options_.path, options);
    while (true) {
      ASSIGN_OR_RETURN(client::WatchBatch batch, watch->Next(context_.RequestTimeout()));
      if (zxid_ == client::Zxid(0)) {
        zxid_ = batch.zxid;
        RETURN_IF_ERROR(output.Write(ExportHeader{ensemble_id_, zxid_, options_.path}));
      }
      if (!batch.initial || batch.zxid != zxid_) {
        return absl::UnavailableError(
            "the server was lost in the middle of the export; export again");
      }
      for (client::WatchChange& znode : batch.changes) {
        RETURN_IF_ERROR(Take(std::move(znode), output));
      }
      progress_.Tell(end_.znodes, end_.bytes);
      if (batch.complete) break;
    }
    while (!open_.empty()) CloseLast();
    return absl::OkStatus();
  }

  absl::Status Take(client::WatchChange znode, ExportOutput& output) {
    if (IsWithin(znode.path, coord::tree::kSystemPath)) {
      if (!open_.empty() && znode.path == coord::tree::kSystemPath) --open_.front().missing;
      return TakeQuota(znode, output);
    }
    while (!open_.empty() && !coord::tree::IsBelow(znode.path, open_.back().path)) CloseLast();
    // What lies below one that can't be read belongs to nobody's children.
    if (!open_.empty() && coord::tree::SplitPath(znode.path)->parent == open_.back().path) {
      --open_.back().missing;
    } else if (!open_.empty()) {
      return absl::OkStatus();
    }
    open_.push_back({znode.path, znode.stat.num_children});
    ++end_.znodes;
    end_.bytes += znode.data.has_value() ? znode.data->size() : 0;
    if (!znode.access.has_value()) {
      return absl::FailedPreconditionError(
          "the server is of an older release, which tells no ACLs with a state; ask a newer one "
          "with --coord");
    }
    if (HasHiddenHashes(znode.access->acl)) ++hidden_acls_;
    return output.Write(ExportedZnode{std::move(znode.path), std::move(znode.data), znode.stat,
                                      *std::move(znode.access)});
  }

  absl::Status TakeQuota(const client::WatchChange& znode, ExportOutput& output) {
    const std::string_view quotas = coord::tree::kQuotaPath;
    if (!znode.path.starts_with(quotas) || !znode.path.ends_with(kLimitsName)) {
      return absl::OkStatus();
    }
    const std::string path = znode.path.substr(
        quotas.size(), znode.path.size() - quotas.size() - kLimitsName.size());
    if (!IsWithin(path, options_.path)) return absl::OkStatus();
    ++end_.quotas;
    return output.Write(ExportedQuota{path, znode.data.value_or("")});
  }

  void CloseLast() {
    unreadable_ += static_cast<uint64_t>(std::max<int64_t>(0, open_.back().missing));
    open_.pop_back();
  }

  void Print() const {
    const bool is_stdout = options_.file == "-";
    if (context_.json && !is_stdout) {
      return PrintJson({{"file", options_.file},
                        {"ensemble_id", ensemble_id_},
                        {"zxid", zxid_.value()},
                        {"path", options_.path},
                        {"complete", unreadable_ + hidden_acls_ == 0},
                        {"znodes", end_.znodes},
                        {"bytes", end_.bytes},
                        {"quotas", end_.quotas},
                        {"unreadable", unreadable_},
                        {"hidden_acls", hidden_acls_},
                        {"seconds", absl::ToDoubleSeconds(progress_.Elapsed())}});
    }
    fmt::print(is_stdout ? stderr : stdout, "{} znodes, {} bytes, {} quotas, zxid {}\n",
               end_.znodes, end_.bytes, end_.quotas, zxid_.value());
  }

  const Context& context_;
  const ExportOptions& options_;
  ImportProgress progress_{"export"};
  std::string ensemble_id_;
  client::Zxid zxid_;
  std::vector<Open> open_;  // each a child of the one before it
  ExportEnd end_;
  uint64_t unreadable_ = 0;
  uint64_t hidden_acls_ = 0;
};

}  // namespace

void RegisterExportCommand(CLI::App& app, Context& context) {
  auto options = std::make_shared<ExportOptions>();  // lives as long as the callback below
  CLI::App* const command =
      app.add_subcommand("export", "znodes as lines of JSON, all of one moment");
  command->add_option("FILE", options->file, "where to; - is stdout, the default");
  command->add_option("--path", options->path, "the topmost znode [/]");
  command->add_flag("--force", options->force, "replace a file that exists");
  command->callback([&context, options] {
    context.command = [&context, options] { return Export(context, *options).Run(); };
  });
}

}  // namespace bellwether::cli
