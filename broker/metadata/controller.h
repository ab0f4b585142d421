#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "broker/metadata/cluster_view.h"
#include "broker/metadata/coord_session.h"
#include "broker/metadata/decisions.h"

namespace bellwether::broker {

// Runs for the office of controller and, while this session holds it, carries decisions out. It
// learns of its election from the view, so it never acts on an older one. Decisions are sent
// without waiting for each other; one that fails leads to a new look at everything.
//
// Owned by Cluster; on the metadata executor. One object per session.
// Limits: kInFlightMax transactions under way, the rest of a pass waits.
class Controller {
 public:
  Controller(BrokerId id, CoordSession& session, base::Executor& executor, base::Clock& clock,
             base::Metrics& metrics);
  ~Controller();

  // To be called with each new view, once this broker is registered.
  void OnView(std::shared_ptr<const ClusterView> view);

  bool in_office() const { return term_.has_value(); }

 private:
  static constexpr size_t kInFlightMax = 512;

  void RunForOffice();
  void UpdateTerm();
  void LookAtView();
  void Send();
  void OnOutcome(const std::string& path, const absl::StatusOr<client::TransactionResult>& result);
  // Looks at everything again after a short while.
  void LookAgainSoon();

  const BrokerId id_;
  CoordSession& session_;
  base::Executor& executor_;
  base::Clock& clock_;
  base::Gauge& in_office_gauge_;
  base::Counter& decisions_counter_;
  base::Counter& conflicts_counter_;

  std::shared_ptr<const ClusterView> view_;      // shared with readers of Cluster
  std::shared_ptr<const ClusterView> previous_;  // last decided on; null: decide on everything
  std::optional<ControllerTerm> term_;
  bool running_for_office_ = false;
  bool looking_again_ = false;
  std::deque<Decision> waiting_;
  absl::flat_hash_set<std::string> under_way_;       // paths of waiting and sent decisions
  absl::flat_hash_map<std::string, Zxid> committed_;  // done; the view doesn't show it yet
  size_t in_flight_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // shared with callbacks
};

}  // namespace bellwether::broker
