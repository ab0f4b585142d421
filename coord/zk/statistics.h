#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "coord/service/requests.h"

namespace bellwether::coord::zk {

// How long requests took, from their last byte's arrival to their reply's being ready.
struct LatencyFigures {
  uint64_t count = 0;
  absl::Duration total;
  absl::Duration min;  // zero without one
  absl::Duration max;
  absl::Duration last;

  void Add(absl::Duration latency) {
    min = count == 0 ? latency : std::min(min, latency);
    max = std::max(max, latency);
    last = latency;
    total += latency;
    ++count;
  }

  // Those of others too; `last` stays.
  void Merge(const LatencyFigures& other) {
    if (other.count == 0) return;
    min = count == 0 ? other.min : std::min(min, other.min);
    max = std::max(max, other.max);
    total += other.total;
    count += other.count;
  }
};

// What went in and out, of one client or of many. Requests include handshakes and pings, as
// ZooKeeper counts them; events count as sent.
struct TrafficFigures {
  uint64_t received = 0;  // frames
  uint64_t sent = 0;      // frames
  LatencyFigures latency;

  void Merge(const TrafficFigures& other) {
    received += other.received;
    sent += other.sent;
    latency.Merge(other.latency);
  }
};

// A client's own traffic, counted at the same time for all clients of its loop (srvr, mntr), which
// srst and crst reset apart. Belongs to the loop.
class Traffic {
 public:
  // `of_all` may be null: nobody asks.
  explicit Traffic(std::shared_ptr<TrafficFigures> of_all) : of_all_(std::move(of_all)) {}

  void Received() {
    ++own_.received;
    if (of_all_ != nullptr) ++of_all_->received;
  }
  void Sent() {
    ++own_.sent;
    if (of_all_ != nullptr) ++of_all_->sent;
  }
  void Took(absl::Duration latency) {
    own_.latency.Add(latency);
    if (of_all_ != nullptr) of_all_->latency.Add(latency);
  }
  // The client's own figures begin again.
  void Reset() { own_ = {}; }

  const TrafficFigures& own() const { return own_; }

 private:
  const std::shared_ptr<TrafficFigures> of_all_;  // shared with the server's other clients
  TrafficFigures own_;
};

// A client as the four-letter words cons, stat and dump show it.
struct ConnectionInfo {
  std::string address;         // "127.0.0.1:40312"
  SessionId session;           // 0: no session yet
  int64_t timeout_ms = 0;      // negotiated
  bool wants_input = true;
  bool wants_output = false;   // something waits for the client to read
  uint64_t outstanding = 0;    // requests received and not yet answered
  std::string last_operation = "NA";  // ZooKeeper's four letters: "GETD", "PING", ...
  int64_t last_xid = -1;       // of a request; negative: none yet
  Zxid last_zxid;              // of the last reply
  absl::Time established;
  absl::Time last_response;    // epoch: none yet
  TrafficFigures traffic;      // since it came, or since crst
};

}  // namespace bellwether::coord::zk
