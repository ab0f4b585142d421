#include "coord/storage/log_check.h"

#include <utility>

#include "base/mutant.h"
#include "base/status.h"
#include "coord/storage/log_format.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

bool Ahead(const raft::HardState& file, const raft::HardState& database) {
  if (file.term != database.term) return file.term > database.term;
  if (file.standing != database.standing) return file.standing == raft::Standing::kVoter;
  return file.vote != database.vote && file.vote != raft::ServerId();
}

}  // namespace

absl::StatusOr<LogBeginning> LogCheck::Records(const LogRecords& records) const {
  LogBeginning beginning;
  if (records.hard_state.has_value()) {
    const absl::StatusOr<raft::HardState> decoded = DecodeHardState(*records.hard_state);
    if (!decoded.ok()) return Damaged("its term and vote", decoded.status());
    beginning.hard_state = *decoded;
  }
  if (records.formation.has_value()) {
    const absl::StatusOr<std::string_view> decoded = DecodeRecord(*records.formation);
    if (!decoded.ok()) return Damaged("the record of its forming", decoded.status());
    beginning.formation = std::string(*decoded);
  }
  if (records.log_start.has_value()) {
    const absl::StatusOr<raft::LogIndex> decoded = DecodeLogStart(*records.log_start);
    if (!decoded.ok()) return Damaged("the record of its start", decoded.status());
    beginning.first = *decoded;
  }
  if (records.vote_file.has_value()) {
    RETURN_IF_ERROR(CheckVote(*records.vote_file, beginning.hard_state));
  }
  return beginning;
}

absl::Status LogCheck::CheckVote(const std::string& record,
                                 const std::optional<raft::HardState>& database) const {
  const absl::StatusOr<raft::HardState> file = DecodeHardState(record);
  if (!file.ok()) return Damaged(fmt::format("'{}/vote'", folder_), file.status());
  const bool ahead = !database.has_value() || Ahead(*file, *database);
  if (!ahead || MUTANT(48)) return absl::OkStatus();
  return Damaged("its end", absl::DataLossError(fmt::format(
                                "the database has lost what was written last: '{}/vote' is of term {}",
                                folder_, file->term)));
}

absl::StatusOr<raft::Entry> LogCheck::Entry(const ExpectedEntry& expected, std::string_view key,
                                            std::string_view value) const {
  absl::StatusOr<raft::Entry> entry = DecodeEntry(key, value);
  absl::Status wrong = entry.status();
  if (wrong.ok() && entry->index != expected.index) {
    wrong = absl::DataLossError("it is missing");
  } else if (wrong.ok() && (entry->term < expected.at_least || entry->term > expected.at_most)) {
    wrong = absl::DataLossError(
        fmt::format("it is of term {}, between an entry of term {} and the recorded term {}",
                    entry->term, expected.at_least, expected.at_most));
  }
  if (wrong.ok()) return entry;
  return Damaged(fmt::format("entry {}", expected.index), wrong);
}

absl::Status LogCheck::Damaged(std::string_view part, const absl::Status& why) const {
  return absl::Status(why.code(), fmt::format("the log in '{}' is damaged at {}: {}; {}", folder_,
                                              part, base::StdView(why.message()), kRejoinStep));
}

}  // namespace bellwether::coord
