// The transport against peers whose every byte is the test's, and against those of older releases.

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bellwether/coord/v1/peer.grpc.pb.h"
#include "coord/peer/convert.h"
#include "coord/peer/framing.h"
#include "coord/peer/peer_transport.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/peer/ends.h"

namespace bellwether::coord {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A Hello of server `id`, or another message, as it is sent.
v1::PeerBatch HelloBatch(uint32_t id, uint64_t process_id, bool for_snapshots = false) {
  Hello hello;
  hello.server_id = ServerId(id);
  hello.process_id = process_id;
  hello.servers = ListOf("127.0.0.1:1");
  hello.for_snapshots = for_snapshots;
  v1::PeerBatch batch;
  ToFrame(hello, *batch.add_frames());
  return batch;
}

v1::PeerBatch NoteBatch(const std::string& text) {
  v1::PeerBatch batch;
  ToFrame(Note{text}, *batch.add_frames());
  return batch;
}

std::string Sealed(RecordKind kind, const std::string& payload) {
  std::string out;
  const size_t begin = BeginRecord(out);
  out += payload;
  CloseRecord(out, begin, kind);
  return out;
}

std::string Sealed(const v1::PeerBatch& batch) {
  return Sealed(RecordKind::kBatch, batch.SerializeAsString());
}

// A connection to an end, on which the test says every byte.
class RawPeer {
 public:
  explicit RawPeer(const End& end) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(end.transport->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~RawPeer() { close(socket_); }

  void Say(const std::string& bytes) {
    EXPECT_EQ(send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  void Greet(uint32_t id, uint64_t process_id) {
    Say(std::string(kPreamble) + Sealed(HelloBatch(id, process_id)));
  }

  // The next record: "batch" of so many frames, or what the end says; "closed" when nothing comes.
  std::string Hear() {
    while (true) {
      const auto record = decoder_.Next();
      if (!record.ok()) return record.status().ToString();
      if (record->has_value()) {
        if ((*record)->kind == RecordKind::kEnd) {
          return DecodeEnd((*record)->payload).ToString();
        }
        v1::PeerBatch batch;
        EXPECT_TRUE(batch.ParseFromString(std::string((*record)->payload)));
        return fmt::format("batch of {}", batch.frames_size());
      }
      char bytes[4096];
      const ssize_t n = recv(socket_, bytes, sizeof(bytes), 0);
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return "nothing";
      if (n <= 0) return "closed";
      decoder_.Append(std::string_view(bytes, static_cast<size_t>(n)));
    }
  }

 private:
  const int socket_;
  RecordDecoder decoder_;
};

PeerTransportOptions WithTimes(absl::Duration keepalive, absl::Duration hello) {
  PeerTransportOptions options;
  options.listen = "127.0.0.1:0";
  options.keepalive_interval = keepalive;
  options.keepalive_timeout = keepalive;
  options.hello_timeout = hello;
  return options;
}

Hello MemberHello(uint32_t id) {
  Hello hello;
  hello.server_id = ServerId(id);
  hello.process_id = id;
  hello.folder = FolderState::kMember;
  return hello;
}

TEST(FramedStream, APeerGreetsAndSpeaks) {
  End one(1, ListOf("127.0.0.1:1"));
  RawPeer two(one);
  two.Greet(2, 7);
  EXPECT_EQ(two.Hear(), "batch of 1");
  two.Say(Sealed(NoteBatch("hello")));
  ASSERT_TRUE(one.recorder.WaitForNotes(1));
  EXPECT_THAT(one.recorder.events(), ElementsAre("+2"));
}

TEST(FramedStream, WhatIsWrongEndsItsStreamAndNothingElse) {
  End one(1, ListOf("127.0.0.1:1"));
  End two(2, ListOf(one.address()));
  ASSERT_TRUE(one.recorder.WaitForEvents(1) && two.recorder.WaitForEvents(1));
  std::string damaged = Sealed(NoteBatch("damaged"));
  damaged.back() ^= 1;
  const std::string too_long = std::string("\x01\0\0\0", 4) + std::string(5, '\1');
  for (const std::string& bytes :
       {damaged, too_long, Sealed(RecordKind::kBatch, "no batch"), Sealed(NoteBatch("no Hello")),
        Sealed(static_cast<RecordKind>(9), ""), std::string(1000, '\xff')}) {
    RawPeer raw(one);
    raw.Say(std::string(kPreamble) + bytes);
    EXPECT_THAT(raw.Hear(), HasSubstr("INVALID_ARGUMENT"));
    EXPECT_EQ(raw.Hear(), "closed");
  }
  RawPeer other(one);
  other.Say("BWPEER, but of another kind");
  EXPECT_EQ(other.Hear(), "closed");
  two.SendNote(1, "undisturbed");
  ASSERT_TRUE(one.recorder.WaitForNotes(1));
  EXPECT_THAT(one.recorder.notes(), ElementsAre("undisturbed"));
  EXPECT_THAT(one.recorder.events(), ElementsAre("+2"));
}

TEST(FramedStream, ALengthWithoutBytesIsWaitedForUntilTheHelloIsDue) {
  End one(1, ListOf("127.0.0.1:1"), 0, WithTimes(absl::Seconds(20), absl::Milliseconds(100)));
  RawPeer raw(one);
  raw.Say(std::string(kPreamble) + std::string("\0\x80\0\0" "\0\0\0\0" "\1", 9));
  EXPECT_EQ(raw.Hear(), "closed");
}

TEST(FramedStream, WhoSaysNothingAtAllIsClosed) {
  End one(1, ListOf("127.0.0.1:1"), 0, WithTimes(absl::Seconds(20), absl::Milliseconds(100)));
  RawPeer raw(one);
  EXPECT_EQ(raw.Hear(), "closed");
}

TEST(FramedStream, TheReasonsOfRefusalsReachThePeer) {
  End one(1, ListOf("127.0.0.1:1"));
  {
    RawPeer raw(one);  // while both form an ensemble it sees for itself
    raw.Greet(9, 9);
    EXPECT_EQ(raw.Hear(), "batch of 1");
    EXPECT_THAT(raw.Hear(), HasSubstr("FAILED_PRECONDITION"));
  }
  one.executor.Post([&one] { one.transport->UpdateHello(MemberHello(1)); });
  {
    RawPeer raw(one);
    raw.Greet(9, 9);
    EXPECT_THAT(raw.Hear(), HasSubstr("NOT_FOUND"));
    EXPECT_EQ(raw.Hear(), "closed");
  }
  RawPeer first(one);
  first.Greet(2, 7);
  EXPECT_EQ(first.Hear(), "batch of 1");
  RawPeer second(one);
  second.Greet(2, 8);
  EXPECT_THAT(second.Hear(), HasSubstr("ALREADY_EXISTS"));
}

TEST(FramedStream, NothingIsHeardAfterWhatWasWrong) {
  End one(1, ListOf("127.0.0.1:1"));
  RawPeer raw(one);
  std::string damaged = Sealed(NoteBatch("damaged"));
  damaged.back() ^= 1;
  raw.Say(std::string(kPreamble) + Sealed(HelloBatch(2, 7)) + Sealed(NoteBatch("before")) + damaged +
          Sealed(NoteBatch("after")));
  ASSERT_TRUE(one.recorder.WaitForEvents(2));
  RawPeer again(one);
  again.Greet(2, 7);
  again.Say(Sealed(NoteBatch("again")));
  ASSERT_TRUE(one.recorder.WaitForNotes(2));
  EXPECT_THAT(one.recorder.events(), ElementsAre("+2", "-2", "+2"));
  EXPECT_THAT(one.recorder.notes(), ElementsAre("before", "again"));
}

TEST(FramedStream, ANewStreamOfTheSameProcessReplacesTheOld) {
  End one(1, ListOf("127.0.0.1:1"));
  RawPeer first(one);
  first.Greet(2, 7);
  EXPECT_EQ(first.Hear(), "batch of 1");
  RawPeer second(one);
  second.Greet(2, 7);
  EXPECT_EQ(second.Hear(), "batch of 1");
  EXPECT_EQ(first.Hear(), "closed");
  second.Say(Sealed(NoteBatch("of the second")));
  ASSERT_TRUE(one.recorder.WaitForNotes(1));
  EXPECT_THAT(one.recorder.events(), ElementsAre("+2", "-2", "+2"));
}

TEST(FramedStream, TheEndOfAStreamIsItsLastWord) {
  End one(1, ListOf("127.0.0.1:1"));
  RawPeer raw(one);
  raw.Greet(2, 7);
  raw.Say(Sealed(RecordKind::kEnd, EncodeEnd(absl::AbortedError("enough"))) +
          Sealed(NoteBatch("after")));
  ASSERT_TRUE(one.recorder.WaitForLastEvent("-2"));
  EXPECT_TRUE(one.recorder.notes().empty());
}

TEST(FramedStream, SaysThatItLivesAndGivesUpOnWhoIsSilent) {
  End one(1, ListOf("127.0.0.1:1"), 0, WithTimes(absl::Milliseconds(100), absl::Seconds(20)));
  RawPeer raw(one);
  raw.Greet(2, 7);
  EXPECT_EQ(raw.Hear(), "batch of 1");
  EXPECT_EQ(raw.Hear(), "batch of 0");
  std::string last;
  while ((last = raw.Hear()) == "batch of 0") {
  }
  EXPECT_EQ(last, "closed");
  EXPECT_TRUE(one.recorder.WaitForLastEvent("-2"));
}

// --- Older releases

// A stream that server 2 of an older release opens.
class OldDialler {
 public:
  OldDialler(const End& end, bool for_snapshots)
      : stub_(v1::Peer::NewStub(
            grpc::CreateChannel(end.address(), grpc::InsecureChannelCredentials()))),
        stream_(stub_->Exchange(&context_)) {
    EXPECT_TRUE(stream_->Write(HelloBatch(2, 7, for_snapshots)));
    v1::PeerBatch answer;
    EXPECT_TRUE(stream_->Read(&answer));
    EXPECT_TRUE(answer.frames_size() == 1 && answer.frames(0).hello().server_id() == 1);
  }
  ~OldDialler() {
    context_.TryCancel();
    (void)stream_->Finish();
  }

  void Say(const v1::PeerBatch& batch) { EXPECT_TRUE(stream_->Write(batch)); }
  std::string HearNote() {
    v1::PeerBatch batch;
    return stream_->Read(&batch) ? batch.frames(0).note().note() : "nothing";
  }

 private:
  grpc::ClientContext context_;
  const std::unique_ptr<v1::Peer::Stub> stub_;
  const std::unique_ptr<grpc::ClientReaderWriter<v1::PeerBatch, v1::PeerBatch>> stream_;
};

TEST(FramedStream, AnOlderReleaseDialsInItsOwnWay) {
  End one(1, ListOf("127.0.0.1:1"));
  auto old = std::make_unique<OldDialler>(one, false);
  OldDialler snapshots(one, true);
  old->Say(NoteBatch("from the old"));
  ASSERT_TRUE(one.recorder.WaitForNotes(1));
  one.SendNote(2, "from the new");
  EXPECT_EQ(old->HearNote(), "from the new");
  v1::PeerBatch chunk;
  ToFrame(SnapshotChunk{.id = 5, .data = std::string(1 << 20, 'x')}, *chunk.add_frames());
  snapshots.Say(chunk);
  ASSERT_TRUE(one.recorder.WaitForChunks(1, kPatience));
  old.reset();
  ASSERT_TRUE(one.recorder.WaitForLastEvent("-2"));
  // It was upgraded meanwhile.
  RawPeer upgraded(one);
  upgraded.Greet(2, 7);
  ASSERT_TRUE(one.recorder.WaitForLastEvent("+2"));
}

TEST(FramedStream, AnOlderReleaseIsToldWhyItIsRefused) {
  End one(1, ListOf("127.0.0.1:1"));
  RawPeer two(one);
  two.Greet(2, 7);
  EXPECT_EQ(two.Hear(), "batch of 1");
  const auto stub = v1::Peer::NewStub(
      grpc::CreateChannel(one.address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  const auto stream = stub->Exchange(&context);
  EXPECT_TRUE(stream->Write(HelloBatch(2, 8)));
  v1::PeerBatch answer;
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::ALREADY_EXISTS);
}

// Server 1 of an older release, which sends back what it gets.
class OldListener : public v1::Peer::Service {
 public:
  OldListener() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~OldListener() override {
    server_->Shutdown(std::chrono::system_clock::time_point());  // without waiting for streams
  }

  grpc::Status Exchange(grpc::ServerContext*,
                        grpc::ServerReaderWriter<v1::PeerBatch, v1::PeerBatch>* stream) override {
    v1::PeerBatch batch;
    if (!stream->Read(&batch)) return grpc::Status::OK;
    const bool for_snapshots = batch.frames(0).hello().for_snapshots();
    stream->Write(HelloBatch(1, 1, for_snapshots));
    while (stream->Read(&batch)) stream->Write(batch);
    return grpc::Status::OK;
  }
  std::string address() const { return fmt::format("127.0.0.1:{}", port_); }

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST(FramedStream, AnOlderReleaseIsDialledInItsOwnWayUntilItIsUpgraded) {
  auto old = std::make_unique<OldListener>();
  const std::string address = old->address();
  End two(2, ListOf(address));
  ASSERT_TRUE(two.recorder.WaitForEvents(1));
  two.SendNote(1, "there and back");
  ASSERT_TRUE(two.recorder.WaitForNotes(1));
  EXPECT_THAT(two.recorder.notes(), ElementsAre("there and back"));
  old.reset();
  ASSERT_TRUE(two.recorder.WaitForLastEvent("-1"));
  PeerTransportOptions at_the_same_place;
  at_the_same_place.listen = address;
  End one(1, ListOf("127.0.0.1:1"), 0, at_the_same_place);
  ASSERT_TRUE(two.recorder.WaitForLastEvent("+1"));
  EXPECT_TRUE(one.recorder.WaitForLastEvent("+2"));
}

TEST(FramedStream, AnOlderReleaseThatRefusesIsHeard) {
  // In the words of server 1, which does not know server 2.
  class Refusing : public v1::Peer::Service {
   public:
    grpc::Status Exchange(
        grpc::ServerContext*,
        grpc::ServerReaderWriter<v1::PeerBatch, v1::PeerBatch>* stream) override {
      v1::PeerBatch hello;
      stream->Read(&hello);
      return {grpc::StatusCode::NOT_FOUND, "not in the ensemble"};
    }
  } service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  End two(2, ListOf(fmt::format("127.0.0.1:{}", port)));
  EXPECT_TRUE(two.recorder.WaitForLastEvent("refused by 1"));
}

}  // namespace
}  // namespace bellwether::coord
