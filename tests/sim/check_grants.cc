#include "tests/sim/check_grants.h"

#include <algorithm>
#include <optional>
#include <string>

namespace bellwether::sim {
namespace {

using client::GrantEvent;
using client::GrantEventType;

// From when on a znode stands first in line, and when it is deleted; never: nothing.
struct Stay {
  std::optional<Zxid> first;
  std::optional<Zxid> gone;
};

// All that stand there have a number at the end, of which none comes twice.
bool StandsBefore(const std::string& a, const std::string& b) {
  constexpr size_t kDigits = 10;
  return std::max(a.size(), kDigits) - kDigits < a.size() &&
         a.substr(a.size() - kDigits) < b.substr(b.size() - kDigits);
}

Stay StayOf(const std::string& path, Zxid token, const Model& model) {
  Stay stay;
  const std::string name = path.substr(kLockPath.size() + 1);
  for (const auto& [zxid, state] : model.TimelineOf(kLockPath)) {
    if (zxid < token) continue;
    const bool there = state.has_value() && std::count(state->children.begin(),
                                                       state->children.end(), name) > 0;
    if (!there) {
      stay.gone = zxid;
      return stay;
    }
    const bool first = std::none_of(
        state->children.begin(), state->children.end(),
        [&name](const std::string& other) { return StandsBefore(other, name); });
    if (first && !stay.first.has_value()) stay.first = zxid;
  }
  return stay;
}

class GrantChecker {
 public:
  GrantChecker(const GrantRecord& record, const Stay& stay, Violations& violations)
      : record_(record), stay_(stay), violations_(violations) {}

  void Check() {
    if (record_.held && (!stay_.first.has_value() || *stay_.first > record_.ceiling)) {
      return Fail("holds the lock by the answer");
    }
    if (!record_.held && stay_.first.has_value() && *stay_.first <= record_.floor) {
      return Fail("does not hold the lock by the answer");
    }
    CheckEvent(GrantEventType::kGranted, record_.held ? std::nullopt : stay_.first,
               record_.revealed_before_granted, "granted");
    CheckEvent(GrantEventType::kGone, stay_.gone, record_.revealed_before_gone, "gone");
  }

 private:
  // What must come once if anything at all was shown since, and may come then.
  void CheckEvent(GrantEventType type, std::optional<Zxid> due, Zxid revealed,
                  std::string_view what) {
    const auto is_of_type = [type](const GrantEvent& event) { return event.type == type; };
    const auto count = std::count_if(record_.events.begin(), record_.events.end(), is_of_type);
    if (count > 1) return Fail(fmt::format("was told {} times that it is {}", count, what));
    if (count == 0) {
      if (due.has_value() && *due <= revealed) {
        Fail(fmt::format("was shown zxid {} before it was told that it is {}", revealed, what));
      }
      return;
    }
    const GrantEvent& event =
        *std::find_if(record_.events.begin(), record_.events.end(), is_of_type);
    if (!due.has_value() || ToTree(event.zxid) != *due || ToTree(event.token) != record_.token) {
      Fail(fmt::format("was told at zxid {} that it is {}", event.zxid, what));
    }
  }

  void Fail(std::string_view what) {
    violations_.Add("grants", "{} of client {}, token {}: {}; it is first at {}, gone at {}",
                    record_.path, record_.client, record_.token, what,
                    stay_.first.value_or(Zxid()), stay_.gone.value_or(Zxid()));
  }

  const GrantRecord& record_;
  const Stay& stay_;
  Violations& violations_;
};

}  // namespace

void CheckGrants(const History& history, const Model& model, Violations& violations) {
  for (const GrantRecord& record : history.grants) {
    if (!record.answered) continue;
    const Stay stay = StayOf(record.path, record.token, model);
    GrantChecker(record, stay, violations).Check();
  }
}

}  // namespace bellwether::sim
