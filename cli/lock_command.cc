#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstring>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "client/coord.h"
#include "client/recipes/lock.h"
#include "fmt/format.h"

namespace bellwether::cli {
namespace {

// A command that ignores SIGTERM after the lock was lost gets no longer than this.
constexpr absl::Duration kStopMax = absl::Seconds(10);

struct LockFlags {
  std::string path;
  std::vector<std::string> command;
};

// A Lock for a thread that may block: what became of it, and a wake-up when that changes. Thread-safe
// except construction and destruction; goes before the session and the waiter.
class HeldLock {
 public:
  HeldLock(client::Coord& coord, SignalWaiter& waiter, const std::string& path) : coord_(coord) {
    client::LockCallbacks callbacks;
    callbacks.on_acquired = [this, &waiter](client::Zxid token) {
      base::MutexLock lock(mutex_);
      token_ = token;
      waiter.Wake();
    };
    callbacks.on_lost = [this, &waiter](const absl::Status& why) {
      base::MutexLock lock(mutex_);
      lost_ = why;
      waiter.Wake();
    };
    coord_.Run([&](client::CoordClient& client) {
      lock_ = std::make_unique<client::Lock>(client, path, fmt::format("pid={}", ::getpid()),
                                             std::move(callbacks));
      lock_->Acquire();
    });
  }
  ~HeldLock() {
    coord_.Run([this](client::CoordClient&) { lock_.reset(); });
  }

  std::optional<client::Zxid> token() {
    base::MutexLock lock(mutex_);
    return token_;
  }
  absl::Status lost() {
    base::MutexLock lock(mutex_);
    return lost_;
  }

 private:
  client::Coord& coord_;
  std::unique_ptr<client::Lock> lock_;  // on the client's executor
  base::Mutex mutex_;
  std::optional<client::Zxid> token_ ABSL_GUARDED_BY(mutex_);
  absl::Status lost_ ABSL_GUARDED_BY(mutex_);
};

// Starts the command with the token in its environment. Not by fork: gRPC's threads are running.
absl::StatusOr<pid_t> Spawn(const std::vector<std::string>& command, client::Zxid token) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::string setting = fmt::format("BELL_LOCK_TOKEN={}", token);
  std::vector<char*> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, "BELL_LOCK_TOKEN=", 16) != 0) environment.push_back(*entry);
  }
  environment.push_back(setting.data());
  environment.push_back(nullptr);

  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t defaults;
  ::sigemptyset(&defaults);
  ::sigaddset(&defaults, SIGPIPE);  // bell itself ignores it
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, arguments[0], nullptr, &attributes, arguments.data(),
                                   environment.data());
  ::posix_spawnattr_destroy(&attributes);
  if (error == 0) return pid;
  return absl::InternalError(fmt::format("cannot run {}: {}; check the name and its permissions",
                                         command[0], std::strerror(error)));
}

// Waits until the command has ended; ends it when the lock is lost.
CommandResult Await(pid_t pid, HeldLock& lock, SignalWaiter& waiter) {
  absl::Duration wait = absl::InfiniteDuration();
  while (true) {
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) == pid) {
      if (absl::Status lost = lock.lost(); !lost.ok()) return lost;
      return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    const std::optional<int> signal = waiter.Wait(wait);
    if (!signal.has_value()) {
      ::kill(pid, SIGKILL);
      wait = absl::InfiniteDuration();
    } else if (*signal == SIGTERM) {
      ::kill(pid, SIGTERM);  // SIGINT from a terminal reaches the command by itself
    } else if (*signal == 0 && !lock.lost().ok()) {
      ::kill(pid, SIGTERM);
      wait = kStopMax;
    }
  }
}

CommandResult RunLocked(const LockFlags& flags, absl::Duration timeout, client::Coord& coord) {
  SignalWaiter waiter({SIGINT, SIGTERM, SIGCHLD});
  HeldLock lock(coord, waiter, flags.path);
  const absl::Duration end = base::SystemClock().Monotonic() + timeout;
  while (!lock.token().has_value()) {
    RETURN_IF_ERROR(lock.lost());
    const std::optional<int> signal = waiter.Wait(end - base::SystemClock().Monotonic());
    if (!signal.has_value()) {
      return absl::DeadlineExceededError(fmt::format(
          "lock {}: not obtained within {}; someone else holds it: wait longer, or see who by "
          "`bell znode ls {}`",
          flags.path, absl::FormatDuration(timeout), flags.path));
    }
    if (*signal == SIGINT || *signal == SIGTERM) return kExitInterrupted;
  }
  ASSIGN_OR_RETURN(const pid_t pid, Spawn(flags.command, *lock.token()));
  return Await(pid, lock, waiter);
}

CommandResult HoldAndRun(const Context& context, const LockFlags& flags) {
  ASSIGN_OR_RETURN(const std::unique_ptr<client::Coord> coord, context.ConnectCoord());
  CommandResult result =
      RunLocked(flags, context.timeout.value_or(absl::InfiniteDuration()), *coord);
  // The session's end is the lock's release.
  coord->CloseSession().IgnoreError();  // without an answer it ends by its timeout
  return result;
}

}  // namespace

void RegisterLockCommand(CLI::App& app, Context& context) {
  auto flags = std::make_shared<LockFlags>();  // lives as long as the callback below
  CLI::App* const lock = app.add_subcommand(
      "lock", "run a command while holding a lock; --timeout: how long to wait for it");
  lock->add_option("PATH", flags->path, "the lock's znode, made when it isn't there")->required();
  lock->add_option("CMD", flags->command, "after --: the command and its arguments")->required();
  lock->callback([&context, flags] {
    context.command = [&context, flags] { return HoldAndRun(context, *flags); };
  });
}

}  // namespace bellwether::cli
