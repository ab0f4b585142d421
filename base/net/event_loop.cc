#include "base/net/event_loop.h"

#include <algorithm>
#include <asio.hpp>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/net/reactor.h"
#include "base/task_queue.h"
#include "base/thread.h"

namespace bellwether::base {
namespace {

// After so many the sockets have their turn, however many tasks post further ones.
constexpr size_t kTasksPerTurn = 256;

// A timer that is due later is armed again meanwhile.
constexpr absl::Duration kTimerMax = absl::Hours(1);

}  // namespace

// The tasks and timers of a loop, and its thread. A turn, which runs them, is one handler of the
// reactor; it is asked for when there is something to run and none is under way.
class EventLoop::Turns {
 public:
  Turns(asio::io_context& context, std::string thread_name)
      : context_(context),
        timer_(context),
        work_(asio::make_work_guard(context)),
        thread_(std::move(thread_name), [this] { context_.run(); }) {}
  ~Turns() { Stop(); }

  void Post(Task task) {
    bool ask = false;
    {
      MutexLock lock(mutex_);
      if (stopped_) return;
      queue_.Push(std::move(task));
      ask = !std::exchange(asked_, true);
    }
    if (ask) AskForTurn();
  }

  TimerId RunAfter(absl::Duration delay, Task task) {
    const absl::Duration due = SystemClock().Monotonic() + delay;
    bool ask = false;
    TimerId id = 0;
    {
      MutexLock lock(mutex_);
      if (stopped_) return 0;
      id = queue_.PushAt(due, std::move(task));
      if (due < armed_) ask = !std::exchange(asked_, true);  // its end arms the timer
    }
    if (ask) AskForTurn();
    return id;
  }

  void Cancel(TimerId timer) {
    Task dropped;  // destroyed after the lock is released
    MutexLock lock(mutex_);
    dropped = queue_.Cancel(timer);
  }

  void Stop() {
    {
      MutexLock lock(mutex_);
      stopped_ = true;
    }
    context_.stop();
    thread_.Join();
    TaskQueue dropped;  // destroyed after the lock is released
    MutexLock lock(mutex_);
    dropped = std::exchange(queue_, TaskQueue());
  }

 private:
  void AskForTurn() {
    asio::post(context_, [this] { Run(); });
  }

  void Run() {
    {
      MutexLock lock(mutex_);
      queue_.CollectDue(SystemClock().Monotonic());
    }
    for (size_t ran = 0; ran < kTasksPerTurn; ++ran) {
      Task task;
      {
        MutexLock lock(mutex_);
        if (stopped_) return;
        if (queue_.empty()) {
          asked_ = false;
          ArmTimer();
          return;
        }
        task = queue_.Pop();
      }
      task();
    }
    AskForTurn();
  }

  void ArmTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const absl::Duration due = queue_.NextDue();
    if (due == armed_) return;
    armed_ = due;
    if (due == absl::InfiniteDuration()) {
      timer_.cancel();
      return;
    }
    const absl::Duration delay = std::clamp(due - SystemClock().Monotonic(), absl::ZeroDuration(),
                                            kTimerMax);
    timer_.expires_after(absl::ToChronoNanoseconds(delay));
    timer_.async_wait([this](asio::error_code error) {
      if (!error) OnTimer();
    });
  }

  void OnTimer() {
    {
      MutexLock lock(mutex_);
      armed_ = absl::InfiniteDuration();
      if (std::exchange(asked_, true)) return;
    }
    Run();
  }

  asio::io_context& context_;
  asio::steady_timer timer_;  // of the loop's thread

  Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool asked_ ABSL_GUARDED_BY(mutex_) = false;  // for a turn; it is running or will
  absl::Duration armed_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteDuration();  // timer_ is due then
  TaskQueue queue_ ABSL_GUARDED_BY(mutex_);

  asio::executor_work_guard<asio::io_context::executor_type> work_;  // runs without sockets, too
  Thread thread_;
};

EventLoop::EventLoop(std::string thread_name)
    : reactor_(std::make_unique<Reactor>()),
      turns_(std::make_unique<Turns>(reactor_->context, std::move(thread_name))) {}

EventLoop::~EventLoop() = default;

void EventLoop::Post(Task task) { turns_->Post(std::move(task)); }

TimerId EventLoop::RunAfter(absl::Duration delay, Task task) {
  return turns_->RunAfter(delay, std::move(task));
}

void EventLoop::Cancel(TimerId timer) { turns_->Cancel(timer); }

void EventLoop::Stop() { turns_->Stop(); }

}  // namespace bellwether::base
