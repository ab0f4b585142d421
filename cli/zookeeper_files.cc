#include "cli/zookeeper_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <utility>

#include "base/file.h"
#include "base/status.h"
#include "coord/tree/types.h"
#include "coord/zk/wire/jute.h"
#include "coord/zk/wire/opcodes.h"
#include "fmt/format.h"

namespace bellwether::cli {
namespace {

namespace wire = coord::zk::wire;
using wire::JuteReader;
using wire::Opcode;

constexpr std::string_view kSnapshotMagic = "ZKSN";
constexpr std::string_view kLogMagic = "ZKLG";
constexpr int32_t kFileVersion = 2;
constexpr size_t kFieldBytesMax = size_t{256} << 20;  // no setting of ZooKeeper allows as much

// How ZooKeeper keeps a kind in the place of an ephemeral's owner.
constexpr uint64_t kContainerOwner = uint64_t{1} << 63;
constexpr uint64_t kTtlMask = uint64_t{0xffffff} << 40;
constexpr uint64_t kTtlMark = uint64_t{0xff} << 56;

// Reads a file's big-endian fields one after the other, whatever its size. After the first that is
// not there every read gives zero or nothing, and ok() is false.
class FieldReader {
 public:
  // Errors: those of base::FileError.
  static absl::StatusOr<std::unique_ptr<FieldReader>> Open(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return base::FileError("read", path, errno);
    std::FILE* const file = ::fdopen(fd, "rb");
    if (file == nullptr) {
      ::close(fd);
      return base::FileError("read", path, errno);
    }
    return std::unique_ptr<FieldReader>(new FieldReader(file));
  }
  ~FieldReader() { std::fclose(file_); }
  FieldReader(const FieldReader&) = delete;
  FieldReader& operator=(const FieldReader&) = delete;

  uint64_t Number(size_t bytes) {
    unsigned char read[8] = {};
    if (!Read(read, bytes)) return 0;
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value = value << 8 | read[i];
    return value;
  }
  int32_t Int() { return static_cast<int32_t>(Number(4)); }
  int64_t Long() { return static_cast<int64_t>(Number(8)); }
  // With its length before it; null becomes empty. Good until the next call.
  std::string_view Bytes() {
    const int32_t size = Int();
    if (size <= 0) return {};
    return Raw(static_cast<size_t>(size));
  }
  std::string_view Raw(size_t size) {
    if (size > kFieldBytesMax) ok_ = false;
    if (!ok_) return {};
    buffer_.resize(size);
    return Read(buffer_.data(), size) ? std::string_view(buffer_) : std::string_view();
  }

  bool ok() const { return ok_; }

 private:
  explicit FieldReader(std::FILE* file) : file_(file) {}

  bool Read(void* to, size_t size) {
    ok_ = ok_ && std::fread(to, 1, size, file_) == size;
    return ok_;
  }

  std::FILE* const file_;
  std::string buffer_;
  bool ok_ = true;
};

absl::Status NotOurs(const std::string& path) {
  return absl::DataLossError(fmt::format(
      "'{}' is no whole file of ZooKeeper's data; copy the folder once more, uncompressed "
      "(zookeeper.snapshot.compression.method unset), or leave it out",
      path));
}

bool HasHeader(FieldReader& in, std::string_view magic) {
  const bool is_magic = in.Raw(magic.size()) == magic;
  const bool is_version = in.Int() == kFileVersion;
  in.Long();  // the database's id
  return is_magic && is_version && in.ok();
}

std::optional<ZookeeperKinds::Kind> KindOfOwner(uint64_t owner) {
  if (owner == kContainerOwner) {
    return ZookeeperKinds::Kind{client::CreateMode::kContainer, 0};
  }
  if ((owner & kTtlMask) == kTtlMark && owner != kTtlMark) {
    return ZookeeperKinds::Kind{client::CreateMode::kPersistentWithTtl,
                                static_cast<int64_t>(owner & ~kTtlMask)};
  }
  return std::nullopt;
}

// "snapshot." or "log." and a zxid.
bool IsNamed(const std::string& name, std::string_view prefix) {
  return name.starts_with(prefix) && name.size() > prefix.size() &&
         name.find_first_not_of("0123456789abcdef", prefix.size()) == std::string::npos;
}

}  // namespace

void ZookeeperKinds::Note(std::string_view path, int64_t czxid, Kind kind) {
  const auto [begin, end] = kinds_.equal_range(path);
  for (auto one = begin; one != end; ++one) {
    if (one->second.czxid == czxid) return;
  }
  kinds_.emplace(std::string(path), Known{czxid, kind});
}

ZookeeperKinds::Kind ZookeeperKinds::KindOf(std::string_view path, int64_t czxid) const {
  const auto [begin, end] = kinds_.equal_range(path);
  for (auto one = begin; one != end; ++one) {
    if (one->second.czxid == czxid) return one->second.kind;
  }
  return {};
}

absl::Status ZookeeperKinds::ReadFolder(const std::string& folder) {
  const std::string inner = folder + "/version-2";
  const std::string& place = std::filesystem::is_directory(inner) ? inner : folder;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, base::ListFolder(place));
  size_t files = 0;
  for (const std::string& name : names) {
    const std::string path = fmt::format("{}/{}", place, name);
    if (IsNamed(name, "snapshot.")) {
      RETURN_IF_ERROR(ReadSnapshot(path));
    } else if (IsNamed(name, "log.")) {
      RETURN_IF_ERROR(ReadLog(path));
    } else {
      continue;
    }
    ++files;
  }
  if (files > 0) return absl::OkStatus();
  return absl::NotFoundError(fmt::format(
      "'{}' has no snapshot.ZXID and no log.ZXID; name a ZooKeeper server's dataDir, or a copy",
      place));
}

absl::Status ZookeeperKinds::ReadSnapshot(const std::string& path) {
  ASSIGN_OR_RETURN(const auto in, FieldReader::Open(path));
  if (!HasHeader(*in, kSnapshotMagic)) return NotOurs(path);
  for (int32_t sessions = in->Int(); sessions > 0 && in->ok(); --sessions) {
    in->Long();
    in->Int();
  }
  for (int32_t acls = in->Int(); acls > 0 && in->ok(); --acls) {
    in->Long();
    for (int32_t entries = in->Int(); entries > 0 && in->ok(); --entries) {
      in->Int();
      in->Bytes();
      in->Bytes();
    }
  }
  std::string znode;
  for (znode = in->Bytes(); in->ok() && znode != "/"; znode = in->Bytes()) {
    in->Bytes();  // data
    in->Long();   // which ACL
    const int64_t czxid = in->Long();
    for (int times = 0; times < 3; ++times) in->Long();  // mzxid, ctime, mtime
    for (int counts = 0; counts < 3; ++counts) in->Int();
    const auto owner = static_cast<uint64_t>(in->Long());
    in->Long();  // pzxid
    const std::optional<Kind> kind = KindOfOwner(owner);
    if (kind.has_value() && in->ok()) Note(znode, czxid, *kind);
  }
  if (!in->ok()) return NotOurs(path);
  // Its name is the last zxid before it was begun.
  const std::string name = std::filesystem::path(path).filename();
  const std::string digits = name.substr(name.find('.') + 1);
  zxid_ = std::max(zxid_, static_cast<int64_t>(std::strtoull(digits.c_str(), nullptr, 16)));
  return absl::OkStatus();
}

void ZookeeperKinds::NoteTransaction(int32_t type, std::string_view body, int64_t zxid) {
  JuteReader in(body);
  if (type == static_cast<int32_t>(Opcode::kMulti)) {
    for (size_t count = in.Count(8); count > 0 && in.ok(); --count) {
      const int32_t part = in.Int();
      const wire::Buffer bytes = in.Bytes();
      if (in.ok() && part != type) NoteTransaction(part, bytes.value_or(""), zxid);
    }
    return;
  }
  const bool is_container = type == static_cast<int32_t>(Opcode::kCreateContainer);
  if (!is_container && type != static_cast<int32_t>(Opcode::kCreateTtl)) return;
  const std::string_view path = in.Text();
  in.Bytes();  // data
  for (size_t entries = in.Count(12); entries > 0 && in.ok(); --entries) {
    in.Int();
    in.Text();
    in.Text();
  }
  in.Int();  // the parent's cversion
  const int64_t ttl_ms = is_container ? 0 : in.Long();
  if (!in.ok() || (!is_container && ttl_ms <= 0)) return;
  Note(path, zxid,
       is_container ? Kind{client::CreateMode::kContainer, 0}
                    : Kind{client::CreateMode::kPersistentWithTtl, ttl_ms});
}

absl::Status ZookeeperKinds::ReadLog(const std::string& path) {
  ASSIGN_OR_RETURN(const auto in, FieldReader::Open(path));
  if (!HasHeader(*in, kLogMagic)) return NotOurs(path);
  while (true) {
    in->Long();  // a checksum
    const std::string_view entry = in->Bytes();
    // Zeros are room for what comes; a server that writes, or died, leaves a part of an entry.
    if (!in->ok() || entry.empty()) return absl::OkStatus();
    JuteReader header(entry);
    header.Long();  // session
    header.Int();   // its request
    const int64_t zxid = header.Long();
    header.Long();  // time
    const int32_t type = header.Int();
    if (!header.ok()) return NotOurs(path);
    NoteTransaction(type, entry.substr(entry.size() - header.remaining()), zxid);
    zxid_ = std::max(zxid_, zxid);
    in->Number(1);  // the entry's end
  }
}

}  // namespace bellwether::cli
