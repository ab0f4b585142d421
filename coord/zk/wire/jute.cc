#include "coord/zk/wire/jute.h"

#include <cstdint>
#include <limits>

namespace bellwether::coord::zk::wire {

int32_t JuteReader::Int() { return static_cast<int32_t>(input_.Fixed32()); }
int64_t JuteReader::Long() { return static_cast<int64_t>(input_.Fixed64()); }
bool JuteReader::Bool() { return input_.Fixed8() != 0; }

Buffer JuteReader::Bytes() {
  const int32_t length = Int();
  if (length == -1) return std::nullopt;
  if (length < 0) {
    Fail();
    return std::nullopt;
  }
  return input_.Raw(static_cast<size_t>(length));
}

std::string_view JuteReader::Text() { return Bytes().value_or(std::string_view()); }

std::string_view JuteReader::PathText() {
  const Buffer path = Bytes();
  if (!path.has_value()) Fail();
  return path.value_or(std::string_view());
}

size_t JuteReader::Count(size_t item_bytes_min) {
  const int32_t count = Int();
  if (count <= 0) return 0;
  if (static_cast<size_t>(count) > remaining() / item_bytes_min) {
    Fail();
    return 0;
  }
  return static_cast<size_t>(count);
}

// More than there can be is not there.
void JuteReader::Fail() { input_.Raw(std::numeric_limits<size_t>::max()); }

JuteWriter& JuteWriter::Int(int32_t value) {
  out_.Fixed32(static_cast<uint32_t>(value));
  return *this;
}
JuteWriter& JuteWriter::Long(int64_t value) {
  out_.Fixed64(static_cast<uint64_t>(value));
  return *this;
}
JuteWriter& JuteWriter::Bool(bool value) {
  out_.Fixed8(value ? 1 : 0);
  return *this;
}
JuteWriter& JuteWriter::Bytes(const Buffer& value) {
  return value.has_value() ? Text(*value) : Int(-1);
}
JuteWriter& JuteWriter::Text(std::string_view value) {
  Count(value.size());
  out_.Raw(value);
  return *this;
}
// Above 2^31 - 1 it is wrong, and the frame around it too large to be sent (EndFrame).
JuteWriter& JuteWriter::Count(size_t items) { return Int(static_cast<int32_t>(items)); }

}  // namespace bellwether::coord::zk::wire
