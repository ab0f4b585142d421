#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/random.h"
#include "coord/service/znode_watches.h"
#include "coord/tree/path.h"
#include "fmt/format.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/service/recording_watcher.h"

namespace bellwether::coord {
namespace {

using Type = tree::Change::Type;

constexpr size_t kWatchers = 4;
constexpr size_t kPerWatcherMax = 12;
constexpr size_t kTotalMax = 30;
constexpr int kSeeds = 60;
constexpr int kSteps = 150;
constexpr int kStepsPerCheck = 10;  // of the counts and lists

// The rules (Z27-Z29, Z32, Z33) written down as a list of watches that is searched from end to end.
class NaiveWatches {
 public:
  enum class Kind { kData, kChild, kPersistent, kRecursive };

  bool Add(size_t watcher, const std::string& path, Kind kind) {
    NaiveWatches after = *this;
    after.watches_.insert({watcher, path, kind});
    if (after.count() > count() &&
        (after.CountOf(watcher) > kPerWatcherMax || after.count() > kTotalMax)) {
      return false;
    }
    *this = after;
    return true;
  }

  bool Has(size_t watcher, const std::string& path, WatchKind kind) const {
    for (const Kind one : {Kind::kData, Kind::kChild, Kind::kPersistent, Kind::kRecursive}) {
      if (Means(kind, one) && watches_.contains({watcher, path, one})) return true;
    }
    return false;
  }
  void Remove(size_t watcher, const std::string& path, WatchKind kind) {
    for (const Kind one : {Kind::kData, Kind::kChild, Kind::kPersistent, Kind::kRecursive}) {
      if (Means(kind, one)) watches_.erase({watcher, path, one});
    }
  }
  void RemoveAll(size_t watcher) {
    std::erase_if(watches_, [&](const Watch& watch) { return std::get<0>(watch) == watcher; });
  }

  // Who is told; whether one may see it is not asked here.
  std::set<size_t> Fire(Type type, const std::string& path) {
    std::set<size_t> told;
    std::set<Watch> left;
    for (const Watch& watch : watches_) {
      const auto& [watcher, watched, kind] = watch;
      if (Fires(type, path, watched, kind)) told.insert(watcher);
      const bool one_shot = kind == Kind::kData || kind == Kind::kChild;
      if (!one_shot || !Fires(type, path, watched, kind)) left.insert(watch);
    }
    watches_ = left;
    return told;
  }

  size_t count() const { return Slots().size(); }
  size_t CountOf(size_t watcher) const {
    const std::set<Slot> slots = Slots();
    return static_cast<size_t>(std::count_if(slots.begin(), slots.end(), [&](const Slot& slot) {
      return std::get<0>(slot) == watcher;
    }));
  }
  // Of the data table.
  std::set<std::pair<size_t, std::string>> Data() const {
    std::set<std::pair<size_t, std::string>> data;
    for (const auto& [watcher, path, is_data] : Slots()) {
      if (is_data) data.insert({watcher, path});
    }
    return data;
  }

 private:
  using Watch = std::tuple<size_t, std::string, Kind>;
  using Slot = std::tuple<size_t, std::string, bool>;  // watcher, path, whether of the data table

  static bool Means(WatchKind asked, Kind kind) {
    switch (asked) {
      case WatchKind::kAny:
        return true;
      case WatchKind::kData:
        return kind == Kind::kData;
      case WatchKind::kChildren:
        return kind == Kind::kChild;
      case WatchKind::kPersistent:
        return kind == Kind::kPersistent;
      case WatchKind::kRecursive:
        return kind == Kind::kRecursive;
    }
    return false;
  }

  static bool Fires(Type type, const std::string& path, const std::string& watched, Kind kind) {
    if (kind == Kind::kRecursive) {
      return type != Type::kChildren && (path == watched || tree::IsBelow(path, watched));
    }
    if (path != watched) return false;
    if (kind == Kind::kPersistent || type == Type::kDeleted) return true;
    return (kind == Kind::kChild) == (type == Type::kChildren);
  }

  std::set<Slot> Slots() const {
    std::set<Slot> slots;
    for (const auto& [watcher, path, kind] : watches_) {
      if (kind != Kind::kChild) slots.insert({watcher, path, true});
      if (kind == Kind::kChild || kind == Kind::kPersistent) slots.insert({watcher, path, false});
    }
    return slots;
  }

  std::set<Watch> watches_;
};

class Comparison {
 public:
  explicit Comparison(uint64_t seed) : random_(seed) {
    for (size_t i = 0; i < kWatchers; ++i) {
      watchers_[i] = i % 2 == 0 ? std::make_shared<RecordingWatcher>("reader:1")
                                : std::make_shared<RecordingWatcher>();
      watchers_[i]->session_id = SessionId(i);
    }
  }

  void Step() {
    const uint64_t choice = random_.Below(100);
    if (choice < 40) return AddOne();
    if (choice < 50) return RemoveOne();
    if (choice < 52) return RemoveWatcher();
    FireOne();
  }

  void Check() {
    ASSERT_EQ(watches_.count(), model_.count());
    const auto data = model_.Data();
    std::vector<std::pair<SessionId, std::string>> listed;
    std::set<size_t> watchers;
    std::set<std::string> paths;
    for (const auto& [watcher, path] : data) {
      listed.emplace_back(SessionId(watcher), path);
      watchers.insert(watcher);
      paths.insert(path);
    }
    EXPECT_EQ(watches_.List(1 << 20).watches, listed);
    const ZnodeWatches::Summary summary = watches_.Summarize();
    EXPECT_EQ(summary.watchers, watchers.size());
    EXPECT_EQ(summary.paths, paths.size());
    EXPECT_EQ(summary.watches, data.size());
  }

 private:
  std::string RandomPath() {
    static const std::vector<std::string> kPaths = {"/",    "/a",   "/ab",    "/a/b",
                                                    "/a/c", "/a/b/c", "/b/a", "/a/b/c/d"};
    return kPaths[random_.Below(kPaths.size())];
  }

  void AddOne() {
    using Kind = NaiveWatches::Kind;
    const size_t watcher = random_.Below(kWatchers);
    const std::string path = RandomPath();
    const auto kind = static_cast<Kind>(random_.Below(4));
    const bool added =
        kind == Kind::kData    ? watches_.Add(ZnodeWatches::Table::kData, path, watchers_[watcher])
        : kind == Kind::kChild ? watches_.Add(ZnodeWatches::Table::kChild, path, watchers_[watcher])
                               : watches_.AddPersistent(path, kind == Kind::kRecursive,
                                                        watchers_[watcher]);
    EXPECT_EQ(added, model_.Add(watcher, path, kind));
  }

  void RemoveOne() {
    const size_t watcher = random_.Below(kWatchers);
    const std::string path = RandomPath();
    const auto kind = static_cast<WatchKind>(random_.Between(1, 5));
    const bool has = model_.Has(watcher, path, kind);
    EXPECT_EQ(watches_.Contains(path, kind, *watchers_[watcher]), has);
    EXPECT_EQ(watches_.Remove(path, kind, *watchers_[watcher]), has);
    model_.Remove(watcher, path, kind);
  }

  void RemoveWatcher() {
    const size_t watcher = random_.Below(kWatchers);
    watches_.RemoveAll(*watchers_[watcher]);
    model_.RemoveAll(watcher);
  }

  void FireOne() {
    constexpr std::array<const char*, 4> kNames = {"created", "changed", "deleted", "children"};
    tree::Change change;
    change.type = static_cast<Type>(random_.Below(4));
    change.path = RandomPath();
    const bool for_readers = random_.Chance(0.3);
    if (for_readers) change.access = AccessOf("reader:1", tree::kRead);
    WakeList woken;
    watches_.Fire({change}, woken);
    const std::set<size_t> told = model_.Fire(change.type, change.path);
    for (size_t i = 0; i < kWatchers; ++i) {
      std::vector<std::string> expected;
      if (told.contains(i) && (!for_readers || i % 2 == 0)) {
        expected.push_back(
            fmt::format("{} {}", kNames.at(static_cast<size_t>(change.type)), change.path));
      }
      EXPECT_EQ(watchers_[i]->TakeEvents(), expected) << "watcher " << i;
    }
  }

  base::Random random_;
  ZnodeWatches watches_{{kPerWatcherMax, kTotalMax}};
  NaiveWatches model_;
  std::array<std::shared_ptr<RecordingWatcher>, kWatchers> watchers_;
};

// Z27, Z28, Z29, Z32, Z33.
TEST(ZnodeWatchesProperty, AgreesWithAListOfAllWatches) {
  for (uint64_t seed = 1; seed <= kSeeds && !testing::Test::HasFailure(); ++seed) {
    Comparison comparison(seed);
    for (int step = 0; step < kSteps && !testing::Test::HasFailure(); ++step) {
      SCOPED_TRACE(fmt::format("seed {} step {}", seed, step));
      comparison.Step();
      if (step % kStepsPerCheck == 0) comparison.Check();
    }
  }
}

}  // namespace
}  // namespace bellwether::coord
