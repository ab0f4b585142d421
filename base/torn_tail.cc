#include "base/torn_tail.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/crc32c.h"
#include "base/status.h"

namespace bellwether::base {
namespace {

// RocksDB's log format: blocks of 32 KiB; in them fragments, which never cross into the next block;
// the rest of a block that is too short for a header is zero.
//   fragment   u32 masked crc32c of type and payload | u16 payload bytes | u8 type | payload
// all little-endian.
constexpr size_t kBlockBytes = 32 << 10;
constexpr size_t kHeaderBytes = 7;

enum FragmentType : uint8_t { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

uint32_t Unmask(uint32_t masked) {
  const uint32_t rotated = masked - 0xa282ead8u;
  return rotated >> 17 | rotated << 15;
}

// The fragment at the beginning of `bytes`, whole and with its sum; nullopt when there is none.
std::optional<std::string_view> FragmentAt(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return std::nullopt;
  const auto byte = [&bytes](size_t i) { return static_cast<uint32_t>(uint8_t(bytes[i])); };
  const size_t total = kHeaderBytes + (byte(4) | byte(5) << 8);
  if (byte(6) < kFull || byte(6) > kLast || total > bytes.size()) return std::nullopt;
  const uint32_t sum = byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24;
  if (Crc32c(bytes.substr(6, total - 6)) != Unmask(sum)) return std::nullopt;
  return bytes.substr(0, total);
}

bool BeginsAWrite(std::string_view fragment) {
  return fragment[6] == kFull || fragment[6] == kFirst;
}

// How much of a block is fragments in a row; the zeros that end a full one count as well.
size_t WholeBytes(std::string_view block) {
  size_t position = 0;
  while (const auto fragment = FragmentAt(block.substr(position))) position += fragment->size();
  const bool full = block.size() == kBlockBytes && kBlockBytes - position < kHeaderBytes;
  return full ? kBlockBytes : position;
}

// At any offset: what lies behind a bad fragment need not begin where that fragment says.
bool AWriteBeginsIn(std::string_view bytes) {
  for (size_t i = 0; i + kHeaderBytes <= bytes.size(); ++i) {
    const auto fragment = FragmentAt(bytes.substr(i));
    if (fragment.has_value() && BeginsAWrite(*fragment)) return true;
  }
  return false;
}

absl::StatusOr<uint64_t> CutTornTail(File& file) {
  ASSIGN_OR_RETURN(const uint64_t size, file.Size());
  std::optional<uint64_t> torn_at;
  std::string block;
  for (uint64_t begin = 0; begin < size; begin += kBlockBytes) {
    RETURN_IF_ERROR(file.ReadAt(begin, kBlockBytes, block));
    const size_t whole = torn_at.has_value() ? 0 : WholeBytes(block);
    if (AWriteBeginsIn(std::string_view(block).substr(whole))) return 0;
    if (!torn_at.has_value() && whole < block.size()) torn_at = begin + whole;
  }
  if (!torn_at.has_value()) return 0;
  RETURN_IF_ERROR(file.Truncate(*torn_at));
  RETURN_IF_ERROR(file.Sync());
  return size - *torn_at;
}

bool IsWriteAheadLog(const std::string& name) {
  constexpr std::string_view kSuffix = ".log";
  return name.size() > kSuffix.size() && name.ends_with(kSuffix) &&
         std::all_of(name.begin(), name.end() - kSuffix.size(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

// Names have leading zeros up to six digits.
bool IsOlder(const std::string& a, const std::string& b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

// Empty: the database has none.
absl::StatusOr<std::string> NameOfManifest(Folder& database) {
  auto current = database.Open("CURRENT", Folder::Mode::kRead);
  if (absl::IsNotFound(current.status())) return std::string();
  RETURN_IF_ERROR(current.status());
  std::string name;
  RETURN_IF_ERROR((*current)->ReadAt(0, 64, name));
  return name.substr(0, name.find('\n'));
}

}  // namespace

absl::StatusOr<uint64_t> CutTornTails(Folder& database) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, database.List());
  ASSIGN_OR_RETURN(const std::string manifest, NameOfManifest(database));
  std::string newest_log;
  for (const std::string& name : names) {
    if (IsWriteAheadLog(name) && IsOlder(newest_log, name)) newest_log = name;
  }
  uint64_t cut = 0;
  for (const std::string& name : {newest_log, manifest}) {
    if (name.empty()) continue;
    ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                     database.Open(name, Folder::Mode::kAppend));
    ASSIGN_OR_RETURN(const uint64_t bytes, CutTornTail(*file));
    cut += bytes;
  }
  return cut;
}

}  // namespace bellwether::base
