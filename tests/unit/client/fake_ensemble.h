#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "client/coord_channel.h"

namespace bellwether::client {

// An executor and its clock, driven by the test: tasks run when the test says so, and time passes
// only in Advance.
class ManualExecutor : public base::Executor, public base::Clock {
 public:
  void Post(base::Task task) override { tasks_.push_back(std::move(task)); }

  base::TimerId RunAfter(absl::Duration delay, base::Task task) override {
    const base::TimerId id = ++last_timer_;
    timers_.emplace(std::pair(now_ + std::max(delay, absl::ZeroDuration()), id), std::move(task));
    return id;
  }

  void Cancel(base::TimerId timer) override {
    for (auto entry = timers_.begin(); entry != timers_.end(); ++entry) {
      if (entry->first.second != timer) continue;
      timers_.erase(entry);
      return;
    }
  }

  absl::Duration Monotonic() const override { return now_; }
  absl::Time Wall() const override { return absl::UnixEpoch() + now_; }

  // Runs what was posted and what is due.
  void Run() {
    while (true) {
      if (!timers_.empty() && timers_.begin()->first.first <= now_) {
        auto timer = timers_.extract(timers_.begin());
        tasks_.push_back(std::move(timer.mapped()));
      }
      if (tasks_.empty()) return;
      base::Task task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
  }

  void Advance(absl::Duration duration) {
    const absl::Duration end = now_ + duration;
    Run();
    while (!timers_.empty() && timers_.begin()->first.first <= end) {
      now_ = timers_.begin()->first.first;
      Run();
    }
    now_ = end;
  }

 private:
  absl::Duration now_ = absl::Hours(1);
  std::deque<base::Task> tasks_;
  std::map<std::pair<absl::Duration, base::TimerId>, base::Task> timers_;
  base::TimerId last_timer_ = 0;
};

// The network and all servers, played by the test: what the client opens and sends is recorded;
// frames and ends come when the test says so. Nothing is lost, reordered or delayed by itself.
class FakeEnsemble : public CoordConnector {
 public:
  template <typename Response>
  struct Stream {
    std::string address;
    StreamCallbacks<Response> callbacks;
    bool cancelled = false;  // the client let go of it

    void Deliver(ManualExecutor& executor, Response frame) {
      if (!cancelled) callbacks.on_frame(std::move(frame));
      executor.Run();
    }
    void End(ManualExecutor& executor, absl::Status status) {
      if (!cancelled) callbacks.on_end(std::move(status));
      executor.Run();
    }
  };
  struct Session : Stream<coord::v1::SessionResponse> {
    std::vector<coord::v1::SessionRequest> sent;

    // Of the frames sent, the requests.
    std::vector<coord::v1::Request> Requests() const {
      std::vector<coord::v1::Request> requests;
      for (const auto& frame : sent) {
        if (frame.has_request()) requests.push_back(frame.request());
      }
      return requests;
    }
    // Ids of the keepalives sent.
    std::vector<uint64_t> KeepAlives() const {
      std::vector<uint64_t> ids;
      for (const auto& frame : sent) {
        if (frame.has_keep_alive()) ids.push_back(frame.keep_alive().id());
      }
      return ids;
    }
  };
  struct Watch : Stream<coord::v1::WatchResponse> {
    coord::v1::WatchRequest request;
    int reads_wanted = 0;
  };

  std::unique_ptr<SessionCall> OpenSession(
      const std::string& address, StreamCallbacks<coord::v1::SessionResponse> callbacks) override {
    sessions.push_back(std::make_shared<Session>());
    sessions.back()->address = address;
    sessions.back()->callbacks = std::move(callbacks);
    return std::make_unique<FakeSessionCall>(sessions.back());
  }

  std::unique_ptr<WatchCall> OpenWatch(
      const std::string& address, coord::v1::WatchRequest request,
      StreamCallbacks<coord::v1::WatchResponse> callbacks) override {
    watches.push_back(std::make_shared<Watch>());
    watches.back()->address = address;
    watches.back()->request = std::move(request);
    watches.back()->callbacks = std::move(callbacks);
    return std::make_unique<FakeWatchCall>(watches.back());
  }

  void Status(const std::string&, absl::Duration,
              absl::AnyInvocable<void(absl::StatusOr<coord::v1::StatusResponse>)> callback)
      override {
    callback(absl::UnimplementedError("not played"));
  }

  void Upgrade(const std::string&, coord::v1::UpgradeRequest request, absl::Duration,
               absl::AnyInvocable<void(absl::StatusOr<coord::v1::UpgradeResponse>)> callback)
      override {
    ensembles_named.push_back(request.ensemble_id());
    callback(absl::UnimplementedError("not played"));
  }

  void Membership(const std::string&, coord::v1::MembershipRequest request, absl::Duration,
                  absl::AnyInvocable<void(absl::StatusOr<coord::v1::MembershipResponse>)> callback)
      override {
    ensembles_named.push_back(request.ensemble_id());
    callback(absl::UnimplementedError("not played"));
  }

  void Top(const std::string&, coord::v1::TopRequest, absl::Duration,
      absl::AnyInvocable<void(absl::StatusOr<coord::v1::TopResponse>)> callback) override {
    callback(absl::UnimplementedError("not played"));
  }
  void Sessions(const std::string&, coord::v1::SessionsRequest, absl::Duration,
      absl::AnyInvocable<void(absl::StatusOr<coord::v1::SessionsResponse>)> callback) override {
    callback(absl::UnimplementedError("not played"));
  }
  void EndSession(const std::string&, coord::v1::EndSessionRequest, absl::Duration,
      absl::AnyInvocable<void(absl::StatusOr<coord::v1::EndSessionResponse>)> callback) override {
    callback(absl::UnimplementedError("not played"));
  }

  void SaveSnapshot(const std::string&, coord::v1::SaveSnapshotRequest request, absl::Duration,
                    absl::AnyInvocable<void(absl::StatusOr<coord::v1::SaveSnapshotResponse>)>
                        callback) override {
    ensembles_named.push_back(request.ensemble_id());
    callback(absl::UnimplementedError("not played"));
  }

  // Shared with the calls, which may go first or last.
  std::vector<std::shared_ptr<Session>> sessions;
  std::vector<std::shared_ptr<Watch>> watches;
  std::vector<std::string> ensembles_named;  // by calls of one answer, which it refuses

 private:
  struct FakeSessionCall : SessionCall {
    explicit FakeSessionCall(std::shared_ptr<Session> s) : session(std::move(s)) {}
    ~FakeSessionCall() override { session->cancelled = true; }
    void Send(coord::v1::SessionRequest frame) override { session->sent.push_back(frame); }
    std::shared_ptr<Session> session;
  };
  struct FakeWatchCall : WatchCall {
    explicit FakeWatchCall(std::shared_ptr<Watch> w) : watch(std::move(w)) {}
    ~FakeWatchCall() override { watch->cancelled = true; }
    void Next() override { ++watch->reads_wanted; }
    std::shared_ptr<Watch> watch;
  };
};

}  // namespace bellwether::client
