#include "coord/options.h"

#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/options/setters.h"
#include "base/status.h"
#include "coord/service/options.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

constexpr int64_t kServerIdLast = 254;
constexpr size_t kPeersMax = 9;
constexpr int64_t kIoThreadsMax = 64;
constexpr uint64_t kTreeBytesMin = 64 << 10;
constexpr std::string_view kRestoreWord = "restore";

using base::CheckPlaintext;
using base::HostPort;
using base::Keep;
using base::KeepAddressOrOff;
using base::KeepInteger;
using base::OptionTable;

// "2=host:port".
absl::StatusOr<PeerAddress> ParsePeer(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is not N=HOST:PORT; write for example 1=127.0.0.1:2192", text));
  }
  ASSIGN_OR_RETURN(const int64_t id, base::ParseInteger(text.substr(0, equals), 1, kServerIdLast));
  ASSIGN_OR_RETURN(const HostPort address, base::ParseHostPort(text.substr(equals + 1)));
  if (address.port == 0) {
    return absl::InvalidArgumentError(fmt::format(
        "\"{}\": peers need to know the port; give one above 0", text));
  }
  return PeerAddress{ServerId(static_cast<uint32_t>(id)), address.ToString()};
}

absl::Status CheckPeers(CoordServerOptions& options) {
  auto& peers = options.peers;
  if (peers.empty()) return absl::OkStatus();
  if (peers.size() > kPeersMax) {
    return absl::InvalidArgumentError(fmt::format(
        "--peer: {} servers are too many; an ensemble has 3 or 5, at most {}", peers.size(),
        kPeersMax));
  }
  std::sort(peers.begin(), peers.end(),
            [](const PeerAddress& a, const PeerAddress& b) { return a.id < b.id; });
  const PeerAddress* own = nullptr;
  for (size_t i = 0; i < peers.size(); ++i) {
    if (peers[i].id == ServerId(options.id)) own = &peers[i];
    for (size_t j = 0; j < i; ++j) {
      if (peers[i].id != peers[j].id && peers[i].address != peers[j].address) continue;
      return absl::InvalidArgumentError(
          fmt::format("--peer: {}={} and {}={} are the same server; give each once", peers[j].id,
                      peers[j].address, peers[i].id, peers[i].address));
    }
  }
  if (own == nullptr) {
    return absl::InvalidArgumentError(fmt::format(
        "--peer: server {} itself is missing; list every server of the ensemble, this one too",
        options.id));
  }
  if (!options.listen_peer.has_value()) {
    ASSIGN_OR_RETURN(options.listen_peer, base::ParseHostPort(own->address));
  }
  return absl::OkStatus();
}

absl::Status Check(CoordServerOptions& options) {
  if (options.id == 0) {
    return absl::InvalidArgumentError("--id: not given; give this server's number, 1 to 254");
  }
  if (options.data_dir.empty()) {
    return absl::InvalidArgumentError(
        "--data-dir: not given; name the folder for this server's data");
  }
  RETURN_IF_ERROR(CheckPeers(options));
  if (options.peers.empty() && options.listen_peer.has_value()) {
    return absl::InvalidArgumentError(
        "--listen-peer: a single server has no peers; give --peer once per server, or omit it");
  }
  return absl::OkStatus();
}

absl::Status CheckAddresses(const CoordServerOptions& options) {
  RETURN_IF_ERROR(CheckPlaintext("listen", options.listen, options.allow_plaintext));
  RETURN_IF_ERROR(CheckPlaintext("listen-peer", options.listen_peer, options.allow_plaintext));
  RETURN_IF_ERROR(CheckPlaintext("listen-zk", options.listen_zk, options.allow_plaintext));
  return CheckPlaintext("listen-admin", options.listen_admin, options.allow_plaintext);
}

absl::StatusOr<absl::Duration> ParseElectionTimeout(const std::string& text) {
  ASSIGN_OR_RETURN(const absl::Duration timeout, base::ParseDuration(text));
  if (timeout >= absl::Milliseconds(50) && timeout <= absl::Minutes(1)) return timeout;
  return absl::InvalidArgumentError(fmt::format("\"{}\" is not within 50ms to 1m", text));
}

// Less than a fresh tree with some sessions takes would only be a mistake, as of a unit.
absl::StatusOr<uint64_t> ParseTreeBytes(const std::string& text) {
  ASSIGN_OR_RETURN(const uint64_t bytes, base::ParseSize(text));
  if (bytes == 0 || bytes >= kTreeBytesMin) return bytes;
  return absl::InvalidArgumentError(fmt::format(
      "\"{}\" is less than {} bytes; give 0 for no bound, or some MiB", text, kTreeBytesMin));
}

// What `addauth digest` proves to be, as ZooKeeper's own option for it is written.
absl::StatusOr<std::string> ParseSuperDigest(const std::string& text) {
  if (text.empty() || text.find(':') != std::string::npos) return text;
  return absl::InvalidArgumentError(
      "it is not USER:DIGEST, where DIGEST is the base64 text of the SHA-1 of USER:PASSWORD");
}

int64_t DefaultIoThreads() { return std::clamp<int64_t>(sysconf(_SC_NPROCESSORS_ONLN), 1, 4); }

void AddOptions(OptionTable& table, CoordServerOptions& options) {
  table.AddText("id", "N", "this server's number in its ensemble, 1 to 254", "",
                KeepInteger(options.id, 1, kServerIdLast));
  table.AddText("data-dir", "DIR", "folder of this server's data", "",
                OptionTable::Into(options.data_dir));
  table.AddList("peer", "N=HOST:PORT",
                "a server of the ensemble; once per server, this one too; none: a single server",
                [&options](const std::string& text) -> absl::Status {
                  ASSIGN_OR_RETURN(PeerAddress peer, ParsePeer(text));
                  options.peers.push_back(std::move(peer));
                  return absl::OkStatus();
                });
  table.AddText("listen", "HOST:PORT", "where clients connect", "127.0.0.1:2191",
                Keep(options.listen, base::ParseHostPort));
  table.AddText("listen-peer", "HOST:PORT", "where peers connect (default: the own --peer entry)",
                "", KeepAddressOrOff(options.listen_peer));
  table.AddText("listen-zk", "HOST:PORT|off", "where ZooKeeper's clients connect",
                "127.0.0.1:2181", KeepAddressOrOff(options.listen_zk));
  table.AddText("listen-admin", "HOST:PORT|off", "metrics and health over HTTP", "127.0.0.1:2190",
                KeepAddressOrOff(options.listen_admin));
  table.AddText("advertise", "HOST:PORT", "the address that clients are told (default: --listen)",
                "", OptionTable::Into(options.advertise));
  table.AddText("election-timeout", "D", "silence of the leader after which servers elect", "150ms",
                Keep(options.election_timeout, ParseElectionTimeout));
  table.AddText("io-threads", "N", "threads that work for clients",
                std::to_string(DefaultIoThreads()),
                KeepInteger(options.io_threads, 1, kIoThreadsMax));
  table.AddText("connections-max", "N", "clients' connections in all, and watches of native ones",
                std::to_string(ServiceOptions().connections_max),
                KeepInteger(options.connections_max, 1, 1'000'000));
  table.AddText("zk-4lw", "WORD,...|*", "ZooKeeper's four-letter words that are answered",
                "srvr,isro", Keep(options.zk_words, [](const std::string& text) {
                  return zk::WordList::Parse(text);
                }));
  table.AddText("zk-connections-per-address", "N",
                "connections of ZooKeeper's clients per IP address; 0: no limit", "60",
                KeepInteger(options.zk_connections_per_address, 0, 1'000'000));
  table.AddText("superdigest", "USER:DIGEST",
                "who passes all ACLs: a user of ZooKeeper's digest scheme", "",
                Keep(options.super_digest, ParseSuperDigest));
  table.AddText("watch-ring-changes", "N", "newest changes that watches can resume from", "100000",
                KeepInteger(options.watch_ring_changes, 1, 100'000'000));
  table.AddText("snapshot-entries", "N", "log entries after which a snapshot is taken", "100000",
                KeepInteger(options.snapshot_entries, 1, 1'000'000'000));
  table.AddText("tree-bytes-max", "SIZE",
                "memory of the tree from which on writes that grow it are refused; 0: no bound", "0",
                Keep(options.tree_bytes_max, ParseTreeBytes));
  table.AddText("slow-request", "D", "a request that takes longer has a line in the log; 0: none has",
                "1s", Keep(options.slow_request, base::ParseDuration));
  base::AddLogOptions(table, options.log_level, options.log_format);
  base::AddPlaintextSwitch(table, options.allow_plaintext);
}

}  // namespace

std::vector<PeerAddress> CoordServerOptions::Servers() const {
  if (!peers.empty()) return peers;
  return {{ServerId(id), ""}};
}

absl::Status CheckAdvertised(const std::string& address) {
  ASSIGN_OR_RETURN(const HostPort parsed, base::ParseHostPort(address));
  if (parsed.port != 0 && !parsed.IsAny()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("'{}' is no address that a client on another machine can connect to", address));
}

absl::StatusOr<ParsedCoordOptions> ParseCoordOptions(int argc, const char* const* argv) {
  ParsedCoordOptions result;
  OptionTable table("bell-coord",
                    "One server of the Bellwether coordination service. `bell-coord restore FILE` "
                    "makes its data folder of a snapshot.");
  AddOptions(table, result.options);
  ASSIGN_OR_RETURN(result.parsed, table.Parse(argc, argv));
  if (result.parsed.action == OptionTable::Action::kExit) return result;
  RETURN_IF_ERROR(Check(result.options));
  RETURN_IF_ERROR(CheckAddresses(result.options));
  return result;
}

bool IsRestore(int argc, const char* const* argv) {
  return argc > 1 && std::string_view(argv[1]) == kRestoreWord;
}

absl::StatusOr<ParsedRestoreOptions> ParseRestoreOptions(int argc, const char* const* argv) {
  ParsedRestoreOptions result;
  std::vector<const char*> flags = {argv[0]};
  int next = 2;
  if (next < argc && argv[next][0] != '-') result.file = argv[next++];
  flags.insert(flags.end(), argv + next, argv + argc);
  OptionTable table("bell-coord restore FILE",
                    "Makes a server's data folder of the snapshot in FILE. The flags are those of "
                    "the server; --id, --data-dir and --peer count.");
  AddOptions(table, result.server.options);
  absl::StatusOr<OptionTable::Parsed> parsed =
      table.Parse(static_cast<int>(flags.size()), flags.data());
  const bool is_help = parsed.ok() && parsed->action == OptionTable::Action::kExit;
  if (result.file.empty() && !is_help) {
    return absl::InvalidArgumentError(
        "restore: FILE is missing; write it first: bell-coord restore FILE --id N --data-dir DIR");
  }
  ASSIGN_OR_RETURN(result.server.parsed, std::move(parsed));
  if (is_help) return result;
  RETURN_IF_ERROR(Check(result.server.options));
  return result;
}

}  // namespace bellwether::coord
