#include "coord/service/list_views.h"

#include <string>

#include "gtest/gtest.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord {
namespace {

class TestClock : public base::Clock {
 public:
  absl::Duration Monotonic() const override { return now; }
  absl::Time Wall() const override { return absl::UnixEpoch() + now; }
  absl::Duration now = absl::Hours(1);
};

class ListViewsTest : public testing::Test {
 protected:
  // A page at the machine's present state, or a further one of that zxid.
  void Page(uint64_t connection, bool more, Zxid at_zxid = Zxid(0), bool keep_state = true) {
    ListRead read{"/"};
    read.at_zxid = at_zxid;
    read.keep_state = keep_state;
    Response response;
    ListResult result;
    result.more = more;
    response.result = result;
    if (at_zxid == Zxid(0)) return views_.OnPage(connection, machine_.state, read, response);
    views_.OnPage(connection, *views_.Find(connection, at_zxid), read, response);
  }
  // Begins a list at a new state, and returns the zxid of that.
  Zxid Begin(uint64_t connection) {
    machine_.Do(tree::SetData{"/"});
    Page(connection, true);
    return machine_.state.zxid();
  }
  bool Has(uint64_t connection, Zxid zxid) { return views_.Find(connection, zxid).has_value(); }
  void Pass(absl::Duration duration) {
    clock_.now += duration;
    views_.DropExpired();
  }

  TestClock clock_;
  base::Metrics metrics_;
  tree::Machine machine_;
  ListViews views_{ListViews::Options{.total_max = 3, .change_bytes_max = 100}, clock_, metrics_};
};

TEST_F(ListViewsTest, KeepsTheStateOfTheFirstPageUntilTheLast) {
  const Zxid zxid = Begin(1);
  machine_.Do(tree::Create{"/later"});
  ASSERT_TRUE(Has(1, zxid));
  EXPECT_FALSE(views_.Find(1, zxid)->Exists("/later").has_value());
  EXPECT_EQ(views_.Find(1, zxid)->zxid(), zxid);
  Page(1, true, zxid);
  EXPECT_TRUE(Has(1, zxid));
  Page(1, false, zxid);
  EXPECT_FALSE(Has(1, zxid));
  EXPECT_EQ(views_.count(), 0u);
}

TEST_F(ListViewsTest, KeepsNothingForOnePageOrForWhoDoesNotAsk) {
  Page(1, false);
  Page(1, true, Zxid(0), false);
  EXPECT_EQ(views_.count(), 0u);
}

TEST_F(ListViewsTest, AStateIsOfOneConnection) {
  const Zxid zxid = Begin(1);
  EXPECT_FALSE(Has(2, zxid));
  EXPECT_FALSE(Has(0, zxid));
  views_.RemoveAll(2);
  EXPECT_TRUE(Has(1, zxid));
  views_.RemoveAll(1);
  EXPECT_FALSE(Has(1, zxid));
}

TEST_F(ListViewsTest, TwoListsOfOneStateLetGoOfItTogether) {
  const Zxid zxid = Begin(1);
  Page(1, true);
  Page(1, false, zxid);
  EXPECT_TRUE(Has(1, zxid));
  Page(1, false, zxid);
  EXPECT_FALSE(Has(1, zxid));
}

TEST_F(ListViewsTest, APageThatFailsIsTheLast) {
  const Zxid zxid = Begin(1);
  ListRead read{"/"};
  read.at_zxid = zxid;
  Response response;
  response.failure = FailureOf(tree::ResultCode::kNoAuth, "/");
  views_.OnPage(1, *views_.Find(1, zxid), read, response);
  EXPECT_FALSE(Has(1, zxid));
}

TEST_F(ListViewsTest, DropsWhatNobodyAskedForInTime) {
  const Zxid zxid = Begin(1);
  Pass(absl::Seconds(30));
  EXPECT_TRUE(Has(1, zxid));
  Pass(absl::Seconds(30));
  EXPECT_TRUE(Has(1, zxid));
  Pass(absl::Seconds(31));
  EXPECT_FALSE(Has(1, zxid));
}

TEST_F(ListViewsTest, DropsWhatHoldsTooMuchThatHasChangedSince) {
  views_.NoteChanges(machine_.ChangesOf(tree::SetData{"/", tree::Data(std::string(200, 'x'))}));
  const Zxid zxid = Begin(1);
  views_.NoteChanges(machine_.ChangesOf(tree::SetData{"/", tree::Data(std::string(80, 'x'))}));
  views_.DropExpired();
  EXPECT_TRUE(Has(1, zxid));
  const Zxid later = Begin(1);
  views_.NoteChanges(machine_.ChangesOf(tree::SetData{"/", tree::Data(std::string(80, 'x'))}));
  views_.DropExpired();
  EXPECT_FALSE(Has(1, zxid));
  EXPECT_TRUE(Has(1, later));
}

// Else lists that are too many would always drop each other.
TEST_F(ListViewsTest, WithoutRoomThoseUnderWayAreFinishedFirst) {
  const Zxid first = Begin(1);
  const Zxid second = Begin(1);
  const Zxid third = Begin(1);  // of one connection
  EXPECT_TRUE(Has(1, first));
  EXPECT_TRUE(Has(1, second));
  EXPECT_FALSE(Has(1, third));
  const Zxid other = Begin(2);
  const Zxid too_many = Begin(3);  // of all
  EXPECT_TRUE(Has(2, other));
  EXPECT_FALSE(Has(3, too_many));
  Page(1, false, first);
  EXPECT_TRUE(Has(3, Begin(3)));
}

TEST_F(ListViewsTest, WithoutRoomTheOneLeftAloneForLongestGoes) {
  const Zxid first = Begin(1);
  const Zxid second = Begin(1);
  Begin(2);
  Pass(absl::Milliseconds(999));
  EXPECT_TRUE(Has(1, first));  // asked for
  Pass(absl::Milliseconds(1));
  const Zxid third = Begin(1);
  EXPECT_TRUE(Has(1, first));
  EXPECT_FALSE(Has(1, second));
  EXPECT_TRUE(Has(1, third));
}

}  // namespace
}  // namespace bellwether::coord
