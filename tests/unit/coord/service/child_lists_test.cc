// Large lists that many ask for.
#include "coord/service/child_lists.h"

#include <memory>
#include <string>
#include <vector>

#include "coord/service/reads.h"
#include "gmock/gmock.h"
#include "tests/unit/coord/service/service_fixture.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const tree::Identity kListReader{"digest", "reader:hash"};

ListRead WholeListOf(std::string path) {
  ListRead read{std::move(path)};
  read.whole = true;
  return read;
}

class ChildListsTest : public testing::Test {
 protected:
  static constexpr ChildLists::Options kSmall{.bytes_max = 4'000, .list_bytes_min = 200};

  // With names of 20 bytes, each packed as 24.
  void Make(const std::string& path, int children) {
    machine_.Create(path);
    for (int i = 0; i < children; ++i) machine_.Create(fmt::format("{}/{:020}", path, i));
  }
  // As the service answers: from what is kept, or by making it.
  ListResult List(const ListRead& read) { return ListOf(read, machine_.state); }
  ListResult ListOf(const ListRead& read, const tree::StateView& state) {
    Request request;
    request.operation = read;
    Response response = EvaluateRead(state, machine_.session, request, {1 << 20, 1 << 20, 1 << 20},
                                     lists_.Find(read, state));
    lists_.Share(read, state, response);
    return std::get<ListResult>(std::move(response.result));
  }
  bool IsKept(const std::string& path) {
    return lists_.Find(WholeListOf(path), machine_.state) != nullptr;
  }

  tree::Machine machine_;
  base::Metrics metrics_;
  ChildLists lists_{kSmall, metrics_};
};

TEST_F(ChildListsTest, ALargeListIsPutTogetherOnce) {
  Make("/a", 20);
  const ListResult first = List(WholeListOf("/a"));
  const ListResult second = List(WholeListOf("/a"));
  ASSERT_NE(first.packed, nullptr);
  EXPECT_EQ(first.packed, second.packed);
  EXPECT_THAT(second.names, IsEmpty());
  EXPECT_THAT(metrics_.Text(), HasSubstr("\nbell_child_lists_hits_total 1\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("\nbell_child_lists_misses_total 1\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("\nbell_child_lists_bytes 482\n"));
}

TEST_F(ChildListsTest, NamesArePackedBehindTheirLengths) {
  Make("/a", 10);
  const ListResult list = List(WholeListOf("/a"));
  ASSERT_NE(list.packed, nullptr);
  EXPECT_EQ(list.packed->count, 10u);
  EXPECT_EQ(list.packed->bytes.size(), 240u);
  EXPECT_EQ(list.packed->bytes.substr(0, 24), std::string("\0\0\0\x14", 4) + std::string(20, '0'));
}

TEST_F(ChildListsTest, ChangedChildrenAreAnotherListAndAChangedZnodeIsNot) {
  Make("/a", 20);
  const ListResult before = List(WholeListOf("/a"));
  machine_.Set("/a", "data");
  const ListResult same = List(WholeListOf("/a"));
  EXPECT_EQ(same.packed, before.packed);
  EXPECT_EQ(same.stat.version, 1) << "the Stat is of now";
  machine_.Remove("/a/00000000000000000003");
  EXPECT_FALSE(IsKept("/a"));
  EXPECT_EQ(List(WholeListOf("/a")).packed->count, 19u);
  machine_.Create("/a/00000000000000000003");
  EXPECT_FALSE(IsKept("/a")) << "again as many, but another state";
}

TEST_F(ChildListsTest, AZnodeMadeAnewIsAnotherOne) {
  Make("/a", 20);
  List(WholeListOf("/a"));
  machine_.Do(tree::DeleteRecursive{"/a"});
  EXPECT_FALSE(IsKept("/a"));
  Make("/a", 20);
  EXPECT_FALSE(IsKept("/a"));
}

TEST_F(ChildListsTest, AnEarlierStateIsNeitherServedNorKeptInThePlaceOfALaterOne) {
  Make("/a", 20);
  const tree::StateView earlier = machine_.state.View();
  machine_.Create("/a/more");
  const ListResult now = List(WholeListOf("/a"));
  const ListResult then = ListOf(WholeListOf("/a"), earlier);
  EXPECT_EQ(then.packed->count, 20u);
  EXPECT_EQ(now.packed->count, 21u);
  EXPECT_EQ(List(WholeListOf("/a")).packed, now.packed);
}

TEST_F(ChildListsTest, OtherListsAreNotKept) {
  Make("/a", 20);
  for (int i = 0; i < 20; ++i) machine_.Create(fmt::format("/{:020}", i));
  machine_.Create("/small");
  ListRead page{"/a"};
  ListRead below = WholeListOf("/a");
  below.recursive = true;
  ListRead rest = WholeListOf("/a");
  rest.after = "00000000000000000000";
  for (const ListRead& read : {page, below, rest, WholeListOf("/"), WholeListOf("/small")}) {
    EXPECT_EQ(List(read).packed, nullptr);
  }
  EXPECT_EQ(lists_.bytes(), 0u);
}

TEST_F(ChildListsTest, WhatWasAskedForLongestAgoMakesRoom) {
  for (const std::string path : {"/a", "/b", "/c", "/d", "/e"}) Make(path, 35);  // of 842 bytes
  for (const std::string path : {"/a", "/b", "/c", "/d"}) List(WholeListOf(path));
  EXPECT_TRUE(IsKept("/a"));
  List(WholeListOf("/e"));
  EXPECT_TRUE(IsKept("/a"));
  EXPECT_FALSE(IsKept("/b"));
  EXPECT_TRUE(IsKept("/e"));
  EXPECT_LE(lists_.bytes(), kSmall.bytes_max);
}

TEST_F(ChildListsTest, AListThatWouldTakeMuchOfTheRoomIsNotKept) {
  Make("/a", 50);
  EXPECT_EQ(List(WholeListOf("/a")).packed, nullptr);
  EXPECT_EQ(List(WholeListOf("/a")).names.size(), 50u);
  EXPECT_EQ(lists_.bytes(), 0u);
}

// ---- Connections that ask for the same list ----

class SharedListsTest : public ServiceTest {
 protected:
  void Make(TestClient& client, const std::string& path, int children) {
    tree::Transaction transaction;
    tree::Create root{path};
    root.acl = tree::Acl{{tree::kAllPermissions, kListReader.scheme, kListReader.id}};
    transaction.operations.push_back(std::move(root));
    for (int i = 0; i < children; ++i) {
      transaction.operations.push_back(tree::Create{fmt::format("{}/{:020}", path, i)});
    }
    client.Ask(std::move(transaction));
    Settle();
  }
};

TEST_F(SharedListsTest, ManyWhoAskTogetherShareOneList) {
  auto maker = Connect();
  maker->Become({kListReader});
  Make(*maker, "/a", 5'000);
  std::vector<std::shared_ptr<TestClient>> clients;
  for (uint64_t i = 0; i < 60; ++i) {
    clients.push_back(Connect(NewSession(1'000 + i), "test", &frontend_executor_));
    clients.back()->Become({kListReader});
  }
  for (auto& client : clients) client->AskStale(WholeListOf("/a"));
  Settle();
  const PackedNames* shared = nullptr;
  for (auto& client : clients) {
    const Response response = client->All<Response>().back();
    const auto& list = std::get<ListResult>(response.result);
    ASSERT_NE(list.packed, nullptr);
    EXPECT_EQ(list.packed->count, 5'000u);
    if (shared == nullptr) shared = list.packed.get();
    EXPECT_EQ(list.packed.get(), shared);
  }
  EXPECT_THAT(metrics_.Text(), HasSubstr("\nbell_child_lists_misses_total 1\n"));
}

// Z32
TEST_F(SharedListsTest, WhoMayNotReadTheZnodeGetsNoListThoughItIsKept) {
  auto maker = Connect();
  maker->Become({kListReader});
  Make(*maker, "/a", 5'000);
  const uint64_t permitted = maker->AskStale(WholeListOf("/a"));
  Settle();
  auto other = Connect();
  const uint64_t refused = other->AskStale(WholeListOf("/a"));
  Settle();
  EXPECT_EQ(maker->ReasonOf(permitted), "ok");
  EXPECT_NE(std::get<ListResult>(maker->Find(permitted)->result).packed, nullptr);
  EXPECT_EQ(other->ReasonOf(refused), "no_auth");
}

}  // namespace
}  // namespace bellwether::coord
