// What native watches tell of znodes that not everybody may read (Z32).
#include <memory>
#include <utility>

#include "gmock/gmock.h"
#include "tests/unit/coord/service/watch_fixture.h"

namespace bellwether::coord {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const tree::Identity kBob{"digest", "bob:hash"};
const tree::Acl kBobOnly{{tree::kAllPermissions, "digest", "bob:hash"}};

class WatchAccessTest : public WatchServiceTest {
 protected:
  void SetUp() override {
    WatchServiceTest::SetUp();
    writer_->Become({kBob});
  }

  void CreateFor(std::string path, tree::Acl acl, std::string_view data = "") {
    tree::Create create{std::move(path), tree::SharedBytes::Copy(data)};
    create.acl = std::move(acl);
    writer_->Ask(std::move(create));
  }
  std::shared_ptr<TestWatcher> WatchAs(tree::Identities who, std::string path, bool recursive,
                                       Zxid from = Zxid(), bool prompt_progress = false) {
    WatchRequest request;
    request.filter.paths = {std::move(path)};
    request.filter.recursive = recursive;
    request.from_zxid = from;
    request.prompt_progress = prompt_progress;
    request.identities = std::make_shared<const tree::Identities>(std::move(who));
    auto watcher = std::make_shared<TestWatcher>();
    EXPECT_TRUE(watcher->Open(*service_, std::move(request)).ok());
    Settle();
    return watcher;
  }
};

TEST_F(WatchAccessTest, TheStateHasOnlyWhatMayBeRead) {
  writer_->Create("/a");
  CreateFor("/a/s", kBobOnly);
  writer_->Create("/a/s/open");
  Settle();
  EXPECT_THAT(WatchAs({}, "/a", true)->StatePaths(), ElementsAre("/a", "/a/s/open"));
  EXPECT_THAT(WatchAs({}, "/a/s", false)->StatePaths(), IsEmpty());
  EXPECT_THAT(WatchAs({kBob}, "/a", true)->StatePaths(), ElementsAre("/a", "/a/s", "/a/s/open"));
  EXPECT_THAT(WatchAs({kBob}, "/a/s", false)->StatePaths(), ElementsAre("/a/s"));
}

TEST_F(WatchAccessTest, ChangesAreToldToWhoMayReadTheZnode) {
  writer_->Create("/a");
  Settle();
  auto stranger = WatchAs({}, "/a", true);
  auto bob = WatchAs({kBob}, "/a", true);
  auto children = WatchAs({}, "/a/s", false);
  CreateFor("/a/s", kBobOnly, "1");
  writer_->Set("/a/s", "2");
  writer_->Create("/a/s/open", "3");
  writer_->Ask(tree::Delete{"/a/s/open"});
  writer_->Ask(tree::Delete{"/a/s"});
  Settle();
  EXPECT_THAT(stranger->Changes(), ElementsAre("created /a/s/open=3", "deleted /a/s/open"));
  EXPECT_THAT(children->Changes(), IsEmpty());
  EXPECT_THAT(bob->Changes(),
              ElementsAre("created /a/s=1", "changed /a/s=2", "created /a/s/open=3",
                          "deleted /a/s/open", "deleted /a/s"));
}

TEST_F(WatchAccessTest, NothingIsToldOfManySecretsOfOneZxidButTheirZxid) {
  writer_->Create("/a");
  Settle();
  auto stranger = WatchAs({}, "/a", true, Zxid(), /*prompt_progress=*/true);
  tree::Transaction transaction;
  for (int i = 0; i < 50; ++i) {
    tree::Create secret{"/a/s" + std::to_string(i)};
    secret.acl = {{tree::kAllPermissions, "digest", "user" + std::to_string(i) + ":hash"}};
    transaction.operations.push_back(std::move(secret));
  }
  const uint64_t id = writer_->Ask(std::move(transaction));
  Settle();
  scheduler_.RunFor(absl::Milliseconds(30));
  EXPECT_EQ(writer_->ReasonOf(id), "ok");
  EXPECT_THAT(stranger->All<WatchChanges>(), IsEmpty());
  EXPECT_EQ(stranger->All<WatchProgress>().back().zxid, zxid());
}

TEST_F(WatchAccessTest, OfOneZxidOnlyThePermittedChangesAreTold) {
  writer_->Create("/a");
  Settle();
  auto stranger = WatchAs({}, "/a", true);
  tree::Create secret{"/a/s"};
  secret.acl = kBobOnly;
  tree::Transaction transaction;
  transaction.operations = {secret, tree::Create{"/a/t"}};
  writer_->Ask(transaction);
  Settle();
  EXPECT_THAT(stranger->Changes(), ElementsAre("created /a/t"));
}

TEST_F(WatchAccessTest, ResumingTellsNoMoreThanWatching) {
  writer_->Create("/a");
  Settle();
  const Zxid before = zxid();
  CreateFor("/a/s", kBobOnly, "1");
  writer_->Create("/a/t");
  writer_->Set("/a/s", "2");
  Settle();
  auto stranger = WatchAs({}, "/a", true, before);
  EXPECT_THAT(stranger->Changes(), ElementsAre("created /a/t="));
  EXPECT_EQ(stranger->All<WatchProgress>().back().zxid, zxid());
  EXPECT_THAT(WatchAs({kBob}, "/a", true, before)->Changes(),
              ElementsAre("created /a/s=1", "created /a/t=", "changed /a/s=2"));
}

TEST_F(WatchAccessTest, AnAclThatChangesCountsFromThenOn) {
  writer_->Create("/a", "0");
  Settle();
  auto stranger = WatchAs({}, "/a", false);
  writer_->Set("/a", "1");
  writer_->Ask(tree::SetAcl{"/a", kBobOnly});
  writer_->Set("/a", "2");
  writer_->Ask(tree::SetAcl{"/a", tree::OpenAcl()});
  writer_->Set("/a", "3");
  Settle();
  EXPECT_THAT(stranger->Changes(), ElementsAre("changed /a=1", "changed /a=3"));
}

TEST_F(WatchAccessTest, WhatIsNotToldIsProgressAllTheSame) {
  CreateFor("/s", kBobOnly);
  Settle();
  auto prompt = WatchAs({}, "/s", false, Zxid(), /*prompt_progress=*/true);
  writer_->Set("/s", "1");
  Settle();
  scheduler_.RunFor(absl::Milliseconds(30));
  EXPECT_THAT(prompt->All<WatchChanges>(), IsEmpty());
  EXPECT_EQ(prompt->All<WatchProgress>().back().zxid, zxid());
}

// Z50.
TEST_F(WatchAccessTest, AWatchThatNamesNobodyIsItsAddress) {
  CreateFor("/here", {{tree::kAllPermissions, "ip", "10.1.2.3"}});
  Settle();
  const auto open_from = [this](std::string address) {
    class Ignores : public StreamSink {
      void OnOutput() override {}
      void OnResume() override {}
    };
    WatchRequest request;
    request.filter.paths = {"/here"};
    auto watch = service_->OpenWatch({std::move(address)}, std::move(request),
                                     std::make_shared<Ignores>());
    EXPECT_TRUE(watch.ok());
    Settle();
    std::vector<WatchFrame> frames;
    (*watch)->Take(1 << 20, frames);
    return std::get<WatchState>(frames.at(0)).znodes.size();
  };
  EXPECT_EQ(open_from("10.1.2.3:77"), 1u);
  EXPECT_EQ(open_from("10.1.2.4:77"), 0u);
}

}  // namespace
}  // namespace bellwether::coord
