// Lists of several pages at one zxid.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {
namespace {

using testing::ElementsAre;

class PagedListsTest : public ServiceTest {
 protected:
  // Two names to a page.
  static ServiceOptions SmallPages() {
    ServiceOptions options = DefaultOptions();
    options.list_page_bytes_max = 24;
    return options;
  }
  explicit PagedListsTest(ServiceOptions options = SmallPages()) : ServiceTest(options) {}

  void SetUp() override {
    ServiceTest::SetUp();
    client_ = Connect();
    client_->Create("/d");
    for (const char* name : {"a", "b", "c", "d", "e"}) client_->Create(std::string("/d/") + name);
    Settle();
  }
  const Response& List(std::string after = "", Zxid at_zxid = Zxid(0), bool recursive = false) {
    ListRead read{"/d", false, recursive, std::move(after)};
    read.at_zxid = at_zxid;
    read.keep_state = true;
    const uint64_t id = client_->Ask(std::move(read));
    Settle();
    return *client_->Find(id);
  }
  static const std::vector<std::string>& Names(const Response& response) {
    return std::get<ListResult>(response.result).names;
  }
  static std::string Reason(const Response& response) {
    return response.failure.has_value() ? response.failure->reason : "ok";
  }

  std::shared_ptr<TestClient> client_;
};

TEST_F(PagedListsTest, AllPagesAreOfTheStateOfTheFirst) {
  const Response first = List();
  EXPECT_THAT(Names(first), ElementsAre("a", "b"));
  client_->Create("/d/bb");
  client_->Ask(tree::Delete{"/d/d"});
  Settle();
  const Response second = List("b", first.zxid);
  EXPECT_EQ(second.zxid, first.zxid);
  EXPECT_THAT(Names(second), ElementsAre("c", "d"));
  const Response third = List("d", first.zxid);
  EXPECT_THAT(Names(third), ElementsAre("e"));
  EXPECT_EQ(std::get<ListResult>(third.result).stat.num_children, 5);
  EXPECT_EQ(Reason(List("d", first.zxid)), "list_expired");  // after the last page
  EXPECT_THAT(Names(List("b")), ElementsAre("bb", "c"));     // as it is now
}

TEST_F(PagedListsTest, SoAreThoseOfARecursiveList) {
  const Response first = List("", Zxid(0), true);
  EXPECT_THAT(Names(first), ElementsAre("/d", "/d/a"));
  client_->Ask(tree::DeleteRecursive{"/d"});
  Settle();
  EXPECT_THAT(Names(List("/d/a", first.zxid, true)), ElementsAre("/d/b", "/d/c"));
  EXPECT_THAT(Names(List("/d/c", first.zxid, true)), ElementsAre("/d/d", "/d/e"));
}

TEST_F(PagedListsTest, AnotherConnectionHasNotGotTheState) {
  const Response first = List();
  auto other = Connect();
  std::swap(client_, other);
  EXPECT_EQ(Reason(List("b", first.zxid)), "list_expired");
  std::swap(client_, other);
  EXPECT_EQ(Reason(List("b", first.zxid)), "ok");
}

TEST_F(PagedListsTest, TheStateOfAListThatIsNotContinuedGoes) {
  const Response first = List();
  EXPECT_THAT(metrics_.Text(), testing::HasSubstr("bell_list_views 1\n"));
  scheduler_.RunFor(absl::Seconds(31));
  EXPECT_THAT(metrics_.Text(), testing::HasSubstr("bell_list_views 0\n"));
}

// Who may see what is judged by the state of the list.
TEST_F(PagedListsTest, WhoWasForbiddenThenIsForbiddenStill) {
  client_->Create("/d/c/secret");
  client_->Ask(tree::SetAcl{"/d/c", {{tree::kAllPermissions, "digest", "bob:hash"}}});
  Settle();
  const Response first = List("", Zxid(0), true);
  client_->Ask(tree::SetAcl{"/d/c", tree::OpenAcl()});
  Settle();
  EXPECT_THAT(Names(List("/d/a", first.zxid, true)), ElementsAre("/d/b", "/d/c"));
  EXPECT_THAT(Names(List("/d/c", first.zxid, true)), ElementsAre("/d/d", "/d/e"));
}

TEST_F(PagedListsTest, RequestsBehindAFurtherPageAreAnsweredInOrder) {
  const Response first = List();
  ListRead page{"/d", false, false, "b"};
  page.at_zxid = first.zxid;
  const uint64_t before = client_->Get("/d/a");
  const uint64_t paged = client_->Ask(page);
  const uint64_t after = client_->Get("/d/a");
  Settle();
  std::vector<uint64_t> order;
  for (const Response& response : client_->All<Response>()) {
    if (response.request_id >= before) order.push_back(response.request_id);
  }
  EXPECT_THAT(order, ElementsAre(before, paged, after));
}

class LongPagesTest : public PagedListsTest {
 protected:
  LongPagesTest() : PagedListsTest(LongPages()) {}
  static ServiceOptions LongPages() {
    ServiceOptions options = DefaultOptions();
    options.list_page_bytes_max = 30'000;
    return options;
  }
};

// Pages that are made piece by piece.
TEST_F(LongPagesTest, AreOfOneStateToo) {
  tree::Transaction many;
  for (int i = 0; i < 4'000; ++i) {
    many.operations.emplace_back(
        tree::Create{"/d/n" + std::to_string(10'000 + i), tree::SharedBytes()});
  }
  client_->Ask(many);
  Settle();
  Response page = List();
  const Zxid zxid = page.zxid;
  std::vector<std::string> names = Names(page);
  for (int pages = 1; std::get<ListResult>(page.result).more && pages < 10; ++pages) {
    client_->Create("/d/z" + std::to_string(pages));
    Settle();
    page = List(names.back(), zxid);
    ASSERT_EQ(Reason(page), "ok");
    EXPECT_EQ(page.zxid, zxid);
    names.insert(names.end(), Names(page).begin(), Names(page).end());
  }
  EXPECT_EQ(names.size(), 4'005u);
  EXPECT_THAT(metrics_.Text(), testing::HasSubstr("bell_list_views 0\n"));
}

}  // namespace
}  // namespace bellwether::coord
