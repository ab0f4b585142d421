#include "coord/tree/quotas.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "coord/tree/state_machine.h"
#include "coord/tree/tree_builder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord::tree {
namespace {

using testing::ElementsAre;

std::optional<std::string> Rewritten(std::string_view text) {
  const auto numbers = QuotaNumbers::Parse(Data(text));
  if (!numbers.has_value()) return std::nullopt;
  return std::string(numbers->Text().view());
}

// Z54.
TEST(QuotaNumbers, AreZooKeepersText) {
  EXPECT_EQ(Rewritten(""), "count=-1,bytes=-1");
  EXPECT_EQ(Rewritten("count=5"), "count=5,bytes=-1");
  EXPECT_EQ(Rewritten("bytes=7;count=5"), "count=5,bytes=7");
  EXPECT_EQ(Rewritten("count=1,bytes=2=;countHardLimit=3;byteHardLimit=4"),
            "count=1,bytes=2=;byteHardLimit=4;countHardLimit=3");
  EXPECT_EQ(Rewritten("count==5,bytes=+6=7"), "count=-1,bytes=6");
  EXPECT_EQ(Rewritten("count=1,;,bytes=2,;"), "count=1,bytes=2");
  EXPECT_EQ(Rewritten("count=1,count=2"), "count=2,bytes=-1");
  EXPECT_EQ(Rewritten(",;"), "count=-1,bytes=-1");
  EXPECT_EQ(Rewritten("count=-9223372036854775808"), "count=-9223372036854775808,bytes=-1");
}

TEST(QuotaNumbers, RefuseWhatIsNoSuchText) {
  for (const char* text : {"junk", "count", "count=", "count==", "=5", ",count=5", "count=x",
                           "count=5x", "count= 5", "count=+-5", "count=+", "count=-",
                           "count=9223372036854775808"}) {
    EXPECT_EQ(Rewritten(text), std::nullopt) << text;
  }
  EXPECT_FALSE(QuotaNumbers::Parse(SharedBytes()).has_value());
}

class Quotas : public testing::Test {
 protected:
  Quotas() { machine.RaiseLevel(); }

  // As ZooKeeper's shell does it.
  void SetQuota(const std::string& path, std::string_view limits) {
    for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
      machine.Create("/zookeeper/quota" + path.substr(0, end));
      if (end == std::string::npos) break;
    }
    ASSERT_EQ(machine.Create("/zookeeper/quota" + path + "/zookeeper_limits", limits).code,
              ResultCode::kOk);
    ASSERT_EQ(machine.Create(UsagePath(path), "count=0,bytes=0").code, ResultCode::kOk);
  }
  std::string UsageOf(std::string_view path) const {
    const auto found = machine.state.Get(UsagePath(path));
    return found.has_value() ? std::string(found->data.view()) : "none";
  }

  Machine machine;
};

// Z54.
TEST_F(Quotas, UsageBeginsWithWhatIsThere) {
  machine.Create("/a", "12");
  machine.Create("/a/b", "345");
  machine.Create("/ab", "not below /a");
  SetQuota("/a", "count=10");
  EXPECT_EQ(UsageOf("/a"), "count=2,bytes=5");
  SetQuota("/missing", "count=10");
  EXPECT_EQ(UsageOf("/missing"), "count=0,bytes=0");
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
}

// The whole server waits for the count; replicas agree as the level says which bound holds.
TEST(QuotasOfManyZnodes, FromALevelOnFewerAreCounted) {
  const size_t bound = QuotaCountedZnodesMax(kFeatureLevelRetries);
  TreeBuilder builder;
  ASSERT_TRUE(builder.Add(0, "", Znode::Make()));
  ASSERT_TRUE(builder.Add(1, "a", Znode::Make()));
  for (size_t i = 0; i < bound; ++i) {
    ASSERT_TRUE(builder.Add(2, fmt::format("{:07}", i), Znode::Make()));
  }
  Machine machine;
  machine.state.Replace(StateView(builder.Finish(), machine.state.sessions(), machine.state.zxid(),
                                  machine.time_ms, base::Uuid()));
  machine.RaiseLevel(kFeatureLevelRetries);
  machine.Create("/zookeeper/quota/a");
  EXPECT_EQ(machine.Create(UsagePath("/a"), "").code, ResultCode::kTooLarge) << "/a counts, too";
  machine.Remove("/a/0000000");
  EXPECT_EQ(machine.Create(UsagePath("/a"), "").code, ResultCode::kOk);
  EXPECT_EQ(machine.state.Get(UsagePath("/a"))->data.view(),
            fmt::format("count={},bytes=0", bound));
  EXPECT_GT(QuotaCountedZnodesMax(kFeatureLevelAcls), bound);
}

// Z54.
TEST_F(Quotas, UsageFollowsEveryChange) {
  machine.Create("/a", "1");
  SetQuota("/a", "count=10");
  machine.Create("/a/b", "22");
  EXPECT_EQ(UsageOf("/a"), "count=2,bytes=3");
  machine.Set("/a/b", "4444");
  EXPECT_EQ(UsageOf("/a"), "count=2,bytes=5");
  machine.Do(SetData{"/a", {}, kAnyVersion});
  EXPECT_EQ(UsageOf("/a"), "count=2,bytes=4");
  machine.Create("/a/b/c", "x", CreateMode::kEphemeral);
  EXPECT_EQ(UsageOf("/a"), "count=3,bytes=5");
  machine.Remove("/a/b/c");
  EXPECT_EQ(UsageOf("/a"), "count=2,bytes=4");
  machine.Create("/other", "x");
  EXPECT_EQ(UsageOf("/a"), "count=2,bytes=4");
  machine.Do(DeleteRecursive{"/a/b"});
  EXPECT_EQ(UsageOf("/a"), "count=1,bytes=0");
  machine.Do(DeleteRecursive{"/"});
  EXPECT_EQ(UsageOf("/a"), "count=0,bytes=0");
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
}

// Z54: only the data of the usage changes, and no watch tells it.
TEST_F(Quotas, UsageHasTheStatOfItsCreation) {
  SetQuota("/a", "count=10");
  Stat expected = machine.StatOf(UsagePath("/a"));
  const ApplyOutcome outcome = machine.Apply(machine.session, Create{"/a", Data("123456789")});
  EXPECT_THAT(Lines(outcome.changes), ElementsAre("created /a", "children /"));
  ++expected.data_length;
  machine.Create("/a/b", "x");
  EXPECT_EQ(UsageOf("/a"), "count=2,bytes=10");
  EXPECT_EQ(machine.StatOf(UsagePath("/a")), expected);
}

// Z54: who creates it is told of what was asked for.
TEST_F(Quotas, CreationOfAUsageAnswersBeforeItIsCounted) {
  machine.Create("/zookeeper/quota/a");
  const Result result = machine.Create(UsagePath("/a"), "");
  EXPECT_EQ(result.stat->data_length, 0);
  EXPECT_EQ(machine.StatOf(UsagePath("/a")).data_length, 15);
}

// Z13.
TEST_F(Quotas, HardLimitsRefuseCreations) {
  machine.Create("/a");
  machine.Create("/a/e", "", CreateMode::kEphemeral);
  SetQuota("/a", "count=1,bytes=1=;byteHardLimit=4;countHardLimit=3");
  EXPECT_EQ(machine.Create("/a/b", "12345").code, ResultCode::kQuotaExceeded);
  EXPECT_EQ(machine.Create("/a/b", "1234").code, ResultCode::kOk);
  EXPECT_EQ(machine.CreateCode("/a/c"), ResultCode::kQuotaExceeded);
  EXPECT_EQ(machine.CreateCode("/a/b"), ResultCode::kNodeExists);
  EXPECT_EQ(machine.CreateCode("/a/e/c"), ResultCode::kNoChildrenForEphemerals);
  EXPECT_EQ(machine.CreateCode("/ab"), ResultCode::kOk);
  machine.Remove("/a/b");
  EXPECT_EQ(machine.CreateCode("/a/c"), ResultCode::kOk);
  EXPECT_EQ(UsageOf("/a"), "count=3,bytes=0");
}

// Z19: the quota before the version; and too much data may not shrink to what is still too much.
TEST_F(Quotas, HardLimitsRefuseChangesOfData) {
  machine.Create("/a", "123456789");
  SetQuota("/a", "bytes=5=;byteHardLimit=5");
  EXPECT_EQ(machine.Set("/a", "12345678", 7).code, ResultCode::kQuotaExceeded);
  EXPECT_EQ(machine.Set("/a", "abcdefghi", 7).code, ResultCode::kBadVersion);
  EXPECT_EQ(machine.Set("/a", "12345", 7).code, ResultCode::kBadVersion);
  EXPECT_EQ(machine.Set("/a", "12345", 0).code, ResultCode::kOk);
  EXPECT_EQ(machine.CreateCode("/a/b"), ResultCode::kOk);
}

// Z54.
TEST_F(Quotas, SoftLimitsRefuseNothing) {
  SetQuota("/a", "count=0,bytes=0");
  EXPECT_EQ(machine.Create("/a", "x").code, ResultCode::kOk);
  EXPECT_EQ(UsageOf("/a"), "count=1,bytes=1");
}

// Z54.
TEST_F(Quotas, TheNearestOneCounts) {
  machine.Create("/a");
  machine.Create("/a/b");
  SetQuota("/a", "countHardLimit=2");
  SetQuota("/a/b", "countHardLimit=2");
  EXPECT_EQ(UsageOf("/a"), "count=2,bytes=0");
  EXPECT_EQ(machine.CreateCode("/a/b/c"), ResultCode::kOk);
  EXPECT_EQ(machine.CreateCode("/a/b/d"), ResultCode::kQuotaExceeded);
  EXPECT_EQ(UsageOf("/a/b"), "count=2,bytes=0");
  EXPECT_EQ(UsageOf("/a"), "count=2,bytes=0");
  EXPECT_EQ(machine.CreateCode("/a/d"), ResultCode::kQuotaExceeded);
  machine.Remove("/zookeeper/quota/a/b/zookeeper_limits");
  machine.Remove("/a/b/c");
  EXPECT_EQ(UsageOf("/a/b"), "count=2,bytes=0");
  EXPECT_EQ(UsageOf("/a"), "count=1,bytes=0");
}

// Z54: every operation of a transaction is held against the usage before it.
TEST_F(Quotas, TransactionsAreHeldAgainstTheUsageBeforeThem) {
  machine.Create("/a");
  SetQuota("/a", "countHardLimit=2");
  Transaction transaction;
  transaction.operations = {Create{"/a/1"}, Create{"/a/2"}, Create{"/a/3"}};
  EXPECT_EQ(machine.Do(transaction).code, ResultCode::kOk);
  EXPECT_EQ(UsageOf("/a"), "count=4,bytes=0");
  transaction.operations = {Delete{"/a/1"}, Delete{"/a/2"}, Delete{"/a/3"}, Create{"/a/4"}};
  EXPECT_EQ(machine.Do(transaction).code, ResultCode::kQuotaExceeded);
  EXPECT_EQ(UsageOf("/a"), "count=4,bytes=0");
}

// Z54: a quota that a transaction makes holds after it.
TEST_F(Quotas, QuotaOfItsOwnDoesNotBindATransaction) {
  Transaction transaction;
  transaction.operations = {Create{"/zookeeper/quota/a"},
                            Create{"/zookeeper/quota/a/zookeeper_limits",
                                   Data("countHardLimit=1")},
                            Create{"/zookeeper/quota/a/zookeeper_stats", Data("")},
                            Create{"/a"}, Create{"/a/b"}};
  EXPECT_EQ(machine.Do(transaction).code, ResultCode::kOk);
  EXPECT_EQ(UsageOf("/a"), "count=2,bytes=0");
  EXPECT_EQ(machine.CreateCode("/a/c"), ResultCode::kQuotaExceeded);
}

// Z22.
TEST_F(Quotas, FailedTransactionGivesTheUsageBack) {
  machine.Create("/a", "1");
  SetQuota("/a", "count=10");
  machine.Create("/a/b", "22");
  Transaction transaction;
  transaction.operations = {Create{"/a/c", Data("333")},
                            SetData{"/a", Data("4444")},
                            Delete{"/a/b"},
                            SetData{UsagePath("/a"), Data("count=100,bytes=100")},
                            Delete{"/a/c"},
                            Delete{UsagePath("/a")},
                            Create{UsagePath("/a"), Data("")},
                            Delete{"/zookeeper/quota/a/zookeeper_limits"},
                            Check{"/missing"}};
  const Stat before = machine.StatOf(UsagePath("/a"));
  EXPECT_EQ(machine.Do(transaction).code, ResultCode::kNoNode);
  EXPECT_EQ(UsageOf("/a"), "count=2,bytes=3");
  EXPECT_EQ(machine.StatOf(UsagePath("/a")), before);
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
}

// Z41, Z54.
TEST_F(Quotas, EndOfASessionIsCounted) {
  machine.Create("/a");
  SetQuota("/a", "count=10");
  const SessionId other = machine.Open();
  machine.Apply(other, Create{"/a/e", Data("12"), CreateMode::kEphemeral});
  machine.Apply(other, Create{"/a/f", Data("34"), CreateMode::kEphemeral});
  EXPECT_EQ(UsageOf("/a"), "count=3,bytes=4");
  machine.Apply(other, CloseSession{});
  EXPECT_EQ(UsageOf("/a"), "count=1,bytes=0");
}

TEST_F(Quotas, EndOfAllSessionsOfARestoredStateIsCounted) {
  machine.Create("/a");
  SetQuota("/a", "count=10");
  machine.Create("/a/e", "12", CreateMode::kEphemeral);
  EXPECT_EQ(UsageOf("/a"), "count=2,bytes=2");
  ASSERT_TRUE(machine.state.StartNewEnsemble(base::Uuid(9, 9)).ok());
  EXPECT_EQ(UsageOf("/a"), "count=1,bytes=0");
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
}

// Z17, Z54.
TEST_F(Quotas, ExpiryIsCounted) {
  SetQuota("/a", "count=10");
  Create with_ttl{"/a", Data("123"), CreateMode::kPersistentWithTtl};
  with_ttl.ttl_ms = 1;
  machine.Do(with_ttl);
  EXPECT_EQ(UsageOf("/a"), "count=1,bytes=3");
  machine.time_ms += 100;
  EXPECT_EQ(machine.Apply({}, DeleteExpired{"/a"}).result.code, ResultCode::kOk);
  EXPECT_EQ(UsageOf("/a"), "count=0,bytes=0");
}

// Z54: what would stop every later write below a quota is refused at once.
TEST_F(Quotas, TextsAreChecked) {
  machine.Create("/zookeeper/quota/a");
  const std::string limits = "/zookeeper/quota/a/zookeeper_limits";
  EXPECT_EQ(machine.Create(limits, "junk").code, ResultCode::kBadArguments);
  EXPECT_EQ(machine.Do(Create{limits}).code, ResultCode::kBadArguments);
  EXPECT_EQ(machine.Create(limits, "count=" + std::string(kQuotaTextBytesMax, '1')).code,
            ResultCode::kBadArguments);
  EXPECT_EQ(machine.Create(UsagePath("/a"), "junk").code, ResultCode::kBadArguments);
  EXPECT_EQ(machine.Create(limits, "count=5").code, ResultCode::kOk);
  EXPECT_EQ(machine.Set(limits, "junk").code, ResultCode::kBadArguments);
  EXPECT_EQ(machine.Set(limits, "count=6").code, ResultCode::kOk);
  // The root has none; other znodes there are nobody's business.
  EXPECT_EQ(machine.Create("/zookeeper/quota/zookeeper_limits", "count=5").code,
            ResultCode::kBadArguments);
  EXPECT_EQ(machine.Create("/zookeeper/quota/zookeeper_stats", "count=5").code,
            ResultCode::kBadArguments);
  EXPECT_EQ(machine.Create("/zookeeper/quota/a/other", "junk").code, ResultCode::kOk);
  EXPECT_EQ(machine.Create("/zookeeper_limits", "junk").code, ResultCode::kOk);
}

// Somebody's znodes of a time when they were not special may say anything.
TEST(QuotasOfBefore, AreIgnoredWhileTheyMakeNoSense) {
  Machine machine;
  for (const char* path : {"/zookeeper", "/zookeeper/quota", "/zookeeper/quota/a"}) {
    machine.Create(path);
  }
  const std::string limits = "/zookeeper/quota/a/zookeeper_limits";
  machine.Create(limits, "countHardLimit=0");
  machine.Create(UsagePath("/a"), "junk");
  EXPECT_EQ(machine.CreateCode("/a"), ResultCode::kOk);
  machine.RaiseLevel();
  EXPECT_EQ(machine.CreateCode("/a/b"), ResultCode::kOk);
  EXPECT_EQ(machine.state.Get(UsagePath("/a"))->data.view(), "junk");
  machine.Set(UsagePath("/a"), "count=2");
  EXPECT_EQ(machine.CreateCode("/a/c"), ResultCode::kQuotaExceeded);
}

// Z53, Z54: a quota of the znodes that quotas are made of.
TEST_F(Quotas, MayCountTheirOwnZnodes) {
  SetQuota("/zookeeper", "count=100");
  // /zookeeper, config, quota, quota/zookeeper, limits; and the usage itself, once as what was
  // there and once as what came.
  EXPECT_EQ(UsageOf("/zookeeper").substr(0, 8), "count=7,");
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
  Transaction transaction;
  transaction.operations = {SetData{UsagePath("/zookeeper"), Data("count=1")}, Check{"/missing"}};
  const std::string before = UsageOf("/zookeeper");
  EXPECT_EQ(machine.Do(transaction).code, ResultCode::kNoNode);
  EXPECT_EQ(UsageOf("/zookeeper"), before);
}

}  // namespace
}  // namespace bellwether::coord::tree
