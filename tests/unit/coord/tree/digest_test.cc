#include "coord/tree/digest.h"

#include <set>
#include <string>

#include "coord/tree/state_machine.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord::tree {
namespace {

// Replicas of different builds compare digests: these values may not change within one format.
TEST(Hasher, ValuesAreFixed) {
  EXPECT_EQ(Hasher(1).Number(2).Finish(), 1087784458751553556u);
  EXPECT_EQ(Hasher(1).Bytes("123456789").Finish(), 263938309230782622u);
}

TEST(Hasher, TellsApartWhatDiffers) {
  std::set<uint64_t> seen;
  size_t count = 0;
  auto add = [&](uint64_t hash) {
    seen.insert(hash);
    ++count;
  };
  for (uint64_t seed = 0; seed < 10; ++seed) {
    add(Hasher(seed).Finish());
    for (uint64_t value = 100; value < 200; ++value) {
      add(Hasher(seed).Number(value).Finish());
      add(Hasher(seed).Number(value).Number(0).Finish());
      add(Hasher(seed).Number(value << 32).Number(1).Finish());
    }
    for (size_t length = 1; length < 30; ++length) {
      add(Hasher(seed).Bytes(std::string(length, '\0')).Finish());
      add(Hasher(seed).Bytes(std::string(length, 'x')).Finish());
    }
    add(Hasher(seed).Bytes("ab").Bytes("c").Finish());
    add(Hasher(seed).Bytes("a").Bytes("bc").Finish());
  }
  EXPECT_EQ(seen.size(), count);
}

TEST(Digest, ChangesWithEveryPartOfTheState) {
  Machine machine;
  std::set<uint64_t> seen;
  auto expect_new = [&](const char* what) {
    EXPECT_TRUE(seen.insert(machine.state.digest()).second) << what;
    EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest()) << what;
  };
  expect_new("start");
  machine.Create("/a", "x");
  expect_new("create");
  machine.Set("/a", "y");
  expect_new("set");
  machine.Create("/missing/b");
  expect_new("a failed command");
  machine.Apply({}, AttachSession{machine.session, Password(7), 6000});
  expect_new("attach");
  machine.Apply({}, SetEnsembleId{base::Uuid(1, 2)});
  expect_new("ensemble id");
  machine.Apply({}, SetFeatureLevel{2});
  expect_new("feature level");
  machine.Apply({}, SetFeatureLevel{kFeatureLevelAcls});
  expect_new("system znodes");
  machine.Do(SetAcl{"/a", OpenAcl(), kAnyVersion});
  expect_new("the number of an ACL's changes");
  Create container{"/c", {}, CreateMode::kContainer};
  machine.Do(container);
  expect_new("container");
  machine.Remove("/a");
  expect_new("delete");
  machine.Do(CloseSession{});
  expect_new("close");
}

TEST(Digest, TellsNullFromEmptyData) {
  Machine null;
  Machine empty;
  null.Do(Create{"/a", {}, CreateMode::kPersistent});
  empty.Do(Create{"/a", Data(""), CreateMode::kPersistent});
  EXPECT_NE(null.state.digest(), empty.state.digest());
}

TEST(Digest, TellsTimesApart) {
  StateMachine one;
  StateMachine two;
  one.Apply({{}, {}, {}, {}, CloseSession{}}, {1});
  two.Apply({{}, {}, {}, {}, CloseSession{}}, {2});
  EXPECT_NE(one.digest(), two.digest());
}

}  // namespace
}  // namespace bellwether::coord::tree
