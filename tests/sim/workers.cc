#include "tests/sim/workers.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/coding.h"
#include "fmt/format.h"

namespace bellwether::sim {
namespace {

// A world takes a tenth of a second; under a sanitizer, on a busy machine, some.
constexpr unsigned kSecondsPerSeedMax = 120;

std::string Encode(const Report& report) {
  std::string bytes;
  base::Encoder encoder(bytes);
  encoder.Varint(report.seed)
      .Varint(static_cast<uint64_t>(absl::ToInt64Milliseconds(report.simulated)))
      .Varint(report.operations)
      .Varint(report.acknowledged)
      .Varint(report.elections)
      .Varint(report.snapshots)
      .Varint(report.memberships)
      .Varint(report.repeated)
      .Varint(report.read_only)
      .Varint(report.reconfigured)
      .Varint(report.locked)
      .Varint(report.violations)
      .Fixed64(report.trace_hash)
      .Varint(report.trace_lines);
  for (const uint64_t count : report.faults.counts) encoder.Varint(count);
  encoder.String(report.violation).String(report.explanation);
  return bytes;
}

Report Decode(std::string_view bytes) {
  base::Decoder decoder(bytes);
  Report report;
  report.seed = decoder.Varint();
  report.simulated = absl::Milliseconds(decoder.Varint());
  report.operations = decoder.Varint();
  report.acknowledged = decoder.Varint();
  report.elections = decoder.Varint();
  report.snapshots = decoder.Varint();
  report.memberships = decoder.Varint();
  report.repeated = decoder.Varint();
  report.read_only = decoder.Varint();
  report.reconfigured = decoder.Varint();
  report.locked = decoder.Varint();
  report.violations = decoder.Varint();
  report.trace_hash = decoder.Fixed64();
  report.trace_lines = decoder.Varint();
  for (uint64_t& count : report.faults.counts) count = decoder.Varint();
  report.violation = std::string(decoder.String());
  report.explanation = std::string(decoder.String());
  CHECK(decoder.ok());
  return report;
}

void WriteAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    CHECK(written > 0, "a worker lost its pipe");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

struct Work {
  uint64_t last;
  uint64_t step;
  const RunOne& run;
};

// Every `step`-th seed from `next` on is one worker's.
struct Worker {
  uint64_t next = 0;
  pid_t pid = 0;
  int pipe = -1;
  int errors = -1;  // a file in memory with what it wrote to stderr
  std::string received;
};

[[noreturn]] void WorkerMain(int pipe, uint64_t first, const Work& work) {
  for (uint64_t seed = first; seed <= work.last; seed += work.step) {
    alarm(kSecondsPerSeedMax);
    const std::string report = Encode(work.run(seed));
    std::string frame;
    base::Encoder(frame).Fixed32(static_cast<uint32_t>(report.size()));
    WriteAll(pipe, frame + report);
  }
  _exit(0);
}

void Start(Worker& worker, const Work& work) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  worker.errors = memfd_create("stderr", 0);
  CHECK(worker.errors >= 0);
  std::fflush(stdout);
  worker.pid = fork();
  CHECK(worker.pid >= 0);
  if (worker.pid == 0) {
    close(ends[0]);
    dup2(worker.errors, STDERR_FILENO);
    WorkerMain(ends[1], worker.next, work);
  }
  close(ends[1]);
  worker.pipe = ends[0];
  worker.received.clear();
}

// What a worker wrote to stderr, closing it.
std::string LastWords(Worker& worker) {
  std::string words(64 << 10, ' ');
  const ssize_t size = pread(worker.errors, words.data(), words.size(), 0);
  words.resize(size > 0 ? static_cast<size_t>(size) : 0);
  close(worker.errors);
  return words;
}

Report Died(uint64_t seed, int status, const std::string& words) {
  Report report;
  report.seed = seed;
  report.violations = 1;
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  report.violation =
      signal == SIGALRM ? fmt::format("time: the seed takes more than {} s", kSecondsPerSeedMax)
      : signal == 0     ? fmt::format("the program ended with code {}", WEXITSTATUS(status))
      : words.empty()   ? fmt::format("the program died of signal {}", signal)
                        : words.substr(0, words.find('\n'));
  report.explanation = fmt::format(
      "seed {0} FAILED\n  options: {1}\n  violation: {2}\n{3}"
      "  reproduce: build/release/bin/bell-sim --seeds {0}-{0} --trace\n",
      seed, Options::FromSeed(seed).Describe(), report.violation, words);
  return report;
}

// Hands over whole reports and counts them as taken. False: no more are wanted.
bool TakeReports(Worker& worker, uint64_t step, const OnReport& on_report) {
  std::string& received = worker.received;
  while (received.size() >= 4) {
    const uint32_t size = base::Decoder(received).Fixed32();
    if (received.size() < 4 + size) break;
    worker.next += step;
    if (!on_report(Decode(std::string_view(received).substr(4, size)))) return false;
    received.erase(0, 4 + size);
  }
  return true;
}

// Its exit status.
int Wait(Worker& worker) {
  close(worker.pipe);
  int status = 0;
  waitpid(worker.pid, &status, 0);
  return status;
}

// What the worker wrote, or its end. False: no more seeds are wanted.
bool ReadFrom(Worker& worker, const Work& work, const OnReport& on_report) {
  char buffer[65536];
  const ssize_t size = read(worker.pipe, buffer, sizeof(buffer));
  if (size < 0) return true;
  worker.received.append(buffer, static_cast<size_t>(size));
  if (!TakeReports(worker, work.step, on_report)) return false;
  if (size > 0) return true;
  const int status = Wait(worker);
  const std::string words = LastWords(worker);
  worker.pid = 0;
  if (worker.next > work.last) return true;
  if (!on_report(Died(worker.next, status, words))) return false;
  worker.next += work.step;
  if (worker.next <= work.last) Start(worker, work);
  return true;
}

}  // namespace

void RunInWorkers(uint64_t first, uint64_t last, uint32_t jobs, const RunOne& run,
                  const OnReport& on_report) {
  const Work work{last, jobs, run};
  std::vector<Worker> workers;
  for (uint64_t seed = first; seed <= last && workers.size() < jobs; ++seed) {
    workers.push_back({seed});
    Start(workers.back(), work);
  }
  bool wanted = true;
  while (wanted && !workers.empty()) {
    std::vector<pollfd> files;
    for (const Worker& worker : workers) files.push_back({worker.pipe, POLLIN, 0});
    if (poll(files.data(), files.size(), -1) < 0) continue;
    for (size_t i = 0; wanted && i < workers.size(); ++i) {
      if (files[i].revents != 0) wanted = ReadFrom(workers[i], work, on_report);
    }
    std::erase_if(workers, [](const Worker& worker) { return worker.pid == 0; });
  }
  for (Worker& worker : workers) {
    kill(worker.pid, SIGKILL);
    Wait(worker);
    close(worker.errors);
  }
}

}  // namespace bellwether::sim
