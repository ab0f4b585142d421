#include "coord/zk/client_socket.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/sim_executor.h"

namespace bellwether::coord::zk {
namespace {

using testing::ElementsAre;

// A handshake of four bytes: a length and what it counts.
constexpr std::string_view kHandshake("\0\0\0\4abcd", 8);

// What the other side sees and does. A read or write stays outstanding until the test ends it.
struct Wire {
  absl::AnyInvocable<void(absl::StatusOr<std::string_view>)> read;
  absl::AnyInvocable<void(absl::Status)> written;
  std::vector<std::string> sent;  // one per write
  bool output_finished = false;
  bool closed = false;

  void Send(std::string_view bytes) { std::exchange(read, nullptr)(bytes); }
  void End() { std::exchange(read, nullptr)(absl::OutOfRangeError("end of stream")); }
  void TakeAll() { std::exchange(written, nullptr)(absl::OkStatus()); }
};

class FakeConnection : public base::Connection {
 public:
  explicit FakeConnection(Wire& wire) : wire_(wire) {}
  ~FakeConnection() override { wire_.closed = true; }

  void Read(absl::AnyInvocable<void(absl::StatusOr<std::string_view>)> done) override {
    EXPECT_FALSE(wire_.read) << "a second read";
    wire_.read = std::move(done);
  }
  void Write(std::string bytes, absl::AnyInvocable<void(absl::Status)> done) override {
    EXPECT_FALSE(wire_.written) << "a second write";
    wire_.sent.push_back(std::move(bytes));
    wire_.written = std::move(done);
  }
  void Peek(absl::AnyInvocable<void(absl::StatusOr<char>)>) override {}
  void SetReadMax(size_t) override {}
  int Release() override { return -1; }
  void SetDeadline(absl::Duration, absl::AnyInvocable<void()>) override {}
  void FinishOutput() override { wire_.output_finished = true; }
  void Close() override { wire_.closed = true; }
  const std::string& remote() const override { return remote_; }

 private:
  Wire& wire_;
  const std::string remote_ = "127.0.0.1:40312";
};

// Keeps what it receives; sends what the test gives it.
class FakeProtocol : public ByteProtocol {
 public:
  explicit FakeProtocol(std::function<void()> wake_up) : wake(std::move(wake_up)) {}

  void Receive(std::string_view bytes) override { received += bytes; }
  bool wants_input() const override { return wants; }
  void TakeOutput(std::string& out, size_t bytes_max) override {
    const size_t n = std::min(output.size(), bytes_max);
    out += output.substr(0, n);
    output.erase(0, n);
    closed_ = ends && output.empty();
  }
  bool closed() const override { return closed_; }
  void OnDisconnect() override { ++disconnects; }
  ConnectionInfo Info() const override { return {.session = SessionId(7)}; }
  void ResetFigures() override {}

  const std::function<void()> wake;
  std::string received;
  std::string output;
  bool wants = true;
  bool ends = false;
  int disconnects = 0;

 private:
  bool closed_ = false;
};

class ClientSocketTest : public testing::Test, public ClientSocket::Host {
 protected:
  ClientSocketTest() {
    socket_ = std::make_shared<ClientSocket>(1, std::make_unique<FakeConnection>(wire_),
                                             ClientAddress{"127.0.0.1", "127.0.0.1:40312"}, *this,
                                             executor_, clock_);
    socket_->Start();
  }

  std::shared_ptr<ByteProtocol> MakeProtocol(const ClientAddress&,
                                             std::function<void()> wake) override {
    protocol_ = std::make_shared<FakeProtocol>(std::move(wake));
    return protocol_;
  }
  void AskWord(std::string_view word, std::function<void(std::string)> done) override {
    word_ = word;
    answer_ = std::move(done);
  }
  void OnClosed(ClientSocket&) override { socket_.reset(); }

  void Run() { scheduler_.RunFor(absl::Milliseconds(1)); }
  ClientSocket::Overdue OverdueAfter(absl::Duration time) {
    scheduler_.RunFor(time);
    return socket_->CheckDeadlines({});
  }

  SimScheduler scheduler_{1};
  SimExecutor executor_{scheduler_};
  SimClock clock_{scheduler_};
  Wire wire_;
  std::shared_ptr<FakeProtocol> protocol_;  // shared with the socket
  std::string word_;
  std::function<void(std::string)> answer_;
  std::shared_ptr<ClientSocket> socket_;
};

TEST_F(ClientSocketTest, BytesGoBothWays) {
  wire_.Send(kHandshake.substr(0, 2));
  EXPECT_EQ(protocol_, nullptr);
  wire_.Send(kHandshake.substr(2));
  wire_.Send("more");
  EXPECT_EQ(protocol_->received, std::string(kHandshake) + "more");
  protocol_->output = "reply";
  protocol_->wake();
  Run();
  EXPECT_THAT(wire_.sent, ElementsAre("reply"));
}

TEST_F(ClientSocketTest, WhatIsReadyInOneTurnIsOneSend) {
  wire_.Send(kHandshake);
  for (const char* reply : {"a", "b", "c"}) {
    protocol_->output += reply;
    protocol_->wake();
  }
  Run();
  EXPECT_THAT(wire_.sent, ElementsAre("abc"));
}

TEST_F(ClientSocketTest, NothingIsTakenForAClientThatDoesNotRead) {
  wire_.Send(kHandshake);
  protocol_->output = std::string(1 << 20, 'x');
  protocol_->wake();
  Run();
  protocol_->wake();
  Run();
  ASSERT_EQ(wire_.sent.size(), 1u);
  EXPECT_LE(wire_.sent[0].size(), 64u << 10);
  wire_.TakeAll();
  EXPECT_EQ(wire_.sent.size(), 2u);
}

TEST_F(ClientSocketTest, NothingIsReadWhileTheProtocolDoesNotWantIt) {
  wire_.Send(kHandshake);
  protocol_->wants = false;
  wire_.Send("last");
  EXPECT_FALSE(wire_.read);
  protocol_->wants = true;
  protocol_->wake();
  Run();
  EXPECT_TRUE(wire_.read);
}

TEST_F(ClientSocketTest, EverythingIsSentBeforeItCloses) {
  wire_.Send(kHandshake);
  protocol_->output = "last words";
  protocol_->ends = true;
  protocol_->wake();
  Run();
  EXPECT_FALSE(wire_.output_finished);
  wire_.TakeAll();
  EXPECT_TRUE(wire_.output_finished);
  EXPECT_EQ(protocol_->disconnects, 1);
  wire_.Send("unread");
  EXPECT_EQ(protocol_->received, kHandshake);
  EXPECT_FALSE(wire_.closed);
  wire_.End();
  EXPECT_TRUE(wire_.closed);
  EXPECT_EQ(socket_, nullptr);
}

TEST_F(ClientSocketTest, AClientThatStaysIsClosedAfterAWhile) {
  wire_.Send(kHandshake);
  protocol_->ends = true;
  protocol_->wake();
  Run();
  EXPECT_TRUE(wire_.output_finished);
  EXPECT_EQ(OverdueAfter(absl::Seconds(1)), ClientSocket::Overdue::kNothing);
  EXPECT_EQ(OverdueAfter(absl::Seconds(2)), ClientSocket::Overdue::kEnd);
}

TEST_F(ClientSocketTest, AClientThatLeavesDisconnectsItsProtocol) {
  wire_.Send(kHandshake);
  wire_.End();
  EXPECT_EQ(protocol_->disconnects, 1);
  EXPECT_TRUE(wire_.closed);
  protocol_->wake();  // too late: nobody is there
  Run();
}

TEST_F(ClientSocketTest, AWordIsAnsweredThoughTheClientSendsNoMore) {  // Z56
  wire_.Send("ru");
  wire_.Send("ok\n");
  EXPECT_EQ(word_, "ruok");
  EXPECT_EQ(protocol_, nullptr);
  answer_("imok");
  EXPECT_THAT(wire_.sent, ElementsAre("imok"));
  wire_.TakeAll();
  EXPECT_TRUE(wire_.output_finished);
  wire_.End();
  EXPECT_TRUE(wire_.closed);
}

TEST_F(ClientSocketTest, AnAnswerThatComesTooLateIsDropped) {
  wire_.Send("ruok");
  socket_->Close();
  answer_("imok");
  EXPECT_TRUE(wire_.sent.empty());
}

TEST_F(ClientSocketTest, AHandshakeHasADeadlineAndASessionHasNone) {
  EXPECT_EQ(OverdueAfter(absl::Seconds(9)), ClientSocket::Overdue::kNothing);
  wire_.Send(kHandshake.substr(0, 7));
  EXPECT_EQ(OverdueAfter(absl::Seconds(2)), ClientSocket::Overdue::kHandshake);
  wire_.Send(kHandshake.substr(7));
  EXPECT_EQ(OverdueAfter(absl::Hours(1)), ClientSocket::Overdue::kNothing);
}

TEST_F(ClientSocketTest, OutputHasADeadline) {
  wire_.Send(kHandshake);
  protocol_->output = "x";
  protocol_->wake();
  EXPECT_EQ(OverdueAfter(absl::Minutes(1)), ClientSocket::Overdue::kNothing);
  EXPECT_EQ(OverdueAfter(absl::Minutes(2)), ClientSocket::Overdue::kOutput);
  wire_.TakeAll();
  EXPECT_EQ(OverdueAfter(absl::Hours(1)), ClientSocket::Overdue::kNothing);
}

TEST_F(ClientSocketTest, AWriteThatFailsClosesIt) {
  wire_.Send(kHandshake);
  protocol_->output = "x";
  protocol_->wake();
  Run();
  std::exchange(wire_.written, nullptr)(absl::UnavailableError("reset"));
  EXPECT_EQ(protocol_->disconnects, 1);
  EXPECT_TRUE(wire_.closed);
}

TEST_F(ClientSocketTest, ShowsItsAddressAndWhatItsProtocolSays) {
  EXPECT_EQ(socket_->Info().address, "127.0.0.1:40312");
  EXPECT_TRUE(socket_->is_idle());
  wire_.Send(kHandshake);
  EXPECT_EQ(socket_->Info().session, SessionId(7));
  EXPECT_FALSE(socket_->is_idle());
}

}  // namespace
}  // namespace bellwether::coord::zk
