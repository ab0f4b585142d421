#include "coord/service/listing.h"

#include <algorithm>
#include <utility>

#include "coord/tree/path.h"
#include "coord/tree/system_znodes.h"

namespace bellwether::coord {
namespace {

constexpr size_t kSentNameOverheadBytes = 8;
// A visit of a znode with a path of so many bytes counts twice.
constexpr size_t kPathBytesPerVisit = 64;
// Sorts behind every name: no UTF-8 has this byte.
constexpr std::string_view kBehindAllNames = "/\xff";

// The order of a walk: a znode before what is below it, that before its next sibling. So '/' sorts
// before every other byte.
bool WalkOrderLess(std::string_view a, std::string_view b) {
  const auto rank = [](char c) { return c == '/' ? 0 : 1 + static_cast<unsigned char>(c); };
  return std::lexicographical_compare(
      a.begin(), a.end(), b.begin(), b.end(),
      [&rank](char x, char y) { return rank(x) < rank(y); });
}

}  // namespace

Listing::Listing(const tree::StateView& state, const ListRead& read, const tree::Identities& who,
                 size_t bytes_max)
    : state_(state),
      read_(read),
      who_(who),
      bytes_max_(bytes_max),
      leaves_system_out_(read.path == "/" && !read.system_znodes),
      after_(read.after) {
  result_.stat = state.FindZnode(read.path)->ToStat();
  if (read.recursive) StartWalk();
}

bool Listing::Continue(size_t visits_max) {
  visits_left_ = visits_max;
  if (!done_) read_.recursive ? Walk() : AddChildren();
  return done_;
}

// False, and `more` is set, when there is no room.
bool Listing::Add(std::string_view name) {
  bytes_ += name.size() + (read_.whole ? sizeof(std::string) : kSentNameOverheadBytes);
  if (bytes_ > bytes_max_ && !result_.names.empty()) {
    result_.more = true;
    return false;
  }
  result_.names.emplace_back(name);
  return true;
}

bool Listing::LeavesOut(std::string_view path) const {
  return leaves_system_out_ && path == tree::kSystemPath;
}

void Listing::AddChildren() {
  bool paused = false;
  const auto add = [&](std::string_view name) {
    const bool left_out = leaves_system_out_ && name == tree::kSystemPath.substr(1);
    if (!left_out && !Add(name)) return false;
    paused = --visits_left_ == 0;
    if (paused) after_ = std::string(name);
    return !paused;
  };
  state_.ChildrenAfter(read_.path, after_, add);
  done_ = !paused;
}

// Where the walk begins: `read_.after` need not exist, nor be below the root of the list.
void Listing::StartWalk() {
  if (after_ == read_.path || tree::IsBelow(after_, read_.path)) {
    after_ = SkipForbidden(std::move(after_));
  } else if (!after_.empty() && !WalkOrderLess(after_, read_.path)) {
    done_ = true;
  } else {
    after_.clear();
  }
  if (leaves_system_out_ &&
      (after_ == tree::kSystemPath || tree::IsBelow(after_, tree::kSystemPath))) {
    after_ = std::string(tree::kSystemPath) + std::string(kBehindAllNames);
  }
}

// A walk through what is permitted: the names below a znode are its own to tell. So it stops at each
// znode whose names it must not tell, and goes on behind those.
void Listing::Walk() {
  bool stopped = true;
  while (stopped && visits_left_ > 0) WalkToNextStop(stopped);
  done_ = !stopped;
}

void Listing::WalkToNextStop(bool& stopped) {
  stopped = false;
  const auto stop_behind = [&](std::string path) {
    after_ = std::move(path);
    stopped = true;
    return false;
  };
  const auto add = [&](const tree::ZnodeVisit& visit) {
    visits_left_ -= std::min(visits_left_, 1 + visit.path.size() / kPathBytesPerVisit);
    const std::string path(visit.path);
    if (LeavesOut(path)) return stop_behind(path + std::string(kBehindAllNames));
    if (!Add(path)) return false;
    if (visit.znode.num_children() > 0 && !tree::Allows(visit.znode.access(), tree::kRead, who_)) {
      return stop_behind(path + std::string(kBehindAllNames));
    }
    return visits_left_ > 0 || stop_behind(path);
  };
  if (after_.empty()) {
    state_.Subtree(read_.path, add);
  } else {
    state_.SubtreeAfter(read_.path, std::string(after_), add);
  }
}

// Where to go on after `after`, which is the walk's top or below it: behind what is below the first
// forbidden znode on the way to it.
std::string Listing::SkipForbidden(std::string after) const {
  for (size_t end = read_.path.size(); end != std::string::npos;) {
    end = after.find('/', end + 1);
    const std::string_view path = std::string_view(after).substr(0, end);
    const tree::Znode* const znode = state_.FindZnode(path);
    if (znode == nullptr || tree::Allows(znode->access(), tree::kRead, who_)) continue;
    return std::string(path) + std::string(kBehindAllNames);
  }
  return after;
}

}  // namespace bellwether::coord
