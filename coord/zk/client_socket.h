#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/net/tcp.h"
#include "coord/zk/byte_protocol.h"

namespace bellwether::coord::zk {

// How long a client's socket may be in a state that is to pass.
struct SocketTimeouts {
  // From connecting to the last byte of the handshake, or of a word.
  absl::Duration handshake = absl::Seconds(10);
  // Of what is sent to a client that does not read it.
  absl::Duration stall = absl::Minutes(2);
  // Of a client, to close its side after everything was sent.
  absl::Duration linger = absl::Seconds(2);
};

// One client's socket: tells four-letter words from handshakes, moves bytes between the socket and the
// protocol, and closes in an order in which nothing that was sent is lost. Knows no bytes of the
// protocol but the length of the handshake.
// Owned by its Host and by what is under way. Lives on one executor, that of its connection.
// Limits: reads only when the protocol wants input; takes output when the socket has taken what came
// before. The Host looks after the deadlines.
class ClientSocket : public std::enable_shared_from_this<ClientSocket> {
 public:
  // Whose sockets these are. All on the executor.
  class Host {
   public:
    virtual ~Host() = default;
    virtual std::shared_ptr<ByteProtocol> MakeProtocol(const ClientAddress& address,
                                                       std::function<void()> wake) = 0;
    // Gives `done` the answer to a four-letter word, later on the executor.
    virtual void AskWord(std::string_view word, std::function<void(std::string)> done) = 0;
    // Forget it.
    virtual void OnClosed(ClientSocket& socket) = 0;
  };

  enum class Overdue { kNothing, kHandshake, kOutput, kEnd };

  // `number` is the Host's.
  ClientSocket(uint64_t number, std::unique_ptr<base::Connection> connection, ClientAddress address,
               Host& host, base::Executor& executor, base::Clock& clock);
  ~ClientSocket();

  void Start() { Read(); }
  // Which deadline has passed; whoever asks closes it then.
  Overdue CheckDeadlines(const SocketTimeouts& timeouts) const;
  void Close();

  uint64_t number() const { return number_; }
  const ClientAddress& address() const { return address_; }
  // Has asked for nothing yet: nobody but the client, or a deadline, would end it.
  bool is_idle() const { return phase_ == Phase::kFirstBytes || phase_ == Phase::kHandshake; }
  // All was said, the client is to go.
  bool is_lingering() const { return phase_ == Phase::kLingering; }
  ConnectionInfo Info() const;
  void ResetFigures();

 private:
  enum class Phase {
    kFirstBytes,  // fewer than tell a word from a length
    kHandshake,   // the rest of it is to come
    kOpen,
    kWord,        // its answer is being found or sent
    kLingering,   // everything was sent; what still comes is dropped
    kClosed,
  };

  void Read();
  void OnRead(const absl::StatusOr<std::string_view>& bytes);
  void OnEnd();
  void OnFirstBytes(std::string_view bytes);
  void OnProtocolBytes(std::string_view bytes);
  void OnWake();
  void Pump();
  void Write(std::string bytes);
  void OnWritten(const absl::Status& status);
  void OnAnswer(std::string text);
  void FinishOutput();
  void DropProtocol();

  const uint64_t number_;
  const ClientAddress address_;
  Host& host_;
  base::Executor& executor_;
  base::Clock& clock_;
  const absl::Time established_;
  std::unique_ptr<base::Connection> connection_;  // null when closed
  std::shared_ptr<ByteProtocol> protocol_;        // shared with what of it is under way

  Phase phase_ = Phase::kFirstBytes;
  absl::Duration since_;        // kFirstBytes to kHandshake, kWord, kLingering: its begin
  std::string first_;           // bytes of kFirstBytes
  size_t handshake_bytes_ = 0;  // still to come
  bool reading_ = false;
  bool ended_ = false;          // the client sends no more
  bool writing_ = false;
  absl::Duration writing_since_;
  bool woken_ = false;          // a Pump is posted
};

}  // namespace bellwether::coord::zk
