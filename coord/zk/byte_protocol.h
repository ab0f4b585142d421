#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "coord/zk/statistics.h"

namespace bellwether::coord::zk {

// Where a client connects from.
struct ClientAddress {
  std::string ip;        // "127.0.0.1": its first identity (Z50)
  std::string endpoint;  // "127.0.0.1:40312": for logs and figures
};

// A client's protocol as the one who has its socket drives it: bytes in, bytes out. Belongs to one
// executor, on which all calls are made. It asks to be looked at again by the `wake` that it was
// made with; never from within a call, and not after OnDisconnect.
class ByteProtocol {
 public:
  virtual ~ByteProtocol() = default;

  // Takes bytes as they came, all of them.
  virtual void Receive(std::string_view bytes) = 0;
  // False: read no further until wake.
  virtual bool wants_input() const = 0;
  // Appends output of about `bytes_max` bytes, one frame at least if there is one. Less appended
  // than `bytes_max`: nothing more until the next wake.
  virtual void TakeOutput(std::string& out, size_t bytes_max) = 0;
  // Nothing follows what was taken: send that, then close the socket. Known after TakeOutput.
  virtual bool closed() const = 0;

  // The socket is gone; wakes no more.
  virtual void OnDisconnect() = 0;

  // For cons, stat and dump.
  virtual ConnectionInfo Info() const = 0;
  // As crst: the client's figures of traffic begin again.
  virtual void ResetFigures() = 0;
};

}  // namespace bellwether::coord::zk
