#pragma once

#include <string>

#include "coord/raft/membership.h"
#include "coord/raft/message.h"
#include "coord/raft/types.h"

namespace bellwether::coord::raft {

// One line, without from and to: "append t=2 prev=3/1 [4/2 'a'] commit=3".
std::string Describe(const Message& message);
std::string Describe(const Entry& entry);
// "1,2,3+4": voters, and learners behind a plus; "1,2 to 1,3" while joint.
std::string Describe(const Membership& membership);

}  // namespace bellwether::coord::raft
