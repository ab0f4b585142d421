#include "base/data_dir.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/scratch_folder.h"

namespace bellwether::base {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Opens and closes the folder; the error's text, or "ok".
std::string OpenResult(const std::string& path, std::string_view kind, int64_t id) {
  const auto dir = DataDir::Open(path, kind, id);
  return dir.ok() ? "ok" : std::string(dir.status().message());
}

// A process that holds a data folder until it is killed.
class Holder {
 public:
  explicit Holder(const std::string& path) {
    int ready[2];
    CHECK(pipe(ready) == 0);
    pid_ = fork();
    if (pid_ == 0) {
      const auto dir = DataDir::Open(path, "coord", 1);
      const bool told = dir.ok() && write(ready[1], "x", 1) == 1;
      while (told) pause();
      _exit(1);
    }
    close(ready[1]);
    char byte;
    CHECK(read(ready[0], &byte, 1) == 1, "the holder could not open {}", path);
    close(ready[0]);
  }
  ~Holder() { Kill(); }
  void Kill() {
    if (pid_ == 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

TEST(DataDir, KeepsItsIdentity) {
  const ScratchFolder scratch;
  Uuid folder_id;
  {
    const auto dir = DataDir::Open(scratch / "new", "coord", 3);
    ASSERT_TRUE(dir.ok());
    EXPECT_TRUE((*dir)->was_empty());
    EXPECT_TRUE((*dir)->identity().ensemble_id.IsNil());
    folder_id = (*dir)->identity().folder_id;
    ASSERT_TRUE((*dir)->SetEnsembleId(Uuid(1, 2)).ok());
  }
  const auto dir = DataDir::Open(scratch / "new", "coord", 3);
  ASSERT_TRUE(dir.ok());
  EXPECT_FALSE((*dir)->was_empty());
  EXPECT_EQ((*dir)->identity().folder_id, folder_id);
  EXPECT_EQ((*dir)->identity().ensemble_id, Uuid(1, 2));
}

TEST(DataDir, IdentityFileIsTheInterfaceSheets) {
  const ScratchFolder scratch;
  const auto dir = DataDir::Open(scratch.path(), "broker", 7);
  ASSERT_TRUE(dir.ok());
  const std::string text = *ReadFile((*dir)->File("identity.json"));
  EXPECT_THAT(text, AllOf(HasSubstr(R"("format":1,"kind":"broker","ensemble_id":null,"id":7)"),
                          HasSubstr((*dir)->identity().folder_id.ToString())));
}

TEST(DataDir, IsHeldByOneProcess) {
  const ScratchFolder scratch;
  Holder holder(scratch.path());
  const auto refused = DataDir::Open(scratch.path(), "coord", 1);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("is in use by process " + std::to_string(holder.pid())));
  holder.Kill();
  EXPECT_EQ(OpenResult(scratch.path(), "coord", 1), "ok");
}

TEST(DataDir, RefusesTheFolderOfAnother) {
  const ScratchFolder scratch;
  ASSERT_EQ(OpenResult(scratch.path(), "coord", 1), "ok");
  EXPECT_THAT(OpenResult(scratch.path(), "coord", 2),
              HasSubstr("belongs to coord 1, not to coord 2; start it with that id"));
  EXPECT_THAT(OpenResult(scratch.path(), "broker", 1), HasSubstr("belongs to coord 1"));
  EXPECT_EQ(OpenResult(scratch.path(), "coord", 1), "ok");
}

TEST(DataDir, BelongsToOneEnsembleForEver) {
  const ScratchFolder scratch;
  const auto dir = DataDir::Open(scratch.path(), "coord", 1);
  ASSERT_TRUE(dir.ok());
  ASSERT_TRUE((*dir)->SetEnsembleId(Uuid(1, 2)).ok());
  EXPECT_TRUE((*dir)->SetEnsembleId(Uuid(1, 2)).ok());
  EXPECT_EQ((*dir)->SetEnsembleId(Uuid(3, 4)).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ((*dir)->identity().ensemble_id, Uuid(1, 2));
}

TEST(DataDir, RefusesAnIdentityThatItCannotRead) {
  const std::string good_id = R"("folder_id":"01234567-89ab-cdef-fedc-ba9876543210")";
  for (const std::string& text :
       {std::string(""), std::string("{"), std::string("[1]"), std::string("{\"format\":1}"),
        std::string(R"({"format":2,"kind":"coord","id":1,)") + good_id + "}",
        std::string(R"({"format":4294967297,"kind":"coord","id":1,)") + good_id + "}",
        std::string(R"({"format":1,"kind":"coord","id":"1",)") + good_id + "}",
        std::string(R"({"format":1,"kind":"coord","id":1,"folder_id":"x"})"),
        std::string(R"({"format":1,"kind":"coord","id":1,"ensemble_id":"x",)") + good_id + "}"}) {
    const ScratchFolder scratch;
    std::ofstream(scratch / "identity.json") << text;
    const auto dir = DataDir::Open(scratch.path(), "coord", 1);
    EXPECT_EQ(dir.status().code(), absl::StatusCode::kDataLoss) << text;
    EXPECT_EQ(*ReadFile(scratch / "identity.json"), text);
  }
}

TEST(DataDir, RefusesAFolderThatItCannotWrite) {
  const ScratchFolder scratch;
  std::filesystem::create_directory(scratch / "LOCK");  // also fails for root
  const auto dir = DataDir::Open(scratch.path(), "coord", 1);
  EXPECT_EQ(dir.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(dir.status().message()), HasSubstr("choose another --data-dir"));
}

TEST(DataDir, AFileIsNoFolder) {
  const ScratchFolder scratch;
  std::ofstream(scratch / "f") << "";
  EXPECT_THAT(OpenResult(scratch / "f", "coord", 1), HasSubstr("choose another path"));
}

// A crash between taking the lock and writing the identity must not look like old data.
TEST(DataDir, IsStillEmptyAfterAnInterruptedFirstOpen) {
  const ScratchFolder scratch;
  std::ofstream(scratch / "LOCK") << "1\n";
  std::ofstream(scratch / "identity.json.tmp") << "{\"form";
  const auto dir = DataDir::Open(scratch.path(), "coord", 1);
  ASSERT_TRUE(dir.ok());
  EXPECT_TRUE((*dir)->was_empty());
}

TEST(DataDir, IsNotEmptyWithFilesOfOthers) {
  const ScratchFolder scratch;
  std::ofstream(scratch / "CURRENT") << "x";
  const auto dir = DataDir::Open(scratch.path(), "coord", 1);
  ASSERT_TRUE(dir.ok());
  EXPECT_FALSE((*dir)->was_empty());
}

}  // namespace
}  // namespace bellwether::base
