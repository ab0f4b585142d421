#pragma once

namespace bellwether::base {

// Whether the program is to be wrong here, on purpose: MUTANT(number) is false, at no cost, except
// in bell-sim-mutants (tests/sim/mutants.cc lists the numbers), which turns on one number to see
// that a checker of the simulation notices. It stands last in its condition, so that it is asked
// only where it decides. In .cc files only.
#ifdef BELLWETHER_MUTANTS
bool MutantIsOn(int number);
#define MUTANT(number) (::bellwether::base::MutantIsOn(number))
#else
#define MUTANT(number) false
#endif

}  // namespace bellwether::base
