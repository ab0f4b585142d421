#include <string>

#include "tests/unit/coord/zk/protocol_fixture.h"

namespace bellwether::coord::zk {
namespace {

using Events = std::vector<std::string>;

// Watches as clients set and lose them.
class ZkWatches : public ProtocolTest {
 protected:
  void SetUp() override {
    ProtocolTest::SetUp();
    client_ = Connect();
    other_ = Connect();
  }

  int32_t AddWatch(std::string_view path, int32_t mode) {
    const int32_t xid = client_->Ask(Opcode::kAddWatch, wire::AddWatchRequest{path, mode});
    Settle();
    return xid;
  }
  ZkError Watches(Opcode opcode, std::string_view path, int32_t type) {
    const int32_t xid = client_->Ask(opcode, wire::WatchesRequest{path, type});
    Settle();
    return client_->ErrorOf(xid);
  }
  // Of the last event.
  wire::ReplyHeader LastEventHeader() { return client_->Find(wire::kNotificationXid)->header; }

  std::unique_ptr<ZkClient> client_;
  std::unique_ptr<ZkClient> other_;
};

// Z34
TEST_F(ZkWatches, TellTheChangeItsStateAndItsZxid) {
  client_->Exists("/a", /*watch=*/true);
  Settle();
  const int32_t create = other_->Create("/a");
  Settle();
  ASSERT_EQ(client_->events(), (Events{"1 /a"}));
  EXPECT_EQ(LastEventHeader(), (wire::ReplyHeader{-1, other_->ZxidOf(create), ZkError::kOk}));
  const auto event = std::get<wire::WatcherEvent>(client_->replies().back().body);
  EXPECT_EQ(event.state, wire::kSyncConnected);
}

// Z34
TEST_F(ZkWatches, TellEveryTypeOfChange) {
  client_->Exists("/a", true);
  other_->Create("/a");
  Settle();
  client_->Get("/a", true);
  Settle();
  other_->Set("/a", "x");
  Settle();
  client_->Ask(Opcode::kGetChildren, wire::ReadRequest{"/a", true});
  Settle();
  other_->Create("/a/b");
  Settle();
  client_->Exists("/a/b", true);
  Settle();
  other_->Delete("/a/b");
  Settle();
  EXPECT_EQ(client_->events(), (Events{"1 /a", "3 /a", "4 /a", "2 /a/b"}));
}

// Z25
TEST_F(ZkWatches, TellTheWriterBeforeItsReply) {
  client_->Exists("/a", true);
  const int32_t create = client_->Create("/a");
  const int32_t get = client_->Get("/a");
  Settle();
  EXPECT_EQ(client_->xids(),
            (std::vector<int32_t>{1, wire::kNotificationXid, create, get}));
}

// Z26
TEST_F(ZkWatches, AreSetOnAMissingZnodeByExistsAlone) {
  const int32_t exists = client_->Exists("/exists", true);
  const int32_t get = client_->Get("/get", true);
  const int32_t list =
      client_->Ask(Opcode::kGetChildren, wire::ReadRequest{"/list", true});
  Settle();
  EXPECT_EQ(client_->ErrorOf(exists), ZkError::kNoNode);
  EXPECT_EQ(client_->ErrorOf(get), ZkError::kNoNode);
  EXPECT_EQ(client_->ErrorOf(list), ZkError::kNoNode);
  other_->Create("/get");
  other_->Create("/list");
  other_->Create("/list/a");
  other_->Create("/exists");
  Settle();
  EXPECT_EQ(client_->events(), (Events{"1 /exists"}));
}

// Z31
TEST_F(ZkWatches, AreSetAgainOrToldWhatWasMissed) {
  for (const char* path : {"/changed", "/same", "/gone", "/parent", "/quiet"}) {
    other_->Create(path);
  }
  Settle();
  const int64_t seen = service_->applied_zxid().value();
  other_->Set("/changed", "x");
  other_->Delete("/gone");
  other_->Create("/made");
  other_->Create("/parent/child");
  Settle();
  wire::SetWatchesRequest again;
  again.relative_zxid = seen;
  again.data = {"/changed", "/same", "/gone"};
  again.exist = {"/made", "/none"};
  again.child = {"/parent", "/quiet"};
  client_->AskAs(wire::kSetWatchesXid, Opcode::kSetWatches, again);
  Settle();
  const Events missed{"3 /changed", "2 /gone", "1 /made", "4 /parent"};
  EXPECT_EQ(client_->events(), missed);
  EXPECT_EQ(LastEventHeader().zxid, -1);  // Z34
  EXPECT_EQ(client_->xids().back(), wire::kSetWatchesXid);
  EXPECT_EQ(client_->ErrorOf(wire::kSetWatchesXid), ZkError::kOk);
  other_->Set("/same", "x");
  other_->Create("/none");
  other_->Create("/quiet/child");
  Settle();
  Events all = missed;
  all.insert(all.end(), {"3 /same", "1 /none", "4 /quiet"});
  EXPECT_EQ(client_->events(), all);
}

// Z30
TEST_F(ZkWatches, ThatPersistAreSetAgainWithoutAWord) {
  other_->Create("/a");
  Settle();
  wire::SetWatchesRequest again;
  again.persistent = {"/a"};
  again.recursive = {"/b"};
  client_->AskAs(wire::kSetWatchesXid, Opcode::kSetWatches2, again);
  Settle();
  EXPECT_TRUE(client_->events().empty());
  other_->Set("/a", "x");
  other_->Create("/b");
  other_->Create("/b/c");
  other_->Set("/a", "y");
  Settle();
  EXPECT_EQ(client_->events(), (Events{"3 /a", "1 /b", "1 /b/c", "3 /a"}));
}

// Z33
TEST_F(ZkWatches, OfAnyPathCanBeAddedForGood) {
  const int32_t added = AddWatch("/a", 0);
  EXPECT_EQ(client_->BodyOf<wire::ErrorReply>(added).error, ZkError::kOk);
  AddWatch("/r", 1);
  other_->Create("/a");
  other_->Create("/a/b");
  other_->Create("/r");
  other_->Create("/r/s");
  Settle();
  EXPECT_EQ(client_->events(), (Events{"1 /a", "4 /a", "1 /r", "1 /r/s"}));  // Z29
}

// Z33
TEST_F(ZkWatches, OfAnUnknownModeOrTypeAreNotUnderstood) {
  EXPECT_EQ(client_->ErrorOf(AddWatch("/a", 2)), ZkError::kMarshallingError);
  EXPECT_EQ(client_->ErrorOf(AddWatch("/a", -1)), ZkError::kMarshallingError);
  for (const Opcode opcode : {Opcode::kCheckWatches, Opcode::kRemoveWatches}) {
    EXPECT_EQ(Watches(opcode, "/a", 0), ZkError::kMarshallingError);
    EXPECT_EQ(Watches(opcode, "/a", 6), ZkError::kMarshallingError);
  }
}

// Z33
TEST_F(ZkWatches, AreFoundAndRemovedByTheirKind) {
  client_->Exists("/a", true);
  AddWatch("/p", 0);
  AddWatch("/r", 1);
  constexpr int32_t kChildren = 1, kData = 2, kAny = 3, kPersistent = 4, kRecursive = 5;
  EXPECT_EQ(Watches(Opcode::kCheckWatches, "/a", kData), ZkError::kOk);
  EXPECT_EQ(Watches(Opcode::kCheckWatches, "/a", kChildren), ZkError::kNoWatcher);
  EXPECT_EQ(Watches(Opcode::kCheckWatches, "/p", kPersistent), ZkError::kOk);
  EXPECT_EQ(Watches(Opcode::kCheckWatches, "/p", kRecursive), ZkError::kNoWatcher);
  EXPECT_EQ(Watches(Opcode::kCheckWatches, "/r", kRecursive), ZkError::kOk);
  EXPECT_EQ(Watches(Opcode::kRemoveWatches, "/a", kAny), ZkError::kOk);
  EXPECT_EQ(Watches(Opcode::kRemoveWatches, "/a", kAny), ZkError::kNoWatcher);
  EXPECT_EQ(Watches(Opcode::kRemoveWatches, "/r", kRecursive), ZkError::kOk);
  other_->Create("/a");
  other_->Create("/r");
  Settle();
  EXPECT_TRUE(client_->events().empty());
}

// Z32
TEST_F(ZkWatches, TellOnlyWhatTheClientMayRead) {
  other_->Auth("digest", "them:secret");
  wire::CreateRequest hidden = ZkClient::Making("/hidden");
  hidden.acl = {{31, "auth", ""}};
  other_->Ask(Opcode::kCreate, hidden);
  Settle();
  const int64_t seen = service_->applied_zxid().value();
  AddWatch("/hidden", 0);
  other_->Set("/hidden", "x");
  Settle();
  EXPECT_TRUE(client_->events().empty());
  wire::SetWatchesRequest again;
  again.relative_zxid = seen;
  again.data = {"/hidden"};
  client_->AskAs(wire::kSetWatchesXid, Opcode::kSetWatches, again);
  Settle();
  EXPECT_EQ(client_->events(), (Events{"3 /hidden"}));  // what was missed is told unfiltered
  client_->Auth("digest", "them:secret");
  other_->Set("/hidden", "y");
  Settle();
  EXPECT_EQ(client_->events(), (Events{"3 /hidden", "3 /hidden"}));
}

// Z28
TEST_F(ZkWatches, DieWithTheConnection) {
  client_->Exists("/a", true);
  Settle();
  const auto back = Connect(ZkClient::Again(*client_));
  other_->Create("/a");
  Settle();
  EXPECT_TRUE(back->events().empty());
  EXPECT_EQ(service_->znode_watches().count(), 0u);
}

}  // namespace
}  // namespace bellwether::coord::zk
