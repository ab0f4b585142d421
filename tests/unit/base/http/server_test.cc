#include "base/http/server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace bellwether::base {
namespace {

class HttpServerTest : public testing::Test {
 protected:
  void Open() {
    auto server = HttpServer::Open(HostPort{.host = "127.0.0.1", .port = 0},
                                   AdminRoutes(metrics_, [this] { return checks_; }), metrics_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  int Connect() {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_->address().port);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }

  // Sends the bytes on a connection of its own; returns all that comes back.
  std::string Ask(const std::string& bytes) {
    const int fd = Connect();
    EXPECT_EQ(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    std::string answer;
    char buffer[4096];
    for (ssize_t n; (n = recv(fd, buffer, sizeof(buffer), 0)) > 0;) answer.append(buffer, n);
    close(fd);
    return answer;
  }

  Metrics metrics_;
  std::vector<HealthCheck> checks_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, ServesMetrics) {
  metrics_.AddCounter("bell_things_total", "Things.").Add(3);
  Open();
  const std::string answer = Ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_NE(answer.find("bell_things_total 3\n"), std::string::npos) << answer;
}

TEST_F(HttpServerTest, ReadyzGives503WithTheProblem) {
  checks_ = {{"disk", ""}, {"leader", "no leader is known"}};
  Open();
  const std::string answer = Ask("GET /readyz HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  EXPECT_NE(answer.find("[-] leader: no leader is known\n"), std::string::npos) << answer;
  EXPECT_EQ(answer.find("disk"), std::string::npos) << answer;
  EXPECT_NE(Ask("GET /readyz?verbose HTTP/1.1\r\n\r\n").find("[+] disk ok\n"), std::string::npos);
}

TEST_F(HttpServerTest, UnknownPathListsWhatThereIs) {
  Open();
  const std::string answer = Ask("GET /nothing HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 404 ")) << answer;
  EXPECT_NE(answer.find("/livez\n"), std::string::npos) << answer;
}

TEST_F(HttpServerTest, OtherProgramsBytesGetAnErrorAndHurtNobody) {
  Open();
  EXPECT_TRUE(Ask("SSH-2.0-x\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(Ask("POST / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
  EXPECT_TRUE(Ask(std::string(9000, 'x')).starts_with("HTTP/1.1 431 "));
  EXPECT_TRUE(Ask("GET /livez HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, ClosesAndCountsConnectionsBeyondItsBound) {
  Open();
  std::vector<int> idle;
  for (int i = 0; i < 64; ++i) idle.push_back(Connect());
  EXPECT_EQ(Ask("GET /livez HTTP/1.1\r\n\r\n"), "");
  EXPECT_EQ(metrics_.AddCounter("bell_http_connections_refused_total", "").value(), 1u);
  for (const int fd : idle) close(fd);
}

TEST_F(HttpServerTest, PortInUseIsNamed) {
  Open();
  const auto second = HttpServer::Open(server_->address(), {}, metrics_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(std::string(second.status().message()).find(server_->address().ToString()),
            std::string::npos);
}

}  // namespace
}  // namespace bellwether::base
