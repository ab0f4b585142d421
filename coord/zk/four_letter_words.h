#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coord/zk/statistics.h"

// ZooKeeper's questions of operators and monitoring: four letters in place of a handshake, a text,
// the end (Z56). Layout and names are those of ZooKeeper 3.8; what it says of Java is left out.
namespace bellwether::coord::zk {

// The words that are answered.
class WordList {
 public:
  // As ZooKeeper's default: what zkServer.sh and clients that look for a server with a quorum ask.
  WordList() : allowed_{"srvr", "isro"} {}

  // "ruok,mntr", or "*" for all; srvr is always among them. Errors: INVALID_ARGUMENT naming what is
  // no word.
  static absl::StatusOr<WordList> Parse(std::string_view text);

  bool Allows(std::string_view word) const { return allowed_.contains(word); }

 private:
  std::set<std::string, std::less<>> allowed_;
};

// Whether a client's first four bytes are a word rather than the length of a handshake. Letters as a
// length would be more than a GiB.
bool IsFourLetterWord(std::string_view bytes);

// What a client gets whose word is not on the list.
std::string NotOnTheList(std::string_view word);

// What can be said of a server, but for its clients.
struct ServerReport {
  std::string version;      // "3.9.5-bellwether-0.1.0-3eb6939"
  bool serves = false;      // or read_only; neither: most words say no more than that
  bool read_only = false;   // without a quorum (Z57)
  std::string mode;         // "leader", "follower", "observer", "standalone" or "read-only"
  Zxid zxid;
  uint64_t digest = 0;      // of the state at zxid
  uint64_t znodes = 0;
  uint64_t data_bytes = 0;
  uint64_t ephemerals = 0;
  uint64_t sessions = 0;
  absl::Duration uptime;
  absl::Duration leading_for;  // of a leader: since when it is one
  size_t pending_syncs = 0;    // rounds that ask the others who leads
  uint64_t voters = 0;      // of the ensemble
  uint64_t connected_voters = 0;     // other than itself
  uint64_t connected_observers = 0;  // likewise: learners
  uint64_t open_files = 0;         // descriptors of the process
  uint64_t open_files_max = 0;

  // envi.
  std::string host_name;
  std::string os_name;
  std::string os_arch;
  std::string os_version;

  // conf, dirs.
  uint16_t port = 0;  // the listener's
  std::string data_dir;      // snapshots
  std::string log_dir;
  uint64_t data_dir_bytes = 0;
  uint64_t log_dir_bytes = 0;
  size_t connections_per_address_max = 0;
  int64_t session_timeout_min_ms = 0;
  int64_t session_timeout_max_ms = 0;
  uint32_t server_id = 0;
  // Of a server with peers, else 0 and empty.
  uint16_t peer_port = 0;
  bool observes = false;   // it has no vote
  std::string membership;  // the data of /zookeeper/config

  // dump: only filled for it.
  struct SessionReport {
    SessionId session;
    int64_t timeout_ms = 0;
    std::vector<std::string> ephemerals;  // sorted
  };
  std::vector<SessionReport> session_list;  // sorted by id; as many as there is room for

  // mntr and the words that begin with wch; of ZooKeeper's clients.
  uint64_t watches = 0;
  uint64_t watched_paths = 0;
  uint64_t watchers = 0;  // connections
  // wchc and wchp: only filled for them.
  std::vector<std::pair<SessionId, std::string>> watch_list;  // who, path; sorted
  bool left_out = false;  // the lists are not complete
};

// What can be said of the clients.
struct ClientsReport {
  std::vector<ConnectionInfo> clients;
  TrafficFigures traffic;  // of all, those that are gone too; since the start or srst
};

// About what an answer has at most: longer lists end with a line that says so.
inline constexpr size_t kAnswerBytesMax = 16 << 20;

// The text for a word. Of crst and srst only the text: the figures are reset by who has them.
std::string AnswerTo(std::string_view word, const ServerReport& server,
                     const ClientsReport& clients);

}  // namespace bellwether::coord::zk
