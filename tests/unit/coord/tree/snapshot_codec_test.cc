#include "coord/tree/snapshot_codec.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

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
