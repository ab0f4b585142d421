#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "coord/tree/state_machine.h"
#include "fmt/format.h"

namespace bellwether::coord::tree {

inline SharedBytes Data(std::string_view text) { return SharedBytes::Copy(text); }

inline SessionPassword Password(uint8_t fill) {
  SessionPassword password;
  password.fill(fill);
  return password;
}

// A state machine with a clock, and the bookkeeping of its clients: each command gets its
// session's current generation and next sequence.
class Machine {
 public:
  Machine() : session(Open()) {}

  ApplyOutcome Apply(SessionId id, Operation operation) {
    const auto view = state.FindSession(id);
    Command command;
    command.session = id;
    if (view.has_value()) {
      command.generation = view->generation;
      command.sequence = view->last_sequence + 1;
    }
    command.operation = std::move(operation);
    command.identities = identities;
    return state.Apply(command, {time_ms});
  }
  Result Do(Operation operation) { return Apply(session, std::move(operation)).result; }
  std::vector<Change> ChangesOf(Operation operation) {
    return Apply(session, std::move(operation)).changes;
  }

  // From here on there are ACLs, containers, TTLs, quotas and system znodes.
  std::vector<Change> RaiseLevel(uint32_t level = kFeatureLevelAcls) {
    return Apply({}, SetFeatureLevel{level}).changes;
  }

  SessionId Open() {
    ++nonces;
    CreateSession operation;
    operation.nonce = base::Uuid(1, nonces);
    operation.password = Password(7);
    operation.timeout_ms = 10'000;
    operation.server_id = 1;
    return Apply({}, operation).result.session->session;
  }

  // Shorthands for the default session.
  Result Create(std::string_view path, std::string_view data = "",
                CreateMode mode = CreateMode::kPersistent) {
    return Do(tree::Create{std::string(path), Data(data), mode});
  }
  ResultCode CreateCode(std::string_view path) { return Create(path).code; }
  Result Set(std::string_view path, std::string_view data, int32_t version = kAnyVersion) {
    return Do(SetData{std::string(path), Data(data), version});
  }
  Result Remove(std::string_view path, int32_t version = kAnyVersion) {
    return Do(Delete{std::string(path), version});
  }
  Stat StatOf(std::string_view path) const { return state.Exists(path).value_or(Stat()); }

  StateMachine state;
  int64_t time_ms = 1000;
  uint64_t nonces = 0;
  Identities identities;  // of the client, in every command
  SessionId session;
};

// "created /a", "children /", ... in order.
inline std::vector<std::string> Lines(const std::vector<Change>& changes) {
  std::vector<std::string> lines;
  for (const Change& change : changes) {
    constexpr std::string_view kNames[] = {"created", "changed", "deleted", "children"};
    lines.push_back(fmt::format("{} {}", kNames[static_cast<size_t>(change.type)], change.path));
  }
  return lines;
}

}  // namespace bellwether::coord::tree
