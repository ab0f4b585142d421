#include "coord/tree/snapshot_codec.h"

#include <map>
#include <utility>

#include "base/mutant.h"
#include "base/status.h"
#include "coord/tree/acl_codec.h"
#include "coord/tree/acl_table.h"
#include "coord/tree/result_codec.h"
#include "fmt/format.h"

// The encoding: each record begins with its kind (1 byte).
// - header: format version (1 byte), zxid, time (signed), ensemble id (16), feature level, numbers
//   of znodes, data bytes, sessions and ephemerals (varints), digest (8)
// - sessions, by id, to the record's end: id (8), nonce (16), password (16), timeout (signed),
//   generation and last sequence (varints), in format 3 the number of results kept of its newest
//   commands (varint) and their bytes (strings, see result_codec.cc). Its ephemerals are known by
//   their owner.
// - znodes, in walk order, to the record's end: depth (varint), name (string), flags (1), czxid,
//   mzxid and pzxid as differences to czxid, ctime, mtime as difference to ctime, version and
//   create counter (all signed), then the owner (8), from format 2 on the access and the TTL
//   (varint), and the data (string) if the flags say so
// - an access: its index (varint) among those that were written, of which all are forgotten when
//   there are kAccessesMax; a new one, whose index is their number, has aversion (signed) and ACL
//   behind it
// - end: nothing

namespace bellwether::coord::tree {
namespace {

using base::Decoder;
using base::Encoder;

enum class Kind : uint8_t { kHeader = 1, kSessions = 2, kZnodes = 3, kEnd = 4 };

constexpr uint8_t kHasData = 1;   // it is not null
constexpr uint8_t kHasOwner = 2;  // it is an ephemeral
// From format 2 on:
constexpr uint8_t kHasAccess = 4;
constexpr uint8_t kHasTtl = 8;  // it is a container or has a TTL

// How many accesses are remembered, so that neither side needs more memory with every ACL.
constexpr size_t kAccessesMax = 1 << 12;

// Without overflow, whatever the values.
int64_t Minus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
int64_t Plus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

void PutUuid(const base::Uuid& id, Encoder& out) { out.Fixed64(id.high()).Fixed64(id.low()); }

base::Uuid TakeUuid(Decoder& in) {
  const uint64_t high = in.Fixed64();
  return base::Uuid(high, in.Fixed64());
}

bool TakeInt32(Decoder& in, int32_t& value) {
  const int64_t wide = in.Signed();
  value = static_cast<int32_t>(wide);
  return wide == value;
}

void PutSession(const StateView& state, SessionId id, const Session& session, Encoder& out) {
  out.Fixed64(id.value());
  PutUuid(session.nonce, out);
  for (const uint8_t byte : session.password) out.Fixed8(byte);
  out.Signed(session.timeout_ms)
      .Varint(session.generation.value())
      .Varint(session.last_sequence.value());
  if (state.feature_level() < kFeatureLevelRetries) return;
  const uint64_t kept = MUTANT(69) ? 0 : session.kept_results;
  out.Varint(kept);
  for (uint64_t i = 0; i < kept; ++i) {
    out.String(state.sessions().FindKept(id, session.first_kept + i)->view());
  }
}

// Writes each access in full once, mostly.
class AccessWriter {
 public:
  void Put(const AclPtr& access, Encoder& out) {
    const auto [entry, is_new] = indexes_.emplace(access, indexes_.size());
    out.Varint(entry->second);
    if (!is_new) return;
    out.Signed(access->aversion);
    EncodeAcl(access->acl, out);
    if (indexes_.size() == kAccessesMax) indexes_.clear();
  }

 private:
  std::map<AclPtr, uint64_t, AccessLess> indexes_;
};

// Below kFeatureLevelAcls a znode has neither access nor TTL, and these bytes are format 1's.
void PutZnode(const StateView& state, const ZnodeVisit& visit, AccessWriter& accesses,
              Encoder& out) {
  const Znode& znode = visit.znode;
  const std::optional<int64_t> ttl_ms =
      znode.is_expirable() ? state.TtlOf(visit.path) : std::nullopt;
  const int flags = (znode.data.is_null() ? 0 : kHasData) |
                    (znode.is_ephemeral() ? kHasOwner : 0) | (znode.access() ? kHasAccess : 0) |
                    (ttl_ms.has_value() ? kHasTtl : 0);
  out.Varint(visit.depth)
      .String(visit.name())
      .Fixed8(static_cast<uint8_t>(flags))
      .Signed(znode.czxid().value())
      .Signed(Minus(znode.mzxid().value(), znode.czxid().value()))
      .Signed(Minus(znode.pzxid().value(), znode.czxid().value()))
      .Signed(znode.ctime_ms())
      .Signed(Minus(znode.mtime_ms(), znode.ctime_ms()))
      .Signed(znode.version())
      .Signed(znode.create_counter());
  if (znode.is_ephemeral()) out.Fixed64(znode.ephemeral_owner().value());
  if (znode.access()) accesses.Put(znode.access(), out);
  if (ttl_ms.has_value()) out.Varint(static_cast<uint64_t>(*ttl_ms));
  if (!znode.data.is_null()) out.String(znode.data.view());
}

// Fills records of one kind and hands them over when they are large enough.
class RecordWriter {
 public:
  RecordWriter(Kind kind, absl::FunctionRef<absl::Status(std::string_view)> sink)
      : kind_(kind), sink_(sink) {}

  // `put` appends one item to an Encoder.
  template <typename Put>
  absl::Status Add(Put put) {
    if (record_.empty()) record_.push_back(static_cast<char>(kind_));
    Encoder out(record_);
    put(out);
    return record_.size() < kSnapshotRecordBytes ? absl::OkStatus() : Flush();
  }

  absl::Status Flush() {
    if (record_.empty()) return absl::OkStatus();
    absl::Status status = sink_(record_);
    record_.clear();
    return status;
  }

 private:
  const Kind kind_;
  const absl::FunctionRef<absl::Status(std::string_view)> sink_;
  std::string record_;
};

uint8_t FormatOf(const StateView& state) {
  if (state.feature_level() < kFeatureLevelAcls) return 1;
  return state.feature_level() < kFeatureLevelRetries ? 2 : kSnapshotFormatVersion;
}

// The lowest feature level of which a format is.
uint32_t FeatureLevelMinOf(uint8_t version) {
  if (version < 2) return kFeatureLevelFirst;
  return version == 2 ? kFeatureLevelAcls : kFeatureLevelRetries;
}

absl::Status WriteHeader(const StateView& state,
                         absl::FunctionRef<absl::Status(std::string_view)> sink) {
  std::string record;
  Encoder out(record);
  out.Fixed8(static_cast<uint8_t>(Kind::kHeader)).Fixed8(FormatOf(state));
  out.Signed(state.zxid().value()).Signed(state.last_time_ms());
  PutUuid(state.ensemble_id(), out);
  out.Varint(state.feature_level())
      .Varint(state.znode_count())
      .Varint(state.data_bytes())
      .Varint(state.session_count())
      .Varint(state.ephemeral_count())
      .Fixed64(state.digest());
  return sink(record);
}

absl::Status Malformed(std::string_view what) {
  return absl::DataLossError(fmt::format("a coord snapshot is damaged: {}", what));
}

}  // namespace

absl::Status WriteSnapshot(const StateView& state,
                           absl::FunctionRef<absl::Status(std::string_view record)> sink) {
  RETURN_IF_ERROR(WriteHeader(state, sink));

  RecordWriter sessions(Kind::kSessions, sink);
  for (const Sessions::Entries::Entry& entry : state.sessions().entries()) {
    RETURN_IF_ERROR(
        sessions.Add([&](Encoder& out) { PutSession(state, entry.key, *entry.value, out); }));
  }
  RETURN_IF_ERROR(sessions.Flush());

  RecordWriter znodes(Kind::kZnodes, sink);
  AccessWriter accesses;
  absl::Status status;
  state.Subtree("/", [&](const ZnodeVisit& visit) {
    status = znodes.Add([&](Encoder& out) { PutZnode(state, visit, accesses, out); });
    return status.ok();
  });
  RETURN_IF_ERROR(status);
  RETURN_IF_ERROR(znodes.Flush());

  const char end = static_cast<char>(Kind::kEnd);
  return sink({&end, 1});
}

absl::Status SnapshotLoader::Add(std::string_view record) {
  if (status_.ok()) status_ = AddRecord(record);
  return status_;
}

absl::Status SnapshotLoader::AddRecord(std::string_view record) {
  Decoder in(record);
  const uint8_t kind = in.Fixed8();
  if (ended_) return Malformed("something follows its end");
  if (header_.has_value() == (kind == static_cast<uint8_t>(Kind::kHeader))) {
    return Malformed("it does not begin with a header, or has two");
  }
  switch (static_cast<Kind>(kind)) {
    case Kind::kHeader:
      return AddHeader(in);
    case Kind::kSessions:
      if (tree_.znode_count() > 0) return Malformed("a session follows a znode");
      do {
        RETURN_IF_ERROR(AddSession(in));
      } while (in.remaining() > 0);
      return absl::OkStatus();
    case Kind::kZnodes:
      do {
        RETURN_IF_ERROR(AddZnode(in));
      } while (in.remaining() > 0);
      return absl::OkStatus();
    case Kind::kEnd:
      ended_ = true;
      return in.Done() ? absl::OkStatus() : Malformed("its end is too long");
  }
  return Malformed("a record is of no known kind");
}

absl::Status SnapshotLoader::AddHeader(Decoder& in) {
  const uint8_t version = in.Fixed8();
  if (in.ok() && version > kSnapshotFormatVersion) {
    return absl::UnimplementedError(
        fmt::format("a coord snapshot has format version {}, and this release knows only up to {}: "
                    "it was written by a newer release, which must be used here too",
                    version, kSnapshotFormatVersion));
  }
  Header header;
  header.version = version;
  header.zxid = Zxid(in.Signed());
  header.time_ms = in.Signed();
  header.ensemble_id = TakeUuid(in);
  const uint64_t feature_level = in.Varint();
  header.feature_level = static_cast<uint32_t>(feature_level);
  header.znodes = in.Varint();
  header.data_bytes = in.Varint();
  header.sessions = in.Varint();
  header.ephemerals = in.Varint();
  header.digest = in.Fixed64();
  // What came with a format would be lost with the next snapshot of a level that has no such thing.
  const bool is_valid = version > 0 && feature_level >= FeatureLevelMinOf(version) &&
                        header.feature_level == feature_level && header.zxid >= Zxid() &&
                        header.zxid <= Zxid(kZxidMax);
  if (!in.Done() || !is_valid) return Malformed("its header is of no state");
  header_ = header;
  return absl::OkStatus();
}

absl::Status SnapshotLoader::AddSession(Decoder& in) {
  const SessionId id(in.Fixed64());
  CowPtr<Session> created(new Session());
  Session& session = created.Owned();
  session.nonce = TakeUuid(in);
  for (uint8_t& byte : session.password) byte = in.Fixed8();
  session.timeout_ms = in.Signed();
  session.generation = SessionGeneration(in.Varint());
  session.last_sequence = CommandSequence(in.Varint());
  if (!in.ok()) return Malformed("a session ends too early");
  if (!sessions_.Restore(id, std::move(created))) return Malformed("a session is out of order");
  return header_->version < 3 ? absl::OkStatus() : AddKeptResults(id, in);
}

absl::Status SnapshotLoader::AddKeptResults(SessionId id, Decoder& in) {
  std::vector<Sessions::SavedResult> results;
  // The list grows as its items are read: a false count ends with the bytes.
  const uint64_t count = in.Varint();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    const std::string_view bytes = in.String();
    const std::optional<KeptResult> kept = DecodeKeptResult(bytes);
    if (!kept.has_value() || kept->result.zxid > header_->zxid) {
      return Malformed("a result kept for a session is of no command");
    }
    results.push_back({kept->result.zxid, SharedBytes::Copy(bytes)});
  }
  if (!in.ok()) return Malformed("a session ends too early");
  if (!sessions_.RestoreKept(id, std::move(results))) {
    return Malformed("the results kept for a session are not of its last commands");
  }
  return absl::OkStatus();
}

bool SnapshotLoader::TakeAccess(Decoder& in, AclPtr& access) {
  const uint64_t index = in.Varint();
  if (index < accesses_.size()) {
    access = accesses_[index];
    return true;
  }
  int32_t aversion = 0;
  Acl acl;
  if (index > accesses_.size() || !TakeInt32(in, aversion) || !DecodeAcl(in, acl)) return false;
  if (!in.ok() || ExceedsLimits(acl)) return false;
  access = tree_.MakeAccess(std::move(acl), aversion);
  accesses_.push_back(access);
  if (accesses_.size() == kAccessesMax) accesses_.clear();
  return true;
}

absl::Status SnapshotLoader::AddZnode(Decoder& in) {
  const uint64_t depth = in.Varint();
  const std::string_view name = in.String();
  const uint8_t flags = in.Fixed8();
  ZnodeFields znode;
  const int64_t czxid = in.Signed();
  znode.czxid = Zxid(czxid);
  znode.mzxid = Zxid(Plus(czxid, in.Signed()));
  znode.pzxid = Zxid(Plus(czxid, in.Signed()));
  znode.ctime_ms = in.Signed();
  znode.mtime_ms = Plus(znode.ctime_ms, in.Signed());
  bool fits = TakeInt32(in, znode.version) && TakeInt32(in, znode.create_counter);
  if ((flags & kHasOwner) != 0) znode.owner = SessionId(in.Fixed64());
  if ((flags & kHasAccess) != 0) fits = TakeAccess(in, znode.access) && fits;
  std::optional<int64_t> ttl_ms;
  if ((flags & kHasTtl) != 0) {
    const uint64_t value = in.Varint();
    if (value > static_cast<uint64_t>(kTtlMsMax)) fits = false;
    ttl_ms = static_cast<int64_t>(value);
  }
  const std::string_view data = (flags & kHasData) != 0 ? in.String() : std::string_view();
  if (!in.ok()) return Malformed("a znode ends too early");
  const int flags_max =
      header_->version == 1 ? kHasData | kHasOwner : kHasData | kHasOwner | kHasAccess | kHasTtl;
  if (!fits || flags > flags_max || data.size() > kDataBytesMax) {
    return Malformed("a znode has an impossible value");
  }

  if ((flags & kHasData) != 0) znode.data = SharedBytes::Copy(data);
  if ((flags & kHasOwner) != 0) {
    if (depth == 0 || sessions_.Find(znode.owner) == nullptr) {
      return Malformed("an ephemeral's session is missing");
    }
  }
  const SessionId owner = znode.owner;
  if (!tree_.Add(depth, name, Znode::Make(std::move(znode)), ttl_ms)) {
    return Malformed("a znode is out of order");
  }
  if ((flags & kHasOwner) != 0) sessions_.AddEphemeral(owner, tree_.path());
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<StateMachine>> SnapshotLoader::Finish() {
  RETURN_IF_ERROR(status_);
  absl::StatusOr<std::unique_ptr<StateMachine>> state = Build();
  status_ = state.ok() ? absl::FailedPreconditionError("this snapshot was loaded before")
                       : state.status();
  return state;
}

absl::StatusOr<std::unique_ptr<StateMachine>> SnapshotLoader::Build() {
  if (!ended_ || tree_.znode_count() == 0) return Malformed("it is incomplete");
  auto state = std::make_unique<StateMachine>(
      StateView(tree_.Finish(), std::move(sessions_), header_->zxid, header_->time_ms,
                header_->ensemble_id, header_->feature_level));
  if (state->znode_count() != header_->znodes || state->data_bytes() != header_->data_bytes ||
      state->session_count() != header_->sessions ||
      state->ephemeral_count() != header_->ephemerals) {
    return Malformed("the numbers of its sessions and znodes are not those of its header");
  }
  if (state->digest() != header_->digest) {
    return Malformed(fmt::format("its digest is {:016x}, and its header says {:016x}",
                                 state->digest(), header_->digest));
  }
  return state;
}

}  // namespace bellwether::coord::tree
