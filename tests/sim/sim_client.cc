#include "tests/sim/sim_client.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/status.h"
#include "client/errors.h"

namespace bellwether::sim {
namespace {

using Kind = Operation::Kind;
using Outcome = Operation::Outcome;

constexpr absl::Duration kRequestTimeout = absl::Seconds(5);  // in the world's time scale
constexpr size_t kSequentialPathsKept = 8;
constexpr size_t kReadsOutstandingMax = 64;
const char* const kPersistentPaths[] = {"/a", "/b", "/d", "/d/x", "/d/y", "/d/x/z"};
const char* const kEphemeralPaths[] = {"/e", "/f", "/d/e"};

client::CoordOptions ClientOptions(const Options& options, uint64_t seed) {
  client::CoordOptions client;
  for (uint32_t server = 1; server <= options.servers; ++server) {
    client.addresses.push_back(ClientNetwork::AddressOf(server));
  }
  client.session_timeout = options.session_timeout;
  client.request_timeout = kRequestTimeout * options.time_scale;
  client.seed = seed;
  return client;
}

}  // namespace

SimClient::SimClient(uint32_t slot, uint64_t serial, const Options& options, Dependencies deps)
    : slot_(slot),
      serial_(serial),
      options_(options),
      deps_(std::move(deps)),
      random_(deps_.scheduler.random().Next()),
      only_reads_(random_.Chance(0.25)),
      outstanding_max_(only_reads_ ? kReadsOutstandingMax : options.outstanding_max),
      executor_(deps_.scheduler),
      clock_(deps_.scheduler),
      connector_(deps_.network, slot, executor_, [this] { NoteSession(); }),
      client_(ClientOptions(options, random_.Next()), executor_, clock_, connector_) {
  executor_.Post([this] {
    client_.AddStateListener([this](client::SessionState state) { OnState(state); });
    client_.Start();
    if (random_.Chance(0.7)) OpenWatch(AnyRoots(), true, client::Zxid());
    if (random_.Chance(0.4)) OpenWatch({random_.Chance(0.5) ? "/a" : "/d"}, false, client::Zxid());
    Think();
  });
}

SimClient::~SimClient() {
  NoteSession();
  OnUnlocked();
  executor_.Stop();
  for (Operation* operation : pending_) operation->session = Session();
  if (SessionRecord* session = FindSession()) session->abandoned = true;
  watches_.clear();
}

uint32_t SimClient::server() const {
  const std::string& address = client_.session().address;
  const size_t digit = address.find_first_of("0123456789");
  return digit == std::string::npos ? 0 : static_cast<uint32_t>(address[digit] - '0');
}

std::string SimClient::State() const {
  std::string state = fmt::format("client {} {} at {}, {} requests unanswered ({})", serial_,
                                  client::SessionStateName(client_.state()),
                                  client_.session().address, pending_.size(),
                                  client_.LastFailure());
  for (const OpenedWatch& opened : watches_) {
    state += fmt::format(", watch {} at {}", opened.paths.front(), opened.watch->position());
  }
  return state;
}

coord::tree::SessionId SimClient::Session() const {
  return coord::tree::SessionId(client_.session().id.value());
}

SessionRecord* SimClient::FindSession() {
  const auto session = deps_.history.sessions.find(Session());
  return session == deps_.history.sessions.end() ? nullptr : &session->second;
}

// ---- Requests ----

void SimClient::Think() {
  const double share = static_cast<double>(random_.Below(1000)) / 1000;
  const absl::Duration think = options_.think_time * 2 * share;
  executor_.RunAfter(think, [this] {
    if (over_ || finishing_) return;
    ChangeWatches();
    if (pending_.size() < outstanding_max_) IssueOne();
    Think();
  });
}

void SimClient::IssueOne() {
  const uint64_t choice = random_.Below(1000);
  if (only_reads_) return Read();
  if (choice < 220) return Create();
  if (choice < 230) return StandInLine();
  if (choice < 240) return Lock();
  if (choice < 430) return Set(AnyPath());
  if (choice < 550) return Delete();
  if (choice < 640) return Transact();
  if (choice < 655) return Import();
  if (choice < 658) return RaiseZxid();
  if (choice < 998) return Read();
  Close();
}

std::string SimClient::AnyPath() {
  const uint64_t choice = random_.Below(20);
  if (choice < 3 && !sequential_paths_.empty()) {
    return sequential_paths_[random_.Below(sequential_paths_.size())];
  }
  if (choice < 7) return kEphemeralPaths[random_.Below(std::size(kEphemeralPaths))];
  return kPersistentPaths[random_.Below(std::size(kPersistentPaths))];
}

Operation& SimClient::NewOperation(Kind kind, std::string path) {
  Operation& operation = deps_.history.operations.emplace_back();
  operation.client = serial_;
  operation.number = ++last_number_;
  operation.kind = kind;
  operation.path = std::move(path);
  operation.floor = Newest();
  pending_.push_back(&operation);
  if (operation.is_write()) ++writes_outstanding_;
  return operation;
}

client::Data SimClient::NewTag(Operation& operation) {
  operation.tag = fmt::format("{}#{}", serial_, operation.number);
  if (options_.padding_bytes_max > 0) {
    operation.tag.append(random_.Below(options_.padding_bytes_max), '.');
  }
  return operation.tag;
}

int32_t SimClient::GuessVersion() {
  return random_.Chance(0.6) ? client::kAnyVersion : last_version_;
}

void SimClient::Create() {
  const uint64_t choice = random_.Below(10);
  Operation& operation = NewOperation(Kind::kCreate, "");
  if (choice < 5) {
    operation.path = kPersistentPaths[random_.Below(std::size(kPersistentPaths))];
  } else if (choice < 8) {
    operation.path = kEphemeralPaths[random_.Below(std::size(kEphemeralPaths))];
    operation.mode = client::CreateMode::kEphemeral;
  } else {
    operation.path = random_.Chance(0.5) ? "/q-" : "/d/q-";
    operation.mode = random_.Chance(0.5) ? client::CreateMode::kPersistentSequential
                                         : client::CreateMode::kEphemeralSequential;
  }
  client_.Create(operation.path, NewTag(operation), operation.mode, {},
                 Answer<client::CreateResult>(operation));
}

void SimClient::Set(std::string path) {
  Operation& operation = NewOperation(Kind::kSet, std::move(path));
  operation.version = GuessVersion();
  client_.Set(operation.path, NewTag(operation), operation.version, {},
              Answer<client::SetResult>(operation));
}

void SimClient::Delete() {
  Operation& operation = NewOperation(Kind::kDelete, AnyPath());
  operation.recursive = random_.Chance(0.2);
  operation.version = operation.recursive ? client::kAnyVersion : GuessVersion();
  client_.Delete(operation.path, operation.version, operation.recursive, {},
                 Answer<client::DeleteResult>(operation));
}

void SimClient::Transact() {
  Operation& operation = NewOperation(Kind::kTransaction, AnyPath());
  client::Transaction transaction;
  if (random_.Chance(0.5)) {
    client::Compare compare;
    compare.path = AnyPath();
    if (random_.Chance(0.5)) {
      compare.exists = random_.Chance(0.5);
    } else {
      compare.version = last_version_;
    }
    transaction.compares.push_back(std::move(compare));
  }
  const client::Data tag = NewTag(operation);
  if (random_.Chance(0.5)) {
    transaction.operations.push_back(client::SetOperation{operation.path, tag});
  } else {
    transaction.operations.push_back(client::CreateOperation{operation.path, tag});
  }
  for (uint64_t more = random_.Below(3); more > 0; --more) {
    if (random_.Chance(0.5)) {
      transaction.operations.push_back(client::SetOperation{AnyPath(), tag});
    } else {
      transaction.operations.push_back(client::DeleteOperation{AnyPath()});
    }
  }
  client_.Commit(std::move(transaction), {}, Answer<client::TransactionResult>(operation));
}

void SimClient::Import() {
  Operation& operation = NewOperation(Kind::kImport, "/m");
  const client::Data tag = NewTag(operation);
  std::vector<client::ImportedZnode> znodes;
  for (const char* const path : {"/m", "/m/x", "/a"}) {
    if (!znodes.empty() && random_.Chance(0.5)) continue;
    client::ImportedZnode& znode = znodes.emplace_back();
    znode.path = path;
    znode.data = tag;
    znode.version = static_cast<int32_t>(random_.Below(3));
  }
  client_.Import(std::move(znodes), random_.Chance(0.5), {},
                 Answer<client::ImportResult>(operation));
}

// Seldom so far that zxids become large.
void SimClient::RaiseZxid() {
  Operation& operation = NewOperation(Kind::kRaiseZxid, "/");
  const int64_t further = random_.Between(-50, random_.Chance(0.1) ? 1 << 30 : 200);
  const client::Zxid wanted(std::max<int64_t>(Newest().value() + further, 1));
  client_.RaiseZxid(wanted, {}, Answer<client::SyncResult>(operation));
}

void SimClient::Read() {
  const uint64_t choice = random_.Below(10);
  const Kind kind = choice < 4   ? Kind::kGet
                    : choice < 6 ? Kind::kStat
                    : choice < 9 ? Kind::kList
                                 : Kind::kSync;
  Operation& operation = NewOperation(kind, kind == Kind::kSync ? "/" : AnyPath());
  if (kind == Kind::kList && random_.Chance(0.4)) operation.path = "/";
  operation.stale_ok = kind != Kind::kSync && random_.Chance(0.3);
  operation.recursive = kind == Kind::kList && random_.Chance(0.3);
  operation.paged = kind == Kind::kList && options_.HasSmallPages();
  client::ReadOptions options;
  options.stale_ok = operation.stale_ok;
  switch (kind) {
    case Kind::kGet:
      options.watch = MaybeOneShot(operation, false);
      return client_.Get(operation.path, std::move(options), Answer<client::GetResult>(operation));
    case Kind::kStat:
      options.watch = MaybeOneShot(operation, false);
      return client_.GetStat(operation.path, std::move(options),
                             Answer<client::StatResult>(operation));
    case Kind::kList:
      if (!operation.recursive) options.watch = MaybeOneShot(operation, true);
      return client_.List(operation.path, operation.recursive, std::move(options),
                          Answer<client::ListResult>(operation));
    default:
      return client_.Sync({}, Answer<client::SyncResult>(operation));
  }
}

void SimClient::Close() {
  over_ = true;
  OnUnlocked();
  deps_.trace.Add("client {} closes its session", serial_);
  client_.CloseSession({}, [this](absl::StatusOr<client::SyncResult> result) {
    NoteSession();
    SessionRecord* const session = FindSession();
    if (result.ok() && session != nullptr) session->told_ended = true;
    deps_.on_over();
  });
}

// ---- Answers ----

template <typename Result>
client::Callback<Result> SimClient::Answer(Operation& operation) {
  return [this, &operation](absl::StatusOr<Result> result) {
    if (result.ok()) {
      operation.zxid = Zxid(result->zxid.value());
      if constexpr (std::is_same_v<Result, client::CreateResult>) {
        if (sequential_paths_.size() == kSequentialPathsKept) sequential_paths_.clear();
        if (result->path != operation.path) sequential_paths_.push_back(result->path);
      }
      if constexpr (std::is_same_v<Result, client::GetResult> ||
                    std::is_same_v<Result, client::SetResult>) {
        last_version_ = result->stat.version;
      }
      operation.result = *result;
    }
    OnAnswer(operation, result.status());
  };
}

// For sim_locks.cc.
template client::Callback<client::CreateResult> SimClient::Answer(Operation&);

void SimClient::OnAnswer(Operation& operation, const absl::Status& status) {
  std::erase(pending_, &operation);
  if (operation.is_write()) --writes_outstanding_;
  operation.ceiling = Newest();
  operation.answered = ++answers_;
  operation.session = Session();
  if (status.ok()) {
    operation.outcome = Outcome::kOk;
    OnShown(operation.zxid);
  } else {
    operation.outcome = base::OutcomeOf(status) == base::Outcome::kUnknown ? Outcome::kUnknown
                                                                           : Outcome::kRejected;
    operation.code = status.code();
    operation.reason = client::ReasonOf(status);
  }
  ArmOneShot(operation);
  if (status.ok()) {
    deps_.trace.Add("{} -> zxid {}", Describe(operation), operation.zxid);
  } else {
    deps_.trace.Add("{} -> {} {} {}", Describe(operation),
                    operation.outcome == Outcome::kUnknown ? "unknown" : "rejected",
                    absl::StatusCodeToString(operation.code), operation.reason);
  }
}

void SimClient::OnShown(Zxid zxid) {
  for (OneShotRecord* watch : armed_) watch->revealed = std::max(watch->revealed, zxid);
  for (GrantRecord* grant : in_line_) {
    grant->revealed_before_gone = std::max(grant->revealed_before_gone, zxid);
    if (grant->held || !grant->events.empty()) continue;
    grant->revealed_before_granted = std::max(grant->revealed_before_granted, zxid);
  }
}

// After each frame that came: what the ensemble promised with it.
void SimClient::NoteSession() {
  if (Session() == coord::tree::SessionId(0)) return;
  if (first_session_ == coord::tree::SessionId(0)) first_session_ = Session();
  if (Session() != first_session_) {
    deps_.violations.Add("session life", "client {} was given session {:#x} in place of {:#x}",
                         serial_, Session().value(), first_session_.value());
  }
  SessionRecord& record = deps_.history.sessions[Session()];
  record.client = serial_;
  record.timeout = client_.session().timeout;
  record.deadline_max = std::max(record.deadline_max, client_.SessionDeadline());
}

void SimClient::OnState(client::SessionState state) {
  deps_.trace.Add("client {} is {} session={:#x} server={}", serial_,
                  client::SessionStateName(state), client_.session().id.value(),
                  client_.session().address);
  NoteSession();
  if (state != client::SessionState::kExpired) return;
  if (SessionRecord* session = FindSession()) session->told_ended = true;
  over_ = true;
  deps_.on_over();
}

// ---- Watches ----

client::OneShotWatch SimClient::MaybeOneShot(Operation& operation, bool children) {
  if (!random_.Chance(0.3)) return nullptr;
  OneShotRecord* const record = &deps_.history.one_shots.emplace_back();
  record->client = serial_;
  record->path = operation.path;
  record->children = children;
  record->paged = operation.paged;
  asked_.emplace(&operation, record);
  return [this, record](const client::WatchEvent& event) {
    record->event = event;
    deps_.trace.Add("client {} one-shot {} type={} zxid={}", serial_, record->path,
                    static_cast<int>(event.type), event.zxid);
    std::erase(armed_, record);
  };
}

// The read that sets it was answered.
void SimClient::ArmOneShot(const Operation& operation) {
  const auto asked = asked_.find(&operation);
  if (asked == asked_.end()) return;
  OneShotRecord* const record = asked->second;
  asked_.erase(asked);
  if (operation.outcome == Outcome::kOk) {
    record->set_at_first = record->set_at_last = operation.zxid;
    if (record->event.has_value()) return;  // between two pages
  } else if (!record->children && operation.reason == "no_node") {
    record->set_at_first = operation.stale_ok ? Zxid() : operation.floor;
    record->set_at_last = operation.ceiling;
  } else {
    return;
  }
  armed_.push_back(record);
}

// One, or several that overlap, or do not.
std::vector<std::string> SimClient::AnyRoots() {
  if (random_.Chance(0.7)) return {random_.Chance(0.5) ? "/" : "/d"};
  std::vector<std::string> roots;
  for (uint64_t more = random_.Between(2, 4); more > 0; --more) roots.push_back(AnyPath());
  return roots;
}

void SimClient::OpenWatch(std::vector<std::string> paths, bool recursive,
                          client::Zxid from_zxid) {
  WatchRecord* const record = &deps_.history.watches.emplace_back();
  record->client = serial_;
  record->paths = paths;
  record->recursive = recursive;
  record->from_zxid = Zxid(from_zxid.value());
  client::WatchOptions options;
  options.recursive = recursive;
  options.from_zxid = from_zxid;
  options.stale_ok = random_.Chance(0.2);
  options.further_paths.assign(paths.begin() + 1, paths.end());
  options.prompt_progress = paths.size() > 1;
  client::WatchCallbacks callbacks;
  callbacks.on_batch = [this, record](client::WatchBatch batch) {
    if (!batch.changes.empty()) {
      deps_.trace.Add("client {} watch {} zxid={} changes={}{}", serial_, record->paths.front(),
                      batch.zxid, batch.changes.size(), batch.resync ? " resync" : "");
    }
    record->batches.push_back(std::move(batch));
  };
  callbacks.on_end = [this, record](absl::Status status) {
    deps_.violations.Add("watch", "client {}: the watch of {} ended: {}", serial_,
                         record->paths.front(), status.ToString());
  };
  OpenedWatch opened;
  opened.watch = client_.Watch(paths.front(), std::move(options), std::move(callbacks));
  opened.paths = std::move(paths);
  opened.recursive = recursive;
  watches_.push_back(std::move(opened));
}

void SimClient::ChangeWatches() {
  if (watches_.empty()) return;
  OpenedWatch& opened = watches_[random_.Below(watches_.size())];
  if (opened.paused ? random_.Chance(0.1) : random_.Chance(0.01)) {
    opened.paused = !opened.paused;
    opened.paused ? opened.watch->Pause() : opened.watch->Resume();
  }
  if (!random_.Chance(0.01)) return;
  const OpenedWatch old = std::move(opened);
  watches_.erase(watches_.begin() + (&opened - watches_.data()));
  OpenWatch(old.paths, old.recursive,
            random_.Chance(0.8) ? old.watch->position() : client::Zxid());
}

// ---- The end ----

void SimClient::Finish() {
  executor_.Post([this] {
    if (over_ || finishing_) return;
    finishing_ = true;
    for (OpenedWatch& opened : watches_) opened.watch->Resume();
    IssueLast();
  });
}

void SimClient::IssueLast() {
  Operation& write = NewOperation(Kind::kSet, "/");
  client_.Set("/", NewTag(write), client::kAnyVersion, {}, Answer<client::SetResult>(write));
  Operation& read = NewOperation(Kind::kGet, "/");
  client_.Get("/", {}, [this, &write, &read, answer = Answer<client::GetResult>(read)](
                           absl::StatusOr<client::GetResult> result) mutable {
    answer(std::move(result));
    if (write.outcome == Outcome::kOk && read.outcome == Outcome::kOk) {
      last_answered_ = true;
    } else if (!over_) {
      executor_.RunAfter(absl::Milliseconds(100) * options_.time_scale, [this] { IssueLast(); });
    }
  });
}

bool SimClient::WatchesReached(Zxid zxid) const {
  return std::all_of(watches_.begin(), watches_.end(), [zxid](const OpenedWatch& opened) {
    return opened.watch->position().value() >= zxid.value();
  });
}

}  // namespace bellwether::sim
