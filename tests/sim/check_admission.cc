#include "tests/sim/check_admission.h"

#include <map>

namespace bellwether::sim {
namespace {

using coord::tree::CommandSequence;
using coord::tree::ResultCode;
using coord::tree::SessionGeneration;
using coord::tree::SessionId;

class AdmissionChecker {
 public:
  explicit AdmissionChecker(Violations& violations) : violations_(violations) {}

  void Follow(const Model::Applied& applied) {
    const coord::tree::Operation& operation = applied.command.command.operation;
    if (!WasAdmitted(applied.result)) return;
    if (applied.result.session.has_value()) return Grant(applied);
    if (const auto* expire = std::get_if<coord::tree::ExpireSession>(&operation)) {
      const State& state = sessions_[expire->session];
      if (expire->generation != state.generation) {
        Fail(applied, expire->session, "expired", expire->generation, state);
      }
    } else if (applied.command.command.session != SessionId(0)) {
      Admit(applied);
    }
  }

 private:
  struct State {
    SessionGeneration generation;
    CommandSequence sequence;
  };

  void Grant(const Model::Applied& applied) {
    const coord::tree::SessionGrant& grant = *applied.result.session;
    State& state = sessions_[grant.session];
    const bool attach =
        std::holds_alternative<coord::tree::AttachSession>(applied.command.command.operation);
    if (attach && grant.generation <= state.generation) {
      Fail(applied, grant.session, "attached", grant.generation, state);
    }
    state.generation = grant.generation;
  }

  void Admit(const Model::Applied& applied) {
    const coord::tree::Command& command = applied.command.command;
    State& state = sessions_[command.session];
    if (command.generation != state.generation || command.sequence != state.sequence + 1) {
      Fail(applied, command.session, "written by", command.generation, state);
    }
    state.sequence = command.sequence;
  }

  void Fail(const Model::Applied& applied, SessionId session, std::string_view what,
            SessionGeneration generation, const State& state) {
    violations_.Add("admission",
                    "at zxid {} session {:#x} is {} generation {}, sequence {}; it is at "
                    "generation {}, sequence {}",
                    applied.zxid, session.value(), what, generation,
                    applied.command.command.sequence, state.generation, state.sequence);
  }

  Violations& violations_;
  std::map<SessionId, State> sessions_;
};

}  // namespace

void CheckAdmission(const Model& model, Violations& violations) {
  AdmissionChecker checker(violations);
  for (const Model::Applied& applied : model.commands()) checker.Follow(applied);
}

}  // namespace bellwether::sim
