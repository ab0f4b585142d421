#include "base/file.h"

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/scratch_folder.h"

namespace bellwether::base {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

TEST(File, ReadsBackWhatItWrote) {
  const ScratchFolder folder;
  const std::string content("a\0b\n", 4);
  ASSERT_TRUE(WriteFileDurably(folder / "f", content).ok());
  EXPECT_EQ(*ReadFile(folder / "f"), content);
}

TEST(File, ReplacesTheWholeContentAndLeavesNothingElse) {
  const ScratchFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "f", "a long first content").ok());
  ASSERT_TRUE(WriteFileDurably(folder / "f", "short").ok());
  EXPECT_EQ(*ReadFile(folder / "f"), "short");
  EXPECT_THAT(*ListFolder(folder.path()), ElementsAre("f"));
}

TEST(File, AnUnfinishedWriteOfACrashIsIgnored) {
  const ScratchFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "f", "old").ok());
  std::ofstream(folder / "f.tmp") << "half of something much longer";
  EXPECT_EQ(*ReadFile(folder / "f"), "old");
  ASSERT_TRUE(WriteFileDurably(folder / "f", "new").ok());
  EXPECT_EQ(*ReadFile(folder / "f"), "new");
}

TEST(File, AMissingFileIsNotFoundAndNamed) {
  const ScratchFolder folder;
  const absl::Status status = ReadFile(folder / "none").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(status), HasSubstr(folder / "none"));
}

TEST(File, ReadsUpToTheBoundAndNoFurther) {
  const ScratchFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "f", std::string(100000, 'x')).ok());
  EXPECT_EQ(ReadFile(folder / "f", 100000)->size(), 100000);
  EXPECT_EQ(ReadFile(folder / "f", 99999).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(File, BoundsWhatItReads) {
  const ScratchFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "f", std::string(50'000, 'x')).ok());
  EXPECT_EQ(ReadFile(folder / "f", 50'000)->size(), 50'000u);
  const absl::Status status = ReadFile(folder / "f", 49'999).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(MessageOf(status), HasSubstr("larger than 49999 bytes; give a smaller one"));
}

TEST(File, AFailedWriteKeepsTheOldContent) {
  const ScratchFolder folder;
  ASSERT_TRUE(WriteFileDurably(folder / "f", "old").ok());
  std::filesystem::create_directory(folder / "f.tmp");  // the temporary file can't be created
  EXPECT_FALSE(WriteFileDurably(folder / "f", "new").ok());
  EXPECT_EQ(*ReadFile(folder / "f"), "old");
}

TEST(File, AShortageIsNoFullDiskAndNoBrokenOne) {
  for (const int error : {EMFILE, ENFILE, ENOMEM}) {
    const absl::Status status = FileError("open", "/x", error);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(MessageOf(status), HasSubstr("cannot open '/x'"));
    EXPECT_THAT(MessageOf(status), HasSubstr("try again"));
  }
  EXPECT_EQ(FileError("write", "/x", ENOSPC).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(FileError("read", "/x", EIO).code(), absl::StatusCode::kInternal);
}

TEST(File, CreatesFoldersWithTheirParents) {
  const ScratchFolder folder;
  EXPECT_TRUE(CreateFolder(folder / "a/b/c").ok());
  EXPECT_TRUE(CreateFolder(folder / "a/b/c").ok());
  EXPECT_THAT(*ListFolder(folder / "a/b/c"), IsEmpty());
}

TEST(File, RefusesAFolderWhereAFileIs) {
  const ScratchFolder folder;
  std::ofstream(folder / "f") << "x";
  for (const std::string& path : {folder / "f", folder / "f/below"}) {
    const absl::Status status = CreateFolder(path);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << path;
    EXPECT_THAT(MessageOf(status), HasSubstr("choose another path"));
  }
}

TEST(File, ListsSortedNames) {
  const ScratchFolder folder;
  for (const char* name : {"b", "a", ".hidden"}) std::ofstream(folder / name) << "x";
  EXPECT_THAT(*ListFolder(folder.path()), ElementsAre(".hidden", "a", "b"));
  EXPECT_EQ(ListFolder(folder / "none").status().code(), absl::StatusCode::kNotFound);
}

TEST(File, KnowsFreeSpace) {
  const ScratchFolder folder;
  EXPECT_GT(*FreeBytes(folder.path()), 0);
  EXPECT_EQ(FreeBytes(folder / "none").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace bellwether::base
