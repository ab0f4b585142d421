#include "coord/replica/hello_check.h"

#include <arpa/inet.h>

#include <algorithm>
#include <string>

#include "base/parse.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

std::string ListOf(const std::vector<PeerAddress>& servers) {
  std::string list;
  for (const PeerAddress& server : servers) {
    fmt::format_to(std::back_inserter(list), "{}{}={}", list.empty() ? "" : ",", server.id,
                   server.address);
  }
  return list.empty() ? "none" : list;
}

std::string NameOf(const Hello& own, const Hello& peer) {
  for (const PeerAddress& server : own.servers) {
    if (server.id == peer.server_id) {
      return fmt::format("server {} at {}", server.id, server.address);
    }
  }
  return fmt::format("server {}", peer.server_id);
}

bool WasHeardBy(const Hello& forming, ServerId server) {
  return std::find(forming.heard_empty.begin(), forming.heard_empty.end(), server) !=
         forming.heard_empty.end();
}

// Requires: at least one of the two begins with a restored state. They may be of one ensemble when
// both begin with the same one, or when the other has only formed first. Anything else would give
// two logs that begin differently.
absl::Status CheckRestored(const Hello& own, const Hello& peer) {
  const bool own_restored = own.folder == FolderState::kRestored;
  const Hello& restored = own_restored ? own : peer;
  const Hello& other = own_restored ? peer : own;
  const std::string restored_name = own_restored ? "this server" : NameOf(own, peer);
  const std::string other_name = own_restored ? NameOf(own, peer) : "this server";
  if (other.folder == FolderState::kRestored) {
    if (own.restore_id == peer.restore_id) return absl::OkStatus();
    return absl::FailedPreconditionError(fmt::format(
        "{} and {} were restored from different snapshots; restore every server from the same "
        "file, each into an empty folder",
        restored_name, other_name));
  }
  if (other.folder == FolderState::kEmpty) {
    return absl::FailedPreconditionError(
        fmt::format("{} was restored from a snapshot, {} was not; run `bell-coord restore` with "
                    "the same file for every server, each into an empty folder",
                    restored_name, other_name));
  }
  if (WasHeardBy(restored, other.server_id)) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "{} was restored from a snapshot, {} has a part in an ensemble already; to join that "
      "ensemble start the restored server with an empty folder, to replace it restore every server",
      restored_name, other_name));
}

// Whether the logs of both begin with other members, and neither has an entry yet that says who is in:
// then their majorities need not meet. A folder of an early release does not remember with whom it was
// formed, so that flags that changed since lead to this. What one believes that was emptied does not
// matter: its log says who is in before it counts.
bool FormedDifferently(const Hello& own, const Hello& peer) {
  if (own.folder != FolderState::kMember || peer.folder != FolderState::kMember) return false;
  if (own.members_index != LogIndex() || peer.members_index != LogIndex()) return false;
  if (own.members.empty() || peer.members.empty()) return false;
  return !std::equal(own.members.begin(), own.members.end(), peer.members.begin(),
                     peer.members.end(),
                     [](const PeerAddress& a, const PeerAddress& b) { return a.id == b.id; });
}

bool IsNumeric(const std::string& host) {
  in6_addr ignored;
  return inet_pton(AF_INET, host.c_str(), &ignored) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

}  // namespace

absl::Status CheckSameEnsemble(const Hello& own, const Hello& peer) {
  // Once there is an ensemble its log says who is in it, and the flags are only where it was first met.
  const bool forming = IsForming(own.folder) && IsForming(peer.folder);
  if (forming && own.servers != peer.servers) {
    return absl::FailedPreconditionError(fmt::format(
        "ensemble list disagrees with {}: it says {}, this server says {}; give all servers the "
        "same --peer flags",
        NameOf(own, peer), ListOf(peer.servers), ListOf(own.servers)));
  }
  if (FormedDifferently(own, peer)) {
    return absl::FailedPreconditionError(fmt::format(
        "ensemble list disagrees with {}: by its log the ensemble was formed by servers {}, by this "
        "server's by {}; give both the --peer flags that they were started with at first",
        NameOf(own, peer), ListOf(peer.members), ListOf(own.members)));
  }
  if (!own.ensemble_id.IsNil() && !peer.ensemble_id.IsNil() &&
      own.ensemble_id != peer.ensemble_id) {
    return absl::FailedPreconditionError(fmt::format(
        "data folder of another ensemble: {} belongs to ensemble {}, this server's folder to {}; "
        "start this server with its own data folder, or with an empty one to join",
        NameOf(own, peer), peer.ensemble_id.ToString(), own.ensemble_id.ToString()));
  }
  if (own.folder == FolderState::kRestored || peer.folder == FolderState::kRestored) {
    return CheckRestored(own, peer);
  }
  return absl::OkStatus();
}

bool AreApart(std::string_view a, std::string_view b) {
  if (a == b) return false;
  const absl::StatusOr<base::HostPort> first = base::ParseHostPort(a);
  const absl::StatusOr<base::HostPort> second = base::ParseHostPort(b);
  if (!first.ok() || !second.ok() || first->port != second->port) return true;
  return first->host != second->host && IsNumeric(first->host) && IsNumeric(second->host);
}

}  // namespace bellwether::coord
