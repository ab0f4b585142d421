#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/coord_types.h"

// What servers tell operators; see CoordClient::Top and Sessions.
namespace bellwether::client {

// What Top puts first.
enum class TopOrder {
  kBytes,     // znodes by the bytes of their data
  kSubtree,   // znodes by the bytes of all data at and below them
  kChildren,  // znodes by their children
  kWrites,    // znodes by creations, changes and deletions among the newest changes
  kWatches,   // paths by the watches set on them at the server asked
  kClients,   // connections to the server asked by their requests
};

// The znodes, paths or connections that stand out, as one server sees it.
struct TopResult {
  struct Znode {
    std::string path;
    uint64_t count = 0;  // bytes, children, writes or watches
  };
  // A connection, since it was opened.
  struct Client {
    std::string address;
    SessionId session;           // 0: it has none (yet)
    uint64_t requests = 0;       // reads and writes
    uint64_t writes = 0;         // among them
    uint64_t request_bytes = 0;  // of all of them
    uint64_t unanswered = 0;     // requests without an answer yet
    uint64_t outbox_bytes = 0;   // that the client has not taken yet
    absl::Duration open;         // for how long
  };
  uint32_t server_id = 0;
  Zxid zxid;              // of the state looked at; 0 by watches and clients
  Zxid since_zxid;        // by writes: changes after this one were counted; else 0
  uint64_t examined = 0;  // znodes, changes, watched paths or connections
  uint64_t total = 0;     // the sum over all of them of what is counted
  std::vector<Znode> znodes;    // by count, then by path; empty by clients
  std::vector<Client> clients;  // by clients only
};

// A live session, as one server knows it.
struct SessionEntry {
  SessionId id;
  uint64_t generation = 0;              // raised by every attach
  absl::Duration timeout;               // as granted
  uint64_t ephemerals = 0;              // znodes that it owns
  std::optional<std::string> address;   // of its client, if that is connected to the server asked
  std::optional<absl::Duration> idle;   // since the leader heard of it, if that was asked

  // The server that opened it, 1 to 254.
  uint32_t opened_by() const { return static_cast<uint32_t>(id.value() >> 56); }
};

// Some of the sessions, by id.
struct SessionPage {
  uint32_t server_id = 0;
  Zxid zxid;  // of this page's state
  std::vector<SessionEntry> sessions;
  bool more = false;  // behind the last one
};

// The session is gone, its ephemeral znodes with it.
struct SessionEnded {
  Zxid zxid;  // the server asked had applied all up to here, the end of the session included
};

}  // namespace bellwether::client
