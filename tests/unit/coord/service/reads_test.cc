#include "coord/service/reads.h"

#include <memory>
#include <string>
#include <vector>

#include "coord/tree/state_machine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class ReadsTest : public testing::Test {
 protected:
  void Apply(tree::Operation operation) {
    tree::Command command;
    command.session = session_;
    command.generation = SessionGeneration(1);
    command.sequence = ++sequence_;
    command.operation = std::move(operation);
    ASSERT_EQ(tree_.Apply(command, {1}).result.code, tree::ResultCode::kOk);
  }
  void Create(std::string path, std::string_view data = "",
              tree::CreateMode mode = tree::CreateMode::kPersistent) {
    Apply(tree::Create{std::move(path), tree::SharedBytes::Copy(data), mode});
  }
  // There are ACLs from now on, and system znodes.
  void AllowAcls() {
    tree::Command command;
    command.operation = tree::SetFeatureLevel{tree::kFeatureLevelAcls};
    ASSERT_EQ(tree_.Apply(command, {1}).result.code, tree::ResultCode::kOk);
  }
  // Nobody but bob, who may do `permissions`.
  void Protect(std::string path, uint32_t permissions = tree::kAllPermissions) {
    AllowAcls();
    Apply(tree::SetAcl{std::move(path), {{permissions, kBob.scheme, kBob.id}}});
  }
  void SetUp() override {
    tree::Command command;
    tree::CreateSession create;
    create.nonce = base::Uuid(1, 1);
    create.timeout_ms = 1000;
    create.server_id = 1;
    command.operation = create;
    session_ = tree_.Apply(command, {1}).result.session->session;
    for (const char* path : {"/a", "/a/b", "/a/b/c", "/a-b", "/a/d"}) Create(path);
  }
  Response Read(RequestOperation operation, size_t page_bytes_max = 1 << 20) {
    Request request;
    request.id = 9;
    request.operation = std::move(operation);
    request.identities = who_;
    return EvaluateRead(tree_, session_, request,
                        {page_bytes_max, reply_bytes_max_, multi_read_bytes_max_});
  }
  std::string ReasonOf(RequestOperation operation) {
    const Response response = Read(std::move(operation));
    return response.failure.has_value() ? response.failure->reason : "ok";
  }
  ListResult List(std::string path, bool recursive, std::string after = "",
                  size_t page_bytes_max = 1 << 20) {
    return std::get<ListResult>(
        Read(ListRead{std::move(path), false, recursive, std::move(after)}, page_bytes_max).result);
  }

  static inline const tree::Identity kBob{"digest", "bob:hash"};

  tree::StateMachine tree_;
  SessionId session_;
  std::shared_ptr<const tree::Identities> who_;  // null: nobody
  size_t reply_bytes_max_ = 1 << 20;
  size_t multi_read_bytes_max_ = 1 << 20;
  CommandSequence sequence_;
};

TEST_F(ReadsTest, SaysTheZxidOfTheState) {
  const Response response = Read(GetRead{"/a", false});
  EXPECT_EQ(response.zxid, tree_.zxid());
  EXPECT_EQ(response.request_id, 9u);
}

TEST_F(ReadsTest, AMissingZnodeIsAFailure) {
  for (const RequestOperation& operation :
       {RequestOperation(GetRead{"/x", false}), RequestOperation(StatRead{"/x", false}),
        RequestOperation(ListRead{"/x", false, false, ""}),
        RequestOperation(ListRead{"/x", false, true, ""})}) {
    const Response response = Read(operation);
    ASSERT_TRUE(response.failure.has_value());
    EXPECT_EQ(response.failure->reason, "no_node");
    EXPECT_EQ(response.zxid, tree_.zxid());
  }
}

TEST_F(ReadsTest, APathThatCantBeIsAnotherFailureThanAMissingZnode) {
  for (const std::string path : {"", "a", "/a/", "/a//b", "/a/../b"}) {
    const Response response = Read(StatRead{path, false});
    ASSERT_TRUE(response.failure.has_value()) << path;
    EXPECT_EQ(response.failure->reason, "bad_arguments") << path;
  }
}

TEST_F(ReadsTest, ListsChildrenSorted) {
  EXPECT_THAT(List("/", false).names, ElementsAre("a", "a-b"));
  EXPECT_THAT(List("/a", false).names, ElementsAre("b", "d"));
  EXPECT_EQ(List("/a", false).stat.num_children, 2);
}

TEST_F(ReadsTest, ListsASubtreeInPathOrder) {
  EXPECT_THAT(List("/", true).names, ElementsAre("/", "/a", "/a/b", "/a/b/c", "/a/d", "/a-b"));
}

// Whatever the page, the pages together are the whole list.
TEST_F(ReadsTest, PagesAddUpToTheWhole) {
  for (const bool recursive : {false, true}) {
    const std::vector<std::string> whole = List("/", recursive).names;
    for (size_t page_bytes = 1; page_bytes < 80; ++page_bytes) {
      std::vector<std::string> names;
      while (true) {
        const ListResult page =
            List("/", recursive, names.empty() ? "" : names.back(), page_bytes);
        ASSERT_THAT(page.names, testing::Not(IsEmpty()));
        names.insert(names.end(), page.names.begin(), page.names.end());
        if (!page.more) break;
      }
      ASSERT_EQ(names, whole) << page_bytes;
    }
  }
}

TEST_F(ReadsTest, APageMayStartAfterANameThatIsGone) {
  EXPECT_THAT(List("/", true, "/a/c").names, ElementsAre("/a/d", "/a-b"));
  EXPECT_THAT(List("/a", false, "c").names, ElementsAre("d"));
  EXPECT_THAT(List("/a", false, "z").names, IsEmpty());
}

TEST_F(ReadsTest, APageMayStartAfterAPathThatIsNotBelow) {
  EXPECT_THAT(List("/a", true, "/a").names, ElementsAre("/a/b", "/a/b/c", "/a/d"));
  EXPECT_THAT(List("/a", true, "/").names, ElementsAre("/a", "/a/b", "/a/b/c", "/a/d"));
  EXPECT_THAT(List("/a", true, "/a-b").names, IsEmpty());
}

TEST_F(ReadsTest, FailuresCarryTheTreesWord) {
  EXPECT_EQ(Read(GetRead{"/x"}).failure->result_code, tree::ResultCode::kNoNode);
  EXPECT_EQ(Read(GetRead{"x"}).failure->result_code, tree::ResultCode::kBadArguments);
}

TEST_F(ReadsTest, WhatIsReadNeedsReadPermission) {
  Protect("/a", tree::kRead);
  const std::vector<RequestOperation> reads = {GetRead{"/a"}, StatRead{"/a"}, ListRead{"/a"},
                                               GetAclRead{"/a"}, DescendantsRead{"/a"}};
  for (const RequestOperation& read : reads) {
    const Response response = Read(read);
    ASSERT_TRUE(response.failure.has_value()) << read.index();
    EXPECT_EQ(response.failure->result_code, tree::ResultCode::kNoAuth);
    EXPECT_EQ(response.failure->code, absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(response.failure->reason, "no_auth");
    EXPECT_THAT(response.failure->message, testing::HasSubstr("/a"));
    EXPECT_THAT(response.failure->message, testing::HasSubstr("authenticate"));
  }
  EXPECT_EQ(ReasonOf(GetRead{"/a/b"}), "ok") << "an ACL is not inherited (Z49)";
  who_ = std::make_shared<const tree::Identities>(tree::Identities{kBob});
  for (const RequestOperation& read : reads) EXPECT_EQ(ReasonOf(read), "ok") << read.index();
}

// Z50
TEST_F(ReadsTest, AnAclIsMaskedForWhoMayNotChangeIt) {
  const auto acl_of = [this] { return std::get<GetAclResult>(Read(GetAclRead{"/a"}).result).acl; };
  AllowAcls();
  EXPECT_EQ(acl_of(), (tree::Acl{{31, "world", "anyone"}}));
  Apply(tree::SetAcl{"/a", {{tree::kRead, "world", "anyone"}, {31, kBob.scheme, kBob.id}}});
  EXPECT_EQ(acl_of()[1].id, "bob:x");
  who_ = std::make_shared<const tree::Identities>(tree::Identities{kBob});
  EXPECT_EQ(acl_of()[1].id, kBob.id);
  EXPECT_EQ(std::get<GetAclResult>(Read(GetAclRead{"/a"}).result).stat.aversion, 1);
}

TEST_F(ReadsTest, ARecursiveListLeavesOutWhatIsBelowAForbiddenZnode) {
  Create("/a/b/c/e");
  Protect("/a/b");
  const std::vector<std::string> whole = List("/", true).names;
  EXPECT_THAT(whole, ElementsAre("/", "/a", "/a/b", "/a/d", "/a-b"));
  for (size_t page_bytes = 1; page_bytes < 60; ++page_bytes) {
    std::vector<std::string> names;
    for (bool more = true; more;) {
      const ListResult page = List("/", true, names.empty() ? "" : names.back(), page_bytes);
      names.insert(names.end(), page.names.begin(), page.names.end());
      more = page.more;
    }
    ASSERT_EQ(names, whole) << page_bytes;
  }
  for (const char* after : {"/a/b", "/a/b/c", "/a/b/a", "/a/b/c/e"}) {
    EXPECT_THAT(List("/a", true, after).names, ElementsAre("/a/d")) << after;
  }
  who_ = std::make_shared<const tree::Identities>(tree::Identities{kBob});
  EXPECT_THAT(List("/a", true).names, ElementsAre("/a", "/a/b", "/a/b/c", "/a/b/c/e", "/a/d"));
}

// Z53
TEST_F(ReadsTest, SystemZnodesAreToldToWhoAsksForThem) {
  AllowAcls();
  Create("/zz");
  EXPECT_THAT(List("/", false).names, ElementsAre("a", "a-b", "zz"));
  EXPECT_THAT(List("/", false, "zookeeper").names, ElementsAre("zz"));
  const std::vector<std::string> all = List("/", true).names;
  EXPECT_EQ(all.back(), "/zz");
  EXPECT_THAT(all, Not(Contains(HasSubstr("zookeeper"))));
  for (const char* const after : {"/zookeeper", "/zookeeper/config", "/zookeeper/x/y"}) {
    EXPECT_THAT(List("/", true, after).names, ElementsAre("/zz")) << after;
  }
  EXPECT_THAT(List("/zookeeper", false).names, ElementsAre("config", "quota"));
  EXPECT_THAT(List("/zookeeper", true).names,
              ElementsAre("/zookeeper", "/zookeeper/config", "/zookeeper/quota"));
  ListRead list{"/"};
  list.system_znodes = true;
  EXPECT_THAT(std::get<ListResult>(Read(list).result).names,
              ElementsAre("a", "a-b", "zookeeper", "zz"));
}

// Z60
TEST_F(ReadsTest, AWholeListHasNoPagesButALimit) {
  ListRead whole{"/", false, true, ""};
  whole.whole = true;
  const auto result = std::get<ListResult>(Read(whole, 1).result);
  EXPECT_EQ(result.names.size(), 6u);
  EXPECT_FALSE(result.more);
  const size_t bytes = 6 * sizeof(std::string) + 21;  // in memory
  for (reply_bytes_max_ = 1; reply_bytes_max_ < bytes; ++reply_bytes_max_) {
    ASSERT_EQ(ReasonOf(whole), "too_large") << reply_bytes_max_;
  }
  EXPECT_EQ(ReasonOf(whole), "ok");
}

TEST_F(ReadsTest, EphemeralsAreThoseOfTheSessionWithThePrefix) {
  for (const char* path : {"/a/e2", "/a/e1", "/e"}) {
    Create(path, "", tree::CreateMode::kEphemeral);
  }
  const auto below = [this](std::string prefix) {
    return std::get<EphemeralsResult>(Read(EphemeralsRead{std::move(prefix)}).result).paths;
  };
  EXPECT_THAT(below(""), ElementsAre("/a/e1", "/a/e2", "/e"));
  EXPECT_THAT(below("/a/"), ElementsAre("/a/e1", "/a/e2"));
  EXPECT_THAT(below("/x"), IsEmpty());
  reply_bytes_max_ = 1;
  EXPECT_EQ(ReasonOf(EphemeralsRead{""}), "too_large");
}

TEST_F(ReadsTest, DescendantsAreCountedToAnyDepth) {
  const auto below = [this](std::string path) {
    return std::get<CountResult>(Read(DescendantsRead{std::move(path)}).result).count;
  };
  EXPECT_EQ(below("/"), 5u);
  EXPECT_EQ(below("/a"), 3u);
  EXPECT_EQ(below("/a-b"), 0u);
  EXPECT_EQ(ReasonOf(DescendantsRead{"/x"}), "no_node");
}

TEST_F(ReadsTest, ReadsOfAMultiReadFailEachByItself) {
  Create("/s", "secret");
  Protect("/s");
  ListRead children{"/a"};
  children.whole = true;
  const Response response = Read(MultiRead{{GetRead{"/x"}, children, GetRead{"/s"}, GetRead{"/a"}}});
  ASSERT_FALSE(response.failure.has_value());
  const auto& results = std::get<MultiReadResult>(response.result).results;
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(std::get<Failure>(results[0]).result_code, tree::ResultCode::kNoNode);
  EXPECT_THAT(std::get<ListResult>(results[1]).names, ElementsAre("b", "d"));
  EXPECT_EQ(std::get<Failure>(results[2]).result_code, tree::ResultCode::kNoAuth);
  EXPECT_EQ(std::get<GetResult>(results[3]).stat.num_children, 2);
}

// A frame of 1 MiB can name a large znode very often.
TEST_F(ReadsTest, AMultiReadIsBoundedByItsAnswer) {
  Create("/large", std::string(100'000, 'x'));
  EXPECT_EQ(ReasonOf(MultiRead{{10, GetRead{"/large"}}}), "ok");
  EXPECT_EQ(ReasonOf(MultiRead{{11, GetRead{"/large"}}}), "too_large");
  ListRead children{"/a"};
  children.whole = true;
  EXPECT_EQ(ReasonOf(MultiRead{{100, children}}), "ok");
  EXPECT_EQ(ReasonOf(MultiRead{{10'000, children}}), "too_large");
  EXPECT_EQ(ReasonOf(MultiRead{{10'000, GetRead{"/none"}}}), "too_large") << "failures count, too";
  reply_bytes_max_ = 1;
  EXPECT_EQ(ReasonOf(MultiRead{{10, GetRead{"/large"}}}), "ok") << "it has a bound of its own";
}

// ---- Long reads ----

TEST_F(ReadsTest, CostWhatTheyLookAt) {
  const auto cost = [this](RequestOperation operation) {
    Request request;
    request.operation = std::move(operation);
    request.identities = who_;
    return ReadCost(tree_, session_, request);
  };
  EXPECT_EQ(cost(GetRead{"/a"}), 1u);
  EXPECT_EQ(cost(ListRead{"/a"}), 3u);
  EXPECT_EQ(cost(ListRead{"/none"}), 1u);
  EXPECT_EQ(cost(ListRead{"/a", false, true}), kUnknownReadCost);
  EXPECT_EQ(cost(ListRead{"/a-b", false, true}), 1u);
  EXPECT_EQ(cost(DescendantsRead{"/a"}), kUnknownReadCost);
  EXPECT_EQ(cost(DescendantsRead{"/"}), 1u) << "which is known";
  EXPECT_EQ(cost(MultiRead{{GetRead{"/a"}, ListRead{"/a"}}}), 5u);
  Create("/e", "", tree::CreateMode::kEphemeral);
  EXPECT_EQ(cost(EphemeralsRead{""}), 2u);
  Protect("/a");
  EXPECT_EQ(cost(ListRead{"/a"}), 1u) << "it fails at once";
  EXPECT_EQ(cost(DescendantsRead{"/a"}), 1u);
}

// Whatever the pieces, the answer is the same.
TEST_F(ReadsTest, LongOnesAnswerAsShortOnes) {
  Create("/a/b/c/e");
  Create("/a/e", "", tree::CreateMode::kEphemeral);
  Protect("/a/b");
  ListRead whole{"/", false, true};
  whole.whole = true;
  ListRead paged{"/", false, true, "/a"};
  const std::vector<RequestOperation> reads = {
      whole, paged, ListRead{"/"}, ListRead{"/a", false, false, "b"}, ListRead{"/a", false, true, "/z"},
      DescendantsRead{"/a"}, EphemeralsRead{""}, MultiRead{{GetRead{"/a"}, ListRead{"/a"}}}};
  for (const RequestOperation& read : reads) {
    for (size_t visits = 1; visits < 12; ++visits) {
      for (const size_t page_bytes : {1u, 20u, 1u << 20}) {
        Request request;
        request.id = 9;
        request.operation = read;
        LongRead long_read(tree_.View(), session_, request, {page_bytes, 1 << 20, 1 << 20});
        std::optional<Response> response;
        while (!response.has_value()) response = long_read.Continue(visits);
        const Response expected = Read(read, page_bytes);
        EXPECT_EQ(response->request_id, 9u);
        EXPECT_EQ(response->zxid, expected.zxid);
        ASSERT_EQ(response->result.index(), expected.result.index()) << read.index();
        if (const auto* list = std::get_if<ListResult>(&expected.result)) {
          const auto& made = std::get<ListResult>(response->result);
          EXPECT_EQ(made.names, list->names) << visits;
          EXPECT_EQ(made.more, list->more);
          EXPECT_EQ(made.stat, list->stat);
        }
        if (const auto* count = std::get_if<CountResult>(&expected.result)) {
          EXPECT_EQ(std::get<CountResult>(response->result).count, count->count);
        }
      }
    }
  }
}

TEST_F(ReadsTest, ALongListThatIsTooLargeIsRefused) {
  Request request;
  ListRead whole{"/", false, true};
  whole.whole = true;
  request.operation = whole;
  LongRead long_read(tree_.View(), session_, request, {1, 100, 1});
  std::optional<Response> response;
  while (!response.has_value()) response = long_read.Continue(1);
  EXPECT_EQ(response->failure->reason, "too_large");
}

TEST_F(ReadsTest, WhatEvaluatesNothingSaysTheZxid) {
  for (const RequestOperation& operation : {RequestOperation(SyncRead()), RequestOperation(EchoRead())}) {
    const Response response = Read(operation);
    EXPECT_FALSE(response.failure.has_value());
    EXPECT_EQ(response.zxid, tree_.zxid());
  }
}

}  // namespace
}  // namespace bellwether::coord
