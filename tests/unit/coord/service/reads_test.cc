#include "coord/service/reads.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ReadsTest : public testing::Test {
 protected:
  void Create(std::string path, std::string_view data = "") {
    tree::Command command;
    command.session = session_;
    command.generation = SessionGeneration(1);
    command.sequence = ++sequence_;
    command.operation = tree::Create{std::move(path), tree::SharedBytes::Copy(data)};
    ASSERT_EQ(tree_.Apply(command, {1}).result.code, tree::ResultCode::kOk);
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
    return EvaluateRead(tree_, request, page_bytes_max);
  }
  ListResult List(std::string path, bool recursive, std::string after = "",
                  size_t page_bytes_max = 1 << 20) {
    return std::get<ListResult>(
        Read(ListRead{std::move(path), false, recursive, std::move(after)}, page_bytes_max).result);
  }

  tree::StateMachine tree_;
  SessionId session_;
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

}  // namespace
}  // namespace bellwether::coord
