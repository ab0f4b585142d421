#include "cli/dev_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "base/clock.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/status.h"
#include "fmt/format.h"

extern char** environ;

namespace bellwether::cli {
namespace {

constexpr absl::Duration kLookAgain = absl::Milliseconds(5);
constexpr absl::Duration kAnswerTimeout = absl::Seconds(1);  // of a server that isn't paused

// True when the process has ended within `timeout`. Works for processes that aren't children.
bool EndsWithin(pid_t pid, absl::Duration timeout) {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return true;
  pollfd waited{.fd = fd, .events = POLLIN, .revents = 0};
  const int ended = poll(&waited, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout)));
  close(fd);
  if (ended > 0) waitpid(pid, nullptr, WNOHANG);  // a child of ours would stay a zombie
  return ended > 0;
}

// All that /readyz of a local admin address answers; empty when nothing listens, or nobody answers:
// the system takes connections for a paused process, too.
std::string AskReadiness(const base::HostPort& admin) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval timeout = absl::ToTimeval(kAnswerTimeout);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));  // of connect, too
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(admin.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  static constexpr std::string_view kRequest = "GET /readyz HTTP/1.1\r\n\r\n";
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
      send(fd, kRequest.data(), kRequest.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(kRequest.size())) {
    char buffer[4096];
    for (ssize_t n; (n = recv(fd, buffer, sizeof(buffer), 0)) > 0;) {
      answer.append(buffer, static_cast<size_t>(n));
    }
  }
  close(fd);
  return answer;
}

// A server that was told to use the data folder and may not have locked it yet.
std::optional<pid_t> StartingServer(const std::string& data_dir) {
  const std::string flag = fmt::format("--data-dir{}{}{}", '\0', data_dir, '\0');
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const pid_t pid =
        static_cast<pid_t>(std::strtol(entry.path().filename().c_str(), nullptr, 10));
    if (pid <= 0) continue;
    const auto words = base::ReadFile(entry.path() / "cmdline");
    if (words.ok() && words->find(flag) != std::string::npos) return pid;
  }
  return std::nullopt;
}

std::string LastLine(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return std::string(text.substr(text.rfind('\n') == std::string_view::npos ? 0
                                                                           : text.rfind('\n') + 1));
}

}  // namespace

absl::StatusOr<pid_t> SpawnServer(const std::vector<std::string>& command, const std::string& log) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  pid_t pid = 0;
  const int error =
      posix_spawn(&pid, command[0].c_str(), &actions, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return absl::NotFoundError(fmt::format(
        "cannot start '{}' with its log in '{}': {}; build it, or check that the folder is "
        "writable",
        command[0], log, std::strerror(error)));
  }
  return pid;
}

std::optional<pid_t> RunningServer(const std::string& data_dir) {
  const std::string path = data_dir + "/LOCK";
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return StartingServer(data_dir);
  const bool is_free = flock(fd, LOCK_SH | LOCK_NB) == 0;
  close(fd);
  if (is_free) return StartingServer(data_dir);
  const auto text = base::ReadFile(path);
  if (!text.ok()) return std::nullopt;
  const pid_t pid = static_cast<pid_t>(std::strtol(text->c_str(), nullptr, 10));
  return pid > 0 ? std::optional<pid_t>(pid) : std::nullopt;
}

absl::Status WaitUntilReady(pid_t pid, const std::string& log, size_t log_offset,
                            absl::Duration timeout) {
  const absl::Duration deadline = base::SystemClock().Monotonic() + timeout;
  const std::string marker = fmt::format(" pid={}\n", pid);
  while (true) {
    const bool ended = EndsWithin(pid, kLookAgain);
    const auto text = base::ReadFile(log, /*bytes_max=*/1 << 30);
    const std::string_view news = text.ok() && text->size() > log_offset
                                      ? std::string_view(*text).substr(log_offset)
                                      : std::string_view();
    const size_t ready = news.find(": ready id=");
    if (ready != std::string_view::npos && news.find(marker, ready) != std::string_view::npos) {
      return absl::OkStatus();
    }
    if (ended) {
      return absl::FailedPreconditionError(fmt::format(
          "it ended before it was ready, saying: {}; see '{}'", LastLine(news), log));
    }
    if (base::SystemClock().Monotonic() > deadline) {
      return absl::DeadlineExceededError(
          fmt::format("it is not ready after {}; see '{}'", absl::FormatDuration(timeout), log));
    }
  }
}

absl::Status WaitUntilHealthy(const std::string& admin, absl::Duration timeout) {
  ASSIGN_OR_RETURN(const base::HostPort address, base::ParseHostPort(admin));
  const absl::Duration deadline = base::SystemClock().Monotonic() + timeout;
  while (true) {
    const std::string answer = AskReadiness(address);
    if (answer.starts_with("HTTP/1.1 200 ")) return absl::OkStatus();
    if (base::SystemClock().Monotonic() > deadline) {
      const size_t body = answer.find("\r\n\r\n");
      return absl::DeadlineExceededError(fmt::format(
          "http://{}/readyz is not well after {}: {}", admin, absl::FormatDuration(timeout),
          body == std::string::npos ? "no answer" : answer.substr(body + 4)));
    }
    poll(nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(kLookAgain)));
  }
}

absl::Status SignalAndWait(pid_t pid, int signal, absl::Duration timeout) {
  if (kill(pid, signal) != 0) {
    return absl::NotFoundError(
        fmt::format("cannot signal process {}: {}", pid, std::strerror(errno)));
  }
  if (signal == SIGSTOP || signal == SIGCONT || signal == SIGTSTP || signal == 0) {
    return absl::OkStatus();
  }
  if (!EndsWithin(pid, timeout)) {
    return absl::DeadlineExceededError(
        fmt::format("process {} still lives {} after signal {}", pid, absl::FormatDuration(timeout),
                    signal));
  }
  return absl::OkStatus();
}

}  // namespace bellwether::cli
