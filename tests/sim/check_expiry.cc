#include "tests/sim/check_expiry.h"

#include <algorithm>
#include <variant>

namespace bellwether::sim {
namespace {

bool MayGo(const Model::Snapshot& znode, int64_t now_ms) {
  if (!znode.ttl_ms.has_value() || !znode.children.empty()) return false;
  if (*znode.ttl_ms == 0) return znode.stat.cversion > 0;
  return now_ms - znode.stat.mtime_ms > *znode.ttl_ms;
}

}  // namespace

void CheckExpiry(const Model& model, Violations& violations) {
  int64_t now_ms = 0;  // never goes back
  for (const Model::Applied& applied : model.commands()) {
    now_ms = std::max(now_ms, applied.time_ms);
    const auto* expired =
        std::get_if<coord::tree::DeleteExpired>(&applied.command.command.operation);
    if (expired == nullptr || applied.result.code != coord::tree::ResultCode::kOk) continue;
    const Model::Snapshot* const before = model.At(expired->path, applied.zxid - 1);
    if (before != nullptr && MayGo(*before, now_ms)) continue;
    violations.Add("expiry", "{} was deleted at zxid {} before its time", expired->path,
                   applied.zxid);
  }
}

}  // namespace bellwether::sim
