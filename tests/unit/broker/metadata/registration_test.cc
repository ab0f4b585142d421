#include "broker/metadata/registration.h"

#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/metadata/paths.h"
#include "broker/metadata/znode_json.h"
#include "tests/unit/broker/metadata/model_session.h"
#include "tests/unit/client/fake_ensemble.h"

namespace bellwether::broker {
namespace {

using testing::HasSubstr;

const base::Uuid kHoldersFolder = base::Uuid::FromRandom(1, 1);
const base::Uuid kOtherFolder = base::Uuid::FromRandom(2, 2);

class RegistrationTest : public testing::Test {
 protected:
  static Broker Self() {
    Broker self;
    self.id = BrokerId(1);
    self.host = "here";
    self.pid = 100;
    self.folder_id = kHoldersFolder;
    return self;
  }

  void PutHolder(const std::string& host, int64_t pid, base::Uuid folder, uint64_t session) {
    Broker holder = Self();
    holder.host = host;
    holder.pid = pid;
    holder.folder_id = folder;
    coord_.Put("/brokers/ids/1", EncodeBroker(holder), client::SessionId(session));
  }

  void Start() {
    registration_.emplace(
        Registration::Options{.self = Self(),
                              .holder_wait = absl::Seconds(9),
                              .is_alive = [this](int64_t pid) { return pid == alive_pid_; }},
        session_, executor_, executor_,
        [this](const absl::StatusOr<BrokerEpoch>& epoch) { results_.push_back(epoch); });
    registration_->Start();
    executor_.Run();
  }

  const ModelCoord::Node& Registered() { return coord_.nodes().at("/brokers/ids/1"); }

  client::ManualExecutor executor_;
  ModelCoord coord_;
  ModelSession session_{coord_, executor_, 50};
  int64_t alive_pid_ = 0;
  std::vector<absl::StatusOr<BrokerEpoch>> results_;
  std::optional<Registration> registration_;
};

TEST_F(RegistrationTest, MakesTheFoldersAndTheZnode) {
  Start();
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_EQ(*results_[0], BrokerEpoch(Registered().stat.czxid.value()));
  EXPECT_EQ(Registered().stat.ephemeral_owner, session_.id());
  EXPECT_TRUE(coord_.nodes().contains("/admin/deleted_topics"));
}

TEST_F(RegistrationTest, ReplacesWhatItsOwnFolderLeftBehind) {
  PutHolder("here", 99, kHoldersFolder, 49);
  coord_.Put("/controller", EncodeController(BrokerId(1), 1), client::SessionId(49));
  alive_pid_ = 99;  // the number may be another process by now
  Start();
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_TRUE(results_[0].ok());
  EXPECT_EQ(Registered().stat.ephemeral_owner, session_.id());
  EXPECT_FALSE(coord_.nodes().contains("/controller")) << "its office is free";
}

TEST_F(RegistrationTest, LeavesAnotherBrokersOfficeAlone) {
  PutHolder("here", 99, kHoldersFolder, 49);
  coord_.Put("/controller", EncodeController(BrokerId(2), 1), client::SessionId(48));
  Start();
  EXPECT_TRUE(results_.at(0).ok());
  EXPECT_TRUE(coord_.nodes().contains("/controller"));
}

TEST_F(RegistrationTest, LiveHolderIsNamedByHostAndPid) {
  PutHolder("here", 99, kOtherFolder, 49);
  alive_pid_ = 99;
  Start();
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_EQ(results_[0].status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(results_[0].status().message()), HasSubstr("host here pid 99"));
  EXPECT_EQ(Registered().stat.ephemeral_owner, client::SessionId(49));
}

TEST_F(RegistrationTest, WaitsForADeadHolderToExpire) {
  PutHolder("here", 99, kOtherFolder, 49);
  Start();
  executor_.Advance(absl::Seconds(5));
  EXPECT_TRUE(results_.empty());
  coord_.Expire(client::SessionId(49));
  executor_.Advance(absl::Seconds(2));
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_TRUE(results_[0].ok());
}

TEST_F(RegistrationTest, HolderElsewhereThatStaysIsRefused) {
  PutHolder("there", 99, kOtherFolder, 49);
  Start();
  executor_.Advance(absl::Seconds(8));
  EXPECT_TRUE(results_.empty());
  executor_.Advance(absl::Seconds(3));
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_THAT(std::string(results_[0].status().message()), HasSubstr("host there pid 99"));
}

TEST_F(RegistrationTest, UnreadableHolderIsNotReplaced) {
  coord_.Put("/brokers/ids/1", "garbage", client::SessionId(49));
  Start();
  executor_.Advance(absl::Seconds(12));
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_FALSE(results_[0].ok());
}

TEST_F(RegistrationTest, TriesAgainWhenRefused) {
  session_.refuse_next = 3;
  Start();
  EXPECT_TRUE(results_.empty());
  executor_.Advance(absl::Seconds(2));
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_TRUE(results_[0].ok());
}

TEST_F(RegistrationTest, LostAnswerFindsItsOwnRegistration) {
  session_.lose_next = 8;  // seven folders, then the registration
  Start();
  executor_.Advance(absl::Seconds(5));
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_EQ(*results_[0], BrokerEpoch(Registered().stat.czxid.value()));
}

}  // namespace
}  // namespace bellwether::broker
