#include "coord/restore.h"

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/clock.h"
#include "base/folder.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/thread_executor.h"
#include "coord/replica/formation.h"
#include "coord/storage/rocks_log_store.h"
#include "coord/storage/snapshot_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/snapshot_files.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord {
namespace {

using ::testing::HasSubstr;

// While it lives, no file of this process grows beyond so many bytes: writes fail.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limited{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limited);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_;
};

class Restore : public testing::Test {
 protected:
  void SetUp() override {
    machine_.Apply({}, tree::SetEnsembleId{base::Uuid(1, 2)});
    machine_.Create("/stays", "12345");
    machine_.Create("/goes", "", tree::CreateMode::kEphemeral);
    Write("file");
    options_.file = scratch_ / "file";
    options_.data_dir = scratch_ / "data";
    options_.id = 2;
    options_.servers = {{ServerId(1), "a:1"}, {ServerId(2), "b:2"}};
  }

  void Write(const std::string& name) {
    ASSERT_TRUE(WriteStateFile(scratch_, name, machine_.state).ok());
  }

  std::string Refused() {
    const auto report = RestoreDataFolder(options_);
    EXPECT_EQ(report.status().code(), absl::StatusCode::kFailedPrecondition) << report.status();
    return std::string(report.status().message());
  }

  // What the log in the folder remembers, and where it begins.
  base::Uuid RestoreIdIn(const std::string& data_dir, LogIndex& first) {
    base::Metrics metrics;
    base::ThreadExecutor executor("test");
    RocksLogStoreOptions log_options;
    log_options.folder = data_dir + "/raft";
    auto log = RocksLogStore::Open(log_options, executor, base::SystemClock(), metrics);
    EXPECT_TRUE(log.ok()) << log.status();
    EXPECT_FALSE((*log)->InitialHardState().has_value()) << "the folder has promised nothing";
    Formation formation(ServerId(2), {ServerId(1), ServerId(2)});
    EXPECT_TRUE(formation.Restore((*log)->InitialFormation()).ok());
    first = (*log)->FirstIndex();
    return formation.restore_id();
  }

  ScratchFolder scratch_;
  tree::Machine machine_;
  RestoreOptions options_;
};

TEST_F(Restore, MakesAFolderOfTheStateForANewEnsemble) {
  const auto report = RestoreDataFolder(options_);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->from.zxid, machine_.state.zxid().value());
  const auto restored = LoadSnapshotFile(scratch_ / "data/snapshots/snapshot-1-1");
  ASSERT_TRUE(restored.ok()) << restored.status();
  const tree::StateMachine& state = *restored->state;
  EXPECT_EQ(state.zxid(), machine_.state.zxid() + tree::kRestoredZxidStep);
  EXPECT_TRUE(state.ensemble_id().IsNil());
  EXPECT_EQ(state.session_count(), 0u);
  EXPECT_EQ(state.Get("/stays")->data.view(), "12345");
  EXPECT_FALSE(state.Exists("/goes").has_value());
  EXPECT_EQ(report->restored.digest, state.digest());

  LogIndex first;
  const base::Uuid id = RestoreIdIn(options_.data_dir, first);
  EXPECT_EQ(first, LogIndex(2));
  EXPECT_EQ(id, base::Uuid(static_cast<uint64_t>(report->restored.zxid), state.digest()));
  auto data_dir = base::DataDir::Open(options_.data_dir, "coord", 2);
  ASSERT_TRUE(data_dir.ok()) << data_dir.status();
  EXPECT_TRUE((*data_dir)->identity().ensemble_id.IsNil());
  EXPECT_TRUE(CheckNotRestoring(**data_dir).ok());
}

TEST_F(Restore, NamesTheServersOfTheNewEnsemble) {
  ASSERT_TRUE(RestoreDataFolder(options_).ok());
  auto file = base::OpenFile(scratch_ / "data/snapshots/snapshot-1-1");
  ASSERT_TRUE(file.ok());
  const auto reader = SnapshotFileReader::Open(*std::move(file));
  ASSERT_TRUE(reader.ok());
  raft::Membership expected;
  expected.members = {{ServerId(1), "a:1"}, {ServerId(2), "b:2"}};
  EXPECT_EQ((*reader)->meta().membership, expected);
}

TEST_F(Restore, GivesEqualIdsToFoldersOfOneFileOnly) {
  LogIndex first;
  ASSERT_TRUE(RestoreDataFolder(options_).ok());
  const base::Uuid one = RestoreIdIn(options_.data_dir, first);
  options_.data_dir = scratch_ / "data-2";
  ASSERT_TRUE(RestoreDataFolder(options_).ok());
  EXPECT_EQ(RestoreIdIn(options_.data_dir, first), one);
  machine_.Set("/stays", "6");
  Write("file");
  options_.data_dir = scratch_ / "data-3";
  ASSERT_TRUE(RestoreDataFolder(options_).ok());
  EXPECT_NE(RestoreIdIn(options_.data_dir, first), one);
}

TEST_F(Restore, RefusesAUsedFolder) {
  ASSERT_TRUE(RestoreDataFolder(options_).ok());
  EXPECT_THAT(Refused(), HasSubstr("was used before"));
  options_.data_dir = scratch_ / "mine";
  std::filesystem::create_directory(options_.data_dir);
  std::ofstream(options_.data_dir + "/letter.txt") << "dear";
  EXPECT_THAT(Refused(), HasSubstr("was used before"));
  EXPECT_TRUE(std::filesystem::exists(options_.data_dir + "/letter.txt"));
  EXPECT_FALSE(std::filesystem::exists(options_.data_dir + "/identity.json")) << "put into it";
}

TEST_F(Restore, RefusesTheFolderOfAnEnsembleThatLostItsLog) {
  {
    auto data_dir = base::DataDir::Open(options_.data_dir, "coord", 2);
    ASSERT_TRUE(data_dir.ok());
    ASSERT_TRUE((*data_dir)->SetEnsembleId(base::Uuid(1, 2)).ok());
  }
  EXPECT_THAT(Refused(), HasSubstr("was used before"));
}

TEST_F(Restore, OfADamagedFileLeavesNothing) {
  std::ofstream(options_.file, std::ios::binary | std::ios::app) << "x";
  EXPECT_TRUE(absl::IsDataLoss(RestoreDataFolder(options_).status()));
  EXPECT_FALSE(std::filesystem::exists(options_.data_dir));
}

TEST_F(Restore, ThatFailedLeavesAFolderThatNoServerStartsFrom) {
  base::Random random(1);
  std::string large(64 << 10, '\0');
  for (char& byte : large) byte = static_cast<char>(random.Next());  // can't be packed
  machine_.Create("/large", large);
  Write("file");
  {
    const FileSizeLimit limit(4 << 10);
    EXPECT_FALSE(RestoreDataFolder(options_).ok());
  }
  {
    auto data_dir = base::DataDir::Open(options_.data_dir, "coord", 2);
    ASSERT_TRUE(data_dir.ok());
    EXPECT_FALSE(CheckNotRestoring(**data_dir).ok());
  }
  EXPECT_TRUE(RestoreDataFolder(options_).ok());
}

// As after a crash: the marker is there, and some of the rest.
TEST_F(Restore, ThatWasNotFinishedIsFoundAndBegunAgain) {
  ASSERT_TRUE(RestoreDataFolder(options_).ok());
  std::ofstream(options_.data_dir + "/restoring") << "file\n";
  std::filesystem::remove_all(options_.data_dir + "/raft");
  {
    auto data_dir = base::DataDir::Open(options_.data_dir, "coord", 2);
    ASSERT_TRUE(data_dir.ok());
    EXPECT_THAT(std::string(CheckNotRestoring(**data_dir).message()), HasSubstr("not finished"));
  }
  ASSERT_TRUE(RestoreDataFolder(options_).ok());
  LogIndex first;
  EXPECT_FALSE(RestoreIdIn(options_.data_dir, first).IsNil());
  EXPECT_EQ(first, LogIndex(2));
}

TEST_F(Restore, RefusesAFolderInUse) {
  auto data_dir = base::DataDir::Open(options_.data_dir, "coord", 2);
  ASSERT_TRUE(data_dir.ok());
  EXPECT_THAT(Refused(), HasSubstr("in use"));
}

}  // namespace
}  // namespace bellwether::coord
