#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "base/executor.h"
#include "base/status.h"
#include "broker/metadata/coord_session.h"
#include "client/errors.h"
#include "tests/unit/broker/metadata/model_coord.h"

namespace bellwether::broker {

// A session with ModelCoord: takes effect at once, answers through the executor. Faults: answers
// that say nothing took effect (`refuse_next`), and effects without an answer (`lose_next`).
class ModelSession : public CoordSession {
 public:
  ModelSession(ModelCoord& coord, base::Executor& executor, uint64_t id)
      : coord_(coord), executor_(executor), id_(id) {}

  int refuse_next = 0;  // commits to fail as rejected
  bool expired = false;  // nothing takes effect any more
  int lose_next = 0;    // commits that take effect and fail as unknown

  client::SessionId id() const override { return id_; }

  void Commit(client::Transaction transaction,
              client::Callback<client::TransactionResult> done) override {
    executor_.Post([result = Run(transaction), done = std::move(done)]() mutable { done(result); });
  }

  void Get(std::string path, client::Callback<client::GetResult> done) override {
    absl::StatusOr<client::GetResult> result =
        client::ErrorWithReason(absl::StatusCode::kNotFound, "no_node", path);
    const auto it = coord_.nodes().find(path);
    if (it != coord_.nodes().end()) {
      result = client::GetResult{
          .data = it->second.data, .stat = it->second.stat, .zxid = coord_.zxid()};
    }
    executor_.Post([result, done = std::move(done)]() mutable { done(result); });
  }

 private:
  absl::StatusOr<client::TransactionResult> Run(const client::Transaction& transaction) {
    if (expired) {
      return client::ErrorWithReason(absl::StatusCode::kNotFound, "session_expired", "");
    }
    if (refuse_next > 0) {
      --refuse_next;
      return absl::UnavailableError("refused by the test");
    }
    if (!coord_.Commit(transaction, id_)) {
      return transaction.compares.empty()
                 ? client::ErrorWithReason(absl::StatusCode::kAlreadyExists, "node_exists", "")
                 : client::ErrorWithReason(absl::StatusCode::kFailedPrecondition,
                                           "compare_failed", "");
    }
    if (lose_next > 0) {
      --lose_next;
      return base::UnknownOutcome(absl::StatusCode::kUnavailable, "lost by the test");
    }
    return client::TransactionResult{.zxid = coord_.zxid()};
  }

  ModelCoord& coord_;
  base::Executor& executor_;
  const client::SessionId id_;
};

}  // namespace bellwether::broker
