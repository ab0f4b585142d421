#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/net/event_loop.h"
#include "base/net/tcp.h"
#include "base/parse.h"
#include "bellwether/coord/v1/peer.pb.h"
#include "coord/peer/exchange.h"
#include "coord/peer/framing.h"

namespace bellwether::coord {

struct FramedTiming {
  absl::Duration connect_timeout;
  absl::Duration keepalive_interval;  // nothing sent for so long: something is
  absl::Duration silence_max;         // nothing heard for so long: the connection is lost
};

// An Exchange over a TCP connection of its own, as in framing.h: parsed, handled and answered on the loop,
// which is the replica's executor.
class FramedExchange : public Exchange {
 public:
  FramedExchange(Owner& owner, base::EventLoop& loop, const FramedTiming& timing,
                 ServerId expected);
  ~FramedExchange() override;

  // One of the two, once. `take_grpc` gets the socket, with all that came on it, when the peer speaks
  // gRPC; this ends then.
  void Dial(const base::HostPort& address);
  void Accept(std::unique_ptr<base::Connection> connection, std::function<void(int)> take_grpc);

  void Close() override { Cancel(); }
  void Tick(absl::Duration now) override;
  bool PeerSpeaksOtherwise() const override { return other_protocol_; }

 private:
  void StartRead(v1::PeerBatch& batch) override;
  void StartWrite(const v1::PeerBatch& batch) override;
  void StartFinish(const absl::Status& reason) override;
  void Cancel() override;
  void OnWriteFailed() override {}  // the reason that the peer gave may still be read

  std::shared_ptr<FramedExchange> Self() {
    return std::static_pointer_cast<FramedExchange>(shared_from_this());
  }
  void OnConnected(absl::StatusOr<std::unique_ptr<base::Connection>> connection);
  void OnFirstByte(absl::StatusOr<char> first, const std::function<void(int)>& take_grpc);
  void ReadOn();
  void OnRead(absl::StatusOr<std::string_view> bytes);
  // Gives the reader the next batch that has come whole, and those after it while it wants them.
  void HandOut();
  void HandOutBatch(std::string_view payload);
  void OnBadBytes(const absl::Status& why);
  void EndReading(const absl::Status& reason);
  void TellAndFinish(const absl::Status& reason);
  // Reads, for nothing, until the peer has closed, lest our closing takes back what it has not read.
  void ReadToEnd(const absl::Status& reason);

  base::EventLoop& loop_;
  const FramedTiming timing_;

  std::unique_ptr<base::Connecting> connecting_;
  std::unique_ptr<base::Connection> connection_;
  RecordDecoder decoder_;
  v1::PeerBatch* batch_ = nullptr;  // to be filled
  bool handing_out_ = false;
  bool other_protocol_ = false;
  bool preamble_sent_ = false;
  absl::Status status_;  // why it ended, when it is known

  bool heard_ = false;  // since the last tick
  bool sent_ = false;
  absl::Duration ticked_at_ = absl::InfiniteDuration();  // not yet
  absl::Duration silent_ = absl::ZeroDuration();
  absl::Duration idle_ = absl::ZeroDuration();
};

}  // namespace bellwether::coord
