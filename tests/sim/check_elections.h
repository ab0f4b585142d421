#pragma once

#include <map>

#include "tests/sim/committed_log.h"
#include "tests/sim/trace.h"

namespace bellwether::sim {

// Election safety: at most one leader per term, terms of a server never go back within a process.
class ElectionChecker {
 public:
  explicit ElectionChecker(Violations& violations) : violations_(violations) {}

  void OnStart(ServerId server) { terms_[server] = Term(); }
  void OnLeadership(ServerId server, const coord::Leadership& leadership);

  // Of any leader so far.
  Term newest_term() const { return leaders_.empty() ? Term() : leaders_.rbegin()->first; }
  uint64_t elections() const { return leaders_.size(); }

 private:
  Violations& violations_;
  std::map<Term, ServerId> leaders_;
  std::map<ServerId, Term> terms_;
};

}  // namespace bellwether::sim
