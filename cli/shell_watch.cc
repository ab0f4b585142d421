#include "cli/shell_watch.h"

#include <cstdio>
#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "cli/znode_output.h"
#include "fmt/format.h"

namespace bellwether::cli {

void PrintWatchEvent(std::string_view what, std::string_view path, client::Zxid zxid) {
  fmt::print("watch: {} {} zxid={}\n", what, path, zxid);
  std::fflush(stdout);
}

ShellWatch::ShellWatch(client::Coord& coord, const std::string& path, bool recursive,
                       client::Zxid from, const std::atomic<bool>& prints)
    : coord_(coord), path_(path), prints_(prints) {
  client::WatchOptions options;
  options.recursive = recursive;
  options.from_zxid = from;
  options.prompt_progress = true;  // CatchUp waits for it
  coord_.Run([&](client::CoordClient& client) {
    client::WatchCallbacks callbacks;
    callbacks.on_batch = [this](const client::WatchBatch& batch) { OnBatch(batch); };
    callbacks.on_end = [this](const absl::Status& status) { OnEnd(status); };
    watch_ = client.Watch(path_, std::move(options), std::move(callbacks));
  });
}

ShellWatch::~ShellWatch() {
  coord_.Run([this](client::CoordClient&) { watch_.reset(); });
}

void ShellWatch::OnBatch(const client::WatchBatch& batch) {
  for (const client::WatchChange& change : batch.changes) {
    if (!prints_) break;
    PrintWatchEvent(batch.resync ? "resync" : NameOf(change.type), change.path, batch.zxid);
  }
  if (!batch.complete) return;
  base::MutexLock lock(mutex_);
  reached_ = batch.zxid;
  changed_.SignalAll();
}

void ShellWatch::OnEnd(const absl::Status& status) {
  base::MutexLock lock(mutex_);
  if (reached_ > client::Zxid(0)) {
    fmt::print(stderr, "watch: ended {}: {}\n", path_, base::StdView(status.message()));
  }
  end_ = status;
  changed_.SignalAll();
}

absl::Status ShellWatch::CatchUp(client::Zxid zxid, absl::Duration timeout) {
  const absl::Duration deadline = base::SystemClock().Monotonic() + timeout;
  base::MutexLock lock(mutex_);
  while (reached_ < zxid && end_.ok()) {
    const absl::Duration left = deadline - base::SystemClock().Monotonic();
    if (left <= absl::ZeroDuration()) break;
    changed_.WaitFor(mutex_, left);
  }
  return end_;
}

}  // namespace bellwether::cli
