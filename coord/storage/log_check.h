#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coord/raft/types.h"

namespace bellwether::coord {

// What the next steps are when a log is damaged.
inline constexpr std::string_view kRejoinStep =
    "move the data folder away and start this server with an empty one: a server of several gets "
    "everything from the others again";

// What is stored beside the entries (log_format.h), as it was found; absent: it is not there.
struct LogRecords {
  std::optional<std::string> hard_state;
  std::optional<std::string> formation;
  std::optional<std::string> log_start;
  std::optional<std::string> vote_file;
};

// What that says.
struct LogBeginning {
  std::optional<raft::HardState> hard_state;
  std::string formation;    // empty: nothing is remembered
  raft::LogIndex first{1};  // of the entries
};

// What is known of an entry before it is read.
struct ExpectedEntry {
  raft::LogIndex index;
  raft::Term at_least{};                  // that of the entry before it
  raft::Term at_most = raft::Term(~0ULL);  // the recorded one
};

// Decides whether what a start finds of a log is all that was durable. Pure; knows neither database
// nor files. All errors are DATA_LOSS that names the folder, the damaged part and the next step, but
// UNIMPLEMENTED for what a later release wrote.
class LogCheck {
 public:
  // `folder`: the log's, for messages.
  explicit LogCheck(std::string folder) : folder_(std::move(folder)) {}

  // The vote file may be behind the hard state, as a crash between the two leaves it, never ahead.
  absl::StatusOr<LogBeginning> Records(const LogRecords& records) const;

  // The entries are given in the order of their keys, from the first on, without a hole, and as some
  // leader can have sent them.
  absl::StatusOr<raft::Entry> Entry(const ExpectedEntry& expected, std::string_view key,
                                    std::string_view value) const;

  // The error for damage of `part`.
  absl::Status Damaged(std::string_view part, const absl::Status& why) const;

 private:
  absl::Status CheckVote(const std::string& record,
                         const std::optional<raft::HardState>& database) const;

  const std::string folder_;
};

}  // namespace bellwether::coord
