#include <memory>
#include <string>
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
namespace {

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
    finished_ = stream_->Take(1 << 20, frames_).finished;
    changed_.SignalAll();
  }
  void OnResume() override {}

  // Waits until that many frames have come, or the end; returns how many.
  size_t Await(size_t frames) {
    base::MutexLock lock(mutex_);
    while (frames_.size() < frames && !finished_) changed_.Wait(mutex_);
    return frames_.size();
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
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};
using SessionSink = BlockingSink<Connection, ServerFrame>;
using WatchSink = BlockingSink<Watch, WatchFrame>;

// The service on real threads, for ThreadSanitizer above all.
class ThreadsTest : public testing::Test {
 protected:
  // Before there are threads: ThreadSanitizer does not see how the library guards its first use.
  static void SetUpTestSuite() { ASSERT_TRUE(base::StartLogging("info", "text").ok()); }

  ThreadsTest() : service_(Options(), Deps()) {
    log_.Drive(service_);
    service_.Start(log_);
    replica_executor_.Post([this] {
      service_.OnLeadership({Term(1), ServerId(1), Role::kLeader});
      Tick();
    });
  }
  ~ThreadsTest() override {
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

  // Writes its own znode and reads it back, many times, pipelined.
  void Play(uint64_t player) {
    std::shared_ptr<SessionSink> sink;
    const auto connection = Attach(player, sink);
    const std::string path = "/p" + std::to_string(player);
    auto submit = [&, id = uint64_t{0}, sequence = uint64_t{0}](
                      RequestOperation operation) mutable {
      Request request;
      request.id = ++id;
      request.generation = SessionGeneration(1);
      request.operation = std::move(operation);
      if (request.is_write()) request.sequence = CommandSequence(++sequence);
      connection->Submit(std::move(request), 100);
    };
    submit(tree::Create{path});
    for (int i = 0; i < kRounds; ++i) {
      submit(tree::SetData{path, tree::SharedBytes::Copy(std::to_string(i))});
      submit(GetRead{path, false});
      if (i % 16 == 0) sink->Await(2 + 2 * static_cast<size_t>(i));
    }
    ASSERT_EQ(sink->Await(2 + 2 * kRounds), 2u + 2 * kRounds);
    for (int i = 0; i < kRounds; ++i) {
      const auto response = std::get<Response>(sink->At(3 + 2 * static_cast<size_t>(i)));
      ASSERT_EQ(std::get<GetResult>(response.result).data.view(), std::to_string(i));
    }
    submit(tree::CloseSession());
    sink->AwaitEnd();
  }

  // Opens and closes watches of everything.
  void WatchAll() {
    for (int i = 0; i < 20; ++i) {
      auto sink = std::make_shared<WatchSink>();
      WatchRequest request;
      request.filter = {.paths = {"/"}, .recursive = true};
      std::shared_ptr<Watch> watch = *service_.OpenWatch({"test"}, request, sink);
      sink->Bind(watch);
      sink->Await(5);
      service_.Status();
      metrics_.Text();
      watch->Close(std::nullopt);
      sink->AwaitEnd();
    }
  }

  static constexpr int kRounds = 100;

  base::Random random_{1};
  base::Metrics metrics_;
  std::vector<std::unique_ptr<base::ThreadExecutor>> io_executors_;
  base::ThreadExecutor replica_executor_{"replica"};
  base::ThreadExecutor apply_executor_{"apply"};
  FakeLog log_{replica_executor_, apply_executor_};
  CoordService service_;
};

TEST_F(ThreadsTest, ClientsAndWatchesInParallelSeeWhatTheyShould) {
  {
    std::vector<base::Thread> threads;
    for (uint64_t player = 1; player <= 3; ++player) {
      threads.emplace_back("player", [this, player] { Play(player); });
    }
    threads.emplace_back("watcher", [this] { WatchAll(); });
  }
  EXPECT_EQ(service_.Status().sessions, 0u);
  service_.Stop();
}

}  // namespace
}  // namespace bellwether::coord
