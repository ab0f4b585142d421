#include <string>

#include "coord/tree/state_machine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/tree/tree_fixture.h"

namespace bellwether::coord::tree {
namespace {

using testing::ElementsAre;

CreateSession Opening(uint64_t nonce, uint8_t password = 1) {
  CreateSession operation;
  operation.nonce = base::Uuid(9, nonce);
  operation.password = Password(password);
  operation.timeout_ms = 4000;
  operation.server_id = 3;
  return operation;
}

// Z36, R31.
TEST(Session, IdNamesTheServerAndIsNeverUsedTwice) {
  Machine machine;
  const Result first = machine.Apply({}, Opening(1)).result;
  ASSERT_TRUE(first.session.has_value());
  EXPECT_EQ(first.session->session.value() >> 56, 3u);
  EXPECT_EQ(first.session->generation, SessionGeneration(1));
  EXPECT_EQ(first.session->last_sequence, CommandSequence(0));
  EXPECT_EQ(first.session->timeout_ms, 4000);
  EXPECT_EQ(first.session->password, Password(1));
  machine.Apply(first.session->session, CloseSession{});
  const Result second = machine.Apply({}, Opening(1)).result;
  EXPECT_NE(second.session->session, first.session->session);
}

// R31: an answer that was lost leaves no second session behind.
TEST(Session, CreationWithTheNonceOfALiveSessionReturnsThatSession) {
  Machine machine;
  const SessionId id = machine.Apply({}, Opening(1, 1)).result.session->session;
  machine.Apply(id, Create{"/a", {}, CreateMode::kPersistent});
  const size_t sessions = machine.state.session_count();
  const Result again = machine.Apply({}, Opening(1, 2)).result;
  EXPECT_EQ(again.code, ResultCode::kOk);
  EXPECT_EQ(again.session->session, id);
  EXPECT_EQ(again.session->password, Password(1));
  EXPECT_EQ(again.session->generation, SessionGeneration(2));
  EXPECT_EQ(again.session->last_sequence, CommandSequence(1));
  EXPECT_EQ(machine.state.session_count(), sessions);
}

TEST(Session, AnExpiryOfBeforeItWasOpenedAgainHasNoEffect) {
  Machine machine;
  const SessionGrant first = *machine.Apply({}, Opening(1)).result.session;
  machine.Apply({}, Opening(1));
  const Result expired =
      machine.Apply({}, ExpireSession{first.session, first.generation}).result;
  EXPECT_EQ(expired.code, ResultCode::kStaleGeneration);
  EXPECT_TRUE(machine.state.FindSession(first.session).has_value());
}

TEST(Session, CreationChecksItsArguments) {
  Machine machine;
  auto code = [&](CreateSession operation) { return machine.Apply({}, operation).result.code; };
  CreateSession operation = Opening(1);
  operation.nonce = {};
  EXPECT_EQ(code(operation), ResultCode::kBadArguments);
  for (const int64_t timeout_ms : {int64_t{0}, int64_t{-1}, kSessionTimeoutMsMax + 1}) {
    operation = Opening(1);
    operation.timeout_ms = timeout_ms;
    EXPECT_EQ(code(operation), ResultCode::kBadArguments);
  }
  for (const uint8_t server_id : {0, 255}) {
    operation = Opening(1);
    operation.server_id = server_id;
    EXPECT_EQ(code(operation), ResultCode::kBadArguments);
  }
  EXPECT_EQ(code(Opening(1)), ResultCode::kOk);
}

// Z38.
TEST(Session, AttachRaisesTheGenerationAndSetsTheTimeout) {
  Machine machine;
  machine.Create("/a");
  const Result result =
      machine.Apply({}, AttachSession{machine.session, Password(7), 6000}).result;
  EXPECT_EQ(result.code, ResultCode::kOk);
  EXPECT_EQ(result.session->generation, SessionGeneration(2));
  EXPECT_EQ(result.session->last_sequence, CommandSequence(1));
  EXPECT_EQ(result.session->timeout_ms, 6000);
  EXPECT_EQ(machine.state.FindSession(machine.session)->timeout_ms, 6000);
  EXPECT_EQ(machine.state.FindSession(machine.session)->generation, SessionGeneration(2));
}

// Z39.
TEST(Session, AttachDoesNotTellAWrongPasswordFromAnUnknownSession) {
  Machine machine;
  for (size_t i = 0; i < 16; ++i) {
    SessionPassword password = Password(7);
    password[i] ^= 0x80;
    EXPECT_EQ(machine.Apply({}, AttachSession{machine.session, password, 6000}).result.code,
              ResultCode::kSessionExpired);
  }
  EXPECT_EQ(machine.Apply({}, AttachSession{SessionId(99), Password(7), 6000}).result.code,
            ResultCode::kSessionExpired);
  EXPECT_EQ(machine.Apply({}, AttachSession{machine.session, Password(7), 0}).result.code,
            ResultCode::kBadArguments);
  EXPECT_EQ(machine.state.FindSession(machine.session)->generation, SessionGeneration(1));
  EXPECT_EQ(machine.state.FindSession(machine.session)->timeout_ms, 10'000);
}

// Paper section 8, thesis section 6.3: by its number a command that comes again has no effect again.
TEST(CommandNumbers, OnlyTheNextOneOfTheCurrentGenerationHasAnEffect) {
  Machine machine;
  machine.Create("/a");
  machine.Apply({}, AttachSession{machine.session, Password(7), 6000});
  const Zxid before = machine.state.zxid();
  auto code = [&](uint64_t generation, uint64_t sequence) {
    Command command;
    command.session = machine.session;
    command.generation = SessionGeneration(generation);
    command.sequence = CommandSequence(sequence);
    command.operation = Create{"/b", {}, CreateMode::kPersistent};
    const ApplyOutcome outcome = machine.state.Apply(command, {machine.time_ms});
    if (outcome.result.code != ResultCode::kOk) {
      EXPECT_TRUE(outcome.changes.empty());
    }
    return outcome.result.code;
  };
  EXPECT_EQ(code(1, 2), ResultCode::kStaleGeneration);
  EXPECT_EQ(code(3, 2), ResultCode::kStaleGeneration);
  EXPECT_EQ(code(2, 0), ResultCode::kSequenceGap);
  EXPECT_EQ(code(2, 1), ResultCode::kSequenceGap);
  EXPECT_EQ(code(2, 3), ResultCode::kSequenceGap);
  EXPECT_FALSE(machine.state.Exists("/b").has_value());
  EXPECT_EQ(machine.state.FindSession(machine.session)->last_sequence, CommandSequence(1));
  EXPECT_EQ(machine.state.zxid(), before + 5);
  EXPECT_EQ(code(2, 2), ResultCode::kOk);
  EXPECT_EQ(code(2, 2), ResultCode::kSequenceGap);
}

TEST(CommandNumbers, FailedOperationUsesItsNumber) {
  Machine machine;
  EXPECT_EQ(machine.Remove("/missing").code, ResultCode::kNoNode);
  EXPECT_EQ(machine.state.FindSession(machine.session)->last_sequence, CommandSequence(1));
}

TEST(CommandNumbers, UnknownSessionHasNoEffect) {
  Machine machine;
  Command command;
  command.session = SessionId(77);
  command.generation = SessionGeneration(1);
  command.sequence = CommandSequence(1);
  command.operation = Create{"/a", {}, CreateMode::kPersistent};
  EXPECT_EQ(machine.state.Apply(command, {1}).result.code, ResultCode::kSessionExpired);
  EXPECT_FALSE(machine.state.Exists("/a").has_value());
}

// Z41, Z44. R30, R37: the deletions are part of the command, and the digest follows them.
TEST(Session, CloseDeletesItsEphemeralsInOneZxidSortedByPath) {
  Machine machine;
  const SessionId other = machine.Open();
  machine.Create("/p");
  for (const char* path : {"/p/b", "/p-", "/p/a", "/z"}) {
    machine.Create(path, "", CreateMode::kEphemeral);
  }
  machine.Apply(other, Create{"/other", {}, CreateMode::kEphemeral});
  const ApplyOutcome outcome = machine.Apply(machine.session, CloseSession{});
  EXPECT_EQ(outcome.result.code, ResultCode::kOk);
  EXPECT_EQ(outcome.result.deleted_znodes, 4u);
  EXPECT_THAT(Lines(outcome.changes),
              ElementsAre("deleted /p-", "children /", "deleted /p/a", "children /p",
                          "deleted /p/b", "children /p", "deleted /z", "children /"));
  for (const Change& change : outcome.changes) EXPECT_EQ(change.zxid, outcome.result.zxid);
  EXPECT_EQ(machine.StatOf("/p").pzxid, outcome.result.zxid);
  EXPECT_FALSE(machine.state.FindSession(machine.session).has_value());
  EXPECT_TRUE(machine.state.Exists("/other").has_value());
  EXPECT_EQ(machine.state.ephemeral_count(), 1u);
  EXPECT_EQ(machine.state.digest(), machine.state.RecomputeDigest());
  EXPECT_EQ(machine.Apply(machine.session, CloseSession{}).result.code,
            ResultCode::kSessionExpired);
}

TEST(Session, ExpiryOfAnOlderGenerationHasNoEffect) {
  Machine machine;
  machine.Create("/e", "", CreateMode::kEphemeral);
  machine.Apply({}, AttachSession{machine.session, Password(7), 6000});
  auto code = [&](uint64_t generation) {
    return machine
        .Apply({}, ExpireSession{machine.session, SessionGeneration(generation)})
        .result.code;
  };
  EXPECT_EQ(code(1), ResultCode::kStaleGeneration);
  EXPECT_TRUE(machine.state.Exists("/e").has_value());
  EXPECT_EQ(code(2), ResultCode::kOk);
  EXPECT_FALSE(machine.state.Exists("/e").has_value());
  EXPECT_EQ(code(2), ResultCode::kSessionExpired);
  EXPECT_EQ(machine.Create("/late").code, ResultCode::kSessionExpired);
}

TEST(Session, EphemeralDeletedByAnotherSessionIsNoLongerOwned) {
  Machine machine;
  const SessionId other = machine.Open();
  machine.Apply(other, Create{"/e", {}, CreateMode::kEphemeral});
  machine.Remove("/e");
  machine.Create("/e");
  EXPECT_EQ(machine.Apply(other, CloseSession{}).result.deleted_znodes, 0u);
  EXPECT_TRUE(machine.state.Exists("/e").has_value());
}

TEST(Session, IdsAreSorted) {
  Machine machine;
  CreateSession from_server_one = Opening(1);
  from_server_one.server_id = 1;
  const SessionId high = machine.Apply({}, Opening(2)).result.session->session;
  const SessionId low = machine.Apply({}, from_server_one).result.session->session;
  EXPECT_THAT(machine.state.SessionIds(), ElementsAre(machine.session, low, high));
}

TEST(EnsembleId, FirstOneWins) {
  Machine machine;
  auto code = [&](base::Uuid id) { return machine.Apply({}, SetEnsembleId{id}).result.code; };
  EXPECT_TRUE(machine.state.ensemble_id().IsNil());
  EXPECT_EQ(code({}), ResultCode::kBadArguments);
  EXPECT_EQ(code(base::Uuid(1, 2)), ResultCode::kOk);
  EXPECT_EQ(code(base::Uuid(3, 4)), ResultCode::kAlreadySet);
  EXPECT_EQ(machine.state.ensemble_id(), base::Uuid(1, 2));
}

TEST(FeatureLevel, OnlyRises) {
  Machine machine;
  auto code = [&](uint32_t level) {
    return machine.Apply({}, SetFeatureLevel{level}).result.code;
  };
  EXPECT_EQ(machine.state.feature_level(), 1u);
  EXPECT_EQ(code(1), ResultCode::kAlreadySet);
  EXPECT_EQ(code(3), ResultCode::kOk);
  EXPECT_EQ(code(2), ResultCode::kAlreadySet);
  EXPECT_EQ(machine.state.feature_level(), 3u);
}

TEST(Time, NeverGoesBack) {
  Machine machine;
  machine.time_ms = 5000;
  machine.Create("/a");
  machine.time_ms = 4000;
  machine.Create("/b");
  EXPECT_EQ(machine.StatOf("/b").ctime_ms, 5000);
  EXPECT_EQ(machine.state.last_time_ms(), 5000);
}

}  // namespace
}  // namespace bellwether::coord::tree
