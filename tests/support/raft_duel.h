#pragma once

#include <cstdint>

namespace bellwether::coord::raft {

// Two leaders change the membership of four servers, one member at a time: the first adds a voter,
// of which only that one hears; the second, before it has committed anything, removes the first, of
// which one more hears. With majorities of these memberships both could go on, since the two don't
// meet (R5). Then the first one comes back. RaftCluster checks safety after every step; the seed
// says who is who. False: they do not come together again in the end.
bool FightOverMembers(uint64_t seed);

}  // namespace bellwether::coord::raft
