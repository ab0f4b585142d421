#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "coord/tree/quotas.h"
#include "coord/tree/state_machine.h"
#include "fmt/format.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord::tree {
namespace {

constexpr int kCommands = 400;

// With what the tree keeps for itself.
class OpenMachine : public StateMachine {
 public:
  const Tree& tree() const { return tree_; }
};

// Commands of few clients on few znodes with everything that ACLs, TTLs and quotas need.
class AccessCommands {
 public:
  explicit AccessCommands(uint64_t seed) : random_(seed) {}

  Command Next(const StateView& state) {
    Command command;
    const uint64_t kind = random_.Below(100);
    const std::vector<SessionId> sessions = state.SessionIds();
    if (sessions.size() < 2 || kind == 0) {
      command.operation = CreateSession{base::Uuid(1, ++nonces_), Password(1), 1000, 1};
      return command;
    }
    if (kind < 6) {
      // Mostly one that the leader would propose.
      auto expired = state.ExpirableAfter("", 5, 100, time_ms_).paths;
      expired.push_back(AnyPath());
      command.operation = DeleteExpired{expired[random_.Below(expired.size())]};
      return command;
    }
    command.session = sessions[random_.Below(sessions.size())];
    const auto session = *state.FindSession(command.session);
    command.generation = session.generation;
    command.sequence = session.last_sequence + 1;
    command.identities = AnyIdentities();
    command.operation = SessionOperation(kind);
    return command;
  }

  int64_t NextTime() {
    time_ms_ += random_.Between(0, 30);
    return time_ms_;
  }

  // Never those of the limits and usage of quotas when it is off.
  bool changes_quotas = true;

 private:
  Operation SessionOperation(uint64_t kind) {
    if (kind < 8) return CloseSession{};
    if (kind < 12) return DeleteRecursive{AnyPath()};
    if (kind < 40) return AnyTransaction();
    if (kind < 65) return AnyCreate();
    if (kind < 75) return AnySetData();
    if (kind < 85) return SetAcl{AnyPath(), AnyAcl(), AnyExpectedVersion()};
    return AnyDelete();
  }

  std::string AnyPath() {
    if (changes_quotas && random_.Chance(0.3)) {
      constexpr const char* kParts[] = {"", "/zookeeper_limits", "/zookeeper_stats"};
      return fmt::format("/zookeeper/quota{}{}", random_.Chance(0.5) ? "/a" : "/a/b",
                         kParts[random_.Below(3)]);
    }
    std::string path;
    for (int64_t depth = random_.Between(random_.Chance(0.03) ? 0 : 1, 3); depth > 0; --depth) {
      path += random_.Chance(0.6) ? "/a" : "/b";
    }
    return path.empty() ? "/" : path;
  }

  Identities AnyIdentities() {
    Identities identities = {Identity{"ip", "10.1.2.3"}};
    if (random_.Chance(0.6)) identities.push_back(Identity{"digest", "alice:hash"});
    if (random_.Chance(0.3)) identities.push_back(Identity{"digest", "bob:hash"});
    if (random_.Chance(0.05)) identities.push_back(Identity{"super", ""});
    return identities;
  }

  Acl AnyAcl() {
    const AclEntry entries[] = {AclEntry{kAllPermissions, "world", "anyone"},
                                AclEntry{kAllPermissions, "digest", "alice:hash"},
                                AclEntry{kRead | kDelete, "digest", "bob:hash"},
                                AclEntry{kAllPermissions, "auth", ""},
                                AclEntry{kCreate | kAdmin, "ip", "10.0.0.0/8"},
                                AclEntry{kRead, "unknown", ""}};
    Acl acl = {entries[random_.Chance(0.6) ? 0 : random_.Below(5)]};
    if (random_.Chance(0.2)) acl.push_back(entries[random_.Below(6)]);
    return acl;
  }

  SharedBytes AnyData(const std::string& path) {
    if (path.ends_with("zookeeper_limits") && random_.Chance(0.9)) {
      return Data(fmt::format("countHardLimit={},byteHardLimit={}", random_.Between(1, 4),
                              random_.Between(5, 20)));
    }
    if (path.ends_with("zookeeper_stats") && random_.Chance(0.9)) {
      return Data(fmt::format("count={}", random_.Below(5)));
    }
    if (random_.Chance(0.2)) return {};
    return Data(std::string(random_.Below(12), 'x'));
  }

  Create AnyCreate() {
    Create operation;
    operation.path = AnyPath();
    operation.data = AnyData(operation.path);
    operation.mode = static_cast<CreateMode>(random_.Below(7));
    if (operation.mode >= CreateMode::kPersistentWithTtl) operation.ttl_ms = random_.Between(1, 50);
    if (random_.Chance(0.5)) operation.acl = AnyAcl();
    return operation;
  }
  SetData AnySetData() {
    SetData operation;
    operation.path = AnyPath();
    operation.data = AnyData(operation.path);
    operation.expected_version = AnyExpectedVersion();
    return operation;
  }
  Delete AnyDelete() { return {AnyPath(), AnyExpectedVersion()}; }
  int32_t AnyExpectedVersion() {
    return random_.Chance(0.7) ? kAnyVersion : static_cast<int32_t>(random_.Below(2));
  }

  Transaction AnyTransaction() {
    Transaction transaction;
    if (random_.Chance(0.1)) {
      transaction.compares = {Compare{AnyPath(), Compare::Field::kExists, 1}};
    }
    for (uint64_t i = random_.Below(8); i > 0; --i) {
      switch (random_.Below(8)) {
        case 0:
          transaction.operations.push_back(Check{AnyPath(), AnyExpectedVersion()});
          break;
        case 1:
        case 2:
          transaction.operations.push_back(AnySetData());
          break;
        case 3:
        case 4:
          transaction.operations.push_back(AnyDelete());
          break;
        default:
          transaction.operations.push_back(AnyCreate());
      }
    }
    return transaction;
  }

  base::Random random_;
  uint64_t nonces_ = 0;
  int64_t time_ms_ = 1000;
};

// There are ACLs, and /a has a quota.
void Begin(StateMachine& state) {
  Command command;
  command.operation = SetFeatureLevel{kFeatureLevelAcls};
  state.Apply(command, {0});
  command.operation = CreateSession{base::Uuid(2, 2), Password(2), 1000, 1};
  const SessionGrant grant = *state.Apply(command, {0}).result.session;
  Transaction quota;
  quota.operations = {Create{"/zookeeper/quota/a"},
                      Create{"/zookeeper/quota/a/zookeeper_limits",
                             Data("countHardLimit=3,byteHardLimit=15")},
                      Create{UsagePath("/a"), Data("")}};
  command = {grant.session, grant.generation, CommandSequence(1), {}, quota, {}};
  CHECK(state.Apply(command, {0}).result.code == ResultCode::kOk);
}

std::vector<std::string> EphemeralsOf(const StateView& state) {
  std::vector<std::string> all;
  for (const SessionId session : state.SessionIds()) {
    for (std::string& path : state.Ephemerals(session)) all.push_back(std::move(path));
  }
  return all;
}

// Everything that is summed over the znodes; the digest covers all of each one.
struct Sums {
  uint64_t digest;
  size_t znodes;
  size_t data_bytes;
  size_t acl_bytes;
  size_t expirables;
  std::vector<std::string> ephemerals;

  friend bool operator==(const Sums&, const Sums&) = default;
};
Sums SumsOf(const OpenMachine& state) {
  return {state.tree().digest(),    state.znode_count(),      state.data_bytes(),
          state.acl_bytes(),        state.expirable_count(), EphemeralsOf(state)};
}

class AccessSeeded : public testing::TestWithParam<uint64_t> {};

// Z22: whatever a failed command or transaction began, nothing of it is left.
TEST_P(AccessSeeded, FailureLeavesTheTreeAsItWas) {
  AccessCommands commands(GetParam());
  OpenMachine state;
  Begin(state);
  for (int i = 0; i < kCommands; ++i) {
    const Command command = commands.Next(state);
    SCOPED_TRACE(fmt::format("seed {} command {} operation {}", GetParam(), i,
                             command.operation.index()));
    const Sums before = SumsOf(state);
    const ApplyOutcome outcome = state.Apply(command, {commands.NextTime()});
    ASSERT_EQ(state.digest(), state.RecomputeDigest());
    if (outcome.result.code == ResultCode::kOk) continue;
    ASSERT_TRUE(outcome.changes.empty());
    ASSERT_TRUE(SumsOf(state) == before) << ResultText(outcome.result.code);
  }
}

TEST_P(AccessSeeded, TwoInstancesAgreeEvenThroughTheCodec) {
  AccessCommands commands(GetParam());
  StateMachine one;
  StateMachine two;
  Begin(one);
  Begin(two);
  for (int i = 0; i < kCommands; ++i) {
    const Command command = commands.Next(one);
    const int64_t time_ms = commands.NextTime();
    std::string bytes;
    EncodeCommand(command, bytes);
    const auto decoded = DecodeCommand(bytes);
    ASSERT_TRUE(decoded.ok());
    ASSERT_TRUE(*decoded == command);
    const ApplyOutcome a = one.Apply(command, {time_ms});
    const ApplyOutcome b = two.Apply(*decoded, {time_ms});
    ASSERT_EQ(a.result.code, b.result.code);
    ASSERT_EQ(a.result.path, b.result.path);
    ASSERT_EQ(a.result.stat, b.result.stat);
    ASSERT_EQ(Lines(a.changes), Lines(b.changes));
    ASSERT_EQ(one.digest(), two.digest());
  }
}

TEST_P(AccessSeeded, ViewsDoNotSeeLaterChanges) {
  AccessCommands commands(GetParam());
  StateMachine state;
  Begin(state);
  std::vector<std::pair<StateView, uint64_t>> views;
  for (int i = 0; i < kCommands; ++i) {
    state.Apply(commands.Next(state), {commands.NextTime()});
    if (i % 20 == 0) views.emplace_back(state.View(), state.digest());
  }
  for (const auto& [view, digest] : views) ASSERT_EQ(view.RecomputeDigest(), digest);
}

// Z54: as long as nobody touches a quota, its usage is what is there.
TEST_P(AccessSeeded, UsageIsWhatIsThere) {
  AccessCommands commands(GetParam());
  commands.changes_quotas = false;
  OpenMachine state;
  Begin(state);
  for (int i = 0; i < kCommands; ++i) {
    state.Apply(commands.Next(state), {commands.NextTime()});
    size_t countable = QuotaCountedZnodesMax(kFeatureLevelAcls);
    const Usage usage = *CountUsage(state.tree(), "/a", countable);
    ASSERT_EQ(state.Get(UsagePath("/a"))->data, UsageText(usage)) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Property, AccessSeeded, testing::Range<uint64_t>(1, 31));

// The property tests prove little when their commands all fail the same way.
TEST(AccessCommandsTest, ReachEveryOutcome) {
  std::map<ResultCode, int> codes;
  std::map<size_t, int> succeeded;
  for (uint64_t seed = 1; seed < 31; ++seed) {
    AccessCommands commands(seed);
    StateMachine state;
    Begin(state);
    for (int i = 0; i < kCommands; ++i) {
      const Command command = commands.Next(state);
      const ResultCode code = state.Apply(command, {commands.NextTime()}).result.code;
      ++codes[code];
      if (code == ResultCode::kOk) ++succeeded[command.operation.index()];
    }
  }
  using enum ResultCode;
  for (const ResultCode code :
       {kOk, kNoNode, kNodeExists, kBadVersion, kNotEmpty, kNoChildrenForEphemerals, kBadArguments,
        kNoAuth, kInvalidAcl, kQuotaExceeded, kNotExpired}) {
    EXPECT_GE(codes[code], 20) << ResultText(code);
  }
  for (const Operation& operation :
       std::vector<Operation>{CloseSession{}, Create{}, SetData{}, Delete{}, DeleteRecursive{},
                              Transaction{}, SetAcl{}, DeleteExpired{}}) {
    EXPECT_GE(succeeded[operation.index()], 20) << operation.index();
  }
}

}  // namespace
}  // namespace bellwether::coord::tree
