#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <ostream>
#include <utility>

#include "fmt/format.h"

namespace bellwether::base {

// An integer with a meaning of its own, so that a term can't be passed for an index. Zero by
// default. Ordered and hashable; distances between two ids are plain numbers.
//
//   using Term = base::StrongId<struct TermTag, uint64_t>;
template <typename Tag, typename Rep>
class StrongId {
 public:
  using Value = Rep;

  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}

  constexpr Rep value() const { return value_; }

  friend constexpr auto operator<=>(StrongId, StrongId) = default;

  constexpr StrongId& operator++() {
    ++value_;
    return *this;
  }
  friend constexpr StrongId operator+(StrongId id, Rep distance) {
    return StrongId(id.value_ + distance);
  }
  friend constexpr StrongId operator-(StrongId id, Rep distance) {
    return StrongId(id.value_ - distance);
  }
  friend constexpr Rep operator-(StrongId a, StrongId b) { return a.value_ - b.value_; }

  template <typename H>
  friend H AbslHashValue(H h, StrongId id) {
    return H::combine(std::move(h), id.value_);
  }
  friend std::ostream& operator<<(std::ostream& out, StrongId id) { return out << +id.value_; }

 private:
  Rep value_ = 0;
};

}  // namespace bellwether::base

template <typename Tag, typename Rep>
struct std::hash<bellwether::base::StrongId<Tag, Rep>> {
  size_t operator()(bellwether::base::StrongId<Tag, Rep> id) const {
    return std::hash<Rep>()(id.value());
  }
};

template <typename Tag, typename Rep>
struct fmt::formatter<bellwether::base::StrongId<Tag, Rep>> : fmt::formatter<Rep> {
  template <typename Context>
  auto format(bellwether::base::StrongId<Tag, Rep> id, Context& context) const {
    return fmt::formatter<Rep>::format(id.value(), context);
  }
};
