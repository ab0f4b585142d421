#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "cli/import_batches.h"
#include "cli/import_report.h"
#include "client/coord.h"

namespace bellwether::cli {

// Where a copy goes: takes znodes, parents before their children, and has batches of them on their way
// at the same time; tells the report what became of each. A batch of unknown fate is sent again, with
// all that came after it: what was done is found unchanged. Not thread-safe; answers wake whoever waits.
//
// Limits: kBatchesMax batches; and what waits for a first child, see ImportBatches.
class ImportTarget {
 public:
  struct Options {
    bool overwrite = false;
    bool dry_run = false;  // only looks whether the znodes are there
  };
  static constexpr size_t kBatchesMax = 8;

  // `wake` is called on other threads, also after this is gone.
  ImportTarget(client::Coord& coord, Options options, ImportReport& report,
               std::function<void()> wake);
  ~ImportTarget();
  ImportTarget(const ImportTarget&) = delete;
  ImportTarget& operator=(const ImportTarget&) = delete;

  // `children`: for how many, at most, Add or Skip are still to be called. Requires: !full().
  void Add(client::ImportedZnode znode, size_t children);
  // A child that does not come.
  void Skip(std::string_view path);
  bool full() const { return batches_.size() >= kBatchesMax; }

  // Takes the answers that are there. An error is final: what was not answered may be there or not.
  absl::Status Poll();
  // Sends the rest; true when all is answered. To be called until then, with Poll.
  bool Finish();

 private:
  struct Batch {
    uint64_t id = 0;
    std::shared_ptr<const ImportBatches::Znodes> znodes;
    std::optional<absl::StatusOr<client::ImportResult>> answer;
  };
  // Of a batch in a dry run.
  struct Looks;
  // What answers are put into; shared with those who give them.
  struct Answers {
    base::Mutex mutex;
    std::vector<std::pair<uint64_t, absl::StatusOr<client::ImportResult>>> given
        ABSL_GUARDED_BY(mutex);
    std::function<void()> wake;

    void Give(uint64_t id, absl::StatusOr<client::ImportResult> answer);
  };

  void SendReady();
  void Send(Batch& batch);
  void Look(const Batch& batch);
  void Report(const Batch& batch);

  client::Coord& coord_;
  const Options options_;
  ImportReport& report_;
  const std::shared_ptr<Answers> answers_;
  ImportBatches next_;
  std::deque<Batch> batches_;  // sent, in order
  uint64_t last_id_ = 0;
  int failures_ = 0;  // in a row
};

}  // namespace bellwether::cli
