#include "broker/metadata/decisions.h"

#include <map>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "broker/metadata/paths.h"
#include "broker/metadata/view_builder.h"
#include "broker/metadata/znode_json.h"
#include "tests/unit/broker/metadata/model_coord.h"

namespace bellwether::broker {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

base::Uuid FolderOf(int broker, int disk = 0) { return base::Uuid::FromRandom(broker, 100 + disk); }
base::Uuid TopicIdOf(int topic) { return base::Uuid::FromRandom(topic, 7); }

// A reader of the watch that may lag behind.
class Reader {
 public:
  explicit Reader(const ModelCoord& coord) : coord_(&coord) {}
  void CatchUp(size_t batches_at_most = SIZE_MAX) {
    for (; read_ < coord_->batches().size() && batches_at_most > 0; --batches_at_most) {
      builder_.Apply(coord_->batches()[read_++]);
    }
    view_ = builder_.Build();
  }
  const ClusterView& view() const { return *view_; }
  std::shared_ptr<const ClusterView> shared() const { return view_; }

 private:
  const ModelCoord* coord_;
  ViewBuilder builder_;
  size_t read_ = 0;
  std::shared_ptr<const ClusterView> view_ = std::make_shared<ClusterView>();
};

// coord, and what the tests do to it.
class World {
 protected:
  void Register(int id, uint64_t session, int disk = 0) {
    Broker broker;
    broker.host = "h";
    broker.folder_id = FolderOf(id, disk);
    coord_.Put(paths::Broker(BrokerId(id)), EncodeBroker(broker), client::SessionId(session));
  }
  void AddTopic(int number, std::vector<std::vector<BrokerId>> replicas) {
    coord_.Put(paths::Topic(NameOf(number)),
               EncodeAssignment({.topic_id = TopicIdOf(number), .replicas = std::move(replicas)}));
  }
  static std::string NameOf(int topic) { return "t" + std::to_string(topic); }

  // Elects through the shipped transaction, as `session`.
  std::optional<ControllerTerm> Elect(const ClusterView& view, int id, uint64_t session) {
    if (view.controller().exists) return std::nullopt;
    const int64_t epoch = view.controller().epoch + 1;
    if (!coord_.Commit(ElectionOf(view, BrokerId(id), 1), client::SessionId(session))) {
      return std::nullopt;
    }
    return ControllerTerm{.id = BrokerId(id),
                          .session_id = client::SessionId(session),
                          .election_zxid = coord_.zxid(),
                          .epoch = epoch};
  }

  // Decides on everything and commits it; the number of transactions that took effect.
  int Act(const ControllerTerm& term) {
    reader_.CatchUp();
    int committed = 0;
    for (const Decision& decision : Decide(reader_.view(), nullptr, term)) {
      committed += coord_.Commit(decision.transaction, term.session_id) ? 1 : 0;
    }
    reader_.CatchUp();
    return committed;
  }

  PartitionState StateOf(int topic, int partition) {
    reader_.CatchUp();
    return reader_.view().FindTopic(NameOf(topic))->partitions[partition]->state.value();
  }

  ModelCoord coord_;
  Reader reader_{coord_};
};

class DecisionsTest : public testing::Test, protected World {};

TEST_F(DecisionsTest, ElectionRaisesTheEpochEachTime) {
  reader_.CatchUp();
  EXPECT_EQ(Elect(reader_.view(), 1, 11)->epoch, 1);
  coord_.Expire(client::SessionId(11));
  reader_.CatchUp();
  EXPECT_EQ(Elect(reader_.view(), 2, 12)->epoch, 2);
  EXPECT_EQ(coord_.nodes().at("/controller_epoch").data, "2");
}

TEST_F(DecisionsTest, OnlyOneOfTwoCandidatesWins) {
  reader_.CatchUp();
  const auto view = reader_.shared();
  EXPECT_TRUE(Elect(*view, 1, 11).has_value());
  EXPECT_FALSE(Elect(*view, 2, 12).has_value());
}

TEST_F(DecisionsTest, NewTopicGetsLeadersOfLiveBrokers) {
  Register(1, 11);
  AddTopic(1, {{BrokerId(1)}, {BrokerId(2)}});
  reader_.CatchUp();
  const auto term = Elect(reader_.view(), 1, 11);
  EXPECT_EQ(Act(*term), 1);
  const PartitionState state = StateOf(1, 0);
  EXPECT_EQ(state.leader, BrokerId(1));
  EXPECT_EQ(state.leader_epoch, LeaderEpoch(0));
  EXPECT_EQ(state.isr[0].epoch, reader_.view().FindBroker(BrokerId(1))->epoch);
  EXPECT_FALSE(reader_.view().FindTopic("t1")->partitions[1]->state.has_value());
  EXPECT_EQ(Act(*term), 0) << "nothing is left to do";
}

TEST_F(DecisionsTest, BouncedBrokerGetsANewLeaderEpoch) {
  Register(1, 11);
  AddTopic(1, {{BrokerId(1)}});
  reader_.CatchUp();
  Act(*Elect(reader_.view(), 1, 11));
  coord_.Expire(client::SessionId(11));
  Register(1, 12);
  reader_.CatchUp();
  EXPECT_EQ(Act(*Elect(reader_.view(), 1, 12)), 1);
  EXPECT_EQ(StateOf(1, 0).leader_epoch, LeaderEpoch(1));
  EXPECT_EQ(StateOf(1, 0).isr[0].epoch, reader_.view().FindBroker(BrokerId(1))->epoch);
}

TEST_F(DecisionsTest, GoneBrokerLeavesThePartitionOfflineAndItsDiskNamed) {
  Register(1, 11);
  Register(2, 12);
  AddTopic(1, {{BrokerId(2)}});
  reader_.CatchUp();
  const auto term = Elect(reader_.view(), 1, 11);
  Act(*term);
  coord_.Expire(client::SessionId(12));
  EXPECT_EQ(Act(*term), 1);
  EXPECT_EQ(StateOf(1, 0).leader, kNoBroker);
  EXPECT_EQ(StateOf(1, 0).isr[0].folder_id, FolderOf(2));
  EXPECT_EQ(Act(*term), 0);

  Register(2, 13, /*disk=*/1);
  EXPECT_EQ(Act(*term), 0) << "another disk must not lead";
  coord_.Expire(client::SessionId(13));
  Register(2, 14);
  EXPECT_EQ(Act(*term), 1) << "the disk is back";
  EXPECT_EQ(StateOf(1, 0).leader, BrokerId(2));
  EXPECT_EQ(StateOf(1, 0).leader_epoch, LeaderEpoch(1));
}

TEST_F(DecisionsTest, OtherDiskTakesALeaderOffline) {
  Register(1, 11);
  AddTopic(1, {{BrokerId(1)}});
  reader_.CatchUp();
  Act(*Elect(reader_.view(), 1, 11));
  coord_.Expire(client::SessionId(11));
  Register(1, 12, /*disk=*/1);
  reader_.CatchUp();
  EXPECT_EQ(Act(*Elect(reader_.view(), 1, 12)), 1);
  EXPECT_EQ(StateOf(1, 0).leader, kNoBroker);
}

TEST_F(DecisionsTest, DeposedControllerChangesNothing) {
  Register(1, 11);
  Register(2, 12);
  AddTopic(1, {{BrokerId(1)}});
  reader_.CatchUp();
  const auto old = Elect(reader_.view(), 2, 12);
  reader_.CatchUp();
  const auto decisions = Decide(reader_.view(), nullptr, *old);
  ASSERT_THAT(decisions, SizeIs(1));
  coord_.Delete("/controller");
  EXPECT_FALSE(coord_.Commit(decisions[0].transaction, old->session_id));
  reader_.CatchUp();
  ASSERT_TRUE(Elect(reader_.view(), 1, 11).has_value());
  EXPECT_FALSE(coord_.Commit(decisions[0].transaction, old->session_id));
}

TEST_F(DecisionsTest, OldViewOfABrokerIsRefused) {
  Register(1, 11);
  Register(2, 12);
  AddTopic(1, {{BrokerId(1)}});
  reader_.CatchUp();
  const auto term = Elect(reader_.view(), 2, 12);
  reader_.CatchUp();
  const auto decisions = Decide(reader_.view(), nullptr, *term);
  coord_.Expire(client::SessionId(11));
  EXPECT_FALSE(coord_.Commit(decisions[0].transaction, term->session_id)) << "it is gone";
  Register(1, 13);
  EXPECT_FALSE(coord_.Commit(decisions[0].transaction, term->session_id)) << "it bounced";
}

TEST_F(DecisionsTest, UnreadableStateIsLeftAlone) {
  Register(1, 11);
  AddTopic(1, {{BrokerId(1)}});
  coord_.Put(paths::PartitionState("t1", 0), "garbage");
  coord_.Put(paths::Topic("t2"), "garbage");
  reader_.CatchUp();
  const auto term = Elect(reader_.view(), 1, 11);
  EXPECT_EQ(Act(*term), 0);
}

TEST_F(DecisionsTest, UnknownFieldsOfAStateSurviveANewLeader) {
  Register(1, 11);
  AddTopic(1, {{BrokerId(1)}});
  coord_.Put(paths::PartitionState("t1", 0),
             "{\"controller_epoch\":1,\"leader\":-1,\"leader_epoch\":3,\"isr\":[{\"broker\":1,"
             "\"epoch\":1,\"folder\":\"" + FolderOf(1).ToString() + "\"}],\"from_future\":true}");
  reader_.CatchUp();
  Act(*Elect(reader_.view(), 1, 11));
  EXPECT_EQ(StateOf(1, 0).leader_epoch, LeaderEpoch(4));
  EXPECT_THAT(StateOf(1, 0).unknown_fields, HasSubstr("from_future"));
}

TEST_F(DecisionsTest, ConfirmedDeletionRecordIsRemoved) {
  Register(1, 11);
  DeletionRecord record;
  record.topic_id = TopicIdOf(1);
  record.name = "t1";
  record.pending = {BrokerId(1)};
  coord_.Put(paths::DeletionRecord(record.topic_id), EncodeDeletionRecord(record));
  reader_.CatchUp();
  const auto term = Elect(reader_.view(), 1, 11);
  EXPECT_EQ(Act(*term), 0);
  record.pending.clear();
  coord_.Put(paths::DeletionRecord(record.topic_id), EncodeDeletionRecord(record));
  EXPECT_EQ(Act(*term), 1);
  EXPECT_THAT(*reader_.view().deletions(), IsEmpty());
}

TEST_F(DecisionsTest, LooksOnlyAtWhatChanged) {
  Register(1, 11);
  AddTopic(1, {{BrokerId(9)}});
  reader_.CatchUp();
  const auto term = Elect(reader_.view(), 1, 11);
  reader_.CatchUp();
  const auto before = reader_.shared();
  AddTopic(2, {{BrokerId(1)}});
  reader_.CatchUp();
  EXPECT_THAT(Decide(reader_.view(), before.get(), *term), SizeIs(1));
  EXPECT_THAT(Decide(reader_.view(), reader_.shared().get(), *term), IsEmpty());
}

// Brokers come and go with their disks, topics are made, controllers are elected on views that
// lag, and decisions are committed in any order, late or never.
class ControllerModel : World {
 public:
  void Run(uint64_t seed) {
    base::Random random(seed);
    std::vector<Process> processes(kBrokers);
    for (int step = 0; step < 100; ++step) {
      const int id = static_cast<int>(random.Below(kBrokers));
      Step(random, id, processes[id]);
      CheckEpochs(seed);
    }
    Heal(processes);
    CheckLiveness(seed);
  }

  int with_disk() const { return with_disk_; }
  int without_disk() const { return without_disk_; }

 private:
  static constexpr int kBrokers = 4;

  struct Process {
    uint64_t session = 0;  // 0: down
    int disk = 0;
    std::optional<Reader> reader;
    std::optional<ControllerTerm> term;
    std::vector<Decision> undecided;  // computed, not yet sent
  };

  void Step(base::Random& random, int id, Process& process) {
    if (process.session == 0) {
      if (random.Chance(0.3)) ++process.disk;
      Start(id, process);
      return;
    }
    switch (random.Below(10)) {
      case 0:  // the session ends; a zombie may still commit what it had decided
        coord_.Expire(client::SessionId(process.session));
        if (random.Chance(0.5)) Commit(process);
        process = Process{.session = 0, .disk = process.disk};
        break;
      case 1: process.reader->CatchUp(random.Below(30)); break;
      case 2:
        if (!process.term) process.term = Elect(process.reader->view(), id, process.session);
        break;
      case 3:
      case 4:
        if (process.term && process.reader->view().zxid() >= process.term->election_zxid) {
          process.undecided = Decide(process.reader->view(), nullptr, *process.term);
        }
        break;
      case 5: Commit(process); break;
      case 6: AddRandomTopic(random); break;
      default:  // all in one go
        process.reader->CatchUp();
        if (!process.term) process.term = Elect(process.reader->view(), id, process.session);
        process.reader->CatchUp();
        if (process.term) process.undecided = Decide(process.reader->view(), nullptr, *process.term);
        Commit(process);
        break;
    }
  }

  void Start(int id, Process& process) {
    process.session = ++last_session_;
    process.reader.emplace(coord_);
    process.reader->CatchUp();
    Register(id, process.session, process.disk);
  }

  void Commit(Process& process) {
    for (const Decision& decision : process.undecided) {
      coord_.Commit(decision.transaction, client::SessionId(process.session));
    }
    process.undecided.clear();
  }

  void AddRandomTopic(base::Random& random) {
    if (topics_ >= 5) return;
    std::vector<std::vector<BrokerId>> replicas(random.Between(1, 3));
    for (auto& list : replicas) list = {BrokerId(static_cast<int32_t>(random.Below(kBrokers)))};
    AddTopic(++topics_, std::move(replicas));
  }

  // Never two leaders with one epoch; epochs never go back.
  void CheckEpochs(uint64_t seed) {
    for (; checked_ < coord_.batches().size(); ++checked_) {
      for (const client::WatchChange& change : coord_.batches()[checked_].changes) {
        if (paths::Parse(change.path).kind != paths::Kind::kPartitionState) continue;
        const auto state = DecodePartitionState(*change.data, change.stat);
        ASSERT_TRUE(state.ok());
        auto& last = last_epoch_[change.path];
        ASSERT_GE(state->leader_epoch.value(), last) << "seed " << seed;
        last = state->leader_epoch.value();
        if (state->leader == kNoBroker) continue;
        const auto [it, first] =
            leaders_.try_emplace({change.path, last}, state->isr[0].epoch.value());
        ASSERT_TRUE(first || it->second == state->isr[0].epoch.value()) << "seed " << seed;
      }
    }
  }

  // Everybody up, one controller acts until there is nothing to do.
  void Heal(std::vector<Process>& processes) {
    for (int id = 0; id < kBrokers; ++id) {
      if (processes[id].session == 0) Start(id, processes[id]);
    }
    coord_.Delete("/controller");
    reader_.CatchUp();
    const auto term = Elect(reader_.view(), 0, processes[0].session);
    ASSERT_TRUE(term.has_value());
    int rounds = 0;
    while (Act(*term) > 0) ASSERT_LT(++rounds, 10);
  }

  void CheckLiveness(uint64_t seed) {
    for (int t = 1; t <= topics_; ++t) {
      const auto topic = reader_.view().FindTopic(NameOf(t));
      for (int32_t p = 0; p < topic->partition_count(); ++p) {
        const Partition& partition = *topic->partitions[p];
        ASSERT_TRUE(partition.state.has_value()) << "seed " << seed;
        const Broker* broker = reader_.view().FindBroker(partition.replicas[0]);
        const bool has_disk = partition.state->isr[0].folder_id == broker->folder_id;
        with_disk_ += has_disk ? 1 : 0;
        without_disk_ += has_disk ? 0 : 1;
        EXPECT_EQ(partition.state->leader, has_disk ? broker->id : kNoBroker) << "seed " << seed;
        if (!has_disk) continue;
        EXPECT_EQ(partition.state->isr[0].epoch, broker->epoch) << "seed " << seed;
      }
    }
  }

  uint64_t last_session_ = 1000;
  int topics_ = 0;
  size_t checked_ = 0;
  std::map<std::string, int32_t> last_epoch_;
  std::map<std::pair<std::string, int32_t>, int64_t> leaders_;  // broker epoch of each leader epoch
  int with_disk_ = 0;
  int without_disk_ = 0;
};

class ControllerModelTest : public testing::TestWithParam<int> {};

TEST_P(ControllerModelTest, EndsWithCurrentLeadersAndNeverTwo) {
  int with_disk = 0, without_disk = 0;
  for (int i = 0; i < 10; ++i) {
    ControllerModel model;
    model.Run(static_cast<uint64_t>(GetParam() * 10 + i));
    if (HasFatalFailure()) return;
    with_disk += model.with_disk();
    without_disk += model.without_disk();
  }
  EXPECT_GT(with_disk, 0);
  EXPECT_GT(without_disk, 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ControllerModelTest, testing::Range(0, 5));

}  // namespace
}  // namespace bellwether::broker
