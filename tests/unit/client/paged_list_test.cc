// Lists of several pages.
#include <optional>
#include <string>
#include <vector>

#include "client/errors.h"
#include "gmock/gmock.h"
#include "tests/unit/client/coord_client_fixture.h"

namespace bellwether::client {
namespace {

using ::testing::ElementsAre;

class PagedListTest : public CoordClientTest {
 protected:
  PagedListTest() { Deliver(AttachedFrame(1, 0)); }

  void List(ReadOptions options = {}) {
    client_->List("/a", false, std::move(options),
                  [this](absl::StatusOr<ListResult> result) { listed_ = std::move(result); });
    executor_.Run();
  }
  // Answers the newest request.
  void Page(int64_t zxid, std::vector<std::string> names, bool more) {
    coord::v1::SessionResponse page;
    page.mutable_response()->set_request_id(Asked().request_id());
    page.mutable_response()->set_zxid(zxid);
    page.mutable_response()->mutable_list()->set_more(more);
    for (const std::string& name : names) page.mutable_response()->mutable_list()->add_names(name);
    Deliver(page);
  }
  void Expired() {
    Deliver(Failed(Asked().request_id(), 0, absl::StatusCode::kFailedPrecondition, "list_expired"));
  }
  coord::v1::Request Asked() { return Last().Requests().back(); }

  std::optional<absl::StatusOr<ListResult>> listed_;
};

TEST_F(PagedListTest, AsksForAllPagesAtTheZxidOfTheFirst) {
  List();
  EXPECT_EQ(Asked().list().at_zxid(), 0);
  EXPECT_TRUE(Asked().list().keep_state());
  Page(20, {"x"}, true);
  EXPECT_EQ(Asked().list().at_zxid(), 20);
  EXPECT_EQ(Asked().list().after(), "x");
  Page(20, {"y"}, false);
  ASSERT_TRUE(listed_.has_value() && listed_->ok());
  EXPECT_THAT((*listed_)->names, ElementsAre("x", "y"));
  EXPECT_EQ((*listed_)->zxid, Zxid(20));
  EXPECT_TRUE((*listed_)->one_zxid);
  EXPECT_EQ((*listed_)->pages, 2);
}

TEST_F(PagedListTest, BeginsAgainWhenTheStateIsNotKept) {
  List();
  Page(20, {"x"}, true);
  Expired();
  EXPECT_FALSE(listed_.has_value());
  executor_.Advance(absl::Milliseconds(10));
  EXPECT_EQ(Asked().list().at_zxid(), 0);
  EXPECT_EQ(Asked().list().after(), "");
  EXPECT_EQ(Asked().min_zxid(), 20);
  Page(30, {"w", "x"}, true);
  Page(30, {"y"}, false);
  ASSERT_TRUE(listed_.has_value() && listed_->ok());
  EXPECT_THAT((*listed_)->names, ElementsAre("w", "x", "y"));
  EXPECT_EQ((*listed_)->zxid, Zxid(30));
  EXPECT_EQ((*listed_)->pages, 2);
}

TEST_F(PagedListTest, BeginsAgainAtAnotherServer) {
  List();
  Page(20, {"x"}, true);
  Break();
  executor_.Advance(absl::Seconds(1));
  Deliver(AttachedFrame(2, 0, 20));
  EXPECT_EQ(Asked().list().at_zxid(), 20);  // it may be the same one
  Expired();
  executor_.Advance(absl::Milliseconds(10));
  Page(31, {"z"}, false);
  ASSERT_TRUE(listed_.has_value() && listed_->ok());
  EXPECT_THAT((*listed_)->names, ElementsAre("z"));
}

TEST_F(PagedListTest, BeginsAgainUntilItsTimeout) {
  ReadOptions options;
  options.timeout = absl::Seconds(2);
  List(std::move(options));
  size_t answered = 0;
  int begun = 0;
  for (; !listed_.has_value() && begun < 100; ++begun) {
    Page(20 + begun, {"x"}, true);
    Expired();
    answered += 2;
    while (!listed_.has_value() && Last().Requests().size() == answered) {
      executor_.Advance(absl::Milliseconds(10));
    }
  }
  ASSERT_TRUE(listed_.has_value());
  EXPECT_EQ(ReasonOf(listed_->status()), "list_expired");
  EXPECT_EQ(begun, 9);  // with pauses of 10 ms, doubling, to 500 ms
}

TEST_F(PagedListTest, SaysWhenAnEarlierReleaseAnsweredByOtherStates) {
  List();
  Page(20, {"x"}, true);
  Page(25, {"y"}, false);
  ASSERT_TRUE(listed_.has_value() && listed_->ok());
  EXPECT_FALSE((*listed_)->one_zxid);
  EXPECT_EQ((*listed_)->zxid, Zxid(20));
}

}  // namespace
}  // namespace bellwether::client
