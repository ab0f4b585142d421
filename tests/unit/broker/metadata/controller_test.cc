#include "broker/metadata/controller.h"

#include <memory>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/metadata/paths.h"
#include "broker/metadata/topic_admin.h"
#include "broker/metadata/view_builder.h"
#include "broker/metadata/znode_json.h"
#include "tests/unit/broker/metadata/model_session.h"
#include "tests/unit/client/fake_ensemble.h"

namespace bellwether::broker {
namespace {

// One broker: its session, and the controller fed by a watch that is always up to date.
class Member {
 public:
  Member(ModelCoord& coord, client::ManualExecutor& executor, int id, uint64_t session)
      : coord_(coord), session(coord, executor, session),
        controller(BrokerId(id), this->session, executor, executor, metrics_) {
    Broker broker;
    broker.folder_id = base::Uuid::FromRandom(id, 1);
    coord.Put(paths::Broker(BrokerId(id)), EncodeBroker(broker), client::SessionId(session));
  }

  // True when there was something new.
  bool CatchUp() {
    if (read_ == coord_.batches().size()) return false;
    for (; read_ < coord_.batches().size(); ++read_) builder_.Apply(coord_.batches()[read_]);
    view = builder_.Build();
    controller.OnView(view);
    return true;
  }

 private:
  ModelCoord& coord_;
  base::Metrics metrics_;
  ViewBuilder builder_;
  size_t read_ = 0;

 public:
  std::shared_ptr<const ClusterView> view;
  ModelSession session;
  Controller controller;
};

class ControllerTest : public testing::Test {
 protected:
  Member& Join(int id, uint64_t session) {
    members_.push_back(std::make_unique<Member>(coord_, executor_, id, session));
    return *members_.back();
  }

  void Settle() {
    for (bool changed = true; changed;) {
      changed = false;
      for (auto& member : members_) changed = member->CatchUp() || changed;
      executor_.Run();
    }
  }

  base::Uuid CreateTopic(Member& through, const std::string& name, int partitions) {
    const base::Uuid id = base::Uuid::FromRandom(partitions, name.size());
    const auto creation =
        CreationOf(*through.view, {.name = name, .partitions = partitions}, id, 1);
    EXPECT_TRUE(creation.ok()) << creation.status();
    EXPECT_TRUE(coord_.Commit(*creation, client::SessionId()));
    return id;
  }

  client::ManualExecutor executor_;
  ModelCoord coord_;
  std::vector<std::unique_ptr<Member>> members_;
};

TEST_F(ControllerTest, OneOfManyHoldsTheOffice) {
  for (int id = 1; id <= 3; ++id) Join(id, 10 + id);
  Settle();
  int in_office = 0;
  for (auto& member : members_) in_office += member->controller.in_office() ? 1 : 0;
  EXPECT_EQ(in_office, 1);
}

TEST_F(ControllerTest, GivesANewTopicItsLeaders) {
  Join(1, 11);
  Join(2, 12);
  Settle();
  const base::Uuid topic = CreateTopic(*members_[1], "t", 700);  // more than fit in flight
  Settle();
  EXPECT_TRUE(HasAllLeaders(*members_[0]->view, topic));
}

TEST_F(ControllerTest, OfficeMovesWhenTheSessionExpires) {
  Join(1, 11);
  Settle();
  Join(2, 12);
  Settle();
  ASSERT_TRUE(members_[0]->controller.in_office());
  const base::Uuid topic = CreateTopic(*members_[0], "t", 2);
  Settle();
  coord_.Expire(client::SessionId(11));
  members_[0]->session.expired = true;
  Settle();
  EXPECT_FALSE(members_[0]->controller.in_office());
  EXPECT_TRUE(members_[1]->controller.in_office());
  const auto found = members_[1]->view->FindTopic(topic);
  int offline = 0;
  for (int p = 0; p < 2; ++p) offline += found->partitions[p]->state->leader == kNoBroker ? 1 : 0;
  EXPECT_EQ(offline, 1);
}

TEST_F(ControllerTest, RefusedDecisionIsMadeAgain) {
  Member& member = Join(1, 11);
  Settle();
  member.session.refuse_next = 1;
  const base::Uuid topic = CreateTopic(member, "t", 1);
  Settle();
  EXPECT_FALSE(HasAllLeaders(*member.view, topic));
  executor_.Advance(absl::Seconds(1));
  Settle();
  EXPECT_TRUE(HasAllLeaders(*member.view, topic));
}

TEST_F(ControllerTest, RefusedElectionIsRunAgain) {
  Member& member = Join(1, 11);
  member.session.refuse_next = 1;
  Settle();
  EXPECT_FALSE(member.controller.in_office());
  executor_.Advance(absl::Seconds(1));
  Settle();
  EXPECT_TRUE(member.controller.in_office());
}

TEST_F(ControllerTest, DeletionGoesThroughWhenBrokersConfirm) {
  Member& member = Join(1, 11);
  Settle();
  const base::Uuid topic = CreateTopic(member, "t", 3);
  Settle();
  const auto deletion = DeletionOf(*member.view, "t");
  ASSERT_TRUE(deletion.ok());
  ASSERT_TRUE(coord_.Commit(*deletion, client::SessionId()));
  Settle();
  EXPECT_EQ(member.view->FindTopic(topic), nullptr);
  for (const auto& [path, node] : coord_.nodes()) {
    EXPECT_FALSE(path.starts_with("/brokers/topics/t")) << path;
    EXPECT_FALSE(path.starts_with("/config/topics/t")) << path;
  }
  ASSERT_EQ(member.view->deletions()->size(), 1u);
  const DeletionRecord record = member.view->deletions()->begin()->second;
  ASSERT_TRUE(coord_.Commit(ConfirmationOf(record, BrokerId(1)), client::SessionId()));
  Settle();
  EXPECT_TRUE(member.view->deletions()->empty());
}

TEST(TopicAdmin, RefusesWhatCannotBe) {
  const auto code = [](const TopicSpec& spec) { return ValidateTopicSpec(spec).code(); };
  EXPECT_EQ(code({.name = "a"}), absl::StatusCode::kOk);
  EXPECT_EQ(code({.name = "a", .partitions = 10000, .replication = 1}), absl::StatusCode::kOk);
  EXPECT_EQ(code({.name = "a", .partitions = 10001}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.name = "a", .partitions = -1}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.name = "a", .replication = 2}), absl::StatusCode::kFailedPrecondition);
  for (const std::string bad : {"", ".", "..", "a/b", "a b", "\xc3\xa9"}) {
    EXPECT_EQ(code({.name = bad}), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_EQ(code({.name = std::string(249, 'a')}), absl::StatusCode::kOk);
  EXPECT_EQ(code({.name = std::string(250, 'a')}), absl::StatusCode::kInvalidArgument);
}

TEST(TopicAdmin, UnknownConfigNamesTheNearest) {
  const auto status = ValidateTopicSpec({.name = "a", .configs = {{"retention.mss", "1"}}});
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("did you mean 'retention.ms'"));
  EXPECT_FALSE(ValidateTopicSpec({.name = "a", .configs = {{"retention.ms", "x"}}}).ok());
  EXPECT_TRUE(ValidateTopicSpec({.name = "a", .configs = {{"retention.ms", "-1"}}}).ok());
}

}  // namespace
}  // namespace bellwether::broker
