#include <algorithm>
#include <memory>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "coord/service/coord_service.h"
#include "fmt/format.h"

// What of a CoordService operators ask for: what takes most, who has a session, and ending one.
namespace bellwether::coord {
namespace {

constexpr size_t kSessionsPerPage = 1000;

// Runs a task on an executor when this server has applied something.
class RunWhenApplied : public ApplyWaiter {
 public:
  RunWhenApplied(base::Executor& executor, std::function<void()> task)
      : executor_(executor), task_(std::move(task)) {}

  void PostWake() override { executor_.Post(task_); }

 private:
  base::Executor& executor_;
  const std::function<void()> task_;
};

absl::Status NoSuchSession(SessionId session) {
  return base::ErrorWithReason(
      absl::StatusCode::kNotFound, "no_session",
      fmt::format("there is no session {:#x}; see `bell session list`", session.value()));
}

}  // namespace

void CoordService::Top(TopOrder by, size_t limit, TopLists::Done done) {
  if (absl::Status open = CheckOpen(); !open.ok()) return done(std::move(open));
  top_lists_.Make(by, limit, std::move(done));
}

void CoordService::ListSessions(SessionId after, size_t limit,
                                std::function<void(absl::StatusOr<SessionPage>)> done) {
  if (absl::Status open = CheckOpen(); !open.ok()) return done(std::move(open));
  if (limit == 0 || limit > kSessionsPerPage) limit = kSessionsPerPage;
  const tree::StateView state = View();
  SessionPage page;
  page.zxid = state.zxid();
  std::vector<SessionId> ids;
  const auto& entries = state.sessions().entries();
  for (auto entry = entries.LowerBound(after); entry != entries.end(); ++entry) {
    if (entry->key == after) continue;
    page.more = ids.size() == limit;
    if (page.more) break;
    const tree::Session& session = *entry->value;
    ids.push_back(entry->key);
    page.sessions.push_back({.id = entry->key,
                             .generation = session.generation,
                             .timeout_ms = session.timeout_ms,
                             .ephemerals = session.ephemerals.size()});
  }
  std::vector<std::string> addresses = connections_.AddressesOf(ids);
  for (size_t i = 0; i < ids.size(); ++i) page.sessions[i].address = std::move(addresses[i]);
  if (log_->status().leadership.role != Role::kLeader) return done(std::move(page));
  deps_.replica_executor.Post([this, page = std::move(page), done = std::move(done)]() mutable {
    for (SessionPage::Entry& entry : page.sessions) entry.idle = tracker_.SilenceOf(entry.id);
    done(std::move(page));
  });
}

// The state looked at has all that was committed before the call, so that a session which another
// server has just opened is found.
void CoordService::EndSession(SessionId session,
                              std::function<void(absl::StatusOr<Zxid>)> done) {
  if (absl::Status open = CheckOpen(); !open.ok()) return done(std::move(open));
  const std::optional<uint64_t> wait = endings_.Await(
      session, options_.end_session_wait_max,
      [this, session, done = std::move(done)](absl::Status status) {
        if (!status.ok()) return done(std::move(status));
        LOG_INFO("session ended by an operator id={} session={:#x}", options_.server_id,
                 session.value());
        done(applied_zxid());
      });
  if (!wait.has_value()) return;
  log_->RequestRead("", [this, session, wait = *wait](absl::StatusOr<LogIndex> index) {
    if (!index.ok()) return endings_.Finish(wait, index.status());
    const auto propose = [this, session, wait] { ProposeEnd(session, wait); };
    auto waiter = std::make_shared<RunWhenApplied>(deps_.replica_executor, propose);
    if (waiters_.AppliedOrWait(*index, Zxid(), std::move(waiter))) propose();
  });
}

// By the generation that the session has here. An attach that comes before it in the log makes it
// worth nothing; when that is applied, it is proposed again.
void CoordService::ProposeEnd(SessionId session, uint64_t wait) {
  endings_.SetProposed(wait);
  std::optional<tree::StateView::SessionView> found;
  {
    base::ReaderLock lock(state_.mutex);
    found = state_.tree.FindSession(session);
  }
  if (!found.has_value()) return endings_.Finish(wait, NoSuchSession(session));
  log_->Propose({MakeOwnCommand(tree::ExpireSession{session, found->generation})},
                [this, wait](absl::Status status) {
                  if (!status.ok()) endings_.Refuse(wait, std::move(status));
                });
}

}  // namespace bellwether::coord
