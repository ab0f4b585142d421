#include "coord/tree/sessions.h"

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

SessionId MakeId(uint8_t server_id, Zxid zxid) {
  constexpr uint64_t kZxidBits = (uint64_t{1} << 56) - 1;
  return SessionId(uint64_t{server_id} << 56 | (static_cast<uint64_t>(zxid.value()) & kZxidBits));
}

}  // namespace

const Session* Sessions::Find(SessionId id) const { return FindMutable(id); }

Session* Sessions::FindMutable(SessionId id) const {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second.get();
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
  const auto [known, is_new] = by_nonce_.try_emplace(operation.nonce);
  if (!is_new) return known->second;
  const SessionId id = MakeId(operation.server_id, zxid);
  known->second = id;
  auto session = std::make_unique<Session>();
  session->nonce = operation.nonce;
  session->password = operation.password;
  session->timeout_ms = operation.timeout_ms;
  session->generation = SessionGeneration(1);
  digest_ += Term(id, *session);
  const bool inserted = sessions_.emplace(id, std::move(session)).second;
  CHECK(inserted);
  return id;
}

bool Sessions::Attach(const AttachSession& operation) {
  Session* const session = FindMutable(operation.session);
  if (session == nullptr || !SamePassword(session->password, operation.password)) return false;
  digest_ -= Term(operation.session, *session);
  ++session->generation;
  session->timeout_ms = operation.timeout_ms;
  digest_ += Term(operation.session, *session);
  return true;
}

ResultCode Sessions::Admit(SessionId id, SessionGeneration generation, CommandSequence sequence) {
  Session* const session = FindMutable(id);
  if (session == nullptr) return ResultCode::kSessionExpired;
  if (generation != session->generation && !MUTANT(16)) return ResultCode::kStaleGeneration;
  if (sequence != session->last_sequence + 1 && !MUTANT(17)) return ResultCode::kSequenceGap;
  digest_ -= Term(id, *session);
  session->last_sequence = sequence;
  digest_ += Term(id, *session);
  return ResultCode::kOk;
}

void Sessions::Remove(SessionId id) {
  const auto found = sessions_.find(id);
  CHECK(found != sessions_.end());
  CHECK(found->second->ephemerals.empty());
  digest_ -= Term(id, *found->second);
  by_nonce_.erase(found->second->nonce);
  sessions_.erase(found);
}

void Sessions::AddEphemeral(SessionId id, std::string_view path) {
  Session* const session = FindMutable(id);
  CHECK(session != nullptr);
  const bool inserted = session->ephemerals.emplace(path).second;
  CHECK(inserted);
  ++ephemeral_count_;
}

void Sessions::RemoveEphemeral(SessionId id, std::string_view path) {
  Session* const session = FindMutable(id);
  CHECK(session != nullptr);
  const size_t erased = session->ephemerals.erase(std::string(path));
  CHECK(erased == 1);
  --ephemeral_count_;
}

std::vector<SessionId> Sessions::Ids() const {
  std::vector<SessionId> ids;
  ids.reserve(sessions_.size());
  for (const auto& [id, session] : sessions_) ids.push_back(id);
  return ids;
}

uint64_t Sessions::RecomputeDigest() const {
  uint64_t digest = 0;
  for (const auto& [id, session] : sessions_) digest += Term(id, *session);
  return digest;
}

}  // namespace bellwether::coord::tree
