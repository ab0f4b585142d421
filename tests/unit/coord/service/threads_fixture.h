#pragma once

#include <array>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/random.h"
#include "base/thread_executor.h"
#include "coord/service/coord_service.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/service/fake_log.h"

namespace bellwether::coord {

// What a stream has brought so far; taken on whatever thread it comes.
template <typename Stream, typename Frame>
class BlockingSink : public StreamSink {
 public:
  void Bind(std::shared_ptr<Stream> stream) {
    {
      base::MutexLock lock(mutex_);
      stream_ = std::move(stream);
    }
    OnOutput();
  }
  void OnOutput() override {
    base::MutexLock lock(mutex_);
    if (stream_ == nullptr) return;
    const size_t before = frames_.size();
    finished_ = stream_->Take(1 << 20, frames_).finished;
    for (size_t i = before; i < frames_.size(); ++i) ++counts_[frames_[i].index()];
    changed_.SignalAll();
  }
  void OnResume() override {}

  // Waits until that many frames have come, or the end; returns how many.
  size_t Await(size_t frames) {
    base::MutexLock lock(mutex_);
    while (frames_.size() < frames && !finished_) changed_.Wait(mutex_);
    return frames_.size();
  }
  // Likewise, of frames of one kind.
  template <typename Kind>
  size_t AwaitKind(size_t frames) {
    base::MutexLock lock(mutex_);
    const size_t& count = counts_[Frame(Kind()).index()];
    while (count < frames && !finished_) changed_.Wait(mutex_);
    return count;
  }
  std::vector<Frame> All() {
    base::MutexLock lock(mutex_);
    return frames_;
  }
  Frame At(size_t i) {
    base::MutexLock lock(mutex_);
    return frames_.at(i);
  }
  void AwaitEnd() {
    base::MutexLock lock(mutex_);
    while (!finished_) changed_.Wait(mutex_);
    stream_.reset();
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  std::shared_ptr<Stream> stream_ ABSL_GUARDED_BY(mutex_);  // shared with the service
  std::vector<Frame> frames_ ABSL_GUARDED_BY(mutex_);
  std::array<size_t, std::variant_size_v<Frame>> counts_ ABSL_GUARDED_BY(mutex_){};  // by kind
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};
using SessionSink = BlockingSink<Connection, ServerFrame>;
using WatchSink = BlockingSink<Watch, WatchFrame>;

// The service on real threads, for ThreadSanitizer above all.
class ThreadsFixture : public testing::Test {
 protected:
  // Before there are threads: ThreadSanitizer does not see how the library guards its first use.
  static void SetUpTestSuite() { ASSERT_TRUE(base::StartLogging("info", "text").ok()); }

  ThreadsFixture() : service_(Options(), Deps()) {
    log_.Drive(service_);
    service_.Start(log_);
    replica_executor_.Post([this] {
      service_.OnLeadership({Term(1), ServerId(1), Role::kLeader});
      Tick();
    });
  }
  ~ThreadsFixture() override {
    replica_executor_.Stop();
    apply_executor_.Stop();
    for (auto& executor : io_executors_) executor->Stop();
  }

  static ServiceOptions Options() {
    ServiceOptions options;
    options.server_id = 1;
    options.progress_interval = absl::Milliseconds(1);
    options.touch_interval = absl::Milliseconds(1);
    return options;
  }
  CoordService::Dependencies Deps() {
    for (int i = 0; i < 2; ++i) {
      io_executors_.push_back(std::make_unique<base::ThreadExecutor>("io"));
    }
    return {.clock = base::SystemClock(),
            .replica_executor = replica_executor_,
            .io_executors = {io_executors_[0].get(), io_executors_[1].get()},
            .metrics = metrics_,
            .random = [this] { return random_.Next(); },
            .on_ensemble_id = [](base::Uuid) {},
            .on_fatal = [](absl::Status status) { ADD_FAILURE() << status; },
            .disk_free_bytes = nullptr};
  }
  void Tick() {
    service_.OnTick(absl::Milliseconds(1));
    replica_executor_.RunAfter(absl::Milliseconds(1), [this] { Tick(); });
  }

  // Attaches a new session, again until the ensemble has an id.
  std::shared_ptr<Connection> Attach(uint64_t nonce, std::shared_ptr<SessionSink>& sink) {
    while (true) {
      sink = std::make_shared<SessionSink>();
      std::shared_ptr<Connection> connection = *service_.OpenConnection({"test"}, sink);
      sink->Bind(connection);
      AttachRequest attach;
      attach.nonce = base::Uuid(nonce, 1);
      connection->Submit(attach, 10);
      sink->Await(1);
      if (!std::get<Attached>(sink->At(0)).failure.has_value()) return connection;
      sink->AwaitEnd();
    }
  }

  base::Random random_{1};
  base::Metrics metrics_;
  std::vector<std::unique_ptr<base::ThreadExecutor>> io_executors_;
  base::ThreadExecutor replica_executor_{"replica"};
  base::ThreadExecutor apply_executor_{"apply"};
  FakeLog log_{replica_executor_, apply_executor_};
  CoordService service_;
};

}  // namespace bellwether::coord
