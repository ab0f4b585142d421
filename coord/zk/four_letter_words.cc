#include "coord/zk/four_letter_words.h"

#include <algorithm>
#include <array>
#include <map>

#include "absl/status/status.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::coord::zk {
namespace {

constexpr std::string_view kNotServing =
    "This ZooKeeper instance is not currently serving requests\n";

std::string Hex(SessionId session) { return fmt::format("0x{:x}", session.value()); }

int64_t Millis(absl::Duration duration) { return absl::ToInt64Milliseconds(duration); }

// Milliseconds as ZooKeeper writes averages: four digits at most behind the point, one at least.
std::string Average(const LatencyFigures& latency) {
  if (latency.count == 0) return "0.0";
  const double average = absl::ToDoubleMilliseconds(latency.total) /
                         static_cast<double>(latency.count);
  std::string text = fmt::format("{:.4f}", average);
  while (text.ends_with('0') && !text.ends_with(".0")) text.pop_back();
  return text;
}

uint64_t Outstanding(const ClientsReport& clients) {
  uint64_t outstanding = 0;
  for (const ConnectionInfo& client : clients.clients) outstanding += client.outstanding;
  return outstanding;
}

// A client's line, without its end. What it waits for as the bits of Java's SelectionKey.
std::string ClientLine(const ConnectionInfo& client, bool brief) {
  const TrafficFigures& traffic = client.traffic;
  std::string line = fmt::format(" /{}[{}](queued={},recved={},sent={}", client.address,
                                 (client.wants_input ? 1 : 0) + (client.wants_output ? 4 : 0),
                                 client.outstanding, traffic.received, traffic.sent);
  if (!brief && client.session != SessionId(0)) {
    const LatencyFigures& latency = traffic.latency;
    line += fmt::format(",sid={},lop={},est={},to={}", Hex(client.session), client.last_operation,
                        absl::ToUnixMillis(client.established), client.timeout_ms);
    if (client.last_xid >= 0) line += fmt::format(",lcxid=0x{:x}", client.last_xid);
    line += fmt::format(
        ",lzxid=0x{:x},lresp={},llat={},minlat={},avglat={},maxlat={}", client.last_zxid.value(),
        absl::ToUnixMillis(client.last_response), Millis(latency.last), Millis(latency.min),
        latency.count == 0 ? 0 : Millis(latency.total / static_cast<double>(latency.count)),
        Millis(latency.max));
  }
  return line + ")";
}

// The lines of clients, as many as there is room for.
std::string ClientLines(const ClientsReport& clients, bool brief) {
  std::string text;
  for (const ConnectionInfo& client : clients.clients) {
    if (text.size() > kAnswerBytesMax) return text + "(more is left out)\n";
    text += ClientLine(client, brief) + "\n";
  }
  return text;
}

std::string Srvr(const ServerReport& server, const ClientsReport& clients, bool with_clients) {
  std::string text = fmt::format("Zookeeper version: {}\n", server.version);
  if (server.read_only) text += "READ-ONLY mode; serving only read-only clients\n";
  if (with_clients) text += "Clients:\n" + ClientLines(clients, /*brief=*/true) + "\n";
  const TrafficFigures& traffic = clients.traffic;
  text += fmt::format("Latency min/avg/max: {}/{}/{}\n", Millis(traffic.latency.min),
                      Average(traffic.latency), Millis(traffic.latency.max));
  text += fmt::format("Received: {}\nSent: {}\nConnections: {}\nOutstanding: {}\n",
                      traffic.received, traffic.sent, clients.clients.size(),
                      Outstanding(clients));
  text += fmt::format("Zxid: 0x{:x}\nMode: {}\nNode count: {}\n", server.zxid.value(), server.mode,
                      server.znodes);
  return text;
}

// What a server of an ensemble does, in ZooKeeper's words.
std::string_view PeerState(std::string_view mode) {
  if (mode == "leader") return "leading - broadcast";
  if (mode == "follower") return "following - broadcast";
  if (mode == "observer") return "observing - broadcast";
  return mode == "read-only" ? "looking" : "";
}

std::string Mntr(const ServerReport& server, const ClientsReport& clients) {
  std::string text;
  const auto add = [&text](std::string_view name, const auto& value) {
    text += fmt::format("zk_{}\t{}\n", name, value);
  };
  const TrafficFigures& traffic = clients.traffic;
  add("version", server.version);
  add("server_state", server.mode);
  if (!PeerState(server.mode).empty()) add("peer_state", PeerState(server.mode));
  add("avg_latency", Average(traffic.latency));
  add("max_latency", Millis(traffic.latency.max));
  add("min_latency", Millis(traffic.latency.min));
  add("packets_received", traffic.received);
  add("packets_sent", traffic.sent);
  add("num_alive_connections", clients.clients.size());
  add("outstanding_requests", Outstanding(clients));
  add("znode_count", server.znodes);
  add("watch_count", server.watches);
  add("ephemerals_count", server.ephemerals);
  add("approximate_data_size", server.data_bytes);
  add("global_sessions", server.sessions);
  add("open_file_descriptor_count", server.open_files);
  add("max_file_descriptor_count", server.open_files_max);
  add("uptime", Millis(server.uptime));
  if (server.mode != "standalone") add("quorum_size", server.voters);
  if (server.mode == "leader") {
    add("learners", server.connected_voters + server.connected_observers);
    add("synced_followers", server.connected_voters);
    add("synced_non_voting_followers", 0);
    add("synced_observers", server.connected_observers);
    add("pending_syncs", server.pending_syncs);
    add("leader_uptime", Millis(server.leading_for));
  }
  return text;
}

std::string Conf(const ServerReport& server) {
  std::string text = fmt::format(
      "clientPort={}\nsecureClientPort=-1\ndataDir={}\ndataDirSize={}\ndataLogDir={}\n"
      "dataLogSize={}\nmaxClientCnxns={}\nminSessionTimeout={}\nmaxSessionTimeout={}\n"
      "clientPortListenBacklog=-1\nserverId={}\n",
      server.port, server.data_dir, server.data_dir_bytes, server.log_dir, server.log_dir_bytes,
      server.connections_per_address_max, server.session_timeout_min_ms,
      server.session_timeout_max_ms, server.server_id);
  if (server.peer_port == 0) return text;
  return text + fmt::format("quorumPort={}\npeerType={}\nmembership: \n{}\n", server.peer_port,
                            server.observes ? 1 : 0, server.membership);
}

std::string Envi(const ServerReport& server) {
  return fmt::format(
      "Environment:\nzookeeper.version={}\nhost.name={}\nos.name={}\nos.arch={}\nos.version={}\n",
      server.version, server.host_name, server.os_name, server.os_arch, server.os_version);
}

std::string Dump(const ServerReport& server, const ClientsReport& clients) {
  std::string text = fmt::format("SessionTracker dump:\nGlobal Sessions({}):\n", server.sessions);
  size_t owners = 0;
  for (const auto& session : server.session_list) {
    text += fmt::format("{}\t{}ms\n", Hex(session.session), session.timeout_ms);
    if (!session.ephemerals.empty()) ++owners;
  }
  text += fmt::format("ephemeral nodes dump:\nSessions with Ephemerals ({}):\n", owners);
  for (const auto& session : server.session_list) {
    if (session.ephemerals.empty()) continue;
    text += Hex(session.session) + ":\n";
    for (const std::string& path : session.ephemerals) text += "\t" + path + "\n";
  }
  if (server.left_out) text += "(more is left out)\n";
  text += "Connections dump:\n";
  for (const ConnectionInfo& client : clients.clients) {
    text += fmt::format("\tip: /{} sessionId: {}\n", client.address, Hex(client.session));
  }
  return text;
}

// The first of each pair, and below it what it goes with.
template <typename Key, typename Value>
std::string Groups(const std::map<Key, std::vector<Value>>& groups, bool left_out) {
  std::string text;
  for (const auto& [key, values] : groups) {
    text += key + "\n";
    for (const Value& value : values) text += "\t" + value + "\n";
  }
  return text + (left_out ? "(more is left out)\n" : "") + "\n";
}

std::string Wchs(const ServerReport& server) {
  return fmt::format("{} connections watching {} paths\nTotal watches:{}\n", server.watchers,
                     server.watched_paths, server.watches);
}

std::string WatchesBy(const ServerReport& server, bool by_path) {
  std::map<std::string, std::vector<std::string>> groups;
  for (const auto& [session, path] : server.watch_list) {
    if (by_path) {
      groups[path].push_back(Hex(session));
    } else {
      groups[Hex(session)].push_back(path);
    }
  }
  return Groups(groups, server.left_out);
}

using Answer = std::string (*)(const ServerReport&, const ClientsReport&);

struct Word {
  std::string_view name;
  bool needs_service;  // else it is answered whatever the server's state
  Answer answer;
};

using Facts = const ServerReport&;
using Figures = const ClientsReport&;

constexpr std::array<Word, 16> kWords = {{
    {"conf", true, [](Facts server, Figures) { return Conf(server); }},
    {"cons", true,
     [](Facts, Figures clients) { return ClientLines(clients, /*brief=*/false) + "\n"; }},
    {"crst", true, [](Facts, Figures) { return std::string("Connection stats reset.\n"); }},
    {"dirs", true,
     [](Facts server, Figures) {
       return fmt::format("datadir_size: {}\nlogdir_size: {}\n", server.data_dir_bytes,
                          server.log_dir_bytes);
     }},
    {"dump", true, [](Facts server, Figures clients) { return Dump(server, clients); }},
    {"envi", false, [](Facts server, Figures) { return Envi(server); }},
    {"hash", true,
     [](Facts server, Figures) {
       return fmt::format("{:x}: {}\n", server.zxid.value(), static_cast<int64_t>(server.digest));
     }},
    {"isro", false,
     [](Facts server, Figures) {
       return std::string(server.serves ? "rw" : server.read_only ? "ro" : "null");
     }},
    {"mntr", true, [](Facts server, Figures clients) { return Mntr(server, clients); }},
    {"ruok", false, [](Facts, Figures) { return std::string("imok"); }},
    {"srst", true, [](Facts, Figures) { return std::string("Server stats reset.\n"); }},
    {"srvr", true, [](Facts server, Figures clients) { return Srvr(server, clients, false); }},
    {"stat", true, [](Facts server, Figures clients) { return Srvr(server, clients, true); }},
    {"wchc", true, [](Facts server, Figures) { return WatchesBy(server, /*by_path=*/false); }},
    {"wchp", true, [](Facts server, Figures) { return WatchesBy(server, /*by_path=*/true); }},
    {"wchs", true, [](Facts server, Figures) { return Wchs(server); }},
}};

// ZooKeeper knows them, too; they are on no list here.
constexpr std::array<std::string_view, 2> kNeverListed = {"gtmk", "stmk"};

const Word* FindWord(std::string_view name) {
  const auto found = std::find_if(kWords.begin(), kWords.end(),
                                  [name](const Word& word) { return word.name == name; });
  return found == kWords.end() ? nullptr : &*found;
}

}  // namespace

absl::StatusOr<WordList> WordList::Parse(std::string_view text) {
  WordList list;
  list.allowed_ = {"srvr"};
  for (absl::string_view part : absl::StrSplit(base::AbslView(text), ',')) {
    const std::string name(absl::StripAsciiWhitespace(part));
    if (name == "*") {
      for (const Word& word : kWords) list.allowed_.emplace(word.name);
    } else if (FindWord(name) != nullptr) {
      list.allowed_.insert(name);
    } else if (!name.empty()) {
      std::string known;
      for (const Word& word : kWords) known += fmt::format(" {}", word.name);
      return absl::InvalidArgumentError(
          fmt::format("\"{}\" is no four-letter word; there are *{}", name, known));
    }
  }
  return list;
}

bool IsFourLetterWord(std::string_view bytes) {
  const std::string_view name = bytes.substr(0, 4);
  return FindWord(name) != nullptr ||
         std::find(kNeverListed.begin(), kNeverListed.end(), name) != kNeverListed.end();
}

std::string NotOnTheList(std::string_view word) {
  return fmt::format("{} is not executed because it is not in the whitelist.\n", word);
}

std::string AnswerTo(std::string_view word, const ServerReport& server,
                     const ClientsReport& clients) {
  const Word* const found = FindWord(word);
  if (found == nullptr) return NotOnTheList(word);
  const bool answers = server.serves || server.read_only;
  if (found->needs_service && !answers) return std::string(kNotServing);
  return found->answer(server, clients);
}

}  // namespace bellwether::coord::zk
