#include "cli/import_zookeeper.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "cli/acl_text.h"
#include "cli/import_target.h"
#include "cli/waker.h"
#include "cli/zookeeper_files.h"
#include "cli/zookeeper_walk.h"
#include "coord/tree/types.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

namespace wire = coord::zk::wire;

constexpr absl::Duration kWaitMax = absl::Milliseconds(200);
constexpr char kQuotaPath[] = "/zookeeper/quota";
constexpr std::string_view kLimitsName = "/zookeeper_limits";

// How far above the source's the zxid becomes, in ZooKeeper's epochs of 2^32: while clients move, the
// source may go on and even elect leaders.
constexpr int64_t kEpochs = 16;

absl::Duration Now() { return base::SystemClock().Monotonic(); }

// One import, from the first question to the last count.
class ZookeeperImport {
 public:
  ZookeeperImport(const Context& context, const ZookeeperSource& source,
                  const ImportOptions& options)
      : context_(context),
        source_(source),
        options_(options),
        report_(TargetPath(options, options.path)),
        waker_(std::make_shared<Waker>()) {}

  CommandResult Run() {
    if (!source_.data_folder.empty()) {
      RETURN_IF_ERROR(kinds_.ReadFolder(source_.data_folder));
    }
    RETURN_IF_ERROR(Connect());
    RETURN_IF_ERROR(ReadSourceZxid(zxid_begin_));
    RETURN_IF_ERROR(CheckTop());
    ASSIGN_OR_RETURN(coord_, context_.ConnectCoord());
    if (!options_.dry_run) {
      RETURN_IF_ERROR(RaiseZxid());
      RETURN_IF_ERROR(CreateAncestors(*coord_, options_));
    }
    const absl::Status ended = CopyAll();
    if (connection_ != nullptr) connection_->Close();
    coord_->CloseSession({absl::Seconds(1)}).IgnoreError();  // it would end by itself
    if (kinds_unknown_ > 0) {
      fmt::print(stderr,
                 "bell: import: {} znodes are persistent now that may be containers or have a TTL: "
                 "ZooKeeper tells no client; give --source-data to know\n",
                 kinds_unknown_);
    }
    return PrintReport(context_, report_, Document(), ended);
  }

 private:
  // Each address once, or again and again until --timeout.
  absl::Status Connect(absl::Duration patience = absl::ZeroDuration()) {
    const absl::Duration deadline = Now() + patience;
    connection_ = nullptr;
    while (true) {
      absl::Status failure;
      for (size_t tried = 0; tried < source_.addresses.size(); ++tried) {
        const base::HostPort& address = source_.addresses[next_address_];
        next_address_ = (next_address_ + 1) % source_.addresses.size();
        auto opened =
            ZookeeperConnection::Open(address, source_.credentials, context_.RequestTimeout());
        if (opened.ok()) {
          connection_ = *std::move(opened);
          return absl::OkStatus();
        }
        failure = opened.status();
        if (absl::IsUnauthenticated(failure)) return failure;
      }
      if (Now() >= deadline) return failure;
      waker_->Wait(kWaitMax);
    }
  }

  absl::StatusOr<wire::Reply> Ask(wire::Opcode opcode, wire::RequestBody body) {
    // Above all xids of a walk but the last few.
    return connection_->Ask({INT32_MAX - 1, opcode, std::move(body)}, context_.RequestTimeout());
  }

  absl::Status ReadSourceZxid(int64_t& zxid) {
    auto reply = Ask(wire::Opcode::kSync, wire::SyncRequest{"/"});
    if (absl::IsUnavailable(reply.status())) {
      RETURN_IF_ERROR(Connect(context_.RequestTimeout()));
      reply = Ask(wire::Opcode::kSync, wire::SyncRequest{"/"});
    }
    RETURN_IF_ERROR(reply.status());
    zxid = reply->header.zxid;
    return absl::OkStatus();
  }

  absl::Status CheckTop() {
    ASSIGN_OR_RETURN(const wire::Reply reply,
                     Ask(wire::Opcode::kExists, wire::ReadRequest{options_.path, false}));
    if (reply.header.error != wire::ZkError::kNoNode) return absl::OkStatus();
    return absl::NotFoundError(
        fmt::format("the source has no znode {}; check --path", options_.path));
  }

  absl::Status RaiseZxid() {
    const int64_t wanted = ((std::max(zxid_begin_, zxid_end_) >> 32) + kEpochs) << 32;
    if (wanted > coord::tree::kRaisedZxidMax) {
      return absl::FailedPreconditionError(
          fmt::format("the source's zxid {} is too high for any ensemble to go on from it; copy "
                      "`bell export` of it instead",
                      zxid_begin_));
    }
    ASSIGN_OR_RETURN(const client::SyncResult raised, coord_->RaiseZxid(client::Zxid(wanted)));
    zxid_ = raised.zxid.value();
    return absl::OkStatus();
  }

  absl::Status CopyAll() {
    RETURN_IF_ERROR(CopyZnodes());
    RETURN_IF_ERROR(CopyQuotas());
    RETURN_IF_ERROR(ReadSourceZxid(zxid_end_));
    if (options_.dry_run) return absl::OkStatus();
    RETURN_IF_ERROR(RaiseZxid());
    return VerifyTarget(*coord_, options_, report_);
  }

  absl::Status CopyZnodes() {
    ImportTarget target(*coord_, {options_.overwrite, options_.dry_run}, report_,
                        [waker = waker_] { waker->Wake(); });
    ZookeeperWalk::Callbacks callbacks;
    callbacks.znode = [&](WalkedZnode znode) { Take(std::move(znode), target); };
    callbacks.left_out = [&](const std::string& path, std::string_view reason,
                             const std::string& message) {
      LeaveOut(path, reason, message, target);
    };
    ZookeeperWalk walk(options_.path, std::move(callbacks));
    while (true) {
      RETURN_IF_ERROR(target.Poll());
      if (walk.done() && target.Finish()) return absl::OkStatus();
      RETURN_IF_ERROR(Step(walk, [&target] { return target.full(); }));
      progress_.Tell(report_.read(), report_.bytes());
    }
  }

  // Asks and takes answers, as long as there is room for them; a lost connection is replaced.
  template <typename IsFull>
  absl::Status Step(ZookeeperWalk& walk, IsFull is_full) {
    absl::Status status = Exchange(walk, is_full);
    if (!absl::IsUnavailable(status)) return status;
    walk.OnDisconnected();
    return Connect(context_.RequestTimeout());
  }

  template <typename IsFull>
  absl::Status Exchange(ZookeeperWalk& walk, IsFull is_full) {
    if (is_full()) {  // what arrives meanwhile stays where it is
      waker_->Wait(kWaitMax);
      return connection_->Send();
    }
    walk.AppendRequests(connection_->out());
    RETURN_IF_ERROR(connection_->Send());
    for (size_t taken = 0; !is_full(); ++taken) {
      ASSIGN_OR_RETURN(const std::optional<std::string_view> frame, connection_->Next());
      if (frame.has_value()) {
        RETURN_IF_ERROR(walk.OnFrame(*frame));
      } else if (taken > 0) {
        break;
      } else {
        connection_->Wait(waker_->fd(), kWaitMax);
        waker_->Clear();
        return connection_->Receive();
      }
    }
    return absl::OkStatus();
  }

  void Take(WalkedZnode znode, ImportTarget& target) {
    client::ImportedZnode imported;
    imported.path = TargetPath(options_, znode.path);
    report_.Read(imported.path, znode.data.has_value() ? znode.data->size() : 0);
    if (HasHiddenHashes(znode.acl)) {
      return LeaveOut(znode.path, "hidden_acl",
                      "its ACL's hashes are told only to who may change it; give --source-auth",
                      target);
    }
    const ZookeeperKinds::Kind kind = kinds_.KindOf(znode.path, znode.stat.czxid);
    if (znode.stat.czxid > kinds_.zxid()) ++kinds_unknown_;
    imported.data = std::move(znode.data);
    imported.acl = std::move(znode.acl);
    imported.mode = kind.mode;
    imported.ttl_ms = kind.ttl_ms;
    imported.ctime_ms = znode.stat.ctime_ms;
    imported.mtime_ms = znode.stat.mtime_ms;
    imported.version = znode.stat.version;
    imported.aversion = znode.stat.aversion;
    imported.children_created =
        client::ChildrenCreated(znode.stat.cversion, znode.stat.num_children);
    target.Add(std::move(imported), znode.children);
  }

  void LeaveOut(const std::string& path, std::string_view reason, std::string_view message,
                ImportTarget& target) {
    report_.LeaveOut(path, reason, message);
    target.Skip(TargetPath(options_, path));
  }

  absl::Status CopyQuotas() {
    std::map<std::string, std::string> quotas;  // ZooKeeper's text by path
    ZookeeperWalk::Callbacks callbacks;
    callbacks.znode = [&](WalkedZnode znode) {
      if (!znode.path.ends_with(kLimitsName)) return;
      std::string path = znode.path.substr(sizeof(kQuotaPath) - 1);
      path.resize(path.size() - kLimitsName.size());
      if (IsWithin(path, options_.path)) quotas[path] = znode.data.value_or("");
    };
    callbacks.left_out = [&](const std::string& path, std::string_view reason,
                             const std::string& message) {
      if (path != kQuotaPath) report_.LeaveOut(path, reason, message);
    };
    ZookeeperWalk walk(kQuotaPath, std::move(callbacks));
    // The xids begin anew, with nothing unanswered.
    while (!walk.done()) RETURN_IF_ERROR(Step(walk, [] { return false; }));
    for (const auto& [path, limits] : quotas) {
      RETURN_IF_ERROR(CopyQuota(*coord_, options_, path, limits, report_));
    }
    return absl::OkStatus();
  }

  nlohmann::ordered_json Document() const {
    std::string addresses;
    for (const base::HostPort& address : source_.addresses) {
      addresses += (addresses.empty() ? "" : ",") + address.ToString();
    }
    nlohmann::ordered_json json = {{"source", addresses},
                                   {"path", options_.path},
                                   {"into", options_.into},
                                   {"dry_run", options_.dry_run},
                                   {"source_zxid_begin", zxid_begin_},
                                   {"source_zxid_end", zxid_end_}};
    json["zxid"] = options_.dry_run ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(zxid_);
    json["kinds_unknown"] = kinds_unknown_;
    json["seconds"] = absl::ToDoubleSeconds(progress_.Elapsed());
    return json;
  }

  const Context& context_;
  const ZookeeperSource& source_;
  const ImportOptions& options_;
  ImportReport report_;
  ImportProgress progress_{"import"};
  const std::shared_ptr<Waker> waker_;
  ZookeeperKinds kinds_;
  uint64_t kinds_unknown_ = 0;  // znodes of which no file tells what they are
  std::unique_ptr<ZookeeperConnection> connection_;
  size_t next_address_ = 0;
  std::unique_ptr<client::Coord> coord_;
  int64_t zxid_begin_ = 0;
  int64_t zxid_end_ = 0;
  int64_t zxid_ = 0;  // of the target
};

}  // namespace

CommandResult ImportZookeeper(const Context& context, const ZookeeperSource& source,
                              const ImportOptions& options) {
  RETURN_IF_ERROR(CheckImportOptions(options));
  return ZookeeperImport(context, source, options).Run();
}

}  // namespace bellwether::cli
