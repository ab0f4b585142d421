// Imports, and the states that whoever copies znodes reads.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "coord/service/envelope.h"
#include "coord/service/writes.h"
#include "gmock/gmock.h"
#include "tests/unit/coord/service/watch_fixture.h"

namespace bellwether::coord {
namespace {

using Effect = ImportResult::Effect;

tree::ImportedZnode Znode(std::string path, std::string_view data = "x") {
  tree::ImportedZnode znode;
  znode.path = std::move(path);
  znode.data = tree::SharedBytes::Copy(data);
  return znode;
}

class ImportTest : public WatchServiceTest {
 protected:
  // "created", "replaced", "unchanged", or the reason of a failure.
  std::vector<std::string> Import(tree::Import import) {
    const uint64_t id = writer_->Ask(std::move(import));
    Settle();
    const Response* const response = writer_->Find(id);
    if (response == nullptr || response->failure.has_value()) {
      --writer_->last_sequence;  // it was not proposed
      return {writer_->ReasonOf(id)};
    }
    std::vector<std::string> texts;
    for (const auto& one : std::get<ImportResult>(response->result).outcomes) {
      constexpr const char* kNames[] = {"created", "replaced", "unchanged"};
      const auto* const failure = std::get_if<Failure>(&one);
      texts.push_back(failure != nullptr ? failure->reason
                                         : kNames[static_cast<int>(std::get<Effect>(one))]);
    }
    return texts;
  }
};

using testing::ElementsAre;

TEST_F(ImportTest, SaysWhatBecameOfEachZnode) {
  EXPECT_THAT(Import({{Znode("/a"), Znode("/none/b"), Znode("/c")}}),
              ElementsAre("created", "no_node", "created"));
  EXPECT_THAT(Import({{Znode("/a"), Znode("/c", "other")}}),
              ElementsAre("unchanged", "node_exists"));
  EXPECT_THAT(Import({{Znode("/a"), Znode("/c", "other")}, true}),
              ElementsAre("unchanged", "replaced"));
}

TEST_F(ImportTest, WhatIsTooLargeIsNotProposed) {
  const size_t before = log_.commands().size();
  EXPECT_THAT(Import({{Znode("/a", std::string(tree::kDataBytesMax + 1, 'x'))}}),
              ElementsAre("too_large"));
  EXPECT_THAT(Import({std::vector<tree::ImportedZnode>(tree::kTransactionItemsMax + 1,
                                                       Znode("/a"))}),
              ElementsAre("too_large"));
  const std::string half(tree::kDataBytesMax / 2, 'x');
  EXPECT_THAT(Import({std::vector<tree::ImportedZnode>(9, Znode("/a", half))}),
              ElementsAre("too_large"));
  EXPECT_EQ(log_.commands().size(), before);
}

TEST_F(ImportTest, GrowsTheStateAndARaiseDoesNot) {
  Import({{Znode("/a")}});
  EXPECT_EQ(KindOfCommand(log_.commands().back()), EntryKind::kGrowth);
  writer_->Ask(tree::RaiseZxid{Zxid(1000)});
  Settle();
  EXPECT_EQ(KindOfCommand(log_.commands().back()), EntryKind::kUpkeep);
}

TEST_F(ImportTest, ARaisedZxidIsThatOfAllThatFollows) {
  const uint64_t raised = writer_->Ask(tree::RaiseZxid{Zxid(1'000'000)});
  const uint64_t again = writer_->Ask(tree::RaiseZxid{Zxid(1'000'000)});
  const uint64_t created = writer_->Create("/a");
  Settle();
  EXPECT_EQ(writer_->ReasonOf(raised), "ok");
  EXPECT_EQ(writer_->Find(raised)->zxid, Zxid(1'000'000));
  EXPECT_EQ(writer_->ReasonOf(again), "ok");
  EXPECT_GT(writer_->Find(created)->zxid, Zxid(1'000'001));
}

// A watch goes on over the gap, told of it as of any other zxid.
TEST_F(ImportTest, WatchesGoOnAcrossARaise) {
  WatchRequest request;
  request.filter = {{"/"}, true};
  auto watcher = std::make_shared<TestWatcher>();
  ASSERT_TRUE(watcher->Open(*service_, std::move(request)).ok());
  Settle();
  writer_->Ask(tree::RaiseZxid{Zxid(1'000'000)});
  writer_->Ask(tree::Import{{Znode("/a")}});
  Settle();
  EXPECT_THAT(watcher->Changes(), ElementsAre("created /a=x"));
  EXPECT_EQ(watcher->All<WatchChanges>().at(0).set->zxid, Zxid(1'000'001));
}

class ImportBeforeItsLevelTest : public ImportTest {
 protected:
  void SetUp() override {
    options_.feature_levels = {1, 3};
    ImportTest::SetUp();
  }
};

TEST_F(ImportBeforeItsLevelTest, IsRefused) {
  EXPECT_THAT(Import({{Znode("/a")}}), ElementsAre("feature_level"));
  const uint64_t raised = writer_->Ask(tree::RaiseZxid{Zxid(1'000'000)});
  Settle();
  EXPECT_EQ(writer_->ReasonOf(raised), "feature_level");
}

class CopiedStateTest : public WatchServiceTest {
 protected:
  std::vector<WatchZnode> StateFor(tree::Identities who, bool with_access) {
    WatchRequest request;
    request.filter = {{"/a"}, true};
    request.with_access = with_access;
    request.identities = std::make_shared<const tree::Identities>(std::move(who));
    auto watcher = std::make_shared<TestWatcher>();
    EXPECT_TRUE(watcher->Open(*service_, std::move(request)).ok());
    Settle();
    return watcher->All<WatchState>().at(0).znodes;
  }
};

TEST_F(CopiedStateTest, HasAclAndKindForWhoAsksForThem) {
  tree::Create container{"/a", tree::SharedBytes(), tree::CreateMode::kContainer};
  container.acl = tree::Acl{{tree::kAllPermissions, "digest", "bob:hash"},
                            {tree::kRead | tree::kCreate, "world", "anyone"}};
  writer_->Ask(container);
  tree::Create with_ttl{"/a/t", tree::SharedBytes(), tree::CreateMode::kPersistentWithTtl};
  with_ttl.ttl_ms = 5000;
  writer_->Ask(with_ttl);
  Settle();
  const std::vector<WatchZnode> bobs = StateFor({{"digest", "bob:hash"}}, true);
  ASSERT_EQ(bobs.size(), 2u);
  EXPECT_EQ(tree::AclOf(bobs[0].access->acl), *container.acl);
  EXPECT_FALSE(bobs[0].access->hides_hashes);
  EXPECT_EQ(bobs[0].access->ttl_ms, 0);
  EXPECT_EQ(tree::AclOf(bobs[1].access->acl), tree::OpenAcl());
  EXPECT_EQ(bobs[1].access->ttl_ms, 5000);
  EXPECT_TRUE(StateFor({}, true)[0].access->hides_hashes);
  EXPECT_FALSE(StateFor({}, false)[0].access.has_value());
}

}  // namespace
}  // namespace bellwether::coord
