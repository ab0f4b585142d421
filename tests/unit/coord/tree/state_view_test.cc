#include "coord/tree/state_view.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/thread.h"
#include "coord/tree/state_machine.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/tree/random_commands.h"
#include "tests/unit/coord/tree/reference_model.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord::tree {
namespace {

class StateViewProperty : public testing::TestWithParam<uint64_t> {};

// Transactions that fail and are undone included: a snapshot has all of one or nothing (R27).
TEST_P(StateViewProperty, StaysAsItWasWhileCommandsGoOn) {
  RandomCommands commands(GetParam());
  ReferenceModel model;
  StateMachine state;
  struct Taken {
    StateView view;
    uint64_t digest;
    ReferenceModel model;
  };
  std::vector<Taken> taken;
  for (int i = 0; i < 300; ++i) {
    const Command command = commands.Next(model);
    const int64_t time_ms = commands.NextTime();
    model.Apply(command, time_ms);
    state.Apply(command, {time_ms});
    if (i % 7 == 0) taken.push_back({state.View(), state.digest(), model});
    if (i % 50 == 0 && i > 100) taken.erase(taken.begin() + i % 3, taken.begin() + 5);
  }
  ASSERT_EQ(state.digest(), state.RecomputeDigest());
  for (const Taken& each : taken) {
    ASSERT_EQ(each.view.zxid(), Zxid(each.model.zxid));
    ASSERT_EQ(each.view.digest(), each.digest);
    ASSERT_EQ(each.view.RecomputeDigest(), each.digest);
    ASSERT_EQ(each.view.znode_count(), each.model.nodes.size());
    for (const auto& [id, client] : each.model.clients) {
      ASSERT_EQ(each.view.Ephemerals(SessionId(id)), each.model.EphemeralsOf(id));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, StateViewProperty, testing::Range<uint64_t>(1, 11));

// Whatever the place, a walk that begins behind it is the rest of the whole walk.
TEST(StateView, ListsWhatIsBehindAPlace) {
  Machine machine;
  for (const char* path : {"/a", "/a/b", "/a/b/c", "/a/b/c/d", "/a-", "/a/d", "/b", "/b/a", "/c"}) {
    machine.Create(path);
  }
  const StateView view = machine.state.View();
  const auto rank = [](char c) { return c == '/' ? 0 : 1 + static_cast<unsigned char>(c); };
  const auto is_behind = [&rank](std::string_view path, std::string_view place) {
    return std::lexicographical_compare(
        place.begin(), place.end(), path.begin(), path.end(),
        [&rank](char a, char b) { return rank(a) < rank(b); });
  };
  for (const std::string top : {"/", "/a", "/a/b", "/a-", "/c"}) {
    std::vector<std::string> whole;
    view.Subtree(top, [&whole](const ZnodeVisit& visit) {
      whole.emplace_back(visit.path);
      return true;
    });
    const std::string below = top == "/" ? top : top + "/";
    std::vector<std::string> places = whole;
    for (const char* missing : {"0", "a/a", "a/b/b", "a/c/x", "b/", "b/a/a", "bb/c", "c/d", "z"}) {
      places.push_back(below + missing);
    }
    for (const std::string& place : places) {
      std::vector<std::string> rest;
      EXPECT_TRUE(view.SubtreeAfter(top, place, [&](const ZnodeVisit& visit) {
        rest.emplace_back(visit.path);
        return true;
      }));
      std::vector<std::string> expected;
      for (const std::string& path : whole) {
        if (is_behind(path, place)) expected.push_back(path);
      }
      EXPECT_EQ(rest, expected) << top << " after " << place;
    }
  }
  EXPECT_FALSE(view.SubtreeAfter("/x", "/x", [](const ZnodeVisit&) { return true; }));
}

TEST(StateView, ListsChildrenBehindAName) {
  Machine machine;
  for (const char* path : {"/a", "/a-", "/b", "/b/c"}) machine.Create(path);
  const StateView view = machine.state.View();
  const auto names = [&](std::string_view path, std::string_view after, size_t limit) {
    std::vector<std::string> found;
    const auto stat = view.ChildrenAfter(path, after, [&](std::string_view name) {
      found.emplace_back(name);
      return found.size() < limit;
    });
    EXPECT_EQ(stat, view.Exists(path));
    return found;
  };
  EXPECT_EQ(names("/", "", 9), (std::vector<std::string>{"a", "a-", "b"}));
  EXPECT_EQ(names("/", "a", 9), (std::vector<std::string>{"a-", "b"}));
  EXPECT_EQ(names("/", "a", 1), (std::vector<std::string>{"a-"}));
  EXPECT_EQ(names("/", "aa", 9), (std::vector<std::string>{"b"}));
  EXPECT_TRUE(names("/", "b", 9).empty());
  EXPECT_TRUE(names("/b/c", "", 9).empty());
  EXPECT_TRUE(names("/missing", "", 9).empty());
}

TEST(StateView, KeepsWhatIsChangedAndDeletedAfterIt) {
  Machine machine;
  machine.Create("/a", "old");
  machine.Create("/a/b", "child");
  machine.Create("/e", "", CreateMode::kEphemeral);
  const StateView view = machine.state.View();
  machine.Set("/a", "new");
  machine.Do(DeleteRecursive{"/a"});
  machine.Do(CloseSession{});

  EXPECT_EQ(view.Get("/a")->data.view(), "old");
  EXPECT_EQ(view.Get("/a/b")->data.view(), "child");
  EXPECT_EQ(view.Children("/")->names, (std::vector<std::string>{"a", "e"}));
  EXPECT_EQ(view.Ephemerals(machine.session), (std::vector<std::string>{"/e"}));
  EXPECT_EQ(view.session_count(), 1u);
  EXPECT_EQ(view.znode_count(), 4u);
  EXPECT_EQ(machine.state.znode_count(), 1u);
  EXPECT_EQ(machine.state.session_count(), 0u);
}

void InsertChild(Tree& tree, std::string_view parent, std::string_view name,
                 std::optional<int64_t> ttl_ms = std::nullopt) {
  const int32_t counter = tree.Find(parent)->create_counter();
  tree.Insert(parent, name, Znode::Make(), {Zxid(1), counter + 1}, ttl_ms);
}

StateView ViewOf(const Tree& tree) { return StateView(tree, {}, Zxid(1), 0, {}, 3); }

TEST(StateView, KeepsAclsAndTtlsThatAreChangedAfterIt) {
  Tree tree;
  InsertChild(tree, "/", "a", 70);
  tree.SetAccess("/a", tree.MakeAccess({{kRead, "world", "anyone"}}, 1));
  const StateView view = ViewOf(tree);
  const uint64_t digest = view.digest();
  tree.SetAccess("/a", tree.MakeAccess({{kAdmin, "digest", "user:hash"}}, 2));
  tree.RemoveDescendants("/", {});
  tree.SetAccess("/", tree.MakeAccess({}, 1));
  InsertChild(tree, "/", "a", 0);

  EXPECT_EQ(view.GetAcl("/a")->acl, (Acl{{kRead, "world", "anyone"}}));
  EXPECT_EQ(view.GetAcl("/a")->stat.aversion, 1);
  EXPECT_EQ(view.GetAcl("/")->acl, OpenAcl());
  EXPECT_EQ(view.TtlOf("/a"), 70);
  EXPECT_EQ(view.RecomputeDigest(), digest);
  EXPECT_EQ(tree.TtlOf("/a"), 0);
}

TEST(StateView, GivesAcls) {
  Tree tree;
  InsertChild(tree, "/", "a");
  tree.SetAccess("/a", tree.MakeAccess({{kRead, "world", "anyone"}}, 5));
  const StateView view = ViewOf(tree);
  EXPECT_EQ(view.GetAcl("/a")->stat, view.Exists("/a"));
  EXPECT_EQ(view.AccessOf("/a")->aversion, 5);
  EXPECT_EQ(view.GetAcl("/")->acl, OpenAcl());
  EXPECT_FALSE(view.AccessOf("/"));
  EXPECT_FALSE(view.AccessOf("/missing"));
  EXPECT_FALSE(view.GetAcl("/missing").has_value());
  EXPECT_EQ(view.FindZnode("/a")->access().get(), view.AccessOf("/a").get());
}

TEST(StateView, CountsDescendants) {
  Tree tree;
  for (const char* name : {"a", "a-", "b"}) InsertChild(tree, "/", name);
  InsertChild(tree, "/a", "b");
  InsertChild(tree, "/a/b", "c");
  const StateView view = ViewOf(tree);
  EXPECT_EQ(view.DescendantCount("/"), 5u);
  EXPECT_EQ(view.DescendantCount("/a"), 2u);
  EXPECT_EQ(view.DescendantCount("/a-"), 0u);
  EXPECT_EQ(view.DescendantCount("/missing"), std::nullopt);
  EXPECT_EQ(view.DescendantCount("a"), std::nullopt);
}

// Z17.
TEST(StateView, FindsWhatExpiresInPages) {
  Tree tree;
  InsertChild(tree, "/", "never-used", 0);
  InsertChild(tree, "/", "plain");
  for (const char* name : {"a", "b", "b-", "c", "d"}) InsertChild(tree, "/", name, 10);
  InsertChild(tree, "/", "used", 0);
  InsertChild(tree, "/used", "gone");
  tree.Remove("/used", "gone", Tree::ParentFieldsOf(*tree.Find("/used")));
  InsertChild(tree, "/b", "child");
  tree.SetContent("/c", {{}, Zxid(2), 100, 1});
  const StateView view = ViewOf(tree);
  const auto all = [&view](size_t paths_max, size_t visits_max, int64_t now_ms) {
    std::vector<std::string> paths;
    std::string after;
    do {
      const StateView::ExpiredPage page =
          view.ExpirableAfter(after, paths_max, visits_max, now_ms);
      EXPECT_LE(page.paths.size(), std::min(paths_max, visits_max));
      paths.insert(paths.end(), page.paths.begin(), page.paths.end());
      after = page.resume_after;
    } while (!after.empty());
    return paths;
  };
  const std::vector<std::string> at_50 = {"/a", "/b-", "/d", "/used"};
  const std::vector<std::string> at_111 = {"/a", "/b-", "/c", "/d", "/used"};
  for (size_t limit = 1; limit < 10; ++limit) {
    EXPECT_EQ(all(limit, 100, 50), at_50) << limit;
    EXPECT_EQ(all(100, limit, 50), at_50) << limit;
    EXPECT_EQ(all(limit, limit, 111), at_111) << limit;
  }
  EXPECT_EQ(all(9, 9, 0), (std::vector<std::string>{"/used"}));
  EXPECT_EQ(view.ExpirableAfter("/b!", 9, 9, 50).paths,
            (std::vector<std::string>{"/b-", "/d", "/used"}));
  EXPECT_EQ(view.expirable_count(), 7u);
  EXPECT_TRUE(ViewOf(Tree()).ExpirableAfter("", 1, 1, 50).paths.empty());
}

// To look at a znode takes time in proportion to its path.
TEST(StateView, FindsWhatExpiresWithinABoundOfPathBytes) {
  Tree tree;
  for (const char* name : {"a", "b", "c", "long-name"}) InsertChild(tree, "/", name, 10);
  const StateView view = ViewOf(tree);
  const auto page = [&view](std::string_view after, size_t path_bytes_max) {
    return view.ExpirableAfter(after, 9, 9, 50, path_bytes_max);
  };
  EXPECT_EQ(page("", 3).paths, (std::vector<std::string>{"/a", "/b"}));
  EXPECT_EQ(page("", 3).resume_after, "/b");
  EXPECT_EQ(page("/c", 1).paths, (std::vector<std::string>{"/long-name"})) << "one at least";
  EXPECT_EQ(page("", 100).paths.size(), 4u);
}

TEST(StateView, OutlivesItsStateMachine) {
  StateView view;
  {
    Machine machine;
    machine.Create("/a", "x");
    view = machine.state.View();
  }
  EXPECT_EQ(view.Get("/a")->data.view(), "x");
}

TEST(StateView, AnotherStateMachineGoesOnFromIt) {
  Machine machine;
  machine.Create("/a", "x");
  StateMachine other(machine.state.View());
  machine.Set("/a", "y");
  EXPECT_EQ(other.Get("/a")->data.view(), "x");
  other.Apply({{}, {}, {}, {}, SetEnsembleId{base::Uuid(1, 2)}}, {1});
  EXPECT_TRUE(machine.state.ensemble_id().IsNil());
}

// For ThreadSanitizer: a thread walks views while commands go on and new views are taken.
TEST(StateView, IsReadOnAnotherThreadWhileCommandsGoOn) {
  base::Mutex mutex;
  std::vector<StateView> handed_over;
  std::atomic<bool> done = false;
  uint64_t read = 0;
  uint64_t differing = 0;
  base::Thread reader("reader", [&] {
    for (bool last = false; !last;) {
      last = done;
      std::vector<StateView> views;
      {
        base::MutexLock lock(mutex);
        views.swap(handed_over);
      }
      for (const StateView& view : views) {
        if (view.RecomputeDigest() != view.digest()) ++differing;
        ++read;
      }
    }
  });
  Machine machine;
  for (int i = 0; i < 100; ++i) machine.Create("/" + std::to_string(i), "x");
  for (int i = 0; i < 600; ++i) {
    const std::string parent = "/" + std::to_string(i * 37 % 100);
    machine.Create(parent + "/s", "x", CreateMode::kPersistentSequential);
    machine.Create(parent + "/e", "x", CreateMode::kEphemeral);
    machine.Set(parent, std::to_string(i));
    machine.Remove(parent + "/e");
    base::MutexLock lock(mutex);
    if (handed_over.size() < 3) handed_over.push_back(machine.state.View());
  }
  done = true;
  reader.Join();
  EXPECT_GE(read, 1u);
  EXPECT_EQ(differing, 0u);
}

TEST(StartNewEnsemble, EndsSessionsRaisesTheZxidAndSetsTheId) {
  Machine machine;
  machine.Apply({}, SetEnsembleId{base::Uuid(1, 2)});
  machine.Create("/p", "data");
  machine.Create("/p/stays", "x");
  machine.Create("/p/e1", "x", CreateMode::kEphemeral);
  machine.Apply(machine.Open(), Create{"/p/e", {}, CreateMode::kEphemeralSequential});
  const Stat before = machine.StatOf("/p");
  const Zxid zxid = machine.state.zxid();
  StateMachine restored(machine.state.View());
  ASSERT_TRUE(restored.StartNewEnsemble(base::Uuid(3, 4)).ok());

  EXPECT_EQ(restored.ensemble_id(), base::Uuid(3, 4));
  EXPECT_EQ(restored.zxid(), zxid + kRestoredZxidStep);
  EXPECT_EQ(restored.last_time_ms(), machine.state.last_time_ms());
  EXPECT_EQ(restored.session_count(), 0u);
  EXPECT_EQ(restored.ephemeral_count(), 0u);
  EXPECT_EQ(restored.Children("/p")->names, (std::vector<std::string>{"stays"}));
  Stat expected = before;  // as after two deletes
  expected.num_children = 1;
  expected.cversion += 2;
  expected.pzxid = restored.zxid();
  EXPECT_EQ(restored.Exists("/p"), expected);
  EXPECT_EQ(restored.Get("/p")->data.view(), "data");
  EXPECT_EQ(restored.digest(), restored.RecomputeDigest());
  EXPECT_EQ(machine.state.session_count(), 2u);
}

TEST(StartNewEnsemble, WithoutAnIdLeavesItToSetEnsembleId) {
  Machine machine;
  machine.Apply({}, SetEnsembleId{base::Uuid(1, 2)});
  ASSERT_TRUE(machine.state.StartNewEnsemble({}).ok());
  EXPECT_TRUE(machine.state.ensemble_id().IsNil());
  machine.Apply({}, SetEnsembleId{base::Uuid(3, 4)});
  EXPECT_EQ(machine.state.ensemble_id(), base::Uuid(3, 4));
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
}

TEST(StartNewEnsemble, RefusesAZxidThatLeavesNoRoom) {
  const Zxid last_possible(kZxidMax - kRestoredZxidStep);
  StateMachine state(StateView({}, {}, last_possible, 0, {}));
  ASSERT_TRUE(state.StartNewEnsemble(base::Uuid(1, 1)).ok());
  EXPECT_EQ(state.zxid(), Zxid(kZxidMax));
  const absl::Status status = state.StartNewEnsemble(base::Uuid(2, 2));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(state.ensemble_id(), base::Uuid(1, 1));
}

}  // namespace
}  // namespace bellwether::coord::tree
