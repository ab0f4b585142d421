#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "coord/zk/wire/records.h"

namespace bellwether::tests {

// Bytes as they are written here: hexadecimal digits, and 'characters' as they are; spaces mean
// nothing.
std::string Bytes(std::string_view text);

// A message of ZooKeeper's published format, as bytes without the frame's length and as a struct.
struct ZkRequestExample {
  std::string name;
  std::string bytes;
  coord::zk::wire::Request request;
};

struct ZkReplyExample {
  std::string name;
  std::string bytes;
  coord::zk::wire::Opcode opcode;  // of the request; kNotification for an event
  coord::zk::wire::Reply reply;
};

// At least one for each opcode that clients may ask for.
std::vector<ZkRequestExample> ZkRequestExamples();
std::vector<ZkReplyExample> ZkReplyExamples();

// Stat with the numbers 1 to 11 in the order of its fields, and its bytes as for Bytes.
coord::zk::wire::Stat ZkStatExample();
inline constexpr std::string_view kZkStatExample =
    "0000000000000001 0000000000000002 0000000000000003 0000000000000004"
    "00000005 00000006 00000007 0000000000000008 00000009 0000000a 000000000000000b";

}  // namespace bellwether::tests
