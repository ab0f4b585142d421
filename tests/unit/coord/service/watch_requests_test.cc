// Requests about the watches of a connection.
#include "coord/service/watch_requests.h"

#include "gmock/gmock.h"
#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {
namespace {

using testing::ElementsAre;

class WatchRequestsTest : public ServiceTest {
 protected:
  static ServiceOptions FewWatches() {
    ServiceOptions options = DefaultOptions();
    options.znode_watches_per_connection_max = 4;
    return options;
  }
  explicit WatchRequestsTest(ServiceOptions options = FewWatches()) : ServiceTest(options) {}

  void SetUp() override {
    ServiceTest::SetUp();
    client_ = Connect();
    writer_ = Connect();
  }
  std::string Ask(RequestOperation operation) {
    const uint64_t id = client_->Ask(std::move(operation));
    Settle();
    return client_->ReasonOf(id);
  }
  void Create(std::string path) {
    writer_->Create(std::move(path));
    Settle();
  }
  void Set(std::string path) {
    writer_->Set(std::move(path), "x");
    Settle();
  }
  std::vector<std::string> Events() const {
    static constexpr const char* kNames[] = {"created ", "changed ", "deleted ", "children "};
    std::vector<std::string> texts;
    for (const WatchEvent& event : client_->All<WatchEvent>()) {
      texts.push_back(kNames[static_cast<int>(event.type)] + std::string(event.path.view()));
    }
    return texts;
  }

  std::shared_ptr<TestClient> client_;
  std::shared_ptr<TestClient> writer_;
};

// Z26
TEST_F(WatchRequestsTest, AReadOfAMissingZnodeSetsTheWatchOnlyIfItSaysSo) {
  GetRead zookeepers{"/a", true};
  zookeepers.watch_missing = false;
  EXPECT_EQ(Ask(zookeepers), "no_node");
  EXPECT_EQ(Ask(ListRead{"/a", true}), "no_node");
  EXPECT_EQ(service_->znode_watches().count(), 0u);
  EXPECT_EQ(Ask(GetRead{"/a", true}), "no_node");
  EXPECT_EQ(Ask(StatRead{"/b", true}), "no_node");
  Create("/a");
  Create("/b");
  EXPECT_THAT(Events(), ElementsAre("created /a", "created /b"));
}

TEST_F(WatchRequestsTest, WhoMayNotReadSetsNoWatchByIt) {
  tree::Create secret{"/s"};
  secret.acl = tree::Acl{{tree::kAllPermissions, "digest", "bob:hash"}};
  writer_->Ask(secret);
  Settle();
  EXPECT_EQ(Ask(GetRead{"/s", true}), "no_auth");
  EXPECT_EQ(Ask(StatRead{"/s", true}), "no_auth");
  EXPECT_EQ(Ask(ListRead{"/s", true}), "no_auth");
  EXPECT_EQ(service_->znode_watches().count(), 0u);
}

// Z29, Z33
TEST_F(WatchRequestsTest, PersistentWatchesStayUntilTheyAreRemoved) {
  EXPECT_EQ(Ask(AddWatch{"/a", false}), "ok");
  EXPECT_EQ(Ask(AddWatch{"/r", true}), "ok");
  Create("/a");
  Set("/a");
  Create("/a/b");
  Create("/r");
  Create("/r/s");
  EXPECT_THAT(Events(), ElementsAre("created /a", "changed /a", "children /a", "created /r",
                                    "created /r/s"));
  EXPECT_EQ(Ask(RemoveWatches{"/a", WatchKind::kPersistent, true}), "ok") << "only asked";
  EXPECT_EQ(Ask(RemoveWatches{"/a", WatchKind::kPersistent}), "ok");
  EXPECT_EQ(Ask(RemoveWatches{"/a", WatchKind::kPersistent}), "no_watcher");
  EXPECT_EQ(Ask(RemoveWatches{"/r", WatchKind::kData}), "no_watcher");
  EXPECT_EQ(Ask(RemoveWatches{"/r", WatchKind::kAny}), "ok");
  const size_t before = Events().size();
  Set("/a");
  Set("/r/s");
  EXPECT_EQ(Events().size(), before);
}

// Z31, Z34
TEST_F(WatchRequestsTest, EventsOfWatchesSetAgainPrecedeTheAnswer) {
  Create("/a");
  const Zxid seen = service_->applied_zxid();
  Set("/a");
  const size_t before = client_->frames.size();
  SetWatches again;
  again.relative = seen;
  again.data = {"/a", "/gone"};
  again.exist = {"/later"};
  EXPECT_EQ(Ask(again), "ok");
  ASSERT_EQ(client_->frames.size(), before + 3);
  EXPECT_THAT(Events(), ElementsAre("changed /a", "deleted /gone"));
  EXPECT_EQ(client_->All<WatchEvent>()[0].zxid, Zxid(-1));
  EXPECT_TRUE(std::holds_alternative<Response>(client_->frames.back()));
  Create("/later");
  EXPECT_THAT(Events(), testing::SizeIs(3));
  EXPECT_EQ(Ask(EchoRead()), "ok") << "the connection goes on";
}

// Z32
TEST_F(WatchRequestsTest, AnEventNeedsReadOfWhoTheClientIsByThen) {
  tree::Create secret{"/s"};
  secret.acl = tree::Acl{{tree::kAllPermissions, "digest", "bob:hash"}};
  client_->Become({{"digest", "bob:hash"}});
  EXPECT_EQ(Ask(AddWatch{"/s", false}), "ok");
  writer_->Ask(secret);
  Settle();
  EXPECT_THAT(Events(), ElementsAre("created /s"));
  client_->Become({});
  writer_->Ask(tree::Delete{"/s"});
  Settle();
  EXPECT_EQ(Events().size(), 1u);
}

TEST_F(WatchRequestsTest, WatchesAreBounded) {
  for (const char* path : {"/1", "/2", "/3", "/4"}) EXPECT_EQ(Ask(StatRead{path, true}), "no_node");
  EXPECT_EQ(Ask(StatRead{"/5", true}), "too_many_watches");
  EXPECT_EQ(Ask(AddWatch{"/5", true}), "too_many_watches");
  SetWatches again;
  again.exist = {"/5"};
  EXPECT_EQ(Ask(again), "too_many_watches");
  EXPECT_EQ(Ask(StatRead{"/4", true}), "no_node") << "which is set already";
}

}  // namespace
}  // namespace bellwether::coord
