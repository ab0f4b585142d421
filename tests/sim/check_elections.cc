#include "tests/sim/check_elections.h"

namespace bellwether::sim {

void ElectionChecker::OnLeadership(ServerId server, const coord::Leadership& leadership) {
  Term& term = terms_[server];
  if (leadership.term < term) {
    violations_.Add("election safety", "server {} went back from term {} to {}", server, term,
                    leadership.term);
  }
  term = leadership.term;
  if (leadership.leader == ServerId(0)) return;
  const auto [known, added] = leaders_.emplace(leadership.term, leadership.leader);
  if (added || known->second == leadership.leader) return;
  violations_.Add("election safety", "server {} takes {} for the leader of term {}, it is {}",
                  server, leadership.leader, leadership.term, known->second);
}

}  // namespace bellwether::sim
