#include "cli/zookeeper_files.h"

#include <filesystem>
#include <string>
#include <string_view>

#include "base/file.h"
#include "coord/zk/wire/jute.h"
#include "gtest/gtest.h"
#include "tests/support/scratch_folder.h"

namespace bellwether::cli {
namespace {

using client::CreateMode;
using coord::zk::wire::JuteWriter;

constexpr int64_t kContainerOwner = INT64_MIN;
constexpr int64_t kTtlOwner = static_cast<int64_t>(0xff00'0000'0000'0000 | 5000);

std::string Header(std::string_view magic) {
  std::string bytes(magic);
  JuteWriter(bytes).Int(2).Long(0);
  return bytes;
}

std::string SnapshotZnode(std::string_view path, int64_t czxid, int64_t owner) {
  std::string bytes;
  JuteWriter(bytes).Text(path).Bytes("data").Long(1).Long(czxid).Long(9).Long(1).Long(2).Int(0).Int(
      1).Int(0).Long(owner).Long(9);
  return bytes;
}

std::string Snapshot() {
  std::string bytes = Header("ZKSN");
  JuteWriter(bytes).Int(1).Long(77).Int(4000);  // a session
  JuteWriter(bytes).Int(1).Long(1).Int(1).Int(31).Text("world").Text("anyone");
  bytes += SnapshotZnode("", 0, 0);
  bytes += SnapshotZnode("/container", 5, kContainerOwner);
  bytes += SnapshotZnode("/ttl", 6, kTtlOwner);
  bytes += SnapshotZnode("/ephemeral", 7, 0x1000'0000'0000'0001);
  bytes += SnapshotZnode("/persistent", 8, 0);
  JuteWriter(bytes).Text("/").Text("digest and checksum follow");
  return bytes;
}

std::string CreateBody(std::string_view path, int64_t ttl_ms = 0) {
  std::string bytes;
  JuteWriter(bytes).Text(path).Bytes("data").Int(1).Int(31).Text("world").Text("anyone").Int(4);
  if (ttl_ms != 0) JuteWriter(bytes).Long(ttl_ms);
  return bytes;
}

std::string LogEntry(int64_t zxid, int32_t type, std::string_view body) {
  std::string entry;
  JuteWriter(entry).Long(77).Int(1).Long(zxid).Long(123).Int(type);
  entry += body;
  std::string bytes;
  JuteWriter(bytes).Long(0x1234).Bytes(entry);
  return bytes + "B";
}

std::string Log() {
  std::string multi;
  const std::string inner = CreateBody("/in-multi");
  JuteWriter(multi).Int(2).Int(1).Bytes(CreateBody("/plain")).Int(19).Bytes(inner);
  return Header("ZKLG") + LogEntry(0x10, 19, CreateBody("/container")) +
         LogEntry(0x11, 21, CreateBody("/ttl", 3'600'000)) + LogEntry(0x12, 14, multi) +
         LogEntry(0x13, 1, CreateBody("/persistent"));
}

class ZookeeperFiles : public testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& bytes) {
    const std::string path = folder.path() + "/" + name;
    EXPECT_TRUE(base::WriteFileDurably(path, bytes).ok());
    return path;
  }

  ScratchFolder folder;
  ZookeeperKinds kinds;
};

TEST_F(ZookeeperFiles, ASnapshotTellsKinds) {
  ASSERT_TRUE(kinds.ReadSnapshot(Write("snapshot.2a", Snapshot())).ok());
  EXPECT_EQ(kinds.size(), 2u);
  EXPECT_EQ(kinds.KindOf("/container", 5).mode, CreateMode::kContainer);
  EXPECT_EQ(kinds.KindOf("/ttl", 6).mode, CreateMode::kPersistentWithTtl);
  EXPECT_EQ(kinds.KindOf("/ttl", 6).ttl_ms, 5000);
  EXPECT_EQ(kinds.KindOf("/ephemeral", 7).mode, CreateMode::kPersistent);
  EXPECT_EQ(kinds.zxid(), 0x2a);
}

TEST_F(ZookeeperFiles, ALogTellsWhatWasCreated) {
  ASSERT_TRUE(kinds.ReadLog(Write("log.1", Log() + std::string(64, '\0'))).ok());
  EXPECT_EQ(kinds.KindOf("/container", 0x10).mode, CreateMode::kContainer);
  EXPECT_EQ(kinds.KindOf("/ttl", 0x11).ttl_ms, 3'600'000);
  EXPECT_EQ(kinds.KindOf("/in-multi", 0x12).mode, CreateMode::kContainer);
  EXPECT_EQ(kinds.KindOf("/plain", 0x12).mode, CreateMode::kPersistent);
  EXPECT_EQ(kinds.size(), 3u);
  EXPECT_EQ(kinds.zxid(), 0x13);
}

// A path may be used again.
TEST_F(ZookeeperFiles, AKindIsOfOneCreation) {
  ASSERT_TRUE(kinds.ReadSnapshot(Write("snapshot.9", Snapshot())).ok());
  ASSERT_TRUE(kinds.ReadLog(Write("log.a", Log())).ok());
  EXPECT_EQ(kinds.KindOf("/ttl", 6).ttl_ms, 5000);
  EXPECT_EQ(kinds.KindOf("/ttl", 0x11).ttl_ms, 3'600'000);
  EXPECT_EQ(kinds.KindOf("/ttl", 0x99).mode, CreateMode::kPersistent);
}

TEST_F(ZookeeperFiles, TheEndOfALogMayBeMissing) {
  const std::string log = Log();
  for (const size_t size : {log.size() - 1, log.size() - 20, size_t{16}}) {
    EXPECT_TRUE(ZookeeperKinds().ReadLog(Write("log.1", log.substr(0, size))).ok()) << size;
  }
}

TEST_F(ZookeeperFiles, ReadsAServersFolder) {
  ASSERT_TRUE(std::filesystem::create_directory(folder.path() + "/version-2"));
  Write("version-2/snapshot.9", Snapshot());
  Write("version-2/log.a", Log());
  Write("version-2/acceptedEpoch", "1");
  ASSERT_TRUE(kinds.ReadFolder(folder.path()).ok());
  EXPECT_EQ(kinds.size(), 5u);
  ASSERT_TRUE(std::filesystem::create_directory(folder.path() + "/empty"));
  for (const char* without : {"/none", "/empty"}) {
    EXPECT_EQ(ZookeeperKinds().ReadFolder(folder.path() + without).code(),
              absl::StatusCode::kNotFound);
  }
}

TEST_F(ZookeeperFiles, OtherFilesAreRefused) {
  const std::string snapshot = Snapshot();
  for (const std::string& bytes : {std::string(), std::string("\x1f\x8b compressed"), Log(),
                                   snapshot.substr(0, snapshot.size() - 60)}) {
    EXPECT_EQ(kinds.ReadSnapshot(Write("snapshot.1", bytes)).code(), absl::StatusCode::kDataLoss);
  }
  EXPECT_EQ(kinds.ReadLog(Write("log.1", snapshot)).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace bellwether::cli
