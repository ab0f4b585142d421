#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "coord/service/lock_waits.h"
#include "fmt/format.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord {
namespace {

constexpr int kSeeds = 60;
constexpr int kSteps = 200;
constexpr size_t kWaiters = 3;
const std::vector<std::string> kLocks = {"/", "/l", "/l/m"};

// "granted /l/x-0000000001", of waiter 2, as "2 granted ...".
using Told = std::multiset<std::string>;

class TellingWaiter : public LockWaiter {
 public:
  TellingWaiter(size_t number, Told& told) : number_(number), told_(told) {}

  bool QueueGrantEvent(GrantEvent event) override {
    told_.insert(fmt::format("{} {} {}", number_,
                             event.type == GrantEvent::Type::kGranted ? "granted" : "gone",
                             event.path));
    return true;
  }
  void PostWake() override {}

 private:
  const size_t number_;
  Told& told_;
};

// The rules, read from the tree after each command.
class NaiveWaits {
 public:
  explicit NaiveWaits(const tree::StateMachine& state) : state_(state) {}

  bool IsFirst(const std::string& path) const {
    const size_t slash = path.rfind('/');
    const auto siblings = state_.Children(slash == 0 ? "/" : path.substr(0, slash));
    for (const std::string& name : siblings->names) {
      if (Place(name) < Place(path.substr(slash + 1))) return false;
    }
    return true;
  }
  bool Await(size_t waiter, const std::string& path) {
    const bool first = IsFirst(path);
    waits_[path] = {waiter, first};
    return first;
  }
  void RemoveAll(size_t waiter) {
    std::erase_if(waits_, [&](const auto& wait) { return wait.second.first == waiter; });
  }
  // What is to be told after a command.
  Told Follow() {
    Told told;
    for (auto wait = waits_.begin(); wait != waits_.end();) {
      auto& [waiter, granted] = wait->second;
      const bool is_gone = !state_.Exists(wait->first).has_value();
      if (is_gone) told.insert(fmt::format("{} gone {}", waiter, wait->first));
      if (!is_gone && !granted && IsFirst(wait->first)) {
        granted = true;
        told.insert(fmt::format("{} granted {}", waiter, wait->first));
      }
      wait = is_gone ? waits_.erase(wait) : std::next(wait);
    }
    return told;
  }
  size_t count() const { return waits_.size(); }

 private:
  static std::string_view Place(std::string_view name) {
    return name.size() < 10 ? name : name.substr(name.size() - 10);
  }

  const tree::StateMachine& state_;
  std::map<std::string, std::pair<size_t, bool>> waits_;  // path: waiter, whether it was granted
};

// A run of random commands and waits.
class RandomRun {
 public:
  explicit RandomRun(uint64_t seed) : random_(seed) {
    machine_.Create("/l");
    machine_.Create("/l/m");
    for (size_t i = 0; i < kWaiters; ++i) {
      waiters_.push_back(std::make_shared<TellingWaiter>(i, told_));
    }
  }

  void Step() {
    switch (random_.Below(8)) {
      case 0:
      case 1:
        return Do(tree::Create{Child("x-"), {}, tree::CreateMode::kEphemeralSequential});
      case 2:
        return Do(tree::Create{Child(fmt::format("y-{:010}", random_.Below(20)))});
      case 3:
        return Do(tree::Delete{AnyPath()});
      case 4:
        if (random_.Below(8) == 0) return Do(tree::DeleteRecursive{"/l/m"});
        if (random_.Below(8) == 0) return Do(tree::Create{"/l/m"});
        return DeleteSeveral();
      case 5:
        if (random_.Below(4) != 0) return;
        Do(tree::CloseSession{});
        sessions_[turn_] = machine_.Open();
        return;
      case 6:
        waits_.FreeUnused();
        if (random_.Below(3) != 0) return;
        turn_ = random_.Below(kWaiters);
        waits_.RemoveAll(*waiters_[turn_]);
        return naive_.RemoveAll(turn_);
      default:
        return Await();
    }
  }

 private:
  std::string Lock() { return kLocks[random_.Below(kLocks.size())]; }
  std::string Child(std::string_view name) {
    const std::string lock = Lock();
    return fmt::format("{}/{}", lock == "/" ? "" : lock, name);
  }
  std::string AnyPath() {
    const std::string lock = Lock();
    const auto children = machine_.state.Children(lock);
    if (!children.has_value() || children->names.empty()) return "/none";
    const std::string& name = children->names[random_.Below(children->names.size())];
    return fmt::format("{}/{}", lock == "/" ? "" : lock, name);
  }
  void DeleteSeveral() {
    tree::Transaction several;
    for (int i = 0; i < 3; ++i) several.operations.emplace_back(tree::Delete{AnyPath()});
    Do(std::move(several));
  }
  void Do(tree::Operation operation) {
    turn_ = random_.Below(kWaiters);
    SessionId& session = sessions_[turn_];
    if (session == SessionId()) session = machine_.Open();
    WakeList woken;
    waits_.Follow(machine_.Apply(session, std::move(operation)).changes, woken);
    EXPECT_EQ(told_, naive_.Follow());
    EXPECT_EQ(woken.size(), told_.size());
    EXPECT_EQ(waits_.count(), naive_.count());
    told_.clear();
  }
  void Await() {
    const std::string path = AnyPath();
    const auto znode = machine_.state.Exists(path);
    if (!znode.has_value()) return;
    const size_t waiter = random_.Below(kWaiters);
    EXPECT_EQ(waits_.Await(machine_.state, path, znode->czxid, waiters_[waiter]),
              naive_.Await(waiter, path));
    EXPECT_EQ(waits_.count(), naive_.count());
  }

  base::Random random_;
  tree::Machine machine_;
  std::map<size_t, SessionId> sessions_;
  size_t turn_ = 0;
  Told told_;
  std::vector<std::shared_ptr<TellingWaiter>> waiters_;
  LockWaits waits_{LockWaits::Options{}};
  NaiveWaits naive_{machine_.state};
};

TEST(LockWaitsProperty, TellWhatTheTreeSaysAfterEachCommand) {
  for (uint64_t seed = 1; seed <= kSeeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    RandomRun run(seed);
    for (int i = 0; i < kSteps && !testing::Test::HasFailure(); ++i) run.Step();
  }
}

}  // namespace
}  // namespace bellwether::coord
