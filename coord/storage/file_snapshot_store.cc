#include "coord/storage/file_snapshot_store.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/log.h"
#include "base/mutant.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

constexpr std::string_view kSnapshot = "snapshot";
constexpr std::string_view kWriting = "writing";
constexpr std::string_view kReceiving = "receiving";
constexpr std::string_view kDamaged = "damaged";
constexpr size_t kSnapshotsKept = 2;
constexpr size_t kDamagedKept = 2;

bool TakeWord(std::string_view word, std::string_view& rest) {
  if (!rest.starts_with(word)) return false;
  rest.remove_prefix(word.size());
  return true;
}

// "-NUMBER".
bool TakeNumber(uint64_t& number, std::string_view& rest) {
  if (!TakeWord("-", rest)) return false;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  if (error != std::errc()) return false;
  rest.remove_prefix(static_cast<size_t>(end - rest.data()));
  return true;
}

constexpr uint64_t kSyncBytes = 2 << 20;

// What reached the disk only at its end would keep the log's syncs waiting behind it.
absl::Status SyncNowAndThen(base::File& file, uint64_t bytes, uint64_t& synced) {
  if (bytes - synced < kSyncBytes) return absl::OkStatus();
  RETURN_IF_ERROR(file.Sync());
  synced = bytes;
  return absl::OkStatus();
}

}  // namespace

class FileSnapshotStore::Writer : public SnapshotWriter {
 public:
  Writer(FileSnapshotStore& store, const raft::SnapshotMeta& meta,
         std::unique_ptr<base::File> file)
      : store_(store), meta_(meta), file_(std::move(file)), encoder_(*file_) {}

  ~Writer() override {
    if (committed_) return;
    const absl::Status removed = store_.folder_.Remove(FileName(kWriting, name()));
    if (!removed.ok()) LOG_WARN("an unfinished snapshot stays error=\"{}\"", removed);
  }

  absl::Status Begin() { return encoder_.WriteHeader(meta_); }

  absl::Status Append(std::string_view record) override {
    const uint64_t before = encoder_.file_bytes();
    RETURN_IF_ERROR(encoder_.Append(record));
    if (encoder_.file_bytes() == before) return absl::OkStatus();
    RETURN_IF_ERROR(SyncNowAndThen(*file_, encoder_.file_bytes(), synced_));
    return store_.CheckRoom();
  }

  absl::StatusOr<SnapshotInfo> Commit() override {
    RETURN_IF_ERROR(encoder_.WriteEnd());
    RETURN_IF_ERROR(file_->Sync());
    ASSIGN_OR_RETURN(SnapshotInfo info,
                     store_.Publish(kWriting, name(), {meta_, encoder_.file_bytes()}));
    committed_ = true;
    return info;
  }

 private:
  Name name() const { return {meta_.index, meta_.term}; }

  FileSnapshotStore& store_;
  const raft::SnapshotMeta meta_;
  const std::unique_ptr<base::File> file_;
  SnapshotFileWriter encoder_;
  uint64_t synced_ = 0;  // bytes
  bool committed_ = false;
};

// --- Names

std::string FileSnapshotStore::FileName(std::string_view kind, const Name& name) {
  return fmt::format("{}-{}-{}", kind, name.index, name.term);
}

std::vector<FileSnapshotStore::Name> FileSnapshotStore::NamesOf(
    std::string_view kind, const std::vector<std::string>& files) {
  std::vector<Name> names;
  for (const std::string& file : files) {
    std::string_view rest = file;
    uint64_t index = 0;
    uint64_t term = 0;
    if (TakeWord(kind, rest) && TakeNumber(index, rest) && TakeNumber(term, rest) &&
        rest.empty()) {
      names.push_back({raft::LogIndex(index), raft::Term(term)});
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

// --- Opening

absl::StatusOr<std::unique_ptr<FileSnapshotStore>> FileSnapshotStore::Open(
    const FileSnapshotStoreOptions& options, base::Folder& folder) {
  std::unique_ptr<FileSnapshotStore> store(new FileSnapshotStore(options, folder));
  RETURN_IF_ERROR(store->Load());
  return store;
}

absl::Status FileSnapshotStore::Load() {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, folder_.List());
  for (const Name& name : NamesOf(kWriting, files)) {
    RETURN_IF_ERROR(folder_.Remove(FileName(kWriting, name)));
  }
  RETURN_IF_ERROR(LoadNewest(NamesOf(kSnapshot, files), damaged_, [] { return false; }));
  RETURN_IF_ERROR(LoadReceiving(NamesOf(kReceiving, files)));
  RETURN_IF_ERROR(RemoveOlder(kSnapshot, kSnapshotsKept));
  RETURN_IF_ERROR(RemoveOlder(kDamaged, kDamagedKept));
  return folder_.Sync();
}

absl::Status FileSnapshotStore::LoadNewest(std::vector<Name> names,
                                           std::vector<DamagedSnapshot>& damaged,
                                           absl::FunctionRef<bool()> stopped) {
  for (; !names.empty(); names.pop_back()) {
    const Name& name = names.back();
    const absl::StatusOr<SnapshotInfo> info = CheckSums(name, stopped);
    if (info.ok()) {
      base::MutexLock lock(mutex_);
      newest_ = *info;
      return absl::OkStatus();
    }
    if (!absl::IsDataLoss(info.status())) return info.status();
    ASSIGN_OR_RETURN(DamagedSnapshot aside, SetAside(name, info.status()));
    damaged.push_back(std::move(aside));
  }
  return absl::OkStatus();
}

absl::StatusOr<SnapshotInfo> FileSnapshotStore::CheckSums(const Name& name,
                                                          absl::FunctionRef<bool()> stopped) {
  ASSIGN_OR_RETURN(std::unique_ptr<SnapshotFileReader> reader, OpenReader(kSnapshot, name));
  bool more = true;
  while (more) {
    if (stopped()) return absl::CancelledError("the server is stopping");
    ASSIGN_OR_RETURN(more, reader->SkipPiece());
  }
  return SnapshotInfo{reader->meta(), reader->file_bytes()};
}

absl::StatusOr<DamagedSnapshot> FileSnapshotStore::SetAside(const Name& name,
                                                            const absl::Status& why) {
  const std::string aside = FileName(kDamaged, name);
  RETURN_IF_ERROR(folder_.Rename(FileName(kSnapshot, name), aside));
  return DamagedSnapshot{name.index, name.term, folder_.Path(aside), why};
}

// A crash may have left less than was received, or rubbish at its end.
absl::Status FileSnapshotStore::LoadReceiving(const std::vector<Name>& names) {
  for (size_t i = 0; i + 1 < names.size(); ++i) {
    RETURN_IF_ERROR(folder_.Remove(FileName(kReceiving, names[i])));
  }
  if (names.empty()) return absl::OkStatus();
  const Name& name = names.back();
  const std::string file = FileName(kReceiving, name);
  const absl::StatusOr<uint64_t> whole = WholeBytes(name);
  if (absl::IsDataLoss(whole.status())) return folder_.Remove(file);
  RETURN_IF_ERROR(whole.status());
  ASSIGN_OR_RETURN(std::unique_ptr<base::File> kept,
                   folder_.Open(file, base::Folder::Mode::kAppend));
  RETURN_IF_ERROR(kept->Truncate(*whole));
  receiving_.emplace(Receiving{name, *whole, *whole, std::move(kept)});
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> FileSnapshotStore::WholeBytes(const Name& name) {
  ASSIGN_OR_RETURN(std::unique_ptr<SnapshotFileReader> reader, OpenReader(kReceiving, name));
  absl::StatusOr<bool> more = true;
  while (more.ok() && *more) more = reader->SkipPiece();
  if (!more.ok() && !absl::IsDataLoss(more.status())) return more.status();
  return reader->whole_bytes();
}

absl::StatusOr<std::unique_ptr<SnapshotFileReader>> FileSnapshotStore::OpenReader(
    std::string_view kind, const Name& name) {
  const std::string file = FileName(kind, name);
  ASSIGN_OR_RETURN(std::unique_ptr<base::File> opened,
                   folder_.Open(file, base::Folder::Mode::kRead));
  ASSIGN_OR_RETURN(std::unique_ptr<SnapshotFileReader> reader,
                   SnapshotFileReader::Open(std::move(opened)));
  const raft::SnapshotMeta& meta = reader->meta();
  if (Name{meta.index, meta.term} != name) {
    return absl::DataLossError(
        fmt::format("snapshot '{}' is of index {} and term {}, not of what its name says; use "
                    "another one",
                    folder_.Path(file), meta.index, meta.term));
  }
  return reader;
}

absl::Status FileSnapshotStore::RemoveOlder(std::string_view kind, size_t kept) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, folder_.List());
  std::vector<Name> names = NamesOf(kind, files);
  names.resize(names.size() - std::min(names.size(), kept));
  for (const Name& name : names) RETURN_IF_ERROR(folder_.Remove(FileName(kind, name)));
  return absl::OkStatus();
}

// --- Snapshots

std::optional<SnapshotInfo> FileSnapshotStore::Newest() const {
  base::MutexLock lock(mutex_);
  return newest_;
}

absl::StatusOr<std::unique_ptr<SnapshotWriter>> FileSnapshotStore::Create(
    const raft::SnapshotMeta& meta) {
  RETURN_IF_ERROR(CheckRoom());
  const std::string file = FileName(kWriting, {meta.index, meta.term});
  ASSIGN_OR_RETURN(std::unique_ptr<base::File> opened,
                   folder_.Open(file, base::Folder::Mode::kCreate));
  auto writer = std::make_unique<Writer>(*this, meta, std::move(opened));
  RETURN_IF_ERROR(writer->Begin());
  return writer;
}

// Only what was read, or what the disk can't read (INTERNAL), says that a snapshot is damaged: a
// lack of descriptors or memory says nothing. What is set aside stays so, whatever fails afterwards.
absl::Status FileSnapshotStore::Check(raft::LogIndex index, raft::Term term,
                                      absl::FunctionRef<bool()> stopped) {
  const Name name{index, term};
  const std::optional<SnapshotInfo> newest = Newest();
  const bool is_newest =
      newest.has_value() && Name{newest->meta.index, newest->meta.term} == name;
  const absl::Status whole = CheckSums(name, stopped).status();
  if (whole.ok() || absl::IsCancelled(whole)) return whole;
  std::string lost(whole.message());
  if (absl::IsNotFound(whole)) {
    if (!is_newest) return whole;
  } else if (absl::IsDataLoss(whole) || absl::IsInternal(whole)) {
    ASSIGN_OR_RETURN(const DamagedSnapshot aside, SetAside(name, whole));
    lost += fmt::format("; it is now '{}'", aside.path);
  } else {
    return absl::UnavailableError(whole.message());
  }
  const absl::Status tidy = TidyUp(is_newest, stopped);
  if (!tidy.ok()) LOG_WARN("snapshots are left as they were error=\"{}\"", tidy);
  return absl::DataLossError(lost);
}

absl::Status FileSnapshotStore::TidyUp(bool is_newest, absl::FunctionRef<bool()> stopped) {
  if (is_newest) RETURN_IF_ERROR(ReplaceNewest(stopped));
  RETURN_IF_ERROR(RemoveOlder(kDamaged, kDamagedKept));
  return folder_.Sync();
}

absl::Status FileSnapshotStore::ReplaceNewest(absl::FunctionRef<bool()> stopped) {
  {
    base::MutexLock lock(mutex_);
    newest_.reset();
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> files, folder_.List());
  std::vector<DamagedSnapshot> damaged;
  RETURN_IF_ERROR(LoadNewest(NamesOf(kSnapshot, files), damaged, stopped));
  for (const DamagedSnapshot& older : damaged) {
    LOG_ERROR("snapshot is damaged and set aside index={} file={} reason=\"{}\"", older.index,
              older.path, older.why);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<SnapshotReader>> FileSnapshotStore::Open(raft::LogIndex index,
                                                                        raft::Term term) {
  return OpenReader(kSnapshot, {index, term});
}

absl::StatusOr<std::string> FileSnapshotStore::ReadBytes(raft::LogIndex index, raft::Term term,
                                                         uint64_t offset, size_t bytes_max) {
  ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file,
                   folder_.Open(FileName(kSnapshot, {index, term}), base::Folder::Mode::kRead));
  std::string bytes;
  RETURN_IF_ERROR(file->ReadAt(offset, bytes_max, bytes));
  return bytes;
}

absl::Status FileSnapshotStore::CheckRoom() const {
  ASSIGN_OR_RETURN(const uint64_t free_bytes, folder_.FreeBytes());
  if (free_bytes >= options_.free_bytes_reserve) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("no room for a snapshot in '{}': {} bytes free, {} are kept in reserve; free "
                  "some space",
                  folder_.Path(""), free_bytes, options_.free_bytes_reserve));
}

absl::StatusOr<SnapshotInfo> FileSnapshotStore::Publish(std::string_view kind, const Name& name,
                                                        SnapshotInfo info) {
  RETURN_IF_ERROR(folder_.Rename(FileName(kind, name), FileName(kSnapshot, name)));
  if (!MUTANT(39)) RETURN_IF_ERROR(folder_.Sync());  // else it may be gone after a crash (R21)
  {
    base::MutexLock lock(mutex_);
    if (!newest_.has_value() || newest_->meta.index <= info.meta.index) newest_ = info;
  }
  const absl::Status removed = RemoveOlder(kSnapshot, kSnapshotsKept);
  if (!removed.ok()) LOG_WARN("an old snapshot stays error=\"{}\"", removed);
  return info;
}

// --- Receiving

uint64_t FileSnapshotStore::ReceivedBytes(raft::LogIndex index, raft::Term term) {
  return receiving_.has_value() && receiving_->name == Name{index, term} ? receiving_->bytes : 0;
}

absl::Status FileSnapshotStore::AppendReceived(raft::LogIndex index, raft::Term term,
                                               uint64_t offset, std::string_view bytes) {
  const Name name{index, term};
  if (offset != ReceivedBytes(index, term)) {
    return absl::OutOfRangeError(fmt::format("{} bytes of the snapshot are here, not {}; go on "
                                             "from there",
                                             ReceivedBytes(index, term), offset));
  }
  RETURN_IF_ERROR(CheckRoom());
  if (!receiving_.has_value() || receiving_->name != name) RETURN_IF_ERROR(BeginReceiving(name));
  const absl::Status written = receiving_->file->Append(bytes);
  if (!written.ok()) {
    // A part of it may be there.
    if (!receiving_->file->Truncate(offset).ok()) RETURN_IF_ERROR(ForgetReceiving());
    return written;
  }
  receiving_->bytes += bytes.size();
  return SyncNowAndThen(*receiving_->file, receiving_->bytes, receiving_->synced);
}

absl::Status FileSnapshotStore::BeginReceiving(const Name& name) {
  RETURN_IF_ERROR(ForgetReceiving());
  ASSIGN_OR_RETURN(std::unique_ptr<base::File> file,
                   folder_.Open(FileName(kReceiving, name), base::Folder::Mode::kCreate));
  receiving_.emplace(Receiving{name, 0, 0, std::move(file)});
  return absl::OkStatus();
}

absl::Status FileSnapshotStore::ForgetReceiving() {
  if (!receiving_.has_value()) return absl::OkStatus();
  const std::string file = FileName(kReceiving, receiving_->name);
  receiving_.reset();
  return folder_.Remove(file);
}

absl::StatusOr<SnapshotInfo> FileSnapshotStore::FinishReceived(raft::LogIndex index,
                                                               raft::Term term) {
  const Name name{index, term};
  if (!receiving_.has_value() || receiving_->name != name) {
    return absl::NotFoundError(
        fmt::format("nothing of the snapshot of index {} and term {} was received", index, term));
  }
  absl::StatusOr<SnapshotInfo> info = VerifyReceived(name);
  if (absl::IsDataLoss(info.status())) RETURN_IF_ERROR(ForgetReceiving());
  RETURN_IF_ERROR(info.status());
  RETURN_IF_ERROR(receiving_->file->Sync());
  receiving_.reset();
  return Publish(kReceiving, name, *std::move(info));
}

absl::StatusOr<SnapshotInfo> FileSnapshotStore::VerifyReceived(const Name& name) {
  ASSIGN_OR_RETURN(std::unique_ptr<SnapshotFileReader> reader,
                   OpenReader(kReceiving, name));
  return VerifySnapshot(*reader);
}

absl::Status CheckReaches(const SnapshotStore& snapshots, raft::LogIndex log_first,
                          std::string_view folder) {
  const std::optional<SnapshotInfo> newest = snapshots.Newest();
  const raft::LogIndex end = newest.has_value() ? newest->meta.index : raft::LogIndex();
  if (log_first <= end + 1) return absl::OkStatus();
  return absl::DataLossError(fmt::format(
      "in '{}' the log begins at entry {} and {}: what was between is lost", folder, log_first,
      newest.has_value() ? fmt::format("the newest whole snapshot ends at {}", end)
                         : std::string("there is no whole snapshot")));
}

absl::Status CheckReaches(const SnapshotStore& snapshots, raft::LogReader& log,
                          std::string_view folder) {
  const raft::LogIndex first = log.FirstIndex();
  RETURN_IF_ERROR(CheckReaches(snapshots, first, folder));
  const std::optional<SnapshotInfo> newest = snapshots.Newest();
  if (!newest.has_value() || newest->meta.index + 1 != first || first > log.LastIndex()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const raft::Term term, log.TermAt(first));
  if (term >= newest->meta.term) return absl::OkStatus();
  return absl::DataLossError(
      fmt::format("in '{}' the log begins at entry {} of term {}, behind a snapshot of term {}: it "
                  "is damaged",
                  folder, first, term, newest->meta.term));
}

}  // namespace bellwether::coord
