#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "coord/zk/protocol.h"
#include "tests/sim/client_network.h"
#include "tests/sim/zk_history.h"

namespace bellwether::sim {

// A TCP connection of a ZooKeeper client, and at the server the shipped protocol of it. Fault
// model: as ClientNetwork's streams; bytes come in the pieces in which they were written.
class ZkLink : public ClientStream {
 public:
  struct Piece {
    std::string bytes;
    // At the server, when it left.
    bool in_contact = true;
    absl::Duration contact_until;
  };
  // On the client's executor. `on_end`: the server ended it, or it broke; nothing follows.
  struct Callbacks {
    std::function<void(Piece)> on_piece;
    std::function<void()> on_end;
  };

  ZkLink(ClientNetwork& network, uint32_t client, uint32_t server, SimExecutor& executor,
         Callbacks callbacks)
      : ClientStream(network, client, server, executor), callbacks_(std::move(callbacks)) {}

  // `operation`: the request in it, which remembers how the server was when it read it; or null.
  void Send(std::string bytes, ZkOperation* operation);

 private:
  struct Unread {
    std::string bytes;
    ZkOperation* operation = nullptr;
  };

  absl::Status OpenAtServer(Process& process) override;
  void CloseAtServer() override;
  void DropServerHalf() override;
  void Flush() override;
  void TellEnd(absl::Status) override { callbacks_.on_end(); }

  // Both: false when there was nothing to do.
  bool Read();
  bool Write();

  const Callbacks callbacks_;
  std::shared_ptr<coord::zk::Protocol> protocol_;  // shared with its connection
  std::deque<Unread> unread_;
  size_t on_the_way_ = 0;  // pieces to the client
};

}  // namespace bellwether::sim
