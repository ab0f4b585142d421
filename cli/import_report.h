#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "client/coord_types.h"
#include "nlohmann/json_fwd.hpp"

namespace bellwether::cli {

// What became of the znodes of a copy, and why some were left out. Keeps the paths of the first of
// these, and counts all. Not thread-safe.
class ImportReport {
 public:
  static constexpr size_t kLeftOutShownMax = 1000;
  static constexpr size_t kSubtreesMax = 1000;

  // Below `top`, in the target, are the subtrees that are counted.
  explicit ImportReport(std::string top);

  // Of the paths of the target.
  void Read(std::string_view path, size_t bytes);
  void Done(std::string_view path, client::ImportOutcome::Effect effect);
  void LeaveOut(const std::string& path, std::string_view reason, std::string_view message);
  void CountQuota() { ++quotas_; }
  // A znode that the target has now. Requires: after all that was Done.
  void Found(std::string_view path);
  // Leaves out what was Done and not Found: subtrees of which the target has less than was put there.
  void CheckFound();

  uint64_t read() const { return read_; }
  uint64_t bytes() const { return bytes_; }
  // Everything but ephemerals was copied.
  bool complete() const;

  // znodes, bytes, ..., left_out, subtrees: the fields of cli/README.md.
  void AddTo(nlohmann::ordered_json& json) const;
  void PrintTables() const;

 private:
  struct LeftOut {
    std::string path;
    std::string reason;
    std::string message;
  };
  struct Subtree {
    uint64_t read = 0;
    uint64_t done = 0;
    uint64_t found = 0;
  };

  // That of a path; null when there are too many, or it is above all of them.
  Subtree* SubtreeOf(std::string_view path);

  const std::string top_;  // with a slash at the end
  uint64_t read_ = 0;
  uint64_t bytes_ = 0;
  uint64_t created_ = 0;
  uint64_t replaced_ = 0;
  uint64_t unchanged_ = 0;
  uint64_t quotas_ = 0;
  std::map<std::string, uint64_t, std::less<>> left_out_by_reason_;
  std::vector<LeftOut> left_out_;
  std::map<std::string, Subtree, std::less<>> subtrees_;
  bool subtrees_cut_ = false;
};

// Says on stderr once a second how far it is. Not thread-safe.
class ImportProgress {
 public:
  // "import" or "export".
  explicit ImportProgress(std::string_view verb);

  // Prints when it is time.
  void Tell(uint64_t znodes, uint64_t bytes);
  // Since the beginning.
  absl::Duration Elapsed() const;

 private:
  const std::string verb_;
  const absl::Duration begin_;
  absl::Duration last_;
  uint64_t last_znodes_ = 0;
};

}  // namespace bellwether::cli
