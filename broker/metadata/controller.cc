#include "broker/metadata/controller.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/log.h"
#include "client/errors.h"

namespace bellwether::broker {
namespace {

constexpr absl::Duration kRetryDelay = absl::Milliseconds(100);

}  // namespace

Controller::Controller(BrokerId id, CoordSession& session, base::Executor& executor,
                       base::Clock& clock, base::Metrics& metrics)
    : id_(id), session_(session), executor_(executor), clock_(clock),
      in_office_gauge_(metrics.AddGauge("bell_controller", "1 while this broker is controller")),
      decisions_counter_(metrics.AddCounter("bell_controller_decisions_total",
                                            "Transactions of this broker as controller")),
      conflicts_counter_(metrics.AddCounter("bell_controller_conflicts_total",
                                            "Those that failed and were decided anew")) {}

Controller::~Controller() {
  *alive_ = false;
  in_office_gauge_.Set(0);
}

void Controller::OnView(std::shared_ptr<const ClusterView> view) {
  view_ = std::move(view);
  absl::erase_if(committed_, [this](const auto& entry) { return entry.second <= view_->zxid(); });
  UpdateTerm();
  if (term_) {
    LookAtView();
  } else if (!view_->controller().exists) {
    RunForOffice();
  }
}

void Controller::UpdateTerm() {
  const ControllerView& controller = view_->controller();
  const bool ours = controller.exists && controller.session_id == session_.id() &&
                    controller.epoch_mzxid == controller.czxid;
  if (!ours) {
    if (term_) LOG_INFO("no longer controller id={} epoch={}", id_, term_->epoch);
    term_.reset();
    waiting_.clear();
    under_way_.clear();
    previous_.reset();
  } else if (!term_ || term_->election_zxid != controller.czxid) {
    term_ = ControllerTerm{.id = id_,
                           .session_id = session_.id(),
                           .election_zxid = controller.czxid,
                           .epoch = controller.epoch};
    previous_.reset();
    LOG_INFO("became controller id={} epoch={} zxid={}", id_, term_->epoch, controller.czxid);
  }
  in_office_gauge_.Set(term_ ? 1 : 0);
}

void Controller::RunForOffice() {
  if (running_for_office_) return;
  running_for_office_ = true;
  session_.Commit(ElectionOf(*view_, id_, clock_.WallMillis()),
                  [this, alive = alive_](const auto& result) {
                    if (!*alive) return;
                    running_for_office_ = false;
                    // Won or lost, the view will tell; without an answer, try again.
                    if (result.ok()) return;
                    LOG_DEBUG("not elected controller error={}", result.status());
                    LookAgainSoon();
                  });
}

void Controller::LookAtView() {
  for (Decision& decision : Decide(*view_, previous_.get(), *term_)) {
    if (committed_.contains(decision.path)) continue;
    if (!under_way_.insert(decision.path).second) continue;
    waiting_.push_back(std::move(decision));
  }
  previous_ = view_;
  Send();
}

void Controller::Send() {
  while (!waiting_.empty() && in_flight_ < kInFlightMax) {
    Decision decision = std::move(waiting_.front());
    waiting_.pop_front();
    ++in_flight_;
    decisions_counter_.Add();
    LOG_DEBUG("controller decides path={} why='{}'", decision.path, decision.why);
    session_.Commit(std::move(decision.transaction),
                    [this, path = decision.path, alive = alive_](const auto& result) {
                      if (*alive) OnOutcome(path, result);
                    });
  }
}

void Controller::OnOutcome(const std::string& path,
                           const absl::StatusOr<client::TransactionResult>& result) {
  --in_flight_;
  under_way_.erase(path);
  if (result.ok()) {
    if (view_->zxid() < result->zxid) committed_[path] = result->zxid;
  } else {
    conflicts_counter_.Add();
    LOG_INFO("controller's decision not carried out path={} error={}", path, result.status());
    LookAgainSoon();
  }
  Send();
}

void Controller::LookAgainSoon() {
  if (looking_again_) return;
  looking_again_ = true;
  executor_.RunAfter(kRetryDelay, [this, alive = alive_] {
    if (!*alive) return;
    looking_again_ = false;
    previous_.reset();
    OnView(view_);
  });
}

}  // namespace bellwether::broker
