#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/executor.h"
#include "bellwether/coord/v1/peer.pb.h"
#include "coord/replica/transport.h"

namespace bellwether::coord {

struct ExchangeLimits {
  size_t queue_bytes_max = 64 << 20;  // to be sent; above it messages are dropped
  size_t batch_bytes_max = 1 << 20;   // sent as one, unless one frame is larger
  size_t frame_bytes_max = 7 << 20;   // a larger one can't be sent at all
};

// One stream to a peer, opened by either side: the opener says Hello, the other answers with its own,
// then both send what is queued, one batch while the one before is on its way, and read. What carries
// the batches is a subclass's. Must not know who the peers are: its Owner does.
// Threads: everything on the replica's executor. What is sent in one of its turns goes out together. The
// next batch is read when the one before has been handled.
// Lifetime: shared with the operations under way; gone when they have all ended.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  // Called in this order: OnHello once, OnMessages any number of times, OnEnded once if OnHello was
  // answered OK, OnFinished once if the stream was ever tried.
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
    // `status`: why it ended; when the other side refused, its reason.
    virtual void OnFinished(const std::shared_ptr<Exchange>& exchange,
                            const absl::Status& status) = 0;
    // The exchange and all its operations are gone.
    virtual void OnDestroyed(const Exchange& exchange) = 0;
  };

  // `expected`: whom this server dials; 0: the peer opens the stream.
  Exchange(Owner& owner, base::Executor& executor, ServerId expected);
  virtual ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // False when the queue is full or the stream has ended: the frame is lost.
  bool Send(v1::PeerFrame frame);
  // Ends the stream, soon. Its owner is not called from here.
  virtual void Close() = 0;
  // Called every now and then: what is due at a time is done here.
  virtual void Tick(absl::Duration now) = 0;
  // What answered the dialling does not speak this way: another may be tried.
  virtual bool PeerSpeaksOtherwise() const { return false; }

  ServerId expected() const { return expected_; }
  // Who speaks; 0 before its Hello was taken. Set by the owner in OnHello.
  ServerId peer() const { return peer_; }
  void set_peer(ServerId peer) { peer_ = peer; }
  // Whether it carries the messages of snapshots, or all others. Set by the owner before the stream
  // is greeted: when it is made, or in OnHello.
  bool for_snapshots() const { return for_snapshots_; }
  void set_for_snapshots(bool for_snapshots) { for_snapshots_ = for_snapshots; }

 protected:
  // Each operation ends with one call, from within or later: of OnBatch or OnReadEnded; OnWritten;
  // OnFinished. The batch to read is empty and stays; that to write is gone when it has begun.
  virtual void StartRead(v1::PeerBatch& batch) = 0;
  virtual void StartWrite(const v1::PeerBatch& batch) = 0;
  // `reason` is what the accepting end tells the opener's.
  virtual void StartFinish(const absl::Status& reason) = 0;
  // Reads and writes that are under way fail, and with them the stream.
  virtual void Cancel() = 0;
  // The stream can't be written to any more; its end is still to be read.
  virtual void OnWriteFailed() = 0;

  // The stream stands, or will not.
  void OnOpened(bool ok);
  void OnBatch();
  // Not OK: what came was not right.
  void OnReadEnded(const absl::Status& reason) { End(reason); }
  void OnWritten(bool ok);
  void OnFinished(const absl::Status& status);

  // Sends a batch without frames, unless something is on its way.
  void SendEmpty();

  // The opening side greets first, and finishes only when no read is outstanding.
  bool IsOpener() const { return expected_ != ServerId(); }
  bool finishing() const { return finishing_; }

 private:
  struct Queued {
    v1::PeerFrame frame;
    size_t bytes;
  };

  void Greet();
  absl::Status TakeBatch();
  void End(const absl::Status& reason);
  void BeginRead();
  void BeginWrite();
  void FinishIfIdle();

  Owner& owner_;
  base::Executor& executor_;
  const ServerId expected_;
  const ExchangeLimits limits_;

  ServerId peer_;
  bool for_snapshots_ = false;
  v1::PeerBatch incoming_;  // the read's while one is outstanding
  std::deque<Queued> queue_;
  size_t queued_bytes_ = 0;
  bool greeted_ = false;
  bool open_ = false;  // can be written to
  bool flushes_ = false;  // is about to write what is queued
  bool ended_ = false;
  bool reading_ = false;
  bool writing_ = false;
  bool finishing_ = false;
  absl::Status reason_;
};

}  // namespace bellwether::coord
