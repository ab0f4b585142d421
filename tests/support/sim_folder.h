#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/folder.h"
#include "base/random.h"

namespace bellwether {

// A folder on a simulated disk: outlives the processes that use it, one at a time. Fault model:
// - Crash keeps what was synced. Of the bytes appended to a file since, a random prefix is kept, its
//   end perhaps rubbish; of the names made, changed and removed since, the first few. Cutting a file
//   shorter counts as synced.
// - CrashAfter: the process dies in the middle of a call: from then on nothing it does has an effect
//   and every call fails, until Crash
// - SetCapacity: a disk of so many bytes; appending beyond it leaves a part and fails
// - SetReadError: as of a process that has no descriptors left, or of a disk that can't read
// - Damage: one bit of a file is another one
class SimFolder : public base::Folder {
 public:
  explicit SimFolder(base::Random& random) : random_(random) {}

  // Once the process is gone and its files are closed.
  void Crash();
  void Wipe();
  // The `calls`-th change from now on (0 = the next one) is the first without its full effect.
  void CrashAfter(uint64_t calls) { calls_left_ = calls; }
  void SetCapacity(uint64_t bytes) { capacity_ = bytes; }
  // From now on no file can be opened for reading, until OK is set.
  void SetReadError(absl::Status error) { read_error_ = std::move(error); }
  // Requires: the file has a byte there.
  void Damage(const std::string& name, uint64_t offset);

  // Changes made so far.
  uint64_t calls() const { return calls_; }
  bool Has(const std::string& name) const { return names_.contains(name); }
  // Requires: Has.
  const std::string& content(const std::string& name) const { return names_.at(name)->content; }
  // Bytes of it that no crash takes away. Requires: Has.
  size_t synced(const std::string& name) const { return names_.at(name)->synced; }

  absl::StatusOr<std::unique_ptr<base::File>> Open(const std::string& name, Mode mode) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& name) override;
  absl::StatusOr<std::vector<std::string>> List() override;
  absl::Status Sync() override;
  absl::StatusOr<uint64_t> FreeBytes() override;
  std::string Path(const std::string& name) const override { return "sim/" + name; }

 private:
  class OpenedFile;
  struct Node {
    std::string content;
    size_t synced = 0;  // bytes
  };
  using Names = std::map<std::string, std::shared_ptr<Node>>;
  // A change of names: `node` stands under `to` (null: nothing does), and nothing under `from`.
  struct Change {
    std::string from;
    std::string to;
    std::shared_ptr<Node> node;
  };

  static void Apply(const Change& change, Names& names);
  void Make(Change change);
  // Counts a change; fails when the process dies now or is dead.
  absl::Status BeginCall();

  base::Random& random_;
  Names names_;
  Names synced_names_;
  std::vector<Change> unsynced_;
  uint64_t capacity_ = uint64_t{1} << 40;
  absl::Status read_error_;
  uint64_t calls_ = 0;
  uint64_t calls_left_ = UINT64_MAX;
  uint64_t failed_calls_ = 0;  // of a dead process
};

}  // namespace bellwether
