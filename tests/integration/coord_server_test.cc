#include "coord/coord_server.h"

#include <array>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/data_dir.h"
#include "base/net/tcp.h"
#include "base/random.h"
#include "bellwether/coord/v1/coord.grpc.pb.h"
#include "client/coord.h"
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "tests/support/scratch_folder.h"

namespace bellwether::coord {
namespace {

using testing::Each;
using testing::ElementsAre;

constexpr absl::Duration kLimit = absl::Seconds(20);

// A free port, as far as one can know before using it.
uint16_t FreePort() {
  base::Counter refused;
  auto listener = base::Listener::Open({"127.0.0.1", 0}, "probe", 1, refused, [](auto) {});
  CHECK(listener.ok());
  return (*listener)->address().port;
}

// A client that asks for a snapshot and does not take the answer, until it is destroyed.
class SaveNotTaken
    : public grpc::ClientBidiReactor<v1::SaveSnapshotRequest, v1::SaveSnapshotResponse> {
 public:
  explicit SaveNotTaken(const std::shared_ptr<grpc::Channel>& channel) : stub_(channel) {
    // As a stream, since a unary call would make room for the whole answer.
    stub_.PrepareBidiStreamingCall(&context_, "/bellwether.coord.v1.Coord/SaveSnapshot",
                                   grpc::StubOptions(), this);
    StartWriteLast(&request_, grpc::WriteOptions());
    StartCall();
  }
  ~SaveNotTaken() override {
    context_.TryCancel();
    base::MutexLock lock(mutex_);
    while (!done_) changed_.Wait(mutex_);
  }

  void OnDone(const grpc::Status&) override {
    base::MutexLock lock(mutex_);
    done_ = true;
    changed_.SignalAll();
  }

 private:
  grpc::TemplatedGenericStub<v1::SaveSnapshotRequest, v1::SaveSnapshotResponse> stub_;
  grpc::ClientContext context_;
  const v1::SaveSnapshotRequest request_;
  base::Mutex mutex_;
  base::CondVar changed_;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
};

// Whole servers, with real disks and sockets, in this process.
class CoordServerTest : public testing::Test {
 protected:
  // Servers 1 to n. Peers' ports must be known beforehand.
  void Configure(uint32_t servers) {
    options_.clear();
    std::vector<PeerAddress> peers;
    for (uint32_t id = 1; servers > 1 && id <= servers; ++id) {
      peers.push_back({ServerId(id), base::HostPort{"127.0.0.1", FreePort()}.ToString()});
    }
    for (uint32_t id = 1; id <= servers; ++id) {
      CoordServerOptions& options = options_[id];
      options.id = id;
      options.data_dir = folder_ / fmt::format("{}-{}", ++last_folder_, id);
      options.peers = peers;
      options.listen = {"127.0.0.1", FreePort()};
      if (!peers.empty()) options.listen_peer = *base::ParseHostPort(peers[id - 1].address);
      options.election_timeout = absl::Milliseconds(300);
      options.watch_ring_changes = 1'000;
      options.connections_max = 1'000;
    }
  }

  void Start(uint32_t id) {
    const absl::Status status = TryStart(id);
    ASSERT_TRUE(status.ok()) << status;
  }
  // Servers 1 to n; with other ports when somebody was quicker to take one.
  void ConfigureAndStart(uint32_t servers) {
    absl::Status status;
    for (int attempt = 0; attempt < 5; ++attempt) {
      Configure(servers);
      status = absl::OkStatus();
      for (uint32_t id = 1; id <= servers && status.ok(); ++id) status = TryStart(id);
      if (status.ok()) return;
      servers_.clear();
    }
    FAIL() << status;
  }
  void Stop(uint32_t id) { servers_.erase(id); }

  std::string AddressOf(uint32_t id) const { return options_.at(id).listen.ToString(); }

  std::unique_ptr<client::Coord> Connect(std::vector<uint32_t> ids) {
    client::CoordOptions options;
    for (uint32_t id : ids) options.addresses.push_back(AddressOf(id));
    options.session_timeout = absl::Seconds(30);
    options.request_timeout = kLimit;
    options.seed = base::SystemRandom();
    auto coord = client::Coord::Connect(options);
    EXPECT_TRUE(coord.ok()) << coord.status();
    return coord.ok() ? *std::move(coord) : nullptr;
  }

  std::optional<client::ServerStatus> StatusOf(client::Coord& coord, uint32_t id) {
    struct Waiting {
      base::Mutex mutex;
      base::CondVar answered;
      bool done ABSL_GUARDED_BY(mutex) = false;
      std::optional<client::ServerStatus> status ABSL_GUARDED_BY(mutex);
    };
    // Shared with the callback, which may come after this call has given up.
    auto waiting = std::make_shared<Waiting>();
    coord.Run([&](client::CoordClient& client) {
      client.Status(AddressOf(id), kLimit, [waiting](absl::StatusOr<client::ServerStatus> status) {
        base::MutexLock lock(waiting->mutex);
        if (status.ok()) waiting->status = *std::move(status);
        waiting->done = true;
        waiting->answered.Signal();
      });
    });
    base::MutexLock lock(waiting->mutex);
    while (!waiting->done) waiting->answered.Wait(waiting->mutex);
    return waiting->status;
  }

  // Asks again until the answer is right.
  static bool Eventually(const std::function<bool()>& condition) {
    base::Mutex mutex;
    base::CondVar never;
    const absl::Duration deadline = base::SystemClock().Monotonic() + kLimit;
    while (!condition()) {
      if (base::SystemClock().Monotonic() > deadline) return false;
      base::MutexLock lock(mutex);
      never.WaitFor(mutex, absl::Milliseconds(10));
    }
    return true;
  }

  absl::Status TryStart(uint32_t id) {
    auto server = CoordServer::Start(options_.at(id), [](absl::Status status) {
      ADD_FAILURE() << "fatal: " << status;
    });
    if (server.ok()) servers_[id] = *std::move(server);
    return server.status();
  }

  // Of a server that is stopped.
  base::Uuid FolderId(uint32_t id) {
    const auto folder = base::DataDir::Open(options_.at(id).data_dir, "coord", id);
    EXPECT_TRUE(folder.ok()) << folder.status();
    return folder.ok() ? (*folder)->identity().folder_id : base::Uuid();
  }

  // Server 3 of three, just started, gets its vote back, and what it has is what the others have.
  void ExpectThirdVotesAgain(client::Coord& coord) {
    ASSERT_TRUE(Eventually([&] {
      const auto status = StatusOf(coord, 3);
      return status.has_value() && status->role == client::ServerRole::kFollower && status->ready;
    }));
    Stop(1);
    EXPECT_TRUE(Eventually([&] { return coord.Set("/a", "with the third").ok(); }));
    Start(1);
    ASSERT_TRUE(Eventually([&] {
      const auto third = StatusOf(coord, 3);
      const auto second = StatusOf(coord, 2);
      return third.has_value() && second.has_value() && third->zxid == second->zxid &&
             third->digest == second->digest;
    }));
  }

  ScratchFolder folder_;
  int last_folder_ = 0;
  std::map<uint32_t, CoordServerOptions> options_;
  std::map<uint32_t, std::unique_ptr<CoordServer>> servers_;
};

TEST_F(CoordServerTest, ASingleServerServesAndRemembers) {
  ConfigureAndStart(1);
  {
    auto coord = Connect({1});
    ASSERT_NE(coord, nullptr);
    ASSERT_TRUE(coord->Create("/a", "1").ok());
    ASSERT_TRUE(coord->Create("/a/b", std::nullopt).ok());
    ASSERT_TRUE(coord->Create("/gone", "", client::CreateMode::kEphemeral).ok());
    ASSERT_TRUE(coord->Set("/a", "2", 0).ok());
    EXPECT_EQ(coord->Set("/a", "3", 0).status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(coord->Get("/x").status().code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(coord->List("/", true)->names, ElementsAre("/", "/a", "/a/b", "/gone"));
    EXPECT_TRUE(coord->CloseSession().ok());
  }
  Stop(1);
  Start(1);
  auto coord = Connect({1});
  ASSERT_NE(coord, nullptr);
  const auto read = coord->Get("/a");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->data, "2");
  EXPECT_EQ(read->stat.version, 1);
  EXPECT_THAT(coord->List("/", true)->names, ElementsAre("/", "/a", "/a/b"));
}

TEST_F(CoordServerTest, ASessionOutlivesItsServersRestart) {
  ConfigureAndStart(1);
  auto coord = Connect({1});
  ASSERT_NE(coord, nullptr);
  ASSERT_TRUE(coord->Create("/mine", "1", client::CreateMode::kEphemeral).ok());
  const client::SessionId session = coord->session().id;
  Stop(1);
  Start(1);
  const auto read = coord->Get("/mine");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->stat.ephemeral_owner, session);
  EXPECT_EQ(coord->session().id, session);
}

TEST_F(CoordServerTest, AWatchGoesOnAcrossARestart) {
  ConfigureAndStart(1);
  auto coord = Connect({1});
  ASSERT_NE(coord, nullptr);
  client::WatchOptions recursive;
  recursive.recursive = true;
  auto watch = coord->Watch("/w", recursive);
  ASSERT_TRUE(watch->Next(kLimit).ok());
  ASSERT_TRUE(coord->Create("/w", "1").ok());
  Stop(1);
  Start(1);
  ASSERT_TRUE(coord->Set("/w", "2").ok());
  std::vector<std::string> values;
  while (values.size() < 2) {
    const auto batch = watch->Next(kLimit);
    ASSERT_TRUE(batch.ok()) << batch.status();
    for (const client::WatchChange& change : batch->changes) values.push_back(*change.data);
  }
  EXPECT_THAT(values, ElementsAre("1", "2"));
}

TEST_F(CoordServerTest, EveryServerOfAnEnsembleServesReadsAndWrites) {
  ConfigureAndStart(3);
  for (uint32_t id = 1; id <= 3; ++id) {
    auto coord = Connect({id});
    ASSERT_NE(coord, nullptr);
    const std::string path = "/from" + std::to_string(id);
    ASSERT_TRUE(coord->Create(path, "x").ok());
    auto other = Connect({1 + id % 3});
    ASSERT_NE(other, nullptr);
    EXPECT_TRUE(other->Get(path).ok()) << "a linearizable read at another server";
  }
  auto coord = Connect({1});
  ASSERT_NE(coord, nullptr);
  EXPECT_TRUE(Eventually([&] {
    std::array<std::optional<client::ServerStatus>, 3> status;
    for (uint32_t id = 1; id <= 3; ++id) status[id - 1] = StatusOf(*coord, id);
    for (const auto& one : status) {
      if (!one.has_value() || !one->ready) return false;
      if (one->applied_index != status[0]->applied_index) return false;
      EXPECT_EQ(one->digest, status[0]->digest);
      EXPECT_EQ(one->ensemble_id, status[0]->ensemble_id);
    }
    return true;
  }));
}

TEST_F(CoordServerTest, ASessionMovesWhenItsServerOrTheLeaderIsGone) {
  ConfigureAndStart(3);
  auto coord = Connect({1, 2, 3});
  ASSERT_NE(coord, nullptr);
  ASSERT_TRUE(coord->Create("/mine", "0", client::CreateMode::kEphemeral).ok());
  for (int round = 1; round <= 3; ++round) {
    // The leader one time, the server of the session the next.
    const auto status = StatusOf(*coord, coord->session().server_id);
    ASSERT_TRUE(status.has_value());
    const uint32_t victim = round % 2 == 1 ? status->leader_id : coord->session().server_id;
    ASSERT_NE(victim, 0u);
    Stop(victim);
    const std::string value = std::to_string(round);
    ASSERT_TRUE(Eventually([&] { return coord->Set("/mine", value).ok(); }));
    const auto read = coord->Get("/mine");
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->data, value);
    EXPECT_EQ(read->stat.ephemeral_owner, coord->session().id);
    Start(victim);
  }
}

TEST_F(CoordServerTest, CallsThatNameAnotherEnsembleAreRefused) {
  ConfigureAndStart(1);
  auto coord = Connect({1});
  ASSERT_NE(coord, nullptr);
  const auto stub = v1::Coord::NewStub(
      grpc::CreateChannel(AddressOf(1), grpc::InsecureChannelCredentials()));
  const auto result = [](const grpc::Status& status) {
    if (status.ok()) return std::string("served");
    ::bellwether::common::v1::Error error;
    EXPECT_TRUE(error.ParseFromString(status.error_details()));
    return fmt::format("{} {}", static_cast<int>(status.error_code()), error.reason());
  };
  const auto call = [&](auto method, auto request, auto response, base::Uuid ensemble) {
    grpc::ClientContext context;
    if (!ensemble.IsNil()) request.set_ensemble_id(ensemble.Bytes());
    return result((*stub.*method)(&context, request, &response));
  };
  const auto all = [&](base::Uuid ensemble) {
    return std::vector<std::string>{
        call(&v1::Coord::Stub::Upgrade, v1::UpgradeRequest(), v1::UpgradeResponse(), ensemble),
        call(&v1::Coord::Stub::Membership, v1::MembershipRequest(), v1::MembershipResponse(),
             ensemble),
        call(&v1::Coord::Stub::SaveSnapshot, v1::SaveSnapshotRequest(), v1::SaveSnapshotResponse(),
             ensemble)};
  };
  const std::string refused =
      fmt::format("{} other_ensemble", static_cast<int>(grpc::StatusCode::FAILED_PRECONDITION));
  EXPECT_THAT(all(base::Uuid()), Each("served"));
  EXPECT_THAT(all(coord->session().ensemble_id), Each("served"));
  EXPECT_THAT(all(base::Uuid(1, 2)), Each(refused));

  grpc::ClientContext context;
  v1::WatchRequest watch;
  watch.set_path("/");
  watch.set_ensemble_id(base::Uuid(1, 2).Bytes());
  EXPECT_EQ(result(stub->Watch(&context, watch)->Finish()), refused);
}

TEST_F(CoordServerTest, SnapshotsNotTakenAreBounded) {
  ConfigureAndStart(1);
  auto coord = Connect({1});
  ASSERT_NE(coord, nullptr);
  std::string data(900 << 10, '\0');  // that can't be packed, and has no room in a stream's window
  base::Random random(1);
  for (char& byte : data) byte = static_cast<char>(random.Next());
  ASSERT_TRUE(coord->Create("/data", data).ok());

  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // the windows stay as small as they begin
  const auto channel =
      grpc::CreateCustomChannel(AddressOf(1), grpc::InsecureChannelCredentials(), arguments);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto stub = v1::Coord::NewStub(
      grpc::CreateCustomChannel(AddressOf(1), grpc::InsecureChannelCredentials(), arguments));
  std::string reason;  // of the last refusal
  const auto save = [&stub, &reason] {
    grpc::ClientContext context;
    v1::SaveSnapshotResponse response;
    const grpc::Status status = stub->SaveSnapshot(&context, v1::SaveSnapshotRequest(), &response);
    ::bellwether::common::v1::Error error;
    EXPECT_TRUE(error.ParseFromString(status.error_details()));
    reason = error.reason();
    return status.error_code();
  };

  std::vector<std::unique_ptr<SaveNotTaken>> not_taken;
  for (int i = 0; i < 64; ++i) {
    EXPECT_TRUE(i >= 16 || save() == grpc::StatusCode::OK) << i;
    not_taken.push_back(std::make_unique<SaveNotTaken>(channel));
    save();  // so that not all of them come at once
  }
  EXPECT_EQ(save(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(reason, "busy");
  not_taken.clear();
  EXPECT_TRUE(Eventually([&save] { return save() == grpc::StatusCode::OK; }));
}

TEST_F(CoordServerTest, RefusesToStartWhereItCannot) {
  ConfigureAndStart(1);
  const auto start = [](const CoordServerOptions& options) {
    return CoordServer::Start(options, [](absl::Status) {}).status();
  };
  CoordServerOptions same_port = options_.at(1);
  same_port.data_dir = folder_ / "other";
  const absl::Status in_use = start(same_port);
  EXPECT_EQ(in_use.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(in_use.message()), testing::HasSubstr(AddressOf(1)));

  CoordServerOptions same_folder = options_.at(1);
  same_folder.listen.port = 0;
  EXPECT_EQ(start(same_folder).code(), absl::StatusCode::kFailedPrecondition);

  Stop(1);
  CoordServerOptions other_id = options_.at(1);
  other_id.id = 3;
  EXPECT_EQ(start(other_id).code(), absl::StatusCode::kFailedPrecondition);
}

// The id of the folder is renewed, the log set aside, an empty one opened, in this order: with the old
// id and an empty log a server could take a readmission from before for its own, and vote too early.
TEST_F(CoordServerTest, ACrashWhileADamagedLogIsReplacedEndsAtTheSamePlace) {
  ConfigureAndStart(3);
  auto coord = Connect({1, 2});
  ASSERT_NE(coord, nullptr);
  ASSERT_TRUE(coord->Create("/a", "").ok());
  const std::filesystem::path folder = options_.at(3).data_dir;
  ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(folder / "raft/vote"); }));
  Stop(3);
  std::filesystem::resize_file(folder / "raft/vote", 3);
  // The numbers of those set aside have run out, and what has the first one is in the way: the
  // replacement ends after its first step.
  std::filesystem::create_directories(folder / "raft.damaged-18446744073709551615");
  std::filesystem::create_directories(folder / "raft.damaged-0/in_the_way");
  const base::Uuid before = FolderId(3);
  ASSERT_FALSE(TryStart(3).ok());
  EXPECT_NE(FolderId(3), before) << "another one for everybody, before its log is gone";
  EXPECT_TRUE(std::filesystem::exists(folder / "raft/vote"));
  std::filesystem::remove_all(folder / "raft.damaged-18446744073709551615");
  std::filesystem::remove_all(folder / "raft.damaged-0");

  Start(3);  // a new id, the old log
  ExpectThirdVotesAgain(*coord);

  Stop(3);
  ASSERT_TRUE((*base::DataDir::Open(folder, "coord", 3))->RenewFolderId().ok());
  std::filesystem::remove_all(folder / "raft");
  Start(3);  // a new id, the log gone
  ExpectThirdVotesAgain(*coord);
}

}  // namespace
}  // namespace bellwether::coord
