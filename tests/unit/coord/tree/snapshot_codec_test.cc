#include "coord/tree/snapshot_codec.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/tree/random_commands.h"
#include "tests/unit/coord/tree/reference_model.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord::tree {
namespace {

using absl::StatusCode;
using Records = std::vector<std::string>;
using Loaded = absl::StatusOr<std::unique_ptr<StateMachine>>;

Records Write(const StateView& state) {
  Records records;
  const absl::Status status = WriteSnapshot(state, [&records](std::string_view record) {
    records.emplace_back(record);
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return records;
}

Loaded Load(const Records& records) {
  SnapshotLoader loader;
  for (const std::string& record : records) {
    if (absl::Status status = loader.Add(record); !status.ok()) return status;
  }
  return loader.Finish();
}

StatusCode CodeOf(const Records& records) { return Load(records).status().code(); }

// Some of everything: depth, ephemerals of two sessions, null and empty data, changed and deleted
// znodes.
void Fill(Machine& machine) {
  machine.Apply({}, SetEnsembleId{base::Uuid(1, 2)});
  machine.Apply({}, SetFeatureLevel{2});
  machine.Create("/a", "");
  machine.Do(Create{"/a/null", {}, CreateMode::kPersistent});
  machine.Create("/a/null/a name of more than 15 bytes", "data");
  machine.Create("/a-", "sorts before /a/null");
  machine.Set("/a", "changed");
  machine.Create("/a/gone");
  machine.Remove("/a/gone");
  machine.Create("/b", "x", CreateMode::kEphemeral);
  machine.Apply(machine.Open(), Create{"/a/s", Data("y"), CreateMode::kEphemeralSequential});
}

AclEntry Anyone(uint32_t permissions) { return {permissions, "world", "anyone"}; }

// Of everything that came with kFeatureLevelAcls some.
StateView ViewWithAcls() {
  Tree tree;
  const auto add = [&tree](std::string_view parent, std::string_view name, AclPtr access,
                           std::optional<int64_t> ttl_ms = std::nullopt) {
    ZnodeFields znode;
    znode.access = std::move(access);
    tree.Insert(parent, name, Znode::Make(std::move(znode)), {Zxid(1), 1}, ttl_ms);
  };
  tree.SetAccess("/", tree.MakeAccess({Anyone(kRead)}, 7));
  add("/", "open", {});
  add("/open", "config", tree.MakeAccess({Anyone(kRead)}, -1));
  add("/", "container", {}, 0);
  add("/container", "both", tree.MakeAccess({{kWrite, "digest", "user:hash"}, Anyone(0)}, 0),
      kTtlMsMax);
  add("/container", "same", tree.MakeAccess({{kWrite, "digest", "user:hash"}, Anyone(0)}, 0));
  add("/", "z", tree.MakeAccess({}, 3), 5);
  return StateView(tree, {}, Zxid(9), 1000, base::Uuid(1, 2), kFeatureLevelAcls);
}

class SnapshotProperty : public testing::TestWithParam<uint64_t> {};

// R28: sessions and their ephemerals are of the same zxid.
TEST_P(SnapshotProperty, LoadedStateIsTheSameAndGoesOnTheSame) {
  RandomCommands commands(GetParam());
  ReferenceModel model;
  StateMachine state;
  std::unique_ptr<StateMachine> loaded;
  for (int i = 0; i < 200; ++i) {
    if (i % 40 == 0) {
      const Records records = Write(state.View());
      Loaded result = Load(records);
      ASSERT_TRUE(result.ok()) << result.status();
      loaded = *std::move(result);
      ASSERT_EQ(loaded->RecomputeDigest(), state.digest());
      ASSERT_EQ(loaded->SessionIds(), state.SessionIds());
      ASSERT_EQ(Write(loaded->View()), records);
    }
    const Command command = commands.Next(model);
    const int64_t time_ms = commands.NextTime();
    model.Apply(command, time_ms);
    const ApplyOutcome one = state.Apply(command, {time_ms});
    const ApplyOutcome other = loaded->Apply(command, {time_ms});
    ASSERT_EQ(one.result.code, other.result.code);
    ASSERT_EQ(Lines(one.changes), Lines(other.changes));
    ASSERT_EQ(state.digest(), loaded->digest());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SnapshotProperty, testing::Range<uint64_t>(1, 11));

TEST(Snapshot, OfAnEmptyStateIsHeaderRootAndEnd) {
  const Records records = Write(StateView());
  EXPECT_EQ(records.size(), 3u);
  const Loaded loaded = Load(records);
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ((*loaded)->digest(), StateView().digest());
}

// Written by another release: these bytes may not change within one format.
TEST(Snapshot, BytesAreFixed) {
  StateMachine state;
  state.Apply({{}, {}, {}, {}, CreateSession{base::Uuid(1, 2), Password(7), 5000, 3}}, {1000});
  Records records = Write(state.View());
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[0].substr(0, 5), std::string("\x01\x01\x02\xd0\x0f", 5));
  EXPECT_EQ(records[1], std::string("\x02\x03\0\0\0\0\0\0\x01"              // id
                                    "\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02"  // nonce
                                    "\a\a\a\a\a\a\a\a\a\a\a\a\a\a\a\a"        // password
                                    "\x90\x4e\x01\0",  // timeout, generation, last sequence
                                    45));
  EXPECT_EQ(records[2], std::string("\x03\0\0\0\0\0\0\0\0\0\0", 11));
  EXPECT_EQ(records[3], "\x04");
}

// Below kFeatureLevelAcls servers that never heard of ACLs read them.
TEST(Snapshot, BytesOfTheFirstFormatAreWhatTheyAlwaysWere) {
  StateMachine state;
  state.Apply({{}, {}, {}, {}, CreateSession{base::Uuid(1, 2), Password(7), 5000, 3}}, {1000});
  const SessionId session(uint64_t{3} << 56 | 1);
  state.Apply({session, SessionGeneration(1), CommandSequence(1), {}, Create{"/a", Data("x")}},
              {1000});
  state.Apply({{}, {}, {}, {}, SetFeatureLevel{2}}, {1000});
  const Records records = Write(state.View());
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[0], std::string("\x01\x01\x06\xd0\x0f"              // format, zxid, time
                                    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"  // ensemble
                                    "\x02\x02\x01\x01\0"  // level, znodes, bytes, sessions
                                    "\xbf\xf2\x32\xd7\xd8\x8d\xae\x98",  // digest
                                    34));
  EXPECT_EQ(records[2], std::string("\x03\0\0\0\0\0\x04\0\0\0\x02"              // the root
                                    "\x01\x01"
                                    "a\x01\x04\0\0\xd0\x0f\0\0\0\x01x",  // /a
                                    25));
}

TEST(Snapshot, BytesOfTheSecondFormatAreFixed) {
  Tree tree;
  tree.SetAccess("/", tree.MakeAccess({Anyone(kRead)}, 1));
  ZnodeFields znode;
  znode.access = tree.Find("/")->access();
  tree.Insert("/", "t", Znode::Make(std::move(znode)), {Zxid(1), 1}, 300);
  const Records records =
      Write(StateView(tree, {}, Zxid(1), 0, base::Uuid(), kFeatureLevelAcls));
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].substr(0, 2), "\x01\x02");
  const std::string root("\x03\0\0\x04\0\0\x02\0\0\0\x02", 11);
  const std::string access = std::string("\0\x02\x01\x01", 4) + "\x05world\x06" + "anyone";
  EXPECT_EQ(records[1], root + access + std::string("\x01\x01t\x0c\0\0\0\0\0\0\0"  // znode
                                                    "\0\xac\x02",  // access 0, TTL
                                                    14));
}

TEST(Snapshot, HoldsAclsTtlsAndContainers) {
  const StateView view = ViewWithAcls();
  ASSERT_EQ(view.digest(), view.RecomputeDigest());
  const Records records = Write(view);
  const Loaded loaded = Load(records);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const StateMachine& state = **loaded;
  EXPECT_EQ(state.digest(), view.digest());
  EXPECT_EQ(state.RecomputeDigest(), view.digest());
  EXPECT_EQ(state.acl_bytes(), view.acl_bytes());
  EXPECT_EQ(state.expirable_count(), 3u);
  EXPECT_EQ(Write(state.View()), records);
  view.Subtree("/", [&](const ZnodeVisit& visit) {
    EXPECT_TRUE(SameAccess(state.AccessOf(visit.path), visit.znode.access())) << visit.path;
    EXPECT_EQ(state.TtlOf(visit.path), view.TtlOf(visit.path)) << visit.path;
    EXPECT_EQ(state.Exists(visit.path), visit.stat()) << visit.path;
    return true;
  });
  EXPECT_EQ(state.TtlOf("/container"), 0);
  EXPECT_EQ(state.TtlOf("/container/both"), kTtlMsMax);
  EXPECT_EQ(state.AccessOf("/container/both").get(), state.AccessOf("/container/same").get());
}

// More different ACLs than are remembered.
TEST(Snapshot, HoldsManyAcls) {
  Tree tree;
  constexpr int32_t kMany = (1 << 12) + 10;
  for (int32_t i = 0; i < kMany; ++i) {
    ZnodeFields znode;
    znode.access = tree.MakeAccess({Anyone(kRead)}, i % (kMany - 5));
    tree.Insert("/", fmt::format("{:06}", i), Znode::Make(std::move(znode)), {});
  }
  const StateView view(tree, {}, Zxid(1), 0, {}, kFeatureLevelAcls);
  const Loaded loaded = Load(Write(view));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ((*loaded)->digest(), view.digest());
}

TEST(Snapshot, HoldsWhateverThereIs) {
  Machine machine;
  Fill(machine);
  const Loaded loaded = Load(Write(machine.state.View()));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const StateMachine& state = **loaded;
  EXPECT_EQ(state.digest(), machine.state.digest());
  EXPECT_EQ(state.zxid(), machine.state.zxid());
  EXPECT_EQ(state.ensemble_id(), base::Uuid(1, 2));
  EXPECT_EQ(state.feature_level(), 2u);
  EXPECT_EQ(state.Ephemerals(machine.session), (std::vector<std::string>{"/b"}));
  EXPECT_TRUE(state.Get("/a/null")->data.is_null());
  EXPECT_EQ(state.Exists("/a"), machine.state.Exists("/a"));
  EXPECT_EQ(state.data_bytes(), machine.state.data_bytes());
}

TEST(Snapshot, ReachesTheDeepestPath) {
  Machine machine;
  std::string path;
  while (path.size() + 2 <= 1000) {
    path += "/d";
    machine.Create(path);
  }
  const Loaded loaded = Load(Write(machine.state.View()));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ((*loaded)->digest(), machine.state.digest());
}

TEST(Snapshot, RecordsAreOfBoundedSize) {
  Machine machine;
  machine.Create("/large", std::string(kDataBytesMax, 'x'));
  for (int i = 0; i < 300; ++i) {
    machine.Create("/s", std::string(1000, 'y'), CreateMode::kPersistentSequential);
  }
  const Records records = Write(machine.state.View());
  EXPECT_GE(records.size(), 6u);
  for (const std::string& record : records) {
    EXPECT_LE(record.size(), kSnapshotRecordBytes + kDataBytesMax + kPathBytesMax + 200);
  }
  EXPECT_TRUE(Load(records).ok());
}

TEST(Snapshot, AnAclAddsItsBytesToARecord) {
  Acl acl;
  for (uint32_t i = 0; i < kAclEntriesMax; ++i) {
    acl.push_back({~uint32_t{0} - i, "ip", std::string(40, 'i')});
  }
  ASSERT_FALSE(ExceedsLimits(acl));
  Tree tree;
  tree.SetAccess("/", tree.MakeAccess(acl, 1));
  tree.SetContent("/", {Data(std::string(kDataBytesMax, 'x')), {}, 0, 0});
  const Records records = Write(StateView(tree, {}, {}, 0, {}, kFeatureLevelAcls));
  ASSERT_EQ(records.size(), 3u);
  EXPECT_GT(records[1].size(), kDataBytesMax + acl.size() * 40);
  EXPECT_LE(records[1].size(), kDataBytesMax + kAclBytesMax + 200);
  EXPECT_TRUE(Load(records).ok());
}

TEST(Snapshot, EndsWithTheFirstErrorOfTheSink) {
  Machine machine;
  for (int i = 0; i < 300; ++i) {
    machine.Create("/s", std::string(1000, 'y'), CreateMode::kPersistentSequential);
  }
  const size_t all = Write(machine.state.View()).size();
  for (size_t fails_at = 0; fails_at < all; ++fails_at) {
    size_t calls = 0;
    const absl::Status status = WriteSnapshot(machine.state.View(), [&](std::string_view) {
      return calls++ == fails_at ? absl::ResourceExhaustedError("disk full") : absl::OkStatus();
    });
    EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
    EXPECT_EQ(calls, fails_at + 1);
  }
}

TEST(SnapshotLoader, StopsAtALaterFormat) {
  Records records = Write(StateView());
  records[0][1] = kSnapshotFormatVersion + 1;
  EXPECT_EQ(CodeOf(records), StatusCode::kUnimplemented);
  records[0] = records[0].substr(0, 2);  // whatever a later header holds
  EXPECT_EQ(CodeOf(records), StatusCode::kUnimplemented);
  records[0][1] = 0;
  EXPECT_EQ(CodeOf(records), StatusCode::kDataLoss);
}

TEST(SnapshotLoader, NoticesMissingTwiceGivenAndMisplacedRecords) {
  Machine machine;
  Fill(machine);
  const Records records = Write(machine.state.View());
  ASSERT_EQ(records.size(), 4u);
  for (size_t i = 0; i < records.size(); ++i) {
    Records missing = records;
    missing.erase(missing.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_EQ(CodeOf(missing), StatusCode::kDataLoss) << i;
    Records twice = records;
    twice.insert(twice.begin() + static_cast<std::ptrdiff_t>(i), records[i]);
    EXPECT_EQ(CodeOf(twice), StatusCode::kDataLoss) << i;
    for (size_t j = 0; j < i; ++j) {
      Records swapped = records;
      std::swap(swapped[i], swapped[j]);
      EXPECT_EQ(CodeOf(swapped), StatusCode::kDataLoss) << i << j;
    }
  }
  EXPECT_EQ(CodeOf({}), StatusCode::kDataLoss);
  EXPECT_EQ(CodeOf({""}), StatusCode::kDataLoss);
}

TEST(SnapshotLoader, NoticesEveryCutAndEveryFlippedBit) {
  Machine machine;
  Fill(machine);
  const Records records = Write(machine.state.View());
  for (size_t i = 0; i < records.size(); ++i) {
    for (size_t position = 0; position < records[i].size(); ++position) {
      Records cut = records;
      cut[i].resize(position);
      EXPECT_EQ(CodeOf(cut), StatusCode::kDataLoss) << i << " " << position;
      for (int bit = 0; bit < 8; ++bit) {
        Records flipped = records;
        flipped[i][position] = static_cast<char>(flipped[i][position] ^ (1 << bit));
        EXPECT_FALSE(Load(flipped).ok()) << i << " " << position << " " << bit;
      }
    }
  }
}

TEST(SnapshotLoader, NoticesEveryCutAndEveryFlippedBitOfAcls) {
  const Records records = Write(ViewWithAcls());
  ASSERT_EQ(records.size(), 3u);
  for (size_t position = 0; position < records[1].size(); ++position) {
    Records cut = records;
    cut[1].resize(position);
    EXPECT_EQ(CodeOf(cut), StatusCode::kDataLoss) << position;
    for (int bit = 0; bit < 8; ++bit) {
      Records flipped = records;
      flipped[1][position] = static_cast<char>(flipped[1][position] ^ (1 << bit));
      EXPECT_FALSE(Load(flipped).ok()) << position << " " << bit;
    }
  }
}

// A snapshot of format 2 whose one znode, the root, has these flags and these bytes behind what
// every znode has; its digest is not right.
absl::Status StatusOfRoot(uint8_t flags, std::string_view rest) {
  Records records = Write(StateView({}, {}, {}, 0, {}, kFeatureLevelAcls));
  records[1][3] = static_cast<char>(flags);
  records[1] += rest;
  return Load(records).status();
}

TEST(SnapshotLoader, RefusesAccessesAndTtlsOfNoState) {
  using testing::HasSubstr;
  const auto message = [](uint8_t flags, std::string_view rest) {
    const absl::Status status = StatusOfRoot(flags, rest);
    EXPECT_EQ(status.code(), StatusCode::kDataLoss);
    return std::string(status.message());
  };
  const std::string_view empty_acl("\0\x02\0", 3);  // index, aversion, length
  EXPECT_THAT(message(4, empty_acl), HasSubstr("digest"));  // so far so good
  EXPECT_THAT(message(4, std::string_view("\x01\x02\0", 3)), HasSubstr("impossible"));
  EXPECT_THAT(message(16, ""), HasSubstr("impossible"));
  EXPECT_THAT(message(8, "\x05"), HasSubstr("out of order"));  // the root stays
  std::string beyond;
  base::Encoder(beyond).Varint(static_cast<uint64_t>(kTtlMsMax) + 1);
  EXPECT_THAT(message(8, beyond), HasSubstr("impossible"));
  std::string too_many(empty_acl.substr(0, 2));
  base::Encoder(too_many).Varint(kAclEntriesMax + 1);
  for (size_t i = 0; i <= kAclEntriesMax; ++i) too_many += std::string(3, '\0');
  EXPECT_THAT(message(4, too_many), HasSubstr("impossible"));
  std::string declared(empty_acl.substr(0, 2));
  base::Encoder(declared).Varint(uint64_t{1} << 62);
  message(4, declared);
}

// Else the next snapshot would lose them.
TEST(SnapshotLoader, RefusesTheSecondFormatAtALevelThatHasNone) {
  Records records = Write(StateView());
  records[0][1] = 2;
  EXPECT_EQ(CodeOf(records), StatusCode::kDataLoss);
}

TEST(SnapshotLoader, RandomBytesAreHarmless) {
  base::Random random(5);
  const Records records = Write(StateView());
  for (int i = 0; i < 2000; ++i) {
    std::string record(1, static_cast<char>(random.Between(1, 5)));
    for (uint64_t length = random.Below(100); length > 0; --length) {
      record.push_back(static_cast<char>(random.Below(random.Chance(0.5) ? 4 : 256)));
    }
    EXPECT_FALSE(Load({records[0], record, records[1], records[2]}).ok());
    EXPECT_FALSE(Load({records[0], records[1], record, records[2]}).ok());
  }
}

TEST(SnapshotLoader, AnErrorIsFinal) {
  const Records records = Write(StateView());
  SnapshotLoader loader;
  EXPECT_TRUE(loader.Add(records[0]).ok());
  EXPECT_EQ(loader.Add("?").code(), StatusCode::kDataLoss);
  EXPECT_EQ(loader.Add(records[1]).code(), StatusCode::kDataLoss);
  EXPECT_EQ(loader.Finish().status().code(), StatusCode::kDataLoss);
}

}  // namespace
}  // namespace bellwether::coord::tree
