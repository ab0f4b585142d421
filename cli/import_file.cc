#include "cli/import_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "cli/acl_text.h"
#include "cli/export_format.h"
#include "cli/import_target.h"
#include "cli/line_reader.h"
#include "cli/waker.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

constexpr absl::Duration kWaitMax = absl::Milliseconds(200);

// How far above the export's the zxid becomes: the ensemble that it is of may have gone on.
constexpr int64_t kZxidMargin = int64_t{1} << 32;

struct CloseFile {
  void operator()(std::FILE* file) const {
    if (file != stdin) std::fclose(file);
  }
};
using OpenedFile = std::unique_ptr<std::FILE, CloseFile>;

absl::StatusOr<OpenedFile> OpenExport(const std::string& path) {
  if (path == "-") return OpenedFile(stdin);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return base::FileError("read", path, errno);
  std::FILE* const file = ::fdopen(fd, "rb");
  if (file != nullptr) return OpenedFile(file);
  ::close(fd);
  return base::FileError("read", path, errno);
}

// The lines of an export.
class ExportFile {
 public:
  // `file` outlives it.
  ExportFile(std::string name, std::FILE* file) : name_(std::move(name)), lines_(file) {}

  // DATA_LOSS that names the line, also for the end of the file.
  absl::StatusOr<ExportLine> Next() {
    ++line_;
    ASSIGN_OR_RETURN(const std::optional<std::string_view> line, lines_.Next());
    if (!line.has_value()) return Bad("the file ends before its end");
    auto read = ParseExportLine(*line);
    if (read.ok() || absl::IsUnimplemented(read.status())) return read;
    return Bad(base::StdView(read.status().message()));
  }

  absl::Status Bad(std::string_view why) const {
    return absl::DataLossError(
        fmt::format("'{}' line {}: {}; export it again", name_, line_, why));
  }
  const std::string& name() const { return name_; }

 private:
  const std::string name_;
  LineReader lines_;
  uint64_t line_ = 0;
};

// One import, from behind the header to the last count.
class FileImport {
 public:
  FileImport(const Context& context, ExportFile& file, ExportHeader header,
             const ImportOptions& options)
      : context_(context),
        file_(file),
        header_(std::move(header)),
        options_(options),
        report_(TargetPath(options, options.path)),
        waker_(std::make_shared<Waker>()) {}

  CommandResult Run() {
    ASSIGN_OR_RETURN(coord_, context_.ConnectCoord());
    if (!options_.dry_run) {
      RETURN_IF_ERROR(RaiseZxid());
      RETURN_IF_ERROR(CreateAncestors(*coord_, options_));
    }
    const absl::Status ended = CopyAll();
    coord_->CloseSession({absl::Seconds(1)}).IgnoreError();  // it would end by itself
    return PrintReport(context_, report_, Document(), ended);
  }

 private:

  // Of another ensemble only: its clients may come over.
  absl::Status RaiseZxid() {
    if (coord_->session().ensemble_id.ToString() == header_.ensemble_id) return absl::OkStatus();
    return coord_->RaiseZxid(header_.zxid + kZxidMargin).status();
  }

  absl::Status CopyAll() {
    ImportTarget target(*coord_, {options_.overwrite, options_.dry_run}, report_,
                        [waker = waker_] { waker->Wake(); });
    bool at_end = false;
    while (true) {
      RETURN_IF_ERROR(target.Poll());
      if (at_end && target.Finish()) break;
      if (at_end || target.full()) {
        waker_->Wait(kWaitMax);
      } else {
        ASSIGN_OR_RETURN(ExportLine line, file_.Next());
        at_end = std::holds_alternative<ExportEnd>(line);
        RETURN_IF_ERROR(Take(std::move(line), target));
      }
      progress_.Tell(report_.read(), report_.bytes());
    }
    for (const ExportedQuota& quota : quotas_) {
      RETURN_IF_ERROR(CopyQuota(*coord_, options_, quota.path, quota.limits, report_));
    }
    return options_.dry_run ? absl::OkStatus() : VerifyTarget(*coord_, options_, report_);
  }

  absl::Status Take(ExportLine line, ImportTarget& target) {
    if (auto* const quota = std::get_if<ExportedQuota>(&line)) {
      if (IsWithin(quota->path, options_.path)) quotas_.push_back(std::move(*quota));
    } else if (auto* const znode = std::get_if<ExportedZnode>(&line)) {
      ++znodes_;
      if (!IsWithin(znode->path, options_.path)) return absl::OkStatus();
      met_any_ = true;
      TakeZnode(std::move(*znode), target);
    } else if (const auto* const end = std::get_if<ExportEnd>(&line)) {
      if (end->znodes != znodes_) return file_.Bad("lines before it are missing");
      if (!met_any_) {
        return absl::NotFoundError(
            fmt::format("'{}' has no znode {}; check --path", file_.name(), options_.path));
      }
    } else {
      return file_.Bad("a second header");
    }
    return absl::OkStatus();
  }

  void TakeZnode(ExportedZnode znode, ImportTarget& target) {
    client::ImportedZnode imported;
    imported.path = TargetPath(options_, znode.path);
    if (znode.access.mode == client::CreateMode::kEphemeral) {
      report_.LeaveOut(znode.path, "ephemeral", "its session is one of the source");
      return target.Skip(imported.path);
    }
    report_.Read(imported.path, znode.data.has_value() ? znode.data->size() : 0);
    if (HasHiddenHashes(znode.access.acl)) {
      report_.LeaveOut(znode.path, "hidden_acl",
                       "its ACL's hashes were not told to who exported it; export it with --auth");
      return target.Skip(imported.path);
    }
    imported.data = std::move(znode.data);
    imported.acl = std::move(znode.access.acl);
    imported.mode = znode.access.mode;
    imported.ttl_ms = znode.access.ttl_ms;
    imported.ctime_ms = znode.stat.ctime_ms;
    imported.mtime_ms = znode.stat.mtime_ms;
    imported.version = znode.stat.version;
    imported.aversion = znode.stat.aversion;
    imported.children_created =
        client::ChildrenCreated(znode.stat.cversion, znode.stat.num_children);
    target.Add(std::move(imported), static_cast<size_t>(std::max(0, znode.stat.num_children)));
  }

  nlohmann::ordered_json Document() const {
    return {{"source", file_.name()},
            {"path", options_.path},
            {"into", options_.into},
            {"dry_run", options_.dry_run},
            {"source_zxid", header_.zxid.value()},
            {"seconds", absl::ToDoubleSeconds(progress_.Elapsed())}};
  }

  const Context& context_;
  ExportFile& file_;
  const ExportHeader header_;
  const ImportOptions& options_;
  ImportReport report_;
  ImportProgress progress_{"import"};
  const std::shared_ptr<Waker> waker_;
  std::unique_ptr<client::Coord> coord_;
  uint64_t znodes_ = 0;   // lines of them
  bool met_any_ = false;  // to be copied
  std::vector<ExportedQuota> quotas_;
};

}  // namespace

CommandResult ImportFile(const Context& context, const std::string& file,
                         const ImportOptions& options) {
  RETURN_IF_ERROR(CheckImportOptions(options));
  ASSIGN_OR_RETURN(const OpenedFile opened, OpenExport(file));
  ExportFile lines(file, opened.get());
  ASSIGN_OR_RETURN(const ExportLine first, lines.Next());
  const auto* const header = std::get_if<ExportHeader>(&first);
  if (header == nullptr) return lines.Bad("it does not begin with the header of an export");
  ImportOptions of_file = options;
  if (IsWithin(header->path, options.path)) of_file.path = header->path;  // all that there is
  RETURN_IF_ERROR(CheckImportOptions(of_file));
  if (!IsWithin(of_file.path, header->path)) {
    return absl::NotFoundError(fmt::format("'{}' is an export of {}, without {}; check --path",
                                           file, header->path, options.path));
  }
  return FileImport(context, lines, *header, of_file).Run();
}

}  // namespace bellwether::cli
