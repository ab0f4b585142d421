#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "base/executor.h"
#include "client/coord_channel.h"
#include "client/coord_types.h"
#include "client/server_list.h"

namespace bellwether::client {

// What a watch tells its owner, on the client's executor. Must not destroy the watch (post that).
struct WatchCallbacks {
  // Every change after the state exactly once, in zxid order, all of one zxid in one batch.
  absl::AnyInvocable<void(WatchBatch)> on_batch;
  // The last callback: the watch can't go on, as with a bad path or another ensemble. Losing a
  // server is no end: the watch resumes at another one.
  absl::AnyInvocable<void(absl::Status)> on_end;
};

// A watch that outlives its connections: the state at one zxid, then every later change, resumed by
// zxid at any server. Needs no session. After compaction it compares the new state with what it
// delivered and hands over the differences. Tells nothing of znodes that the client may not read.
// Owned by whoever called CoordClient::Watch, must not outlive that client; used on its executor only.
//
// Memory: path and two zxids (about 100 bytes and the path) per znode of the watched part.
class CoordWatch {
 public:
  // Made by CoordClient::Watch. `credentials` outlive it; each connection gives those of its time.
  CoordWatch(ServerList& servers, CoordConnector& connector, base::Executor& executor,
             const std::vector<Credential>& credentials, std::string path, WatchOptions options,
             WatchCallbacks callbacks);
  ~CoordWatch();
  CoordWatch(const CoordWatch&) = delete;
  CoordWatch& operator=(const CoordWatch&) = delete;

  // Delivers nothing until Resume(). A server cancels a watch that it can't send to for long; that
  // costs no more than a resume. Pausing from within on_batch is allowed.
  void Pause();
  void Resume();

  // All up to here has been delivered; 0 before the initial state is complete.
  Zxid position() const { return position_; }

 private:
  // What was delivered of a znode.
  struct Known {
    Zxid czxid;
    Zxid mzxid;
    Zxid pzxid;
    uint64_t round = 0;  // the State that mentioned it last
  };

  void Connect();
  // Gives the connection up and resumes elsewhere; ends for good when that can't help.
  void OnEnd(const absl::Status& status);
  void OnFrame(coord::v1::WatchResponse frame);
  void OnState(coord::v1::State state);
  void OnChanges(coord::v1::Changes changes);
  // Appends what the owner has not seen of a znode of the state.
  void AddDifference(WatchChange znode, WatchBatch& batch);
  // Appends, children first, the deletion of all that the state did not mention.
  void AddDeleted(WatchBatch& batch);
  void Remember(const WatchChange& change);
  void Deliver(WatchBatch batch);
  void ReadNext();

  ServerList& servers_;
  CoordConnector& connector_;
  base::Executor& executor_;
  const std::vector<Credential>& credentials_;
  const std::string path_;
  const WatchOptions options_;
  WatchCallbacks callbacks_;

  std::unique_ptr<WatchCall> call_;
  uint64_t attempts_ = 0;           // connections opened
  int failures_ = 0;                // in a row
  base::TimerId retry_timer_ = 0;
  base::TimerId silence_timer_ = 0;  // while a frame is awaited
  bool paused_ = false;
  bool reading_ = false;            // a frame is awaited

  Zxid position_;
  bool state_complete_ = false;     // known_ is all there is: deletions can be told
  bool compacted_ = false;          // on this connection: the state that follows is a resync
  uint64_t round_ = 0;              // counts states
  bool in_state_ = false;           // between the chunks of one
  std::map<std::string, Known> known_;
};

}  // namespace bellwether::client
