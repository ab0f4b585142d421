#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coord/raft/message.h"
#include "coord/replica/log_store.h"
#include "coord/storage/log_check.h"
#include "tests/support/sim_executor.h"

namespace bellwether::coord {

// A server's disk: outlives the processes that use it, one at a time. Fault model, that of LogStore:
// - a sync takes between sync_first and sync_last; what is asked during one shares the next
// - Crash keeps what was durable and a random prefix of the requests after that, each whole: one that is
//   torn is gone, since a database sums each. The vote file may lack the last of them
// - Damage spoils what was durable, as no crash does
// - FailWrites: the next sync and all after it fail, and what they carried is lost
// - SetRoom: there is room for upkeep only, or for nothing; writes still succeed, as they have the
//   reserve
// - Wipe: the folder is empty again
class SimDisk {
 public:
  explicit SimDisk(SimScheduler& scheduler) : scheduler_(scheduler) {}

  absl::Duration sync_first = absl::Microseconds(50);
  absl::Duration sync_last = absl::Milliseconds(2);

  // With the process; before a new store is opened on it.
  void Crash();
  void Wipe();
  struct Damaged {
    std::string what;    // for people
    absl::Status found;  // by the checks of the real log: DATA_LOSS is right
  };
  // Turns over a bit of an entry or a record, or loses one; then looks at all by the checks of the real
  // log. When they take it for good, a store opened now begins with what they have read. nullopt:
  // nothing is durable.
  std::optional<Damaged> Damage();
  // What they say of it as it is.
  absl::Status CheckRecords() const;
  void FailWrites() { failing_ = true; }
  void SetRoom(raft::DiskRoom room) { room_ = room; }
  void SetFull(bool full) { SetRoom(full ? raft::DiskRoom::kUpkeep : raft::DiskRoom::kAll); }

  // Requests asked for and not yet durable.
  size_t unsynced() const { return volatile_.size(); }
  uint64_t syncs() const { return syncs_; }
  // Requests that crashes took.
  uint64_t requests_lost() const { return requests_lost_; }
  // What a process started now would find; each entry knows its index.
  const std::optional<raft::HardState>& durable_hard_state() const { return durable_.hard_state; }
  const std::vector<raft::EntryPtr>& durable_entries() const { return durable_.log.entries; }
  // Where that log begins and ends; first = last + 1: it has no entries.
  raft::LogIndex durable_first() const { return durable_.log.first; }
  raft::LogIndex durable_last() const { return durable_.log.last(); }

 private:
  friend class SimLogStore;
  struct Log {
    raft::LogIndex first{1};
    std::vector<raft::EntryPtr> entries;  // from first

    raft::LogIndex last() const { return first + entries.size() - 1; }
    void Apply(const PersistRequest& request);
  };
  struct Content {
    std::optional<raft::HardState> hard_state;
    std::string formation;
    Log log;

    void Apply(const PersistRequest& request);
  };

  // As the real one stores it: log_format.h.
  struct Image {
    LogRecords records;
    std::map<std::string, std::string> entries;
  };

  LogRecords StoredRecords() const;
  Image Store() const;
  absl::StatusOr<Content> Load(const Image& image) const;
  std::string Spoil(Image& image);

  SimScheduler& scheduler_;
  Content durable_;
  std::optional<raft::HardState> vote_file_;
  std::deque<PersistRequest> volatile_;  // asked, not yet durable
  uint64_t syncs_ = 0;
  uint64_t requests_lost_ = 0;
  bool failing_ = false;
  raft::DiskRoom room_ = raft::DiskRoom::kAll;
};

// A LogStore on a SimDisk. Belongs to one process; destroyed with it, its writes end there.
class SimLogStore : public LogStore {
 public:
  SimLogStore(SimScheduler& scheduler, SimDisk& disk, base::Executor& executor);
  ~SimLogStore() override;

  std::optional<raft::HardState> InitialHardState() const override { return initial_.hard_state; }
  std::string InitialFormation() const override { return initial_.formation; }
  void Persist(PersistRequest request, Done done) override;
  absl::Status RoomFor(EntryKind kind) const override;
  absl::Duration WritingFor() const override;
  uint64_t Bytes() const override;

  raft::LogIndex FirstIndex() const override { return log_.first; }
  raft::LogIndex LastIndex() const override { return log_.last(); }
  absl::StatusOr<raft::Term> TermAt(raft::LogIndex index) override;
  std::vector<raft::EntryPtr> MembershipEntries() override;
  absl::StatusOr<std::vector<raft::EntryPtr>> Read(raft::LogIndex begin, raft::LogIndex end,
                                                   size_t bytes_max) override;

 private:
  void StartSync();
  void FinishSync(size_t requests);

  SimScheduler& scheduler_;
  SimDisk& disk_;
  base::Executor& executor_;
  SimDisk::Content initial_;

  SimDisk::Log log_;          // as Persist was told
  std::deque<Done> waiting_;  // one per volatile request of the disk
  bool syncing_ = false;
  absl::Duration sync_began_;
  absl::Status failure_;
  const std::shared_ptr<bool> alive_;  // shared with scheduled events, which end with the store
};

}  // namespace bellwether::coord
