#include "base/net/tcp.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "base/rendezvous.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::base {
namespace {

using ::testing::HasSubstr;

using Connected = absl::StatusOr<std::unique_ptr<Connection>>;
using Text = absl::StatusOr<std::string>;

// Runs `what` on the loop and waits for it.
template <typename What>
void RunOn(EventLoop& loop, What what) {
  const auto done = Rendezvous<bool>::Make();
  loop.Post([&what, done] {
    what();
    done->Set(true);
  });
  done->Wait();
}

// A loop, a listener on it, and a connection to that.
class TcpTest : public ::testing::Test {
 protected:
  TcpTest() {
    auto listening = Listener::Open(
        HostPort{.host = "127.0.0.1", .port = 0}, std::vector<EventLoop*>{&loop_}, 10, refused_,
        [this](EventLoop&, std::unique_ptr<Connection> connection) {
          accepted_connection_ = std::move(connection);
          accepted_->Set(true);
        });
    EXPECT_TRUE(listening.ok()) << listening.status();
    listener_ = *std::move(listening);
  }
  ~TcpTest() override {
    listener_->Stop();
    RunOn(loop_, [this] {
      connecting_.reset();
      made_.reset();
      accepted_connection_.reset();
    });
  }

  absl::Status ConnectTo(const HostPort& address) {
    const auto connected = Rendezvous<absl::Status>::Make();
    loop_.Post([this, address, connected] {
      connecting_ = Connect(loop_, address, absl::Seconds(20), [this, connected](Connected result) {
        if (result.ok()) made_ = *std::move(result);
        connected->Set(result.status());
      });
    });
    return connected->Wait();
  }
  void ConnectBoth() {
    ASSERT_TRUE(ConnectTo(listener_->address()).ok());
    accepted_->Wait();
  }
  void Say(std::string bytes) {
    const auto written = Rendezvous<absl::Status>::Make();
    loop_.Post([&] {
      made_->Write(std::move(bytes), [written](absl::Status status) { written->Set(status); });
    });
    EXPECT_TRUE(written->Wait().ok());
  }
  Text Read() {
    const auto read = Rendezvous<Text>::Make();
    loop_.Post([this, read] {
      accepted_connection_->Read([read](absl::StatusOr<std::string_view> bytes) {
        read->Set(bytes.ok() ? Text(std::string(*bytes)) : Text(bytes.status()));
      });
    });
    return read->Wait();
  }

  EventLoop loop_{"test"};
  Counter refused_;
  const std::shared_ptr<Rendezvous<bool>> accepted_ = Rendezvous<bool>::Make();
  std::unique_ptr<Connection> accepted_connection_;
  std::unique_ptr<Connection> made_;
  std::unique_ptr<Connecting> connecting_;
  std::unique_ptr<Listener> listener_;
};

TEST_F(TcpTest, ConnectsAndCarriesBytes) {
  ConnectBoth();
  Say("hello");
  EXPECT_EQ(*Read(), "hello");
  EXPECT_EQ(made_->remote(), listener_->address().ToString());
}

TEST_F(TcpTest, LooksHostsUp) {
  EXPECT_TRUE(ConnectTo({.host = "localhost", .port = listener_->address().port}).ok());
}

TEST_F(TcpTest, WhereNobodyListensIsAnErrorThatNamesTheAddress) {
  const HostPort address = listener_->address();
  listener_->Stop();
  RunOn(loop_, [] {});  // it is closed then
  const absl::Status status = ConnectTo(address);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(address.ToString()));
}

TEST_F(TcpTest, AnAttemptThatIsDestroyedTellsNothing) {
  bool told = false;
  RunOn(loop_, [&] {
    connecting_ = Connect(loop_, listener_->address(), absl::Seconds(20), [&](auto) { told = true; });
    connecting_.reset();
  });
  ASSERT_TRUE(ConnectTo(listener_->address()).ok());  // comes later
  EXPECT_FALSE(told);
}

// A socket that listens and accepts nobody, with no room for one more to wait.
class Deaf {
 public:
  Deaf() {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address_);
    EXPECT_EQ(bind(sockets_[0], reinterpret_cast<sockaddr*>(&address_), length), 0);
    EXPECT_EQ(listen(sockets_[0], 0), 0);
    EXPECT_EQ(getsockname(sockets_[0], reinterpret_cast<sockaddr*>(&address_), &length), 0);
    for (size_t i = 1; i < std::size(sockets_); ++i) {
      (void)!connect(sockets_[i], reinterpret_cast<sockaddr*>(&address_), length);
    }
  }
  ~Deaf() {
    for (const int one : sockets_) close(one);
  }
  HostPort address() const { return {.host = "127.0.0.1", .port = ntohs(address_.sin_port)}; }

 private:
  static int Make() { return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); }

  const int sockets_[4] = {Make(), Make(), Make(), Make()};
  sockaddr_in address_{};
};

TEST_F(TcpTest, ATimeoutEndsAnAttempt) {
  const Deaf deaf;
  const auto ended = Rendezvous<std::string>::Make();
  RunOn(loop_, [&] {
    connecting_ = Connect(loop_, deaf.address(), absl::Milliseconds(10),
                          [ended](Connected result) { ended->Set(result.status().ToString()); });
  });
  const std::string told = ended->Wait();
  EXPECT_THAT(told, HasSubstr("DEADLINE_EXCEEDED"));
  EXPECT_THAT(told, HasSubstr(deaf.address().ToString()));
}

TEST_F(TcpTest, PeekTakesNothing) {
  ConnectBoth();
  Say("hello");
  const auto first = Rendezvous<absl::StatusOr<char>>::Make();
  loop_.Post([this, first] {
    accepted_connection_->Peek([first](absl::StatusOr<char> byte) { first->Set(byte); });
  });
  EXPECT_EQ(*first->Wait(), 'h');
  EXPECT_EQ(*Read(), "hello");
}

TEST_F(TcpTest, PeekTellsTheEnd) {
  ConnectBoth();
  RunOn(loop_, [this] { made_->Close(); });
  const auto first = Rendezvous<absl::StatusOr<char>>::Make();
  loop_.Post([this, first] {
    accepted_connection_->Peek([first](absl::StatusOr<char> byte) { first->Set(byte); });
  });
  EXPECT_TRUE(absl::IsOutOfRange(first->Wait().status()));
}

TEST_F(TcpTest, AReleasedSocketIsSomebodyElsesWithAllThatCame) {
  ConnectBoth();
  Say("hello");
  EXPECT_EQ(*Read(), "hello");
  Say("rest");
  int released = -1;
  RunOn(loop_, [&] {
    released = accepted_connection_->Release();
    accepted_connection_.reset();
  });
  ASSERT_GE(released, 0);
  EXPECT_TRUE(fcntl(released, F_GETFL) & O_NONBLOCK);
  char bytes[10];
  EXPECT_EQ(recv(released, bytes, sizeof(bytes), 0), 4);
  close(released);
}

TEST_F(TcpTest, ReadsGrowToWhatWasAllowed) {
  ConnectBoth();
  RunOn(loop_, [this] { accepted_connection_->SetReadMax(100 << 10); });
  const auto written = Rendezvous<absl::Status>::Make();
  loop_.Post([&] {
    made_->Write(std::string(2 << 20, 'x'), [written](absl::Status status) { written->Set(status); });
  });
  size_t sum = 0;
  size_t largest = 0;
  while (sum < (2 << 20)) {
    const Text bytes = Read();
    ASSERT_TRUE(bytes.ok());
    sum += bytes->size();
    largest = std::max(largest, bytes->size());
  }
  EXPECT_TRUE(written->Wait().ok());
  EXPECT_GT(largest, size_t{16384});
  EXPECT_LE(largest, size_t{100 << 10});
}

}  // namespace
}  // namespace bellwether::base
