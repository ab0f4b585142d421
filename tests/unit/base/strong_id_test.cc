#include "base/strong_id.h"

#include <type_traits>

#include "absl/container/flat_hash_set.h"
#include "gtest/gtest.h"

namespace bellwether::base {
namespace {

using Term = StrongId<struct TermTag, uint64_t>;
using Index = StrongId<struct IndexTag, uint64_t>;
static_assert(!std::is_convertible_v<Term, Index> && !std::is_convertible_v<uint64_t, Term>);

TEST(StrongId, CountsAndCompares) {
  Term term;
  EXPECT_EQ(term.value(), 0);
  EXPECT_EQ(++term, Term(1));
  EXPECT_LT(term, term + 1);
  EXPECT_EQ(Term(7) - Term(3), 4);
  EXPECT_EQ(Term(7) - 3, Term(4));
}

TEST(StrongId, HashesAndPrints) {
  const absl::flat_hash_set<Term> terms = {Term(1), Term(2), Term(1)};
  EXPECT_EQ(terms.size(), 2);
  EXPECT_EQ(std::hash<Term>()(Term(5)), std::hash<uint64_t>()(5));
  EXPECT_EQ(fmt::format("{:03}", Term(7)), "007");
}

}  // namespace
}  // namespace bellwether::base
