#include "tests/sim/check_retries.h"

#include <algorithm>

#include "tests/sim/model.h"

namespace bellwether::sim {
namespace {

using coord::tree::CommandSequence;
using coord::tree::OperationResult;
using coord::tree::Result;
using coord::tree::ResultCode;

bool Same(const OperationResult& a, const OperationResult& b) {
  return a.code == b.code && a.path == b.path && a.stat == b.stat;
}

bool Same(const Result& a, const Result& b) {
  return a.code == b.code && a.zxid == b.zxid && a.path == b.path && a.stat == b.stat &&
         a.deleted_znodes == b.deleted_znodes && a.failed_index == b.failed_index &&
         std::equal(a.operations.begin(), a.operations.end(), b.operations.begin(),
                    b.operations.end(),
                    [](const OperationResult& x, const OperationResult& y) { return Same(x, y); });
}

}  // namespace

void RetryChecker::Follow(const coord::tree::Command& command, const Result& result,
                          size_t changes, const coord::tree::StateView& state,
                          Violations& violations) {
  const Key key{command.session, command.sequence};
  if (command.session == coord::tree::SessionId() || command.sequence == CommandSequence()) return;
  if (state.feature_level() < coord::tree::kFeatureLevelRetries) return;
  if (result.code == ResultCode::kSequenceReused) {
    violations.Add("retries", "zxid {} of session {:#x} was taken for another command than that of "
                   "sequence {}", state.zxid(), command.session.value(), command.sequence);
  }
  if (result.repeated) {
    ++repeated_;
    FollowRepeated(key, result, changes, state.zxid(), violations);
  }
  CommandSequence& floor = floors_[command.session];
  if (result.code == ResultCode::kResultForgotten && kept_.contains(key) &&
      command.sequence >= floor) {
    violations.Add("retries", "at zxid {} the result of sequence {} of session {:#x} is forgotten; "
                   "the client has got those below {}", state.zxid(), command.sequence,
                   command.session.value(), floor);
  }
  if (result.code == ResultCode::kStaleGeneration || result.code == ResultCode::kSessionExpired ||
      result.code == ResultCode::kSequenceGap) {
    return;  // of a connection that is gone, or behind what is missing: what it says is not heard
  }
  floor = std::max(floor, command.acknowledged_floor);
  if (WasAdmitted(result) && command.acknowledged_floor > CommandSequence()) kept_[key] = result;
  if (floor > CommandSequence() &&
      state.sessions().FindKept(command.session, CommandSequence(floor.value() - 1)) != nullptr) {
    violations.Add("retries", "at zxid {} a result of session {:#x} is kept that is below {}",
                   state.zxid(), command.session.value(), floor);
  }
}

void RetryChecker::FollowRepeated(const Key& key, const Result& result, size_t changes,
                                  coord::tree::Zxid zxid, Violations& violations) const {
  const auto first = kept_.find(key);
  if (first == kept_.end()) {
    violations.Add("retries", "zxid {} repeats sequence {} of session {:#x}, which was not applied",
                   zxid, key.second, key.first.value());
  } else if (!Same(first->second, result)) {
    violations.Add("retries", "zxid {} repeats zxid {} with another result", zxid,
                   first->second.zxid);
  }
  if (changes == 0) return;
  violations.Add("retries", "zxid {} repeats sequence {} of session {:#x} and changes {} znodes",
                 zxid, key.second, key.first.value(), changes);
}

}  // namespace bellwether::sim
