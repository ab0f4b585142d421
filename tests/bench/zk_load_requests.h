#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "coord/zk/wire/records.h"

namespace bellwether::bench {

// The names of znodes that a load counts through: a prefix and a number of fixed width, so that all
// requests of a kind have the same length.
inline constexpr size_t kNumberDigits = 8;
std::string NumberedPath(std::string_view prefix, uint64_t number);

// A request as its frame's bytes, made once. What differs between two of them, the xid and the number
// in the path, is written over: a request costs a copy and no encoding.
class RequestTemplate {
 public:
  // `numbered_prefix` is that of the NumberedPath in the request; empty: its path has no number.
  RequestTemplate(const coord::zk::wire::Request& request, std::string_view numbered_prefix,
                  size_t reply_body_bytes);

  // Requires: number has at most kNumberDigits digits.
  void Append(int32_t xid, uint64_t number, std::string& out) const;

  // What the body of the reply takes when the request succeeds.
  size_t reply_body_bytes() const { return reply_body_bytes_; }

 private:
  std::string frame_;
  size_t digits_at_ = 0;  // 0: nowhere
  size_t reply_body_bytes_;
};

// Requests of a load; `numbered` are prefixes of NumberedPaths. The znodes that they make are open to
// everybody.
RequestTemplate CreateTemplate(std::string_view numbered, std::string_view data);
RequestTemplate SetTemplate(std::string_view numbered, std::string_view data);
RequestTemplate GetTemplate(std::string_view numbered, size_t data_bytes);
// Of one znode whose `children` have numbered names with a prefix of `name_prefix_bytes`.
RequestTemplate ChildrenTemplate(std::string_view path, size_t children, size_t name_prefix_bytes);

// Frames with xid 0, for requests that are made once in a while; see ZkConnection::Send.
RequestTemplate PlainTemplate(coord::zk::wire::Opcode opcode, coord::zk::wire::RequestBody body);
RequestTemplate PlainCreate(std::string_view path, std::string_view data);
// One transaction that makes the znodes numbered begin to end - 1.
RequestTemplate CreateManyTemplate(std::string_view numbered, uint64_t begin, uint64_t end,
                                   std::string_view data);

}  // namespace bellwether::bench
