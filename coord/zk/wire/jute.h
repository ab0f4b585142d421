#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/coding.h"

namespace bellwether::coord::zk::wire {

// Bytes, or null, which on the wire is the length -1 and not the same as no bytes (Z21).
using Buffer = std::optional<std::string_view>;

// Reads values of ZooKeeper's encoding ("jute"), from bytes that nobody vouches for: after the
// first value that is not there or not possible, every read returns zero or nothing and ok() is
// false. Never allocates. Views point into the input.
class JuteReader {
 public:
  explicit JuteReader(std::string_view input) : input_(input) {}

  int32_t Int();
  int64_t Long();
  bool Bool();  // every byte but 0 is true
  Buffer Bytes();  // a length below -1 is not possible
  std::string_view Text();  // null becomes empty
  std::string_view PathText();  // null is not possible

  // The number of items of a vector, each of which takes at least `item_bytes_min` (> 0) bytes: a
  // number that what is left cannot hold is not possible. As in ZooKeeper, null (-1, Z60) and every
  // other negative number is 0.
  size_t Count(size_t item_bytes_min);

  bool ok() const { return input_.ok(); }
  size_t remaining() const { return input_.remaining(); }
  // What was read cannot be meant: from now on ok() is false.
  void Fail();

 private:
  base::Decoder input_;
};

// Appends values of ZooKeeper's encoding to a string.
class JuteWriter {
 public:
  explicit JuteWriter(std::string& out) : out_(out) {}

  JuteWriter& Int(int32_t value);
  JuteWriter& Long(int64_t value);
  JuteWriter& Bool(bool value);
  JuteWriter& Bytes(const Buffer& value);
  JuteWriter& Text(std::string_view value);
  // Before the items of a vector.
  JuteWriter& Count(size_t items);

 private:
  base::Encoder out_;
};

}  // namespace bellwether::coord::zk::wire
