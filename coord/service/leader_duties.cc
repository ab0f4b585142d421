#include "coord/service/leader_duties.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/mutant.h"
#include "coord/service/digest_check.h"
#include "coord/service/ensemble_config.h"
#include "coord/service/touches.h"
#include "coord/tree/system_znodes.h"

namespace bellwether::coord {
namespace {

// After an expiry was refused, as on full disks, none is proposed for so long.
constexpr absl::Duration kExpireRetryInterval = absl::Seconds(1);
// Between two looks at the znodes that may expire.
constexpr absl::Duration kExpirablesInterval = absl::Seconds(1);
// Between two looks at who is in the ensemble.
constexpr absl::Duration kConfigInterval = absl::Milliseconds(50);

}  // namespace

LeaderDuties::LeaderDuties(const ServiceOptions& options, Dependencies deps)
    : options_(options),
      deps_(std::move(deps)),
      sessions_expired_(deps_.metrics.AddCounter(
          "bell_sessions_expired_total",
          "Expiries of silent sessions that this server proposed and the log took.")),
      znodes_expired_(deps_.metrics.AddCounter(
          "bell_znodes_expired_total",
          "Deletions of containers and znodes with a TTL that this server proposed and the log "
          "took.")) {}

void LeaderDuties::OnLeadership(const Leadership& leadership) {
  const Leadership before = std::exchange(leadership_, leadership);
  const bool became_leader =
      leadership.role == Role::kLeader &&
      (before.role != Role::kLeader || before.term != leadership.term);
  if (!became_leader) return;
  deletion_ = Deletion::kNone;
  config_proposed_on_.reset();
  if (!MUTANT(25)) deps_.sessions.RestartAll();
}

bool LeaderDuties::OnNote(ServerId from, std::string_view note) {
  bool accepted = true;
  for (SessionId session : DecodeTouchNote(note)) {
    if (from == leadership_.leader || !MUTANT(11)) accepted &= deps_.sessions.Touch(session);
  }
  return accepted;
}

void LeaderDuties::OnTick(absl::Duration since_last, bool ensemble_id_known) {
  if (leadership_.role != Role::kLeader) return;
  SayState();
  if (!ensemble_id_known && ensemble_id_proposed_in_ != leadership_.term) ProposeEnsembleId();
  for (const SessionTracker::Expired& expired : deps_.sessions.Tick(since_last)) {
    if (deps_.clock.Monotonic() >= next_expire_) ProposeExpire(expired);
  }
  ExpireZnodes();
  KeepConfig();
}

// So that every server can tell that its state is the same (DESIGN 3.3).
void LeaderDuties::SayState() {
  const absl::Duration now = deps_.clock.Monotonic();
  if (now - state_said_ < options_.digest_interval) return;
  state_said_ = now;
  StatePoint point;
  {
    base::ReaderLock lock(deps_.state.mutex);
    point = {deps_.state.applied_index, deps_.state.applied_zxid, deps_.state.applied_digest};
  }
  log_->Broadcast(EncodeStatePoint(point));
}

void LeaderDuties::ProposeEnsembleId() {
  ensemble_id_proposed_in_ = leadership_.term;
  std::vector<ProposedCommand> commands;
  const uint32_t level = FirstFeatureLevel(options_.feature_levels, log_->status());
  if (level > deps_.feature_levels.level()) {
    commands.push_back(deps_.own_command(tree::SetFeatureLevel{level}));
  }
  commands.push_back(deps_.own_command(
      tree::SetEnsembleId{base::Uuid::FromRandom(deps_.random(), deps_.random())}));
  log_->Propose(std::move(commands),
                [this, term = leadership_.term](absl::Status status) {
                  if (status.ok() || ensemble_id_proposed_in_ != term) return;
                  ensemble_id_proposed_in_ = Term();  // the next tick tries again
                });
}

void LeaderDuties::ProposeExpire(const SessionTracker::Expired& expired) {
  deps_.sessions.SetExpiring(expired.session, true);
  log_->Propose({deps_.own_command(tree::ExpireSession{expired.session, expired.generation})},
                [this, expired](absl::Status status) {
                  if (!status.ok()) {
                    deps_.sessions.SetExpiring(expired.session, false);
                    next_expire_ = deps_.clock.Monotonic() + kExpireRetryInterval;
                    return;
                  }
                  LOG_INFO("session expires session={:#x} generation={}", expired.session.value(),
                           expired.generation);
                  sessions_expired_.Add();
                });
}

// Proposed once for each state of the znode: when that was applied here, the next look tells whether it
// says all.
void LeaderDuties::KeepConfig() {
  const absl::Duration now = deps_.clock.Monotonic();
  if (now - config_looked_at_ < kConfigInterval) return;
  if (deps_.feature_levels.level() < tree::kFeatureLevelRetries) return;
  config_looked_at_ = now;
  tree::SetEnsembleConfig set;
  tree::SharedBytes config;
  {
    base::ReaderLock lock(deps_.state.mutex);
    const tree::Znode* const znode = deps_.state.tree.FindZnode(tree::kConfigPath);
    if (znode == nullptr) return;
    config = znode->data;
    set.expected_version = znode->version();
  }
  if (config_proposed_on_ == set.expected_version) return;
  std::optional<std::string> members = ConfigMembersOf(log_->status(), config.view());
  if (!members.has_value() || *members == tree::MembersOfConfig(config.view())) return;
  if (!config.view().empty() && MUTANT(78)) return;
  set.members = *std::move(members);
  config_proposed_on_ = set.expected_version;
  log_->Propose({deps_.own_command(std::move(set))},
                [this, term = leadership_.term](absl::Status status) {
                  if (!status.ok() && term == leadership_.term) config_proposed_on_.reset();
                });
}

// The state machine decides by the time of the log entry whether a znode's time has come; what is
// proposed a little too early, or was used meanwhile, stays.
void LeaderDuties::ExpireZnodes() {
  if (deletion_ == Deletion::kAppended) {
    deletion_ = Deletion::kApplying;
    deletion_index_ = log_->status().last_index;
  }
  const absl::Duration now = deps_.clock.Monotonic();
  if (now - znodes_looked_at_ < kExpirablesInterval || deletion_ == Deletion::kProposed) return;
  if (deps_.feature_levels.level() < tree::kFeatureLevelAcls) return;
  tree::StateView state;  // looked at without the lock
  {
    base::ReaderLock lock(deps_.state.mutex);
    if (deletion_ == Deletion::kApplying && deps_.state.applied_index < deletion_index_) return;
    state = deps_.state.tree.View();
  }
  znodes_looked_at_ = now;
  deletion_ = Deletion::kNone;
  const int64_t time_ms = std::max(deps_.clock.WallMillis(), state.last_time_ms());
  const tree::StateView::ExpiredPage page = state.ExpirableAfter(
      expirables_after_, kExpiredZnodesMax, kExpirableVisitsMax, time_ms, kExpirablePathBytesMax);
  expirables_after_ = page.resume_after;
  if (!page.paths.empty()) ProposeDeletions(page.paths);
}

void LeaderDuties::ProposeDeletions(const std::vector<std::string>& paths) {
  deletion_ = Deletion::kProposed;
  std::vector<ProposedCommand> commands;
  for (const std::string& path : paths) {
    commands.push_back(deps_.own_command(tree::DeleteExpired{path}));
  }
  log_->Propose(std::move(commands), [this, term = leadership_.term,
                                      count = paths.size()](absl::Status status) {
    if (status.ok()) znodes_expired_.Add(count);
    if (term != leadership_.term) return;
    deletion_ = status.ok() ? Deletion::kAppended : Deletion::kNone;
  });
}

}  // namespace bellwether::coord
