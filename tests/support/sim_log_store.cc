#include "tests/support/sim_log_store.h"

#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/status.h"
#include "coord/storage/log_format.h"
#include "fmt/format.h"

namespace bellwether::coord {

void SimDisk::Log::Apply(const PersistRequest& request) {
  if (request.reset_to != raft::LogIndex()) {
    CHECK(request.reset_to + 1 >= first);
    first = request.reset_to + 1;
    entries.clear();
  }
  if (request.truncate_from != raft::LogIndex()) {
    CHECK(request.truncate_from >= first && request.truncate_from <= last() + 1);
    entries.resize(request.truncate_from - first);
  }
  for (const raft::EntryPtr& entry : request.entries) {
    CHECK(entry->index == last() + 1);
    entries.push_back(entry);
  }
  if (request.compact_to >= first) {
    CHECK(request.compact_to <= last());
    const uint64_t gone = request.compact_to + 1 - first;
    entries.erase(entries.begin(), entries.begin() + static_cast<ptrdiff_t>(gone));
    first = request.compact_to + 1;
  }
}

void SimDisk::Content::Apply(const PersistRequest& request) {
  log.Apply(request);
  if (request.hard_state.has_value()) hard_state = request.hard_state;
  if (request.formation.has_value()) formation = *request.formation;
}

void SimDisk::Crash() {
  const size_t kept = scheduler_.random().Below(volatile_.size() + 1);
  bool vote_file_is_behind = false;
  for (size_t i = 0; i < kept; ++i) {
    durable_.Apply(volatile_[i]);
    vote_file_is_behind |= volatile_[i].hard_state.has_value();
  }
  if (vote_file_is_behind && scheduler_.random().Chance(0.5)) vote_file_ = durable_.hard_state;
  requests_lost_ += volatile_.size() - kept;
  volatile_.clear();
}

void SimDisk::Wipe() {
  durable_ = Content();
  vote_file_.reset();
  volatile_.clear();
}

// --- Damage

LogRecords SimDisk::StoredRecords() const {
  LogRecords records;
  if (durable_.hard_state.has_value()) records.hard_state = EncodeHardState(*durable_.hard_state);
  if (!durable_.formation.empty()) records.formation = EncodeRecord(durable_.formation);
  if (durable_.log.first != raft::LogIndex(1)) {
    records.log_start = EncodeLogStart(durable_.log.first);
  }
  if (vote_file_.has_value()) records.vote_file = EncodeHardState(*vote_file_);
  return records;
}

SimDisk::Image SimDisk::Store() const {
  Image image;
  image.records = StoredRecords();
  for (const raft::EntryPtr& entry : durable_.log.entries) {
    const std::string key = EncodeEntryKey(entry->index);
    image.entries[key] = EncodeEntryValue(key, *entry);
  }
  return image;
}

absl::StatusOr<SimDisk::Content> SimDisk::Load(const Image& image) const {
  const LogCheck check("sim");
  ASSIGN_OR_RETURN(LogBeginning beginning, check.Records(image.records));
  Content content;
  content.hard_state = beginning.hard_state;
  content.formation = std::move(beginning.formation);
  content.log.first = beginning.first;
  auto stored = image.entries.lower_bound(EncodeEntryKey(beginning.first));
  const raft::Term recorded =
      content.hard_state.has_value() ? content.hard_state->term : raft::Term();
  raft::Term last_term;
  for (; stored != image.entries.end(); ++stored) {
    ASSIGN_OR_RETURN(raft::Entry entry,
                     check.Entry({content.log.last() + 1, last_term, recorded}, stored->first,
                                 stored->second));
    last_term = entry.term;
    content.log.entries.push_back(std::make_shared<const raft::Entry>(std::move(entry)));
  }
  return content;
}

absl::Status SimDisk::CheckRecords() const {
  return LogCheck("sim").Records(StoredRecords()).status();
}

// The last entry alone is not lost, which could not be told from one that never was. The byte in front of
// each value says of which format it is: damage there is something else.
std::string SimDisk::Spoil(Image& image) {
  base::Random& random = scheduler_.random();
  const auto turn_over = [&random](std::string& value) {
    value[1 + random.Below(value.size() - 1)] ^= static_cast<char>(1 << random.Below(8));
  };
  LogRecords& records = image.records;
  const auto lose_vote = [this, &records] {
    raft::HardState older = *vote_file_;
    older.term = older.term - 1;
    older.vote = raft::ServerId();
    records.hard_state = EncodeHardState(older);
    return "the newest term and vote are lost";
  };
  const bool may_lose_vote = vote_file_.has_value() && vote_file_ == durable_.hard_state &&
                             vote_file_->term > raft::Term(0);
  const std::vector<raft::EntryPtr>& log = durable_.log.entries;
  // Rare, and seen by nothing but the vote file: else an entry is of a term that never was.
  if (may_lose_vote && (log.empty() || log.back()->term < vote_file_->term) && random.Chance(0.9)) {
    return lose_vote();
  }
  if (!image.entries.empty() && random.Chance(0.5)) {
    const bool lost = image.entries.size() > 1 && random.Chance(0.3);
    auto entry = image.entries.begin();
    std::advance(entry, random.Below(image.entries.size() - (lost ? 1 : 0)));
    const raft::LogIndex index = *DecodeEntryKey(entry->first);
    if (lost) {
      image.entries.erase(entry);
      return fmt::format("entry {} is lost", index);
    }
    turn_over(entry->second);
    return fmt::format("entry {} is not what it was", index);
  }
  if (may_lose_vote && random.Chance(0.4)) return lose_vote();
  std::vector<std::pair<std::string, std::string*>> stored;
  if (records.hard_state.has_value()) stored.emplace_back("hard state", &*records.hard_state);
  if (records.formation.has_value()) stored.emplace_back("forming", &*records.formation);
  if (records.log_start.has_value()) stored.emplace_back("start", &*records.log_start);
  if (records.vote_file.has_value()) stored.emplace_back("vote file", &*records.vote_file);
  if (stored.empty()) return "";
  auto& [name, value] = stored[random.Below(stored.size())];
  turn_over(*value);
  return name + " is not what it was";
}

std::optional<SimDisk::Damaged> SimDisk::Damage() {
  Image image = Store();
  Damaged damaged;
  damaged.what = Spoil(image);
  if (damaged.what.empty()) return std::nullopt;
  absl::StatusOr<Content> loaded = Load(image);
  damaged.found = loaded.status();
  if (loaded.ok()) durable_ = *std::move(loaded);
  return damaged;
}

SimLogStore::SimLogStore(SimScheduler& scheduler, SimDisk& disk, base::Executor& executor)
    : scheduler_(scheduler),
      disk_(disk),
      executor_(executor),
      initial_(disk.durable_),
      log_(disk.durable_.log),
      alive_(std::make_shared<bool>(true)) {
  CHECK(disk.volatile_.empty(), "the process before this one did not crash");
}

SimLogStore::~SimLogStore() = default;

void SimLogStore::Persist(PersistRequest request, Done done) {
  log_.Apply(request);
  disk_.volatile_.push_back(std::move(request));
  waiting_.push_back(std::move(done));
  if (!syncing_) StartSync();
}

void SimLogStore::StartSync() {
  syncing_ = true;
  sync_began_ = scheduler_.now();
  scheduler_.After(scheduler_.RandomDuration(disk_.sync_first, disk_.sync_last),
                   [this, alive = std::weak_ptr<bool>(alive_), requests = waiting_.size()] {
                     if (!alive.expired()) FinishSync(requests);
                   });
}

void SimLogStore::FinishSync(size_t requests) {
  ++disk_.syncs_;
  if (disk_.failing_ && failure_.ok()) {
    failure_ = absl::InternalError("cannot write the log: Input/output error; check the disk");
  }
  for (size_t i = 0; i < requests; ++i) {
    if (failure_.ok()) {
      disk_.durable_.Apply(disk_.volatile_.front());
      if (disk_.volatile_.front().hard_state.has_value()) {
        disk_.vote_file_ = disk_.durable_.hard_state;
      }
    }
    disk_.volatile_.pop_front();
    executor_.Post([alive = std::weak_ptr<bool>(alive_), done = std::move(waiting_.front()),
                    status = failure_]() mutable {
      if (!alive.expired()) done(std::move(status));
    });
    waiting_.pop_front();
  }
  syncing_ = false;
  if (!waiting_.empty()) StartSync();
}

absl::Status SimLogStore::RoomFor(EntryKind kind) const {
  const bool has_room =
      disk_.room_ == raft::DiskRoom::kAll ||
      (disk_.room_ == raft::DiskRoom::kUpkeep && kind == EntryKind::kUpkeep);
  if (has_room) return absl::OkStatus();
  return absl::ResourceExhaustedError("the disk is nearly full; free some space");
}

absl::Duration SimLogStore::WritingFor() const {
  return syncing_ ? scheduler_.now() - sync_began_ : absl::ZeroDuration();
}

uint64_t SimLogStore::Bytes() const {
  uint64_t bytes = 0;
  for (const raft::EntryPtr& entry : log_.entries) bytes += raft::EntryBytes(*entry);
  return bytes;
}

absl::StatusOr<raft::Term> SimLogStore::TermAt(raft::LogIndex index) {
  CHECK(index >= FirstIndex() && index <= LastIndex());
  return log_.entries[index - FirstIndex()]->term;
}

std::vector<raft::EntryPtr> SimLogStore::MembershipEntries() {
  std::vector<raft::EntryPtr> found;
  for (const raft::EntryPtr& entry : log_.entries) {
    if (entry->type == raft::EntryType::kMembership) found.push_back(entry);
  }
  return found;
}

absl::StatusOr<std::vector<raft::EntryPtr>> SimLogStore::Read(raft::LogIndex begin,
                                                              raft::LogIndex end,
                                                              size_t bytes_max) {
  CHECK(begin >= FirstIndex() && begin < end && end <= LastIndex() + 1);
  std::vector<raft::EntryPtr> out;
  size_t bytes = 0;
  for (raft::LogIndex index = begin; index < end; ++index) {
    const raft::EntryPtr& entry = log_.entries[index - FirstIndex()];
    bytes += raft::EntryBytes(*entry);
    if (bytes > bytes_max && !out.empty()) break;
    out.push_back(entry);
  }
  return out;
}

}  // namespace bellwether::coord
