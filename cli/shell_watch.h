#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "client/coord.h"

namespace bellwether::cli {

// "watch: changed /a zxid=42" on stdout, at once.
void PrintWatchEvent(std::string_view what, std::string_view path, client::Zxid zxid);

// A watch that `addWatch` has set: prints every change at its path, on the client's thread, while
// `prints` is true. Owned by the shell, whose thread calls it; must not outlive its Coord.
class ShellWatch {
 public:
  // Of all changes after `from`, which is not 0. `prints` outlives it.
  ShellWatch(client::Coord& coord, const std::string& path, bool recursive, client::Zxid from,
             const std::atomic<bool>& prints);
  ~ShellWatch();
  ShellWatch(const ShellWatch&) = delete;
  ShellWatch& operator=(const ShellWatch&) = delete;

  // Returns when all changes up to `zxid` were printed, at the latest after `timeout`. Errors: why the
  // watch ended.
  absl::Status CatchUp(client::Zxid zxid, absl::Duration timeout);

 private:
  void OnBatch(const client::WatchBatch& batch);
  void OnEnd(const absl::Status& status);

  client::Coord& coord_;
  const std::string path_;
  const std::atomic<bool>& prints_;
  std::unique_ptr<client::CoordWatch> watch_;  // used on the client's executor
  base::Mutex mutex_;
  base::CondVar changed_;
  client::Zxid reached_ ABSL_GUARDED_BY(mutex_);  // all up to here was printed; 0: not armed yet
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwether::cli
