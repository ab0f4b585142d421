#include "coord/peer/peer_transport.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/net/event_loop.h"
#include "bellwether/coord/v1/peer.grpc.pb.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/peer/ends.h"

namespace bellwether::coord {
namespace {

using ::testing::HasSubstr;

// Server 1 of a release that knows one kind of stream only.
class OneStreamPeer : public v1::Peer::Service {
 public:
  OneStreamPeer() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~OneStreamPeer() override { server_->Shutdown(std::chrono::system_clock::time_point::min()); }

  grpc::Status Exchange(grpc::ServerContext*,
                        grpc::ServerReaderWriter<v1::PeerBatch, v1::PeerBatch>* stream) override {
    v1::PeerBatch batch;
    if (!stream->Read(&batch)) return grpc::Status::OK;
    batch.Clear();
    v1::Hello& hello = *batch.add_frames()->mutable_hello();
    hello.set_protocol_version(1);
    hello.set_server_id(1);
    hello.set_process_id(1);
    hello.set_formation(v1::FORMATION_STATE_EMPTY);
    stream->Write(batch);
    ++greetings_;
    while (stream->Read(&batch)) {
    }
    return grpc::Status::OK;
  }

  std::string address() const { return fmt::format("127.0.0.1:{}", port_); }
  int greetings() const { return greetings_; }

 private:
  std::atomic<int> greetings_ = 0;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST(PeerTransport, CarriesMessagesInOrderBothWays) {
  End one(1, ListOf("127.0.0.1:1"));
  End two(2, ListOf(one.address()));
  ASSERT_TRUE(one.recorder.WaitForEvents(1) && two.recorder.WaitForEvents(1));
  EXPECT_EQ(one.recorder.events().front(), "+2");
  EXPECT_EQ(two.recorder.events().front(), "+1");
  std::vector<std::string> expected;
  for (int i = 0; i < 1000; ++i) {
    expected.push_back("note " + std::to_string(i));
    one.SendNote(2, expected.back());
    two.SendNote(1, expected.back());
  }
  ASSERT_TRUE(one.recorder.WaitForNotes(1000) && two.recorder.WaitForNotes(1000));
  EXPECT_EQ(one.recorder.notes(), expected);
  EXPECT_EQ(two.recorder.notes(), expected);
}

TEST(PeerTransport, CarriesSnapshotsBothWays) {
  End one(1, ListOf("127.0.0.1:1"));
  End two(2, ListOf(one.address()));
  ASSERT_TRUE(one.recorder.WaitForEvents(1) && two.recorder.WaitForEvents(1));
  // Their connection may stand a moment later than the other, and what comes earlier is lost.
  uint64_t sent = 0;
  const auto send = [&](End& from, uint32_t to) {
    from.executor.Post([&from, to, id = ++sent] {
      SnapshotChunk chunk;
      chunk.id = id;
      chunk.found = true;
      chunk.data = std::string(1 << 20, 'x');
      from.transport->Send(ServerId(to), std::move(chunk));
    });
  };
  for (int i = 0; i < 200 && !one.recorder.WaitForChunks(1, absl::Milliseconds(50)); ++i) {
    send(two, 1);
  }
  for (int i = 0; i < 200 && !two.recorder.WaitForChunks(1, absl::Milliseconds(50)); ++i) {
    send(one, 2);
  }
  EXPECT_FALSE(one.recorder.chunks().empty());
  EXPECT_FALSE(two.recorder.chunks().empty());
  EXPECT_EQ(one.recorder.events(), (std::vector<std::string>{"+2"}));
}

TEST(PeerTransport, CarriesLargeMessages) {
  End one(1, ListOf("127.0.0.1:1"));
  End two(2, ListOf(one.address()));
  ASSERT_TRUE(two.recorder.WaitForEvents(1));
  for (int i = 0; i < 8; ++i) two.SendNote(1, std::string(5 << 20, 'a' + i));
  two.SendNote(1, "small");
  ASSERT_TRUE(one.recorder.WaitForNotes(9));
  EXPECT_EQ(one.recorder.notes()[7], std::string(5 << 20, 'h'));
  EXPECT_EQ(one.recorder.notes()[8], "small");
}

TEST(PeerTransport, ReconnectsWhenAPeerComesBack) {
  auto one = std::make_unique<End>(1, ListOf("127.0.0.1:1"));
  auto two = std::make_unique<End>(2, ListOf(one->address()));
  ASSERT_TRUE(one->recorder.WaitForEvents(1));
  two.reset();
  ASSERT_TRUE(one->recorder.WaitForEvents(2));
  EXPECT_EQ(one->recorder.events().back(), "-2");
  two = std::make_unique<End>(2, ListOf(one->address()), 77);
  ASSERT_TRUE(one->recorder.WaitForEvents(3));
  EXPECT_EQ(one->recorder.events().back(), "+2");
}

TEST(PeerTransport, TellsPeersWhenItsHelloChanges) {
  End one(1, ListOf("127.0.0.1:1"));
  End two(2, ListOf(one.address()));
  ASSERT_TRUE(one.recorder.WaitForEvents(1) && two.recorder.WaitForEvents(1));
  Hello hello;
  hello.server_id = ServerId(1);
  hello.process_id = 1;
  hello.folder = FolderState::kMember;
  one.executor.Post([&one, hello] { one.transport->UpdateHello(hello); });
  ASSERT_TRUE(two.recorder.WaitForEvents(2));
  EXPECT_EQ(two.recorder.events().back(), "hello 1");
}

TEST(PeerTransport, ServersComeAndGo) {
  End one(1, {{ServerId(1), "127.0.0.1:1"}});
  Hello member;
  member.server_id = ServerId(1);
  member.process_id = 1;
  member.folder = FolderState::kMember;
  one.executor.Post([&one, member] { one.transport->UpdateHello(member); });
  End two(2, ListOf(one.address()));
  ASSERT_TRUE(two.recorder.WaitForLastEvent("refused by 1"));
  one.executor.Post([&one] { one.transport->SetServers(ListOf("127.0.0.1:1")); });
  ASSERT_TRUE(one.recorder.WaitForLastEvent("+2"));
  ASSERT_TRUE(two.recorder.WaitForLastEvent("+1"));
  one.executor.Post([&one] { one.transport->SetServers({{ServerId(1), "127.0.0.1:1"}}); });
  ASSERT_TRUE(two.recorder.WaitForLastEvent("refused by 1"));
  EXPECT_EQ(one.recorder.events(), std::vector<std::string>{"+2"}) << "nobody is told of the end";
}

// The lower id is not dialled by one that does not know it, so it asks.
TEST(PeerTransport, AServerThatNobodyDialsAsksWhetherItIsIn) {
  End one(1, ListOf("127.0.0.1:1"));  // in place of server 2 nobody listens
  const std::vector<PeerAddress> alone = {{ServerId(2), "127.0.0.1:1"}};
  End two(2, alone);
  Hello member;
  member.server_id = ServerId(2);
  member.process_id = 2;
  member.folder = FolderState::kMember;
  two.executor.Post([&two, member] { two.transport->UpdateHello(member); });
  const std::vector<PeerAddress> known = {{ServerId(1), "127.0.0.1:1"},
                                          {ServerId(2), two.address()}};
  one.executor.Post([&one, known] { one.transport->SetServers(known); });
  EXPECT_TRUE(one.recorder.WaitForLastEvent("refused by 2"));
}

TEST(PeerTransport, RefusesASecondProcessWithTheIdOfAConnectedOne) {
  End one(1, ListOf("127.0.0.1:1"));
  End two(2, ListOf(one.address()));
  ASSERT_TRUE(one.recorder.WaitForEvents(1) && two.recorder.WaitForEvents(1));
  {
    End impostor(2, ListOf(one.address()), 99);
    impostor.SendNote(1, "from the impostor");
    two.SendNote(1, "first");
    ASSERT_TRUE(one.recorder.WaitForNotes(1));
    EXPECT_TRUE(impostor.recorder.events().empty());
  }
  two.SendNote(1, "second");
  ASSERT_TRUE(one.recorder.WaitForNotes(2));
  EXPECT_EQ(one.recorder.notes(), (std::vector<std::string>{"first", "second"}));
  EXPECT_EQ(one.recorder.events().size(), 1u);
}

TEST(PeerTransport, APeerThatKnowsNoStreamForSnapshotsIsAPeerAllTheSame) {
  OneStreamPeer one;
  {
    End two(2, ListOf(one.address()));
    ASSERT_TRUE(two.recorder.WaitForEvents(1));
    // The second stream was refused when it is dialled anew.
    const absl::Duration deadline = base::SystemClock().Monotonic() + kPatience;
    while (one.greetings() < 3 && base::SystemClock().Monotonic() < deadline) {
      two.recorder.WaitForNotes(1, absl::Milliseconds(10));
    }
    EXPECT_GE(one.greetings(), 3);
    EXPECT_EQ(two.recorder.events(), std::vector<std::string>{"+1"});
  }  // which ends
}

TEST(PeerTransport, AnotherProgramsBytesDisturbNobody) {
  End one(1, ListOf("127.0.0.1:1"));
  for (std::string bytes : {std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
                            std::string(100000, '\0'), std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                                                   "\xff\xff\xff\xff\xff\xff\xff")}) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(one.transport->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    (void)!send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    close(fd);
  }
  End two(2, ListOf(one.address()));
  two.SendNote(1, "lost: not connected yet");
  ASSERT_TRUE(two.recorder.WaitForEvents(1));
  two.SendNote(1, "hello");
  ASSERT_TRUE(one.recorder.WaitForNotes(1));
  EXPECT_EQ(one.recorder.notes().back(), "hello");
}

TEST(PeerTransport, PortInUseIsAClearError) {
  End one(1, ListOf("127.0.0.1:1"));
  base::Metrics metrics;
  base::EventLoop executor("test");
  PeerTransportOptions options;
  options.id = ServerId(1);
  options.listen = one.address();
  auto second = PeerTransport::Listen(options, executor, base::SystemClock(), metrics);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(one.address()));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("--listen-peer"));
}

}  // namespace
}  // namespace bellwether::coord
