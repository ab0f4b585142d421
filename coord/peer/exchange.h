#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "bellwether/coord/v1/peer.pb.h"
#include "coord/peer/completion_tag.h"
#include "coord/replica/transport.h"

namespace bellwether::coord {

struct ExchangeLimits {
  size_t queue_bytes_max = 64 << 20;  // to be sent; above it messages are dropped
  size_t batch_bytes_max = 1 << 20;   // sent as one gRPC message, unless one frame is larger
  size_t frame_bytes_max = 7 << 20;   // a larger one can't be sent at all
};

// One stream to a peer, opened by either side: the opener says Hello, the other answers with its own,
// then both send what is queued, one batch while the one before is on its way, and read. Must not
// know who the peers are: its Owner does.
// Threads: Send and Close from any thread; everything else on the completion queue's. The next batch
// is read when the one before has been handled.
// Lifetime: shared with the operations under way; gone when they have all ended.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  // Called on the completion queue's thread, in this order: OnHello once, OnMessages any number of
  // times, OnEnded once if OnHello was answered OK, OnFinished once if the stream ever began.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual v1::PeerFrame HelloFrame(const Exchange& exchange) = 0;
    // Not OK: the peer is refused and told why; FAILED_PRECONDITION: after this server's own Hello,
    // so that the peer can see for itself.
    virtual absl::Status OnHello(const std::shared_ptr<Exchange>& exchange, Hello hello) = 0;
    virtual void OnMessages(const std::shared_ptr<Exchange>& exchange,
                            std::vector<PeerMessage> messages) = 0;
    virtual void OnEnded(const std::shared_ptr<Exchange>& exchange) = 0;
    virtual void OnFinished(const std::shared_ptr<Exchange>& exchange,
                            const absl::Status& status) = 0;
    // The exchange and all its operations are gone.
    virtual void OnDestroyed() = 0;
  };

  Exchange(Owner& owner, const ExchangeLimits& limits);
  virtual ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // False when the queue is full or the stream has ended: the frame is lost.
  bool Send(v1::PeerFrame frame);
  // Ends the stream, soon.
  void Close();

  // Who speaks; 0 before its Hello was taken. Set by the owner in OnHello.
  ServerId peer() const { return peer_; }
  void set_peer(ServerId peer) { peer_ = peer; }
  // Whether it carries the messages of snapshots, or all others. Set by the owner before the stream
  // is greeted: when it is made, or in OnHello.
  bool for_snapshots() const { return for_snapshots_; }
  void set_for_snapshots(bool for_snapshots) { for_snapshots_ = for_snapshots; }

 protected:
  // Operations of gRPC; each ends with its tag.
  virtual void StartRead(v1::PeerBatch& batch, void* tag) = 0;
  virtual void StartWrite(const v1::PeerBatch& batch, void* tag) = 0;
  // `reason` is what the server's end tells the client's.
  virtual void StartFinish(const absl::Status& reason, void* tag) = 0;
  virtual absl::Status FinishStatus() const = 0;
  virtual void Cancel() = 0;
  // The opening side greets first, and may finish only when no read is outstanding.
  virtual bool IsOpener() const = 0;

  // The stream stands, or will not.
  void OnOpened(bool ok);

 private:
  void Greet();
  void OnRead(bool ok);
  void OnWritten(bool ok);
  void OnFinished();
  absl::Status TakeBatch();
  void End(const absl::Status& reason);
  void BeginRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void BeginWrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishIfIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Owner& owner_;
  const ExchangeLimits limits_;

  CompletionTag read_tag_;
  CompletionTag write_tag_;
  CompletionTag finish_tag_;

  // Owned by the completion queue's thread, the batches by the operation while it is outstanding.
  bool greeted_ = false;
  ServerId peer_;
  bool for_snapshots_ = false;
  v1::PeerBatch incoming_;

  base::Mutex mutex_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status reason_ ABSL_GUARDED_BY(mutex_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<v1::PeerFrame> queue_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwether::coord
