#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "coord/service/child_lists.h"
#include "coord/service/feature_levels.h"
#include "coord/service/list_views.h"
#include "coord/service/lock_waits.h"
#include "coord/service/writes.h"

namespace bellwether::coord {

// The bounds of the service. coord/README.md has the table: what happens when one is reached.
struct ServiceOptions {
  uint32_t server_id = 0;  // 1..254
  FeatureLevelRange feature_levels = kSupportedFeatureLevels;
  uint32_t (*feature_level_of)(const RequestOperation&) = &FeatureLevelOf;
  // Whoever proves this digest, "user:" + base64(SHA1("user:password")), passes all ACLs (Z50).
  // Empty: nobody.
  std::string super_digest;

  int64_t session_timeout_default_ms = 10'000;
  int64_t session_timeout_min_ms = 1'000;
  int64_t session_timeout_max_ms = 120'000;

  size_t connections_max = 10'000;                        // streams of sessions and watches
  size_t outstanding_requests_max = 1'024;                // per connection, not yet answered
  size_t outstanding_request_bytes_max = 8 << 20;         // likewise
  size_t outbox_bytes_max = 8 << 20;                      // per connection; reads wait above it
  size_t event_bytes_max = 32 << 20;                      // of watches in it; above it: given up
  size_t request_bytes_max = 4 << 20;                     // one command as proposed
  size_t write_run_bytes_max = 1 << 20;                   // writes handed to the log in one call
  size_t list_page_bytes_max = 3 << 20;                   // names in one result
  size_t reply_bytes_max = 64 << 20;                      // of a whole list
  size_t multi_read_bytes_max = 4 << 20;                  // of a MultiRead; clients take few MiB
  size_t znode_watches_per_connection_max = 100'000;
  size_t znode_watches_max = 2'000'000;
  LockWaits::Options lock_waits;
  ListViews::Options list_views;
  ChildLists::Options child_lists;
  size_t znode_watch_path_bytes_per_connection_max = 16 << 20;
  size_t znode_watch_path_bytes_max = 256 << 20;          // of all, a path of several counts once

  uint64_t tree_bytes_max = 0;                            // see TreeBound; 0: none
  // A request that takes longer is told in the log. 0: none is.
  absl::Duration slow_request = absl::Seconds(1);

  size_t watch_paths_max = 64;                            // of one Watch stream
  size_t watch_queue_bytes_max = 16 << 20;                // per Watch stream; above it: cancelled
  size_t watch_state_bytes_max = 256 << 20;               // paths of one initial state
  size_t watch_chunk_bytes = 1 << 20;                     // of one State frame
  size_t watch_ring_changes_max = 100'000;
  size_t watch_ring_bytes_max = 64 << 20;

  absl::Duration attach_timeout = absl::Seconds(10);      // from connect to a valid Attach
  absl::Duration applied_wait_max = absl::Seconds(5);     // of a read for this server to catch up
  absl::Duration finalize_wait_max = absl::Seconds(5);    // of an upgrade, for its commit
  absl::Duration end_session_wait_max = absl::Seconds(5);  // of who ends one, until it is gone
  absl::Duration touch_interval = absl::Milliseconds(100);     // between touch notes to the leader
  absl::Duration progress_interval = absl::Milliseconds(500);  // of idle watches
  absl::Duration prompt_progress_interval = absl::Milliseconds(20);  // of those that ask for it
  absl::Duration digest_interval = absl::Seconds(2);   // between the leader's words on its state
  absl::Duration tick_max = absl::Milliseconds(100);  // more is a pause: not counted as silence
  absl::Duration apply_hold_max = absl::Milliseconds(1);       // the applier's of the tree
};

}  // namespace bellwether::coord
