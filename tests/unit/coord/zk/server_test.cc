#include "coord/zk/server.h"

#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::coord::zk {
namespace {

using testing::HasSubstr;

// A handshake of four bytes: a length and what it counts.
const std::string kHandshake("\0\0\0\4abcd", 8);

// Sends back what it receives; ends itself when that has a '!'.
class EchoProtocol : public ByteProtocol {
 public:
  explicit EchoProtocol(std::shared_ptr<TrafficFigures> traffic) : traffic_(std::move(traffic)) {}

  void Receive(std::string_view bytes) override {
    traffic_.Received();
    output_ += bytes;
    ends_ = ends_ || bytes.find('!') != std::string_view::npos;
  }
  bool wants_input() const override { return !ends_; }
  void TakeOutput(std::string& out, size_t) override { out += std::exchange(output_, {}); }
  bool closed() const override { return ends_ && output_.empty(); }
  void OnDisconnect() override {}
  ConnectionInfo Info() const override { return {.traffic = traffic_.own()}; }
  void ResetFigures() override { traffic_.Reset(); }

 private:
  Traffic traffic_;
  std::string output_;
  bool ends_ = false;
};

// A client's socket, closed at the end.
class Client {
 public:
  explicit Client(const base::HostPort& server)
      : Client(server, socket(AF_INET, SOCK_STREAM, 0)) {}
  Client(const base::HostPort& server, int fd) : fd_(fd) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server.port);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { close(fd_); }

  void Send(const std::string& bytes) const {
    EXPECT_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // So many bytes, or fewer when the stream ends.
  std::string Receive(size_t count) const {
    std::string bytes(count, '\0');
    const ssize_t n = recv(fd_, bytes.data(), bytes.size(), MSG_WAITALL);
    bytes.resize(n < 0 ? 0 : static_cast<size_t>(n));
    return bytes;
  }
  std::string ReceiveAll() const { return Receive(1 << 20); }

 private:
  const int fd_;
};

class ServerTest : public testing::Test {
 protected:
  void Open(ServerOptions options = {}, size_t loops = 2) {
    options.listen = {.host = "127.0.0.1", .port = 0};
    Server::Dependencies deps{
        .loops = {},
        .clock = base::SystemClock(),
        .metrics = metrics_,
        .make_protocol = [](base::Executor&, const ClientAddress& address,
                            std::shared_ptr<TrafficFigures> traffic, const std::function<void()>&) {
          EXPECT_EQ(address.ip, "127.0.0.1");
          return std::make_shared<EchoProtocol>(std::move(traffic));
        },
        .report = [](std::string_view) {
          ServerReport report;
          report.serves = true;
          report.mode = "standalone";
          return report;
        }};
    for (size_t i = 0; i < loops; ++i) {
      loops_.push_back(std::make_unique<base::EventLoop>("loop"));
      deps.loops.push_back(loops_.back().get());
    }
    auto server = Server::Open(std::move(options), std::move(deps));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  std::string Ask(const std::string& word) {
    const Client client(server_->address());
    client.Send(word);
    return client.ReceiveAll();
  }

  uint64_t Refused(const char* limit) {
    return metrics_.AddCounter("bell_zk_connections_refused_total", "", limit).value();
  }

  base::Metrics metrics_;
  std::vector<std::unique_ptr<base::EventLoop>> loops_;  // outlive the server
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, ServesClientsOnAllLoops) {
  Open();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<Client>(server_->address()));
    clients.back()->Send(kHandshake);
  }
  for (const auto& client : clients) EXPECT_EQ(client->Receive(8), kHandshake);
}

TEST_F(ServerTest, LargeStreamsComeBackWhole) {
  Open();
  const Client client(server_->address());
  std::string expected = kHandshake;
  client.Send(kHandshake);
  for (int i = 0; i < 20; ++i) {
    const std::string part(10'000, static_cast<char>('a' + i));
    client.Send(part);
    expected += part;
  }
  EXPECT_EQ(client.Receive(expected.size()), expected);
}

TEST_F(ServerTest, SendsEverythingBeforeItCloses) {
  Open();
  const Client client(server_->address());
  client.Send(kHandshake + "bye!");
  EXPECT_EQ(client.ReceiveAll(), kHandshake + "bye!");
}

TEST_F(ServerTest, WordsCountTheClientsOfAllLoops) {
  Open({.words = *WordList::Parse("*")});
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<Client>(server_->address()));
    clients.back()->Send(kHandshake);
    clients.back()->Receive(8);
  }
  EXPECT_THAT(Ask("srvr"), HasSubstr("Received: 4\nSent: 0\nConnections: 5\n"));
  EXPECT_EQ(Ask("crst"), "Connection stats reset.\n");
  EXPECT_THAT(Ask("mntr\n"), HasSubstr("zk_packets_received\t4\n"));
  EXPECT_EQ(Ask("srst"), "Server stats reset.\n");
  EXPECT_THAT(Ask("srvr"), HasSubstr("Received: 0\n"));
}

TEST_F(ServerTest, WordsOffTheListAreRefused) {  // Z56
  Open();
  EXPECT_EQ(Ask("mntr"), NotOnTheList("mntr"));
  EXPECT_EQ(Ask("isro"), "rw");
}

TEST_F(ServerTest, ConnectionsOfOneAddressAreBounded) {
  Open({.connections_per_address_max = 2});
  auto first = std::make_unique<Client>(server_->address());
  const Client second(server_->address());
  first->Send(kHandshake);
  second.Send(kHandshake);
  first->Receive(8);
  second.Receive(8);
  EXPECT_EQ(Client(server_->address()).ReceiveAll(), "");
  EXPECT_EQ(Refused("limit=\"address\""), 1u);
  first.reset();
  std::string answer;  // as soon as the server has seen that it is gone
  while (answer.empty()) answer = Ask("isro");
  EXPECT_EQ(answer, "rw");
}

TEST_F(ServerTest, ConnectionsInAllAreBounded) {
  Open({.connections_max = 1, .connections_per_address_max = 0});
  const Client first(server_->address());
  first.Send(kHandshake);
  first.Receive(8);
  EXPECT_EQ(Client(server_->address()).ReceiveAll(), "");
  EXPECT_EQ(Refused("limit=\"all\""), 1u);
}

TEST_F(ServerTest, StopClosesWhatIsIdleAndThenTheRest) {
  Open();
  const Client idle(server_->address());
  const Client busy(server_->address());
  busy.Send(kHandshake);
  busy.Receive(8);
  server_->Stop(absl::Milliseconds(10));
  EXPECT_EQ(idle.ReceiveAll(), "");
  EXPECT_EQ(busy.ReceiveAll(), "");
  EXPECT_EQ(metrics_.AddGauge("bell_zk_connections", "").value(), 0);
  server_->Stop(absl::ZeroDuration());
}

TEST_F(ServerTest, MayBeDestroyedWithClientsAndAfterItsLoopsStopped) {
  Open();
  const Client client(server_->address());
  client.Send(kHandshake);
  client.Receive(8);
  for (const auto& loop : loops_) loop->Stop();
  server_.reset();
  loops_.clear();
  EXPECT_EQ(client.ReceiveAll(), "");
}

// Not under UBSan: it checks an object by a pipe, and takes one for damaged when there is none.
#ifndef __SANITIZE_ADDRESS__
TEST_F(ServerTest, GoesOnWhenThereAreDescriptorsAgain) {
  Open();
  rlimit usual{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &usual), 0);
  rlimit few = usual;
  few.rlim_cur = 64;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  std::vector<int> all;
  for (int other; (other = dup(fd)) >= 0;) all.push_back(other);
  const Client client(server_->address(), fd);
  client.Send(kHandshake);
  for (const int other : all) close(other);
  EXPECT_EQ(client.Receive(8), kHandshake);
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &usual), 0);
}
#endif

TEST_F(ServerTest, APortInUseIsNamed) {
  Open();
  Server::Dependencies deps{.loops = {loops_[0].get()},
                            .clock = base::SystemClock(),
                            .metrics = metrics_,
                            .make_protocol = nullptr,
                            .report = nullptr};
  const auto second = Server::Open({.listen = server_->address()}, std::move(deps));
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(server_->address().ToString()));
}

}  // namespace
}  // namespace bellwether::coord::zk
