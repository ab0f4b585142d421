#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "client/coord_channel.h"
#include "tests/sim/server.h"
#include "tests/support/sim_executor.h"

namespace bellwether::sim {

class ClientStream;

// The network between clients and servers, gRPC and the kernels' TCP included. Fault model:
// - each direction of a stream delivers in order, whole frames, each after a latency of its own
// - Break ends the streams between a client and a server: what is on its way is lost, and each end
//   hears of it in its own time
// - a cut link carries nothing and tells nobody; what waits goes on when it is healed
// - a killed server's streams end, what it had sent before still arrives; a paused one lets
//   streams open and fill up
// - a server stops sending to a client that does not read
class ClientNetwork {
 public:
  // `process_of` gives a server's process, null while it is down.
  ClientNetwork(SimScheduler& scheduler, std::function<Process*(uint32_t)> process_of,
                uint32_t watch_window)
      : scheduler_(scheduler), process_of_(std::move(process_of)), watch_window_(watch_window) {}

  absl::Duration latency_first = absl::Microseconds(30);
  absl::Duration latency_last = absl::Microseconds(300);

  static std::string AddressOf(uint32_t server) { return "server" + std::to_string(server); }

  void Open(std::shared_ptr<ClientStream> stream);
  // Ends all streams of a client; false when it has none.
  bool Break(uint32_t client);
  void Cut(uint32_t client, uint32_t server) { cut_.insert({client, server}); }
  void Heal(uint32_t client, uint32_t server);
  void HealAll();
  // Before the process is destroyed.
  void ServerDown(uint32_t server);
  // Before the end of the world: nothing is on its way any more.
  void DropAll();

 private:
  friend class ClientStream;
  friend class SimConnector;
  using Edge = std::pair<uint32_t, uint32_t>;  // client, server

  bool IsCut(uint32_t client, uint32_t server) const { return cut_.contains({client, server}); }
  std::vector<std::shared_ptr<ClientStream>> Live();

  SimScheduler& scheduler_;
  const std::function<Process*(uint32_t)> process_of_;
  const uint32_t watch_window_;
  std::set<Edge> cut_;
  // Shared with their ends and with what is on its way; in the order of opening.
  std::vector<std::weak_ptr<ClientStream>> streams_;
};

// One client's way to the servers. Destroyed after the client and its watches.
class SimConnector : public client::CoordConnector {
 public:
  // `on_frame` hears of every frame of a session right after the client took it.
  SimConnector(ClientNetwork& network, uint32_t client, SimExecutor& executor,
               std::function<void()> on_frame)
      : network_(network), client_(client), executor_(executor), on_frame_(std::move(on_frame)) {}

  std::unique_ptr<client::SessionCall> OpenSession(
      const std::string& address,
      client::StreamCallbacks<coord::v1::SessionResponse> callbacks) override;
  std::unique_ptr<client::WatchCall> OpenWatch(
      const std::string& address, coord::v1::WatchRequest request,
      client::StreamCallbacks<coord::v1::WatchResponse> callbacks) override;
  void Status(const std::string& address, absl::Duration timeout,
              absl::AnyInvocable<void(absl::StatusOr<coord::v1::StatusResponse>)> callback)
      override;
  void Upgrade(const std::string&, coord::v1::UpgradeRequest, absl::Duration,
               absl::AnyInvocable<void(absl::StatusOr<coord::v1::UpgradeResponse>)> callback)
      override {
    callback(absl::UnimplementedError("clients do not upgrade the ensemble"));
  }
  void Membership(const std::string&, coord::v1::MembershipRequest, absl::Duration,
                  absl::AnyInvocable<void(absl::StatusOr<coord::v1::MembershipResponse>)> callback)
      override {
    callback(absl::UnimplementedError("clients do not change the ensemble"));
  }
  void Top(const std::string&, coord::v1::TopRequest, absl::Duration,
      absl::AnyInvocable<void(absl::StatusOr<coord::v1::TopResponse>)> callback) override {
    callback(absl::UnimplementedError("clients operate no servers"));
  }
  void Sessions(const std::string&, coord::v1::SessionsRequest, absl::Duration,
      absl::AnyInvocable<void(absl::StatusOr<coord::v1::SessionsResponse>)> callback) override {
    callback(absl::UnimplementedError("clients operate no servers"));
  }
  void EndSession(const std::string&, coord::v1::EndSessionRequest, absl::Duration,
      absl::AnyInvocable<void(absl::StatusOr<coord::v1::EndSessionResponse>)> callback) override {
    callback(absl::UnimplementedError("clients operate no servers"));
  }
  void SaveSnapshot(const std::string&, coord::v1::SaveSnapshotRequest, absl::Duration,
                    absl::AnyInvocable<void(absl::StatusOr<coord::v1::SaveSnapshotResponse>)>
                        callback) override {
    callback(absl::UnimplementedError("clients save no snapshots"));
  }

 private:
  static uint32_t ServerOf(const std::string& address);

  ClientNetwork& network_;
  const uint32_t client_;
  SimExecutor& executor_;
  const std::function<void()> on_frame_;
};

// One direction of a stream: tasks that run in order, each after a latency.
class Pipe : public std::enable_shared_from_this<Pipe> {
 public:
  Pipe(SimScheduler& scheduler, std::function<absl::Duration()> latency,
       std::function<bool()> is_cut)
      : scheduler_(scheduler), latency_(std::move(latency)), is_cut_(std::move(is_cut)) {}

  void Push(base::Task delivery);
  // What a cut held up goes on.
  void OnHeal();
  void Drop() { queue_.clear(); }
  size_t size() const { return queue_.size(); }

 private:
  void ScheduleOne();
  void OnDue();

  SimScheduler& scheduler_;
  const std::function<absl::Duration()> latency_;
  const std::function<bool()> is_cut_;
  absl::Duration last_due_;
  size_t held_ = 0;
  std::deque<base::Task> queue_;
};

// A stream between a client and a server: both ends and what is on its way. Shared by the client's
// call object, the server's sink and scheduled deliveries.
class ClientStream : public std::enable_shared_from_this<ClientStream> {
 public:
  ClientStream(ClientNetwork& network, uint32_t client, uint32_t server, SimExecutor& executor);
  virtual ~ClientStream() = default;

  uint32_t client() const { return client_; }
  uint32_t server() const { return server_; }

  void Open();
  // The client let go of it.
  void Cancel();
  void Break();
  void OnServerDown();
  void OnHeal();
  // What is on its way holds the stream that holds it.
  void DropAll();

 protected:
  // At the server, on its rpc executor.
  virtual absl::Status OpenAtServer(Process& process) = 0;
  virtual void CloseAtServer() = 0;
  virtual void DropServerHalf() = 0;
  // Moves frames to the client as long as there is room.
  virtual void Flush() = 0;
  // At the client, on its executor.
  virtual void TellEnd(absl::Status status) = 0;

  // Runs `task` at the server, on its executor, after a latency, if the stream stands there.
  void SendToServer(base::Task task);
  // Runs `task` on the client's executor, after a latency, if the client still has the stream.
  void SendToClient(base::Task task);
  // Likewise without a latency.
  void PostToClient(base::Task task);
  // The server has nothing more to say.
  void EndFromServer(absl::Status status);
  // On the server's executor.
  void PostFlush();
  bool at_server() const { return at_server_; }
  Process* process();

 private:
  ClientNetwork& network_;
  const uint32_t client_;
  const uint32_t server_;
  SimExecutor& executor_;
  const std::shared_ptr<Pipe> to_server_;  // shared with its scheduled deliveries
  const std::shared_ptr<Pipe> to_client_;  // likewise
  bool at_server_ = false;    // opened there and neither closed nor ended
  bool ended_ = false;        // the server's end was sent
  bool client_gone_ = false;  // the client let go, or was told the end
};

}  // namespace bellwether::sim
