#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace bellwether::sim {

// What a mutant is tried in: the worlds of bell-sim; or, as its servers never ask for what the core
// must refuse or bear, Raft cores alone: tests/support/raft_duel and raft_random_run; or, as the rules
// of sessions make up for what it does, replicas alone: tests/unit/coord/replica/forward_run.
enum class Worlds { kServices, kCoreDuels, kCoreMembers, kReplicas };

// A way in which the product is wrong on purpose (base/mutant.h), to see that it is noticed.
struct Mutant {
  int number;
  uint64_t seeds;         // a checker notices within so many seeds, from 1 on
  std::string_view what;  // how the product is wrong
  Worlds worlds = Worlds::kServices;
};

// By number; a number is never used again.
const std::vector<Mutant>& Mutants();

// From now on, in this process and those it forks; at most one at a time. Returns a count of how
// often it was asked for where it decides, shared by all of them.
const volatile uint64_t& TurnOn(int number);

}  // namespace bellwether::sim
