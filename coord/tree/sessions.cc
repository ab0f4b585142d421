#include "coord/tree/sessions.h"

#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "coord/tree/digest.h"

namespace bellwether::coord::tree {
namespace {

// The time it takes does not tell how many bytes were right.
bool SamePassword(const SessionPassword& a, const SessionPassword& b) {
  uint8_t difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= a[i] ^ b[i];
  return difference == 0;
}

uint64_t Term(SessionId id, const Session& session) {
  const std::string_view password(reinterpret_cast<const char*>(session.password.data()),
                                  session.password.size());
  return Hasher('n')
      .Number(id.value())
      .Number(session.nonce.high())
      .Number(session.nonce.low())
      .Bytes(password)
      .Number(static_cast<uint64_t>(session.timeout_ms))
      .Number(session.generation.value())
      .Number(session.last_sequence.value())
      .Finish();
}

uint64_t KeptTerm(SessionId id, CommandSequence sequence, const SharedBytes& bytes) {
  return Hasher('k').Number(id.value()).Number(sequence.value()).Bytes(bytes.view()).Finish();
}

size_t KeptBytes(const SharedBytes& bytes) { return bytes.size() + kKeptResultOverheadBytes; }

SessionId MakeId(uint8_t server_id, Zxid zxid) {
  constexpr uint64_t kZxidBits = (uint64_t{1} << 56) - 1;
  return SessionId(uint64_t{server_id} << 56 | (static_cast<uint64_t>(zxid.value()) & kZxidBits));
}

}  // namespace

const Session* Sessions::Find(SessionId id) const {
  const CowPtr<Session>* const found = sessions_.Find(id);
  return found == nullptr ? nullptr : found->get();
}

SessionGrant Sessions::GrantOf(SessionId id) const {
  const Session* const session = Find(id);
  CHECK(session != nullptr);
  SessionGrant grant;
  grant.session = id;
  grant.generation = session->generation;
  grant.last_sequence = session->last_sequence;
  grant.timeout_ms = session->timeout_ms;
  grant.password = session->password;
  return grant;
}

SessionId Sessions::Create(const CreateSession& operation, Zxid zxid) {
  const SessionId* const known = by_nonce_.Find(operation.nonce);
  if (known != nullptr) {
    Session& session = Mutable(*known);
    digest_ -= Term(*known, session);
    ++session.generation;
    digest_ += Term(*known, session);
    return *known;
  }
  const SessionId id = MakeId(operation.server_id, zxid);
  CowPtr<Session> created(new Session());
  Session& session = created.Owned();
  session.nonce = operation.nonce;
  session.password = operation.password;
  session.timeout_ms = operation.timeout_ms;
  session.generation = SessionGeneration(1);
  digest_ += Term(id, session);
  by_nonce_.Insert(operation.nonce, id);
  sessions_.Insert(id, std::move(created));
  return id;
}

bool Sessions::Restore(SessionId id, CowPtr<Session> session) {
  if (id == SessionId() || (!sessions_.empty() && id <= sessions_.Last().key)) return false;
  if (by_nonce_.Find(session->nonce) != nullptr) return false;
  digest_ += Term(id, *session);
  by_nonce_.Insert(session->nonce, id);
  sessions_.Append(id, std::move(session));
  return true;
}

bool Sessions::Attach(const AttachSession& operation) {
  const Session* const found = Find(operation.session);
  if (found == nullptr || !SamePassword(found->password, operation.password)) return false;
  Session& session = Mutable(operation.session);
  digest_ -= Term(operation.session, session);
  ++session.generation;
  session.timeout_ms = operation.timeout_ms;
  digest_ += Term(operation.session, session);
  return true;
}

ResultCode Sessions::Admit(SessionId id, SessionGeneration generation, CommandSequence sequence) {
  const Session* const found = Find(id);
  if (found == nullptr) return ResultCode::kSessionExpired;
  if (generation != found->generation && !MUTANT(16)) return ResultCode::kStaleGeneration;
  if (sequence != found->last_sequence + 1 && !MUTANT(17)) return ResultCode::kSequenceGap;
  Session& session = Mutable(id);
  digest_ -= Term(id, session);
  session.last_sequence = sequence;
  digest_ += Term(id, session);
  return ResultCode::kOk;
}

void Sessions::Keep(SessionId id, CommandSequence floor, Zxid zxid, std::string_view result) {
  if (Find(id) == nullptr) return;
  // Too large for any session: to keep it would only drop what is before it and then itself.
  const size_t bytes = result.size() + kKeptResultOverheadBytes;
  const bool fits = bytes <= kKeptResultBytesMax;
  Session& session = Mutable(id);
  while (session.kept_results > 0 &&
         (session.first_kept < floor || !fits || session.kept_results == kKeptResultsMax ||
          session.kept_bytes + bytes > kKeptResultBytesMax)) {
    DropOldest(id, session);
  }
  if (!fits) return;
  AddKept({id, session.last_sequence}, {zxid, SharedBytes::Copy(result)}, session);
  kept_by_age_.Append(zxid, id);
  while (kept_bytes_ > kAllKeptResultBytesMax) {
    const SessionId oldest = kept_by_age_.begin()->value;
    DropOldest(oldest, Mutable(oldest));
  }
}

void Sessions::AddKept(const KeptKey& key, Kept kept, Session& session) {
  const size_t bytes = KeptBytes(kept.bytes);
  if (session.kept_results == 0) session.first_kept = key.sequence;
  ++session.kept_results;
  session.kept_bytes += static_cast<uint32_t>(bytes);
  kept_bytes_ += bytes;
  digest_ += KeptTerm(key.session, key.sequence, kept.bytes);
  kept_.Insert(key, std::move(kept));
}

void Sessions::DropOldest(SessionId id, Session& session) {
  const KeptKey key{id, session.first_kept};
  const Kept dropped = kept_.Remove(key);
  const size_t bytes = KeptBytes(dropped.bytes);
  --session.kept_results;
  ++session.first_kept;
  session.kept_bytes -= static_cast<uint32_t>(bytes);
  kept_bytes_ -= bytes;
  digest_ -= KeptTerm(id, key.sequence, dropped.bytes);
  kept_by_age_.Remove(dropped.zxid);
}

void Sessions::Acknowledge(SessionId id, CommandSequence floor) {
  const Session* const found = Find(id);
  if (found == nullptr || found->kept_results == 0 || found->first_kept >= floor) return;
  if (MUTANT(71)) return;
  Session& session = Mutable(id);
  while (session.kept_results > 0 && session.first_kept < floor) DropOldest(id, session);
}

const SharedBytes* Sessions::FindKept(SessionId id, CommandSequence sequence) const {
  const Kept* const kept = kept_.Find(KeptKey{id, sequence});
  return kept == nullptr ? nullptr : &kept->bytes;
}

bool Sessions::RestoreKept(SessionId id, std::vector<SavedResult> results) {
  const Session* const found = Find(id);
  if (found == nullptr || found->kept_results > 0 || results.size() > kKeptResultsMax ||
      results.size() > found->last_sequence.value()) {
    return false;
  }
  size_t bytes = 0;
  Zxid before;
  for (const SavedResult& result : results) {
    bytes += KeptBytes(result.bytes);
    if (result.zxid <= before || kept_by_age_.Find(result.zxid) != nullptr) return false;
    before = result.zxid;
  }
  if (bytes > kKeptResultBytesMax || kept_bytes_ + bytes > kAllKeptResultBytesMax) return false;
  Session& session = Mutable(id);
  CommandSequence sequence = session.last_sequence + 1 - results.size();
  for (SavedResult& result : results) {
    kept_by_age_.Insert(result.zxid, id);
    AddKept({id, sequence}, {result.zxid, std::move(result.bytes)}, session);
    ++sequence;
  }
  return true;
}

void Sessions::Remove(SessionId id) {
  Acknowledge(id, Find(id)->last_sequence + 1);
  const CowPtr<Session> session = sessions_.Remove(id);
  CHECK(session->ephemerals.empty());
  digest_ -= Term(id, *session);
  by_nonce_.Remove(session->nonce);
}

void Sessions::AddEphemeral(SessionId id, std::string_view path) {
  Mutable(id).ephemerals.Insert(CompactString(path), {});
  ++ephemeral_count_;
}

void Sessions::RemoveEphemeral(SessionId id, std::string_view path) {
  Mutable(id).ephemerals.Remove(path);
  --ephemeral_count_;
}

std::vector<SessionId> Sessions::Ids() const {
  std::vector<SessionId> ids;
  ids.reserve(sessions_.size());
  for (const Entries::Entry& entry : sessions_) ids.push_back(entry.key);
  return ids;
}

uint64_t Sessions::RecomputeDigest() const {
  uint64_t digest = 0;
  for (const Entries::Entry& entry : sessions_) digest += Term(entry.key, *entry.value);
  for (const auto& entry : kept_) {
    digest += KeptTerm(entry.key.session, entry.key.sequence, entry.value.bytes);
  }
  return digest;
}

}  // namespace bellwether::coord::tree
