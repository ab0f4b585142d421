#include "coord/service/ensemble_change.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/log.h"
#include "base/mutant.h"
#include "base/status.h"
#include "coord/service/ensemble_config.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

using Kind = MembershipChange::Kind;

constexpr uint32_t kServerIdLast = tree::kServerIdMax;
constexpr absl::Duration kRetryInterval = absl::Milliseconds(100);
constexpr absl::Duration kConfigLooksInterval = absl::Milliseconds(20);
// Of a change that the leader refuses while another one, or its own term, is too new.
constexpr absl::Duration kRefusedMax = absl::Seconds(1);
// The part of the time in which changes are tried; the rest is for their end.
constexpr double kStepsShare = 0.6;

using Servers = std::map<uint32_t, Reconfigure::Server>;

absl::Status BadServers(std::string_view message) {
  return base::ErrorWithReason(absl::StatusCode::kInvalidArgument, kReasonBadServers, message);
}

absl::Status NoQuorum(std::string_view message) {
  return base::ErrorWithReason(absl::StatusCode::kFailedPrecondition, kReasonNoQuorum, message);
}

const MemberInfo* FindIn(const MembershipView& view, uint32_t id) {
  const auto found =
      std::find_if(view.members.begin(), view.members.end(),
                   [id](const MemberInfo& member) { return member.id == ServerId(id); });
  return found == view.members.end() ? nullptr : &*found;
}

absl::StatusOr<Servers> ServersAfter(const Reconfigure& wanted, const MembershipView& view) {
  Servers after;
  if (!wanted.replaces_all) {
    for (const MemberInfo& member : view.members) {
      after[member.id.value()] = {member.id.value(), member.address, member.voter};
    }
  }
  for (const uint32_t id : wanted.leaving) after.erase(id);
  for (const Reconfigure::Server& server : wanted.joining) {
    if (server.id < 1 || server.id > kServerIdLast) {
      return BadServers(fmt::format("server {}: ids are 1 to {}", server.id, kServerIdLast));
    }
    after[server.id] = server;
  }
  bool has_voter = false;
  std::map<std::string, uint32_t> owners;
  for (const auto& [id, server] : after) {
    has_voter |= server.voter;
    if (!owners.emplace(server.address, id).second) {
      return BadServers(fmt::format("{} is the address of two servers", server.address));
    }
  }
  if (!has_voter) return BadServers("no server would have a vote");
  return after;
}

// Whether it can be the server that `now` is without leaving first.
bool CanBecome(const MemberInfo& now, const Reconfigure::Server& server) {
  return now.address == server.address && (server.voter || !now.voter);
}

absl::Status CheckQuorum(const Servers& after, const MembershipView& view) {
  size_t voters = 0;
  size_t up = 0;
  for (const auto& [id, server] : after) {
    if (!server.voter) continue;
    ++voters;
    const MemberInfo* const now = FindIn(view, id);
    const bool is_new = now == nullptr || !CanBecome(*now, server);
    if (is_new || (now->active && !now->awaiting_readmission)) ++up;
  }
  if (up > voters / 2) return absl::OkStatus();
  return NoQuorum(fmt::format("of the {} servers that would vote only {} answer", voters, up));
}

MembershipChange Change(Kind kind, uint32_t id, std::string address = "") {
  return {kind, ServerId(id), std::move(address)};
}

// As the client is told of a change that the leader refused.
absl::Status WhyNot(const absl::Status& status) {
  if (absl::IsUnavailable(status)) return status;
  const std::string_view message = base::StdView(status.message());
  return absl::IsInvalidArgument(status) ? BadServers(message) : NoQuorum(message);
}

bool MayRetry(const absl::Status& status) {
  return absl::IsUnavailable(status) || base::OutcomeOf(status) == base::Outcome::kUnknown;
}

}  // namespace

absl::StatusOr<std::vector<MembershipChange>> ChangesFor(const Reconfigure& wanted,
                                                         const MembershipView& view) {
  ASSIGN_OR_RETURN(const Servers after, ServersAfter(wanted, view));
  RETURN_IF_ERROR(CheckQuorum(after, view));
  std::vector<MembershipChange> changes;
  std::vector<MembershipChange> promotions;
  for (const auto& [id, server] : after) {
    const MemberInfo* now = FindIn(view, id);
    if (now != nullptr && !CanBecome(*now, server)) {
      changes.push_back(Change(Kind::kRemove, id));
      now = nullptr;
    }
    if (now == nullptr) changes.push_back(Change(Kind::kAdd, id, server.address));
    if ((server.voter || MUTANT(80)) && (now == nullptr || !now->voter)) {
      promotions.push_back(Change(Kind::kPromote, id));
    }
  }
  changes.insert(changes.end(), promotions.begin(), promotions.end());
  // The leader at last, so that it can do the rest.
  for (const bool leads : {false, true}) {
    for (const MemberInfo& member : view.members) {
      const uint32_t id = member.id.value();
      if (!after.contains(id) && (member.id == view.leader) == leads) {
        changes.push_back(Change(Kind::kRemove, id));
      }
    }
  }
  return changes;
}

void EnsembleChange::Start(Dependencies deps, Reconfigure wanted, Done done) {
  base::Executor& executor = deps.executor;
  std::shared_ptr<EnsembleChange> change(
      new EnsembleChange(std::move(deps), std::move(wanted), std::move(done)));
  executor.Post([change] {
    const absl::Duration now = change->deps_.clock.Monotonic();
    change->steps_end_ = now + kStepsShare * change->wanted_.time_max;
    change->end_ = now + change->wanted_.time_max;
    change->Look();
  });
}

void EnsembleChange::Look() {
  deps_.log.AskMembership({}, [self = shared_from_this()](absl::StatusOr<MembershipView> view) {
    self->OnView(view);
  });
}

void EnsembleChange::OnView(const absl::StatusOr<MembershipView>& view) {
  if (!view.ok() && MayRetry(view.status()) && deps_.clock.Monotonic() < steps_end_) {
    deps_.executor.RunAfter(kRetryInterval, [self = shared_from_this()] { self->Look(); });
    return;
  }
  if (!view.ok()) return Finish(view.status());
  if (view->changing) {
    return Finish(base::ErrorWithReason(absl::StatusCode::kFailedPrecondition,
                                        kReasonReconfigInProgress,
                                        "another change of the members is under way"));
  }
  auto steps = ChangesFor(wanted_, *view);
  if (!steps.ok()) return Finish(steps.status());
  view_ = *view;
  steps_ = *std::move(steps);
  LOG_INFO("reconfiguration begins changes={}", steps_.size());
  step_began_ = deps_.clock.Monotonic();
  Step();
}

void EnsembleChange::Step() {
  if (next_ == steps_.size()) return AwaitConfig();
  deps_.log.AskMembership(steps_[next_],
                          [self = shared_from_this()](absl::StatusOr<MembershipView> view) {
                            self->OnStep(view);
                          });
}

void EnsembleChange::OnStep(const absl::StatusOr<MembershipView>& view) {
  const absl::Duration now = deps_.clock.Monotonic();
  if (view.ok()) {
    view_ = *view;
    in_doubt_ = false;
    ++next_;
    step_began_ = now;
    return Step();
  }
  const absl::Status& status = view.status();
  if (base::OutcomeOf(status) == base::Outcome::kUnknown) in_doubt_ = true;
  const absl::Duration end = taking_back_.has_value() ? end_ : steps_end_;
  // Who is promoted must catch up first.
  const bool waits = absl::IsFailedPrecondition(status) &&
                     (steps_[next_].kind == Kind::kPromote || now - step_began_ < kRefusedMax);
  if (now < end && (waits || MayRetry(status))) return RetryStep();
  GiveUp(status);
}

void EnsembleChange::RetryStep() {
  deps_.executor.RunAfter(kRetryInterval, [self = shared_from_this()] { self->Step(); });
}

// As if nothing had happened, if all that did is that servers were added.
void EnsembleChange::GiveUp(const absl::Status& why) {
  const auto done = steps_.begin() + static_cast<std::ptrdiff_t>(next_);
  const bool only_added = std::all_of(steps_.begin(), done, [](const MembershipChange& step) {
    return step.kind == Kind::kAdd;
  });
  if (taking_back_.has_value() || in_doubt_ || !only_added) {
    return Finish(base::UnknownOutcome(
        why.code(), fmt::format("some of the changes of the members may have been made: {}",
                                base::StdView(why.message()))));
  }
  taking_back_ = WhyNot(why);
  TakeBack();
}

void EnsembleChange::TakeBack() {
  std::vector<MembershipChange> removals;
  for (size_t i = 0; i < next_; ++i) {
    removals.push_back(Change(Kind::kRemove, steps_[i].server.value()));
  }
  steps_ = std::move(removals);
  next_ = 0;
  Step();
}

void EnsembleChange::AwaitConfig() {
  const bool late = deps_.clock.Monotonic() >= end_;
  const bool is_said = ConfigSays(deps_.config(), view_.members) || MUTANT(82);
  if (is_said || (late && taking_back_.has_value())) {
    return Finish(taking_back_.value_or(absl::OkStatus()));
  }
  if (late) {
    return Finish(base::UnknownOutcome(
        absl::StatusCode::kDeadlineExceeded,
        "the members are as asked for, but the configuration does not say so yet"));
  }
  deps_.executor.RunAfter(kConfigLooksInterval, [self = shared_from_this()] { self->AwaitConfig(); });
}

void EnsembleChange::Finish(absl::Status status) {
  LOG_INFO("reconfiguration ends status=\"{}\"", status);
  done_(std::move(status));
}

}  // namespace bellwether::coord
