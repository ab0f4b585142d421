#include "coord/raft/options.h"

#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::coord::raft {

absl::Status Validate(const Options& options) {
  auto invalid = [](std::string what) { return absl::InvalidArgumentError(what); };
  RETURN_IF_ERROR(Validate(options.membership.members));
  if (options.membership.IsJoint()) return invalid("no ensemble begins with a joint membership");
  if (options.self == ServerId(0)) return invalid("server id 0 stands for no server");
  if (options.folder_id.IsNil()) return invalid("the data folder has no id");
  if (options.heartbeat_ticks == 0 || options.heartbeat_ticks >= options.election_timeout_ticks) {
    return invalid(
        fmt::format("heartbeat_ticks={} must be from 1 to below election_timeout_ticks={}",
                    options.heartbeat_ticks, options.election_timeout_ticks));
  }
  if (options.inflight_appends_max == 0 || options.inflight_bytes_max == 0 ||
      options.uncommitted_bytes_max == 0 || options.unapplied_bytes_max == 0) {
    return invalid("a bound of zero would stop replication");
  }
  return absl::OkStatus();
}

}  // namespace bellwether::coord::raft
