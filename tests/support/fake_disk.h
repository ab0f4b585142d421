#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "coord/raft/log_reader.h"
#include "coord/raft/message.h"
#include "coord/raft/types.h"

namespace bellwether::coord::raft {

// What a server's disk holds, and writes handed to it that are not there yet.
// Fault model: writes become durable in order, each whole; a crash keeps those that are durable and
// any prefix of the others. Reads see exactly what is durable. Snapshots are durable at once, the
// compaction of the log is a write like others, so that a crash may come between them.
class FakeDisk : public LogReader {
 public:
  struct Write {
    ReadyId ready;
    LogIndex truncate_from;
    std::vector<EntryPtr> entries;
    std::optional<HardState> hard_state;
    std::vector<Message> messages;  // leave when it is durable
    LogIndex reset_to;              // first of all the log is emptied; 0 = no
    LogIndex compact_to;            // entries up to here are dropped; 0 = none
  };

  LogIndex FirstIndex() const override { return first_; }
  LogIndex LastIndex() const override { return first_ + log_.size() - 1; }
  absl::StatusOr<Term> TermAt(LogIndex index) override;
  std::vector<EntryPtr> MembershipEntries() override;
  absl::StatusOr<std::vector<EntryPtr>> Read(LogIndex begin, LogIndex end,
                                             size_t bytes_max) override;

  void Add(Write write) { pending_.push_back(std::move(write)); }
  // Makes the oldest write durable.
  Write Sync();
  void LosePending() { pending_.clear(); }
  void Wipe();

  // The two newest are kept.
  void AddSnapshot(const SnapshotMeta& snapshot);
  bool HasSnapshot(const SnapshotMeta& snapshot) const;
  SnapshotMeta snapshot() const;  // the newest; index 0 = none
  // At a start: a log that does not continue the snapshot is from before its installation (R18).
  void ResetLogBehindSnapshot();

  size_t pending() const { return pending_.size(); }
  const std::vector<EntryPtr>& log() const { return log_; }  // from FirstIndex()
  EntryPtr EntryAt(LogIndex index) const;  // null when it is not there
  HardState hard_state;
  base::Uuid folder_id;
  bool fails = false;  // every read answers DATA_LOSS

 private:
  void ResetLog(LogIndex index);

  LogIndex first_{1};
  std::vector<EntryPtr> log_;
  std::deque<Write> pending_;
  std::deque<SnapshotMeta> snapshots_;
};

}  // namespace bellwether::coord::raft
