// What a client of this port may cost, and what its end costs it.
#include <string>

#include "tests/unit/coord/zk/protocol_fixture.h"

namespace bellwether::coord::zk {
namespace {

class ZkLimits : public ProtocolTest {
 protected:
  ZkLimits() : ProtocolTest(Options()) {}

  static ServiceOptions Options() {
    ServiceOptions options = DefaultOptions();
    options.outstanding_requests_max = 4;
    options.znode_watches_per_connection_max = 2;
    options.znode_watch_path_bytes_per_connection_max = 1000;
    return options;
  }
  ZkError ExistsAtServer(const std::string& path) {
    const auto other = Connect();
    const int32_t exists = other->Exists(path);
    Settle();
    return other->ErrorOf(exists);
  }
};

// The reply to a sync has its path, which waits here and not in the outbox.
TEST_F(ZkLimits, WhatRepliesNeedOfTheirRequestsIsBounded) {
  const auto client = Connect();
  client->SetReads(false);
  const std::string path(500'000, 'x');
  size_t sent = 0;
  for (; sent < 100 && client->wants_input(); ++sent) {
    client->Ask(Opcode::kSync, wire::SyncRequest{path});
    Settle();
  }
  EXPECT_LT(sent, 20u);
  EXPECT_EQ(client->Info().outstanding, sent);
  client->SetReads(true);
  EXPECT_TRUE(client->wants_input());
  EXPECT_EQ(client->xids().size(), sent);
}

TEST_F(ZkLimits, WatchesOfLongPathsAreRefused) {
  const auto client = Connect();
  const std::string path = "/" + std::string(998, 'x');
  const int32_t first = client->Exists(path, /*watch=*/true);
  const int32_t second = client->Exists("/ab", /*watch=*/true);
  Settle();
  EXPECT_EQ(client->ErrorOf(first), ZkError::kNoNode);
  EXPECT_EQ(client->ErrorOf(second), ZkError::kThrottledOp);
}

// Clients don't look at the error of their watches set again, and would rely on them (Z59).
TEST_F(ZkLimits, AConnectionWhoseWatchesCantBeSetAgainEnds) {
  for (const Opcode opcode : {Opcode::kSetWatches, Opcode::kSetWatches2}) {
    const auto client = Connect();
    wire::SetWatchesRequest again;
    again.exist = {"/a", "/b", "/c"};
    client->AskAs(wire::kSetWatchesXid, opcode, again);
    Settle();
    EXPECT_TRUE(client->closed());
    EXPECT_TRUE(client->xids().empty());
    const auto back = Connect(ZkClient::Again(*client));
    again.exist.pop_back();
    back->AskAs(wire::kSetWatchesXid, opcode, again);
    Settle();
    EXPECT_EQ(back->ErrorOf(wire::kSetWatchesXid), ZkError::kOk);
  }
}

// Z60: clients take few MiB, and read of few znodes at a time.
TEST_F(ZkLimits, AMultiReadHasABoundOfItsOwn) {
  const auto client = Connect();
  client->Create("/a", std::string(1'000'000, 'x'));
  wire::MultiRequest reads;
  reads.operations.resize(4, {Opcode::kGetData, wire::ReadRequest{"/a", false}});
  const int32_t four = client->Ask(Opcode::kMultiRead, reads);
  reads.operations.push_back(reads.operations.front());
  const int32_t five = client->Ask(Opcode::kMultiRead, reads);
  Settle();
  EXPECT_EQ(client->ErrorOf(four), ZkError::kOk);
  EXPECT_EQ(client->ErrorOf(five), ZkError::kBadArguments);
}

// A script that writes and ends is done when its writes are sent.
TEST_F(ZkLimits, WhatAClientSentBeforeItsEndIsDone) {
  const auto client = Connect();
  client->Create("/a");
  client->Get("/a");
  client->Create("/b");
  client->Disconnect();
  Settle();
  EXPECT_EQ(ExistsAtServer("/a"), ZkError::kOk);
  EXPECT_EQ(ExistsAtServer("/b"), ZkError::kOk);
}

TEST_F(ZkLimits, SoIsWhatThereWasNoRoomFor) {
  const auto client = Connect();
  log_.Hold();
  client->SendCreations(20);
  EXPECT_FALSE(client->wants_input());
  client->Disconnect();
  Settle();
  log_.Release();
  Settle();
  EXPECT_EQ(ExistsAtServer("/20"), ZkError::kOk);
}

TEST_F(ZkLimits, ASessionClosedRightBeforeTheEndIsClosed) {
  const auto client = Connect();
  client->Create("/e", "", wire::CreateFlags::kEphemeral);
  client->Ask(Opcode::kCloseSession, wire::EmptyRequest{});
  client->Disconnect();
  Settle();
  EXPECT_EQ(ExistsAtServer("/e"), ZkError::kNoNode);
}

}  // namespace
}  // namespace bellwether::coord::zk
