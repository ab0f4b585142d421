#include "coord/zk/read_only.h"

#include <algorithm>

#include "base/uuid.h"

namespace bellwether::coord::zk {
namespace {

using wire::Opcode;

constexpr int kServerShift = 56;
constexpr uint64_t kMadeUpMask = (uint64_t{1} << kServerShift) - 1;

}  // namespace

bool IsReadOnlySession(SessionId session) {
  return session != SessionId(0) && session.value() >> kServerShift == 0;
}

tree::SessionGrant ReadOnlyGrant(const wire::ConnectRequest& request, int64_t timeout_min_ms,
                                 int64_t timeout_max_ms, const std::function<uint64_t()>& random) {
  tree::SessionGrant grant{};
  grant.timeout_ms = std::clamp<int64_t>(request.timeout_ms, timeout_min_ms, timeout_max_ms);
  if (request.session_id != 0) {
    grant.session = SessionId(static_cast<uint64_t>(request.session_id));
    std::copy(request.password.begin(), request.password.end(), grant.password.begin());
    return grant;
  }
  grant.session = SessionId(std::max<uint64_t>(random() & kMadeUpMask, 1));
  const std::string password = base::Uuid::FromRandom(random(), random()).Bytes();
  std::copy(password.begin(), password.end(), grant.password.begin());
  return grant;
}

bool NeedsQuorum(Opcode opcode) {
  switch (opcode) {
    case Opcode::kCreate:
    case Opcode::kCreate2:
    case Opcode::kCreateContainer:
    case Opcode::kCreateTtl:
    case Opcode::kDelete:
    case Opcode::kDeleteContainer:
    case Opcode::kSetData:
    case Opcode::kSetAcl:
    case Opcode::kMulti:
    case Opcode::kCheck:
    case Opcode::kSync:
    case Opcode::kReconfig:
      return true;
    default:
      return false;
  }
}

}  // namespace bellwether::coord::zk
