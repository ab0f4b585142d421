#include "client/any_broker.h"

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "client/errors.h"
#include "tests/unit/client/fake_brokers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::client {
namespace {

class AnyBrokerTest : public ::testing::Test {
 protected:
  void Start(std::vector<std::string> addresses, int brokers = 3) {
    brokers_ = std::make_unique<FakeBrokers>(brokers, 1);
    runtime_ = brokers_->NewRuntime();
    any_ = std::make_unique<AnyBroker>(std::move(addresses), runtime_->connector(),
                                       runtime_->clock(), runtime_->executor(), 7);
  }
  ~AnyBrokerTest() override { runtime_->Stop(); }

  void Ask(std::vector<std::string> topics = {}, absl::Duration timeout = absl::Seconds(10)) {
    answer_ = std::nullopt;
    brokers_->Do([this, topics = std::move(topics), timeout] {
      any_->Metadata(topics, timeout, [this](auto cluster) {
        EXPECT_FALSE(answer_.has_value());
        answer_ = std::move(cluster);
      });
    });
  }

  std::unique_ptr<FakeBrokers> brokers_;
  std::unique_ptr<BrokerRuntime> runtime_;
  std::unique_ptr<AnyBroker> any_;
  std::optional<absl::StatusOr<ClusterInfo>> answer_;
};

TEST_F(AnyBrokerTest, TriesAllAddressesAndStaysWithOneThatAnswers) {
  Start({"x:1", "b1:1", "y:1"});
  brokers_->down = {"x:1", "y:1"};
  Ask();
  ASSERT_TRUE(answer_.has_value() && answer_->ok());
  EXPECT_EQ((*answer_)->brokers.size(), 3u);
  brokers_->asked.clear();
  Ask();
  EXPECT_THAT(brokers_->asked, ::testing::ElementsAre("b1:1"));
}

TEST_F(AnyBrokerTest, TriesBrokersThatItLearnedOf) {
  Start({"b0:1"});
  Ask();
  brokers_->down = {"b0:1", "b1:1"};
  brokers_->asked.clear();
  Ask();
  ASSERT_TRUE(answer_.has_value() && answer_->ok());
  EXPECT_EQ(brokers_->asked.back(), "b2:1");
}

TEST_F(AnyBrokerTest, FindsASingleBrokerSoonAfterItCameUp) {
  Start({"b0:1"}, 1);
  brokers_->down = {"b0:1"};
  Ask();
  brokers_->executor->Advance(absl::Seconds(5));
  EXPECT_FALSE(answer_.has_value());
  EXPECT_GE(brokers_->asked.size(), 40u);
  brokers_->Do([this] { brokers_->down.clear(); });
  brokers_->executor->Advance(absl::Milliseconds(100));
  ASSERT_TRUE(answer_.has_value());
  EXPECT_TRUE(answer_->ok());
}

TEST_F(AnyBrokerTest, LeavesABrokerThatHasNoNewsForLong) {
  Start({"b0:1", "b1:1"});
  Ask();
  const std::string first = brokers_->asked.back();
  for (int i = 0; i < 15; ++i) {
    Ask();
    EXPECT_EQ(brokers_->asked.back(), first);
    brokers_->Do([this, i] { any_->Judge(/*was_news=*/i == 4); });
  }
  Ask();
  EXPECT_NE(brokers_->asked.back(), first);
}

TEST_F(AnyBrokerTest, GivesUpAtItsDeadlineWithTheLastError) {
  Start({"b0:1", "b1:1"});
  brokers_->down = {"b0:1", "b1:1"};
  Ask({}, absl::Seconds(1));
  brokers_->executor->Advance(absl::Milliseconds(900));
  EXPECT_FALSE(answer_.has_value());
  brokers_->executor->Advance(absl::Milliseconds(200));
  ASSERT_TRUE(answer_.has_value());
  EXPECT_EQ(answer_->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(answer_->status().message()), ::testing::HasSubstr("refused"));
}

TEST_F(AnyBrokerTest, ATopicThatIsNotThereIsNotFound) {
  Start({"b0:1"});
  Ask({"t", "u"});
  EXPECT_EQ(answer_->status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(answer_->status()), "unknown_topic_or_partition");
}

TEST_F(AnyBrokerTest, ABrokerThatAnswersNonsenseIsLikeOneThatDoesNotAnswer) {
  Start({"b0:1"}, 1);
  brokers_->topic().mutable_partitions(0)->set_partition(1);
  Ask({"t"}, absl::Seconds(1));
  brokers_->executor->Advance(absl::Seconds(2));
  EXPECT_EQ(answer_->status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(AnyBrokerTest, ChangesNameTheClusterThatAnsweredFirst) {
  Start({"b0:1"}, 1);
  const auto change = [this] {
    brokers_->Do([this] {
      broker::v1::CreateTopicRequest request;
      request.set_name("t");
      any_->CreateTopic(std::move(request), absl::Seconds(1), [](const auto&) {});
      any_->DeleteTopic("t", absl::Seconds(1), [](const auto&) {});
    });
  };
  brokers_->metadata.set_ensemble_id(base::Uuid().Bytes());  // a broker without a session yet
  change();
  brokers_->metadata.set_ensemble_id(base::Uuid(1, 2).Bytes());
  change();
  brokers_->metadata.set_ensemble_id(base::Uuid(3, 4).Bytes());
  change();
  const std::string first = base::Uuid(1, 2).Bytes();
  EXPECT_THAT(brokers_->ensembles_named,
              ::testing::ElementsAre("", "", first, first, first, first));
}

TEST_F(AnyBrokerTest, ACallLostAfterABrokerWasFoundHasAnUnknownOutcome) {
  Start({"b0:1"}, 1);
  absl::StatusOr<bool> deleted = true;
  brokers_->loses_changes = true;
  brokers_->Do([&] {
    any_->DeleteTopic("t", absl::Seconds(1), [&](auto result) { deleted = result; });
  });
  EXPECT_EQ(deleted.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(base::OutcomeOf(deleted.status()), base::Outcome::kUnknown);
}

}  // namespace
}  // namespace bellwether::client
