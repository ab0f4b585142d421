#include "cli/partial_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/scratch_folder.h"

namespace bellwether::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PartialFileTest : public ::testing::Test {
 protected:
  std::unique_ptr<PartialFile> Create() {
    auto partial = PartialFile::Create(folder_ / "file");
    EXPECT_TRUE(partial.ok()) << partial.status();
    return *std::move(partial);
  }
  void Leave(const std::string& name) {
    ASSERT_TRUE(base::WriteFileDurably(folder_ / name, "left").ok());
  }
  std::vector<std::string> Files() { return *base::ListFolder(folder_ / "."); }

  ScratchFolder folder_;
};

TEST_F(PartialFileTest, HasItsNameOnlyWhenItIsPublished) {
  auto partial = Create();
  ASSERT_TRUE(partial->Append("con").ok());
  ASSERT_TRUE(partial->Append("tent").ok());
  ASSERT_TRUE(partial->Sync().ok());
  EXPECT_THAT(Files(), ElementsAre("file.partial-" + std::to_string(getpid())));
  ASSERT_TRUE(partial->Publish(false).ok());
  EXPECT_THAT(Files(), ElementsAre("file"));
  partial.reset();
  EXPECT_EQ(*base::ReadFile(folder_ / "file"), "content");
}

TEST_F(PartialFileTest, LeavesNothingWhenItIsNotPublished) {
  Create().reset();
  EXPECT_THAT(Files(), ElementsAre());
}

TEST_F(PartialFileTest, ReplacesAFileOnlyWhenTold) {
  Leave("file");
  auto partial = Create();
  ASSERT_TRUE(partial->Append("new").ok());
  EXPECT_TRUE(absl::IsAlreadyExists(partial->Publish(false)));
  EXPECT_EQ(*base::ReadFile(folder_ / "file"), "left");
  EXPECT_TRUE(partial->Publish(true).ok());
  EXPECT_EQ(*base::ReadFile(folder_ / "file"), "new");
}

TEST_F(PartialFileTest, RemovesWhatNobodyHoldsLocked) {
  for (const char* name : {"file.partial-1", "file.partial-2", "file.partial-", "file.partial-1x",
                           "file2.partial-1", "afile.partial-1"}) {
    Leave(name);
  }
  const int locked = open((folder_ / "file.partial-2").c_str(), O_RDONLY);
  ASSERT_EQ(flock(locked, LOCK_EX), 0);
  Create().reset();
  EXPECT_THAT(Files(), ElementsAre("afile.partial-1", "file.partial-", "file.partial-1x",
                                   "file.partial-2", "file2.partial-1"));
  close(locked);
}

TEST_F(PartialFileTest, IsNotTakenForALeftover) {
  auto first = Create();
  const int other = open(first->path().c_str(), O_RDONLY);
  EXPECT_NE(flock(other, LOCK_EX | LOCK_NB), 0);
  close(other);
}

// In two containers, on a shared volume, two processes may have one number.
TEST_F(PartialFileTest, OfAnotherOfTheSameNumberIsLeftAlone) {
  auto first = Create();
  ASSERT_TRUE(first->Append("content").ok());
  const absl::Status second = PartialFile::Create(folder_ / "file").status();
  EXPECT_TRUE(absl::IsUnavailable(second)) << second;
  EXPECT_THAT(std::string(second.message()), HasSubstr("; try again later"));
  EXPECT_EQ(*base::ReadFile(first->path()), "content");
  ASSERT_TRUE(first->Publish(false).ok());
  EXPECT_EQ(*base::ReadFile(folder_ / "file"), "content");
}

TEST_F(PartialFileTest, ReplacesWhatAnEarlierOneOfTheSameNumberLeft) {
  Leave("file.partial-" + std::to_string(getpid()));
  auto partial = Create();
  ASSERT_TRUE(partial->Append("new").ok());
  EXPECT_EQ(*base::ReadFile(partial->path()), "new");
}

TEST_F(PartialFileTest, AFolderThatIsNotThereIsNotFound) {
  const absl::Status status = PartialFile::Create(folder_ / "none/file").status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("; create it"));
}

TEST(OnOwnDisk, AFullOneIsAFailure) {
  const absl::Status full = OnOwnDisk(base::FileError("write", "/x", ENOSPC));
  EXPECT_EQ(full.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(full.message()), HasSubstr("; free some space"));
  const absl::Status denied = OnOwnDisk(base::FileError("create", "/x", EACCES));
  EXPECT_EQ(denied.code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace bellwether::cli
