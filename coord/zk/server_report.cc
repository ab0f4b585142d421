#include "coord/zk/server_report.h"

#include <sys/resource.h>
#include <sys/utsname.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/parse.h"
#include "base/version.h"
#include "fmt/format.h"

namespace bellwether::coord::zk {
namespace {

// The ZooKeeper whose rules the frontend follows. Clients and monitoring look at the number.
constexpr std::string_view kZooKeeperVersion = "3.9.5";

// Below it there are neither ACLs nor the other things that ZooKeeper's clients expect.
constexpr uint32_t kFeatureLevelMin = 3;

// Of the files in a folder, and below.
uint64_t BytesBelow(const std::string& folder) {
  uint64_t bytes = 0;
  std::error_code error;
  std::filesystem::recursive_directory_iterator at(folder, error);
  for (; !error && at != std::filesystem::recursive_directory_iterator(); at.increment(error)) {
    std::error_code gone;
    const uintmax_t size = at->is_regular_file(gone) ? at->file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

void FillProcess(ServerReport& report) {
  std::error_code error;
  std::filesystem::directory_iterator at("/proc/self/fd", error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    ++report.open_files;
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) report.open_files_max = limit.rlim_cur;
}

void FillEnvironment(ServerReport& report) {
  utsname name{};
  if (uname(&name) != 0) return;
  report.host_name = name.nodename;
  report.os_name = name.sysname;
  report.os_arch = name.machine;
  report.os_version = name.release;
}

std::string ModeOf(const ReplicaStatus& replica, bool read_only) {
  if (read_only) return "read-only";
  if (replica.servers.size() <= 1) return "standalone";
  switch (replica.leadership.role) {
    case Role::kLeader:
      return "leader";
    case Role::kLearner:
      return "observer";
    case Role::kFollower:
    case Role::kCandidate:
      break;
  }
  return "follower";
}

void FillReplica(const ServiceStatus& status, const ReportSettings& settings,
                 ServerReport& report) {
  report.leading_for = settings.clock.Monotonic() - status.replica.leadership_since;
  report.pending_syncs = status.replica.read_rounds;
  report.serves =
      status.not_ready_reason.empty() && status.feature_level >= kFeatureLevelMin;
  for (const ReplicaStatus::Peer& peer : status.replica.servers) {
    if (peer.voter) ++report.voters;
    if (peer.address.id == ServerId(settings.server_id)) {
      const auto address = base::ParseHostPort(peer.address.address);
      if (address.ok()) report.peer_port = address->port;
      report.observes = !peer.voter;
    } else if (peer.connected && peer.member) {
      ++(peer.voter ? report.connected_voters : report.connected_observers);
    }
  }
  report.mode = ModeOf(status.replica, report.read_only);
}

void FillSessions(const tree::StateView& state, ServerReport& report) {
  size_t bytes = 0;
  for (const SessionId id : state.SessionIds()) {
    const auto session = state.FindSession(id);
    if (!session.has_value()) continue;
    ServerReport::SessionReport entry{.session = id, .timeout_ms = session->timeout_ms};
    entry.ephemerals = state.Ephemerals(id);
    for (const std::string& path : entry.ephemerals) bytes += path.size() + 2;
    bytes += 64;
    report.session_list.push_back(std::move(entry));
    if (bytes > kAnswerBytesMax) {
      report.left_out = true;
      return;
    }
  }
}

void FillWatches(const ZnodeWatches& watches, std::string_view word, ServerReport& report) {
  if (word == "wchs") {
    const ZnodeWatches::Summary summary = watches.Summarize();
    report.watchers = summary.watchers;
    report.watched_paths = summary.paths;
    report.watches = summary.watches;
  } else if (word == "mntr") {
    report.watches = watches.count();
  } else if (word == "wchc" || word == "wchp") {
    ZnodeWatches::Listing listing = watches.List(kAnswerBytesMax);
    report.watch_list = std::move(listing.watches);
    report.left_out = listing.more;
  }
}

void FillSettings(const ReportSettings& settings, std::string_view word, ServerReport& report) {
  report.uptime = settings.clock.Monotonic() - settings.started;
  report.data_dir = settings.data_dir;
  report.log_dir = settings.log_dir;
  report.connections_per_address_max = settings.connections_per_address_max;
  report.session_timeout_min_ms = settings.session_timeout_min_ms;
  report.session_timeout_max_ms = settings.session_timeout_max_ms;
  report.server_id = settings.server_id;
  if (word == "conf" || word == "dirs") {
    report.data_dir_bytes = BytesBelow(settings.data_dir);
    report.log_dir_bytes = BytesBelow(settings.log_dir);
  }
}

}  // namespace

std::string VersionForZooKeeperClients() {
  return fmt::format("{}-bellwether-{}-{}", kZooKeeperVersion, base::Version(), base::Revision());
}

ServerReport ReportOf(const CoordService& service, const ReportSettings& settings,
                      std::string_view word) {
  ServerReport report;
  report.version = VersionForZooKeeperClients();
  FillSettings(settings, word, report);
  report.read_only = service.ServesReadOnly() && service.feature_level() >= kFeatureLevelMin;
  FillReplica(service.Status(), settings, report);
  FillWatches(service.znode_watches(), word, report);
  const tree::StateView state = service.View();
  report.zxid = state.zxid();
  report.digest = state.digest();
  report.znodes = state.znode_count();
  report.data_bytes = state.data_bytes();
  report.ephemerals = state.ephemeral_count();
  report.sessions = state.session_count();
  if (word == "dump") FillSessions(state, report);
  if (word == "conf") report.membership = service.EnsembleConfig();
  if (word == "mntr") FillProcess(report);
  if (word == "envi") FillEnvironment(report);
  return report;
}

}  // namespace bellwether::coord::zk
