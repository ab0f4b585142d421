#include "coord/tree/path.h"

#include "coord/tree/types.h"
#include "fmt/format.h"

namespace bellwether::coord::tree {
namespace {

// Takes the first character off `text`: its code point, or nullopt when it is not UTF-8 in the
// shortest form.
std::optional<uint32_t> TakeCodePoint(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text[0]);
  size_t length;
  uint32_t code_point;
  uint32_t smallest;
  if (first < 0x80) {
    text.remove_prefix(1);
    return first;
  } else if ((first & 0xe0) == 0xc0) {
    length = 2, code_point = first & 0x1f, smallest = 0x80;
  } else if ((first & 0xf0) == 0xe0) {
    length = 3, code_point = first & 0x0f, smallest = 0x800;
  } else if ((first & 0xf8) == 0xf0) {
    length = 4, code_point = first & 0x07, smallest = 0x10000;
  } else {
    return std::nullopt;
  }
  if (text.size() < length) return std::nullopt;
  for (size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0) != 0x80) return std::nullopt;
    code_point = code_point << 6 | (byte & 0x3f);
  }
  if (code_point < smallest) return std::nullopt;
  text.remove_prefix(length);
  return code_point;
}

// ZooKeeper checks UTF-16 units, and a character beyond U+FFFF is two surrogates.
bool IsAllowed(uint32_t code_point) {
  if (code_point <= 0x1f || (code_point >= 0x7f && code_point <= 0x9f)) return false;
  if (code_point >= 0xd800 && code_point <= 0xf8ff) return false;
  return code_point < 0xfff0;
}

}  // namespace

bool IsValidName(std::string_view name) {
  if (name.empty() || name == "." || name == "..") return false;
  while (!name.empty()) {
    const std::optional<uint32_t> code_point = TakeCodePoint(name);
    if (!code_point.has_value() || !IsAllowed(*code_point)) return false;
  }
  return true;
}

bool IsValidPath(std::string_view path) {
  if (path.empty() || path[0] != '/' || path.size() > kPathBytesMax) return false;
  if (path.size() == 1) return true;
  std::string_view rest = path.substr(1);
  while (true) {
    const size_t slash = rest.find('/');
    if (!IsValidName(rest.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    rest.remove_prefix(slash + 1);
  }
}

std::optional<PathParts> SplitPath(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos || path.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  return PathParts{slash == 0 ? path.substr(0, 1) : path.substr(0, slash), path.substr(slash + 1)};
}

bool IsBelow(std::string_view path, std::string_view top) {
  if (top == "/") return path.size() > 1 && path[0] == '/';
  return path.size() > top.size() + 1 && path.starts_with(top) && path[top.size()] == '/';
}

std::string ChildPath(std::string_view parent, std::string_view name) {
  std::string path;
  path.reserve(parent.size() + 1 + name.size());
  if (parent != "/") path += parent;
  path += '/';
  path += name;
  return path;
}

std::string SequenceSuffix(int32_t counter) { return fmt::format("{:010d}", counter); }

int32_t NextCounter(int32_t counter) {
  return static_cast<int32_t>(static_cast<uint32_t>(counter) + 1);
}

int32_t NextVersion(int32_t version) {
  const int32_t next = NextCounter(version);
  return next == kAnyVersion ? NextCounter(next) : next;
}

}  // namespace bellwether::coord::tree
