#include "coord/storage/set_aside.h"

#include <filesystem>
#include <string>

#include "base/file.h"
#include "gtest/gtest.h"
#include "tests/support/scratch_folder.h"

namespace bellwether::coord {
namespace {

// Moves a log aside that holds `content`.
std::string SetAside(const ScratchFolder& folder, const std::string& content) {
  EXPECT_TRUE(base::CreateFolder(folder / "raft/db").ok());
  EXPECT_TRUE(base::WriteFileDurably(folder / "raft/db/file", content).ok());
  const auto aside = SetLogAside(folder / "raft");
  EXPECT_TRUE(aside.ok()) << aside.status();
  return aside.value_or("");
}

TEST(SetLogAside, MovesTheWholeFolder) {
  const ScratchFolder folder;
  EXPECT_EQ(SetAside(folder, "a"), folder / "raft.damaged-1");
  EXPECT_FALSE(std::filesystem::exists(folder / "raft"));
  EXPECT_EQ(*base::ReadFile(folder / "raft.damaged-1/db/file"), "a");
}

TEST(SetLogAside, NewestTwoAreKept) {
  const ScratchFolder folder;
  ASSERT_TRUE(base::WriteFileDurably(folder / "raft.damaged-notes", "mine").ok());
  for (int i = 1; i <= 12; ++i) SetAside(folder, std::to_string(i));
  EXPECT_EQ(*base::ListFolder(folder.path()),
            (std::vector<std::string>{"raft.damaged-11", "raft.damaged-12", "raft.damaged-notes"}));
  EXPECT_EQ(*base::ReadFile(folder / "raft.damaged-12/db/file"), "12");
}

TEST(SetLogAside, NamesALogThatIsNotThere) {
  const ScratchFolder folder;
  const auto aside = SetLogAside(folder / "raft");
  ASSERT_TRUE(absl::IsNotFound(aside.status()));
  EXPECT_NE(aside.status().message().find("raft"), std::string::npos);
}

}  // namespace
}  // namespace bellwether::coord
