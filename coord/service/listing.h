#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "coord/service/requests.h"
#include "coord/tree/state_view.h"

namespace bellwether::coord {

// The answer to a ListRead in the making: names of a znode's children, or the paths of all below it
// that may be seen (Z32). It is made piece by piece, so that who makes a long one does other things in
// between. Owned by who evaluates the read; not thread-safe.
// Limits: ends when it has more than `bytes_max` bytes.
class Listing {
 public:
  // `state` and `who` outlive this, and don't change. Requires: there is the znode of the read, and
  // `who` may read it.
  Listing(const tree::StateView& state, const ListRead& read, const tree::Identities& who,
          size_t bytes_max);

  // Looks at about so many znodes more. False: there is more to look at.
  bool Continue(size_t visits_max);

  // A whole list that does not end within its bound. Once Continue returned true.
  bool too_large() const { return read_.whole && (result_.more || bytes_ > bytes_max_); }
  // Of the names: in memory those of a whole list, about as they are sent those of a page.
  size_t bytes() const { return bytes_; }
  ListResult Take() { return std::move(result_); }

 private:
  bool Add(std::string_view name);
  bool LeavesOut(std::string_view path) const;
  void StartWalk();
  void AddChildren();
  void Walk();
  void WalkToNextStop(bool& stopped);
  std::string SkipForbidden(std::string after) const;

  const tree::StateView& state_;
  const ListRead read_;
  const tree::Identities& who_;
  const size_t bytes_max_;
  const bool leaves_system_out_;
  ListResult result_;
  size_t bytes_ = 0;
  std::string after_;  // where it goes on; empty: at the beginning
  size_t visits_left_ = 0;
  bool done_ = false;
};

}  // namespace bellwether::coord
