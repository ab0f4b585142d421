#include "tests/sim/check_configs.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coord/service/ensemble_config.h"
#include "coord/tree/system_znodes.h"

namespace bellwether::sim {
namespace {

using coord::raft::Membership;
using coord::tree::kConfigPath;
using coord::zk::wire::Opcode;
using coord::zk::wire::ZkError;
using Memberships = std::map<LogIndex, Membership>;

bool Says(std::string_view config, const Membership& membership) {
  if (membership.IsJoint()) return false;
  const std::vector<coord::ConfigServer> servers = coord::ServersOfConfig(config);
  const auto& members = membership.members;
  return std::equal(servers.begin(), servers.end(), members.begin(), members.end(),
                    [](const coord::ConfigServer& server, const coord::raft::Member& member) {
                      return ServerId(server.id) == member.id &&
                             server.address == member.address && server.voter == member.voter;
                    });
}

// Whether that was so from the one index, or whatever there was before it, to the other one.
bool WasSo(std::string_view config, const Memberships& memberships, LogIndex first, LogIndex last) {
  auto membership = std::prev(memberships.upper_bound(first));
  for (; membership != memberships.end() && membership->first <= last; ++membership) {
    if (Says(config, membership->second)) return true;
  }
  return false;
}

void CheckWritten(const Model& model, const Memberships& memberships, Violations& violations) {
  LogIndex before;
  for (const auto& [zxid, znode] : model.TimelineOf(kConfigPath)) {
    if (!znode.has_value() || znode->data.value_or("").empty()) continue;
    if (znode->stat.mzxid != zxid) continue;  // not of its data
    const std::string& config = *znode->data;
    const Model::Applied* const applied = model.CommandAt(zxid);
    if (coord::tree::VersionOfConfig(config) != zxid || applied == nullptr) {
      violations.Add("config", "that of zxid {} has another version: {}", zxid, config);
      continue;
    }
    if (!WasSo(config, memberships, before, applied->index)) {
      violations.Add("config", "that of zxid {}, index {} never was so since index {}: {}", zxid,
                     applied->index, before, config);
    }
    before = applied->index;
  }
}

// "server.4=host:1:2:observer" in the words of the configuration: all but what follows the role.
bool IsIn(std::string_view config, const std::string& server) {
  const size_t at = config.find(server);
  if (at == std::string_view::npos || (at > 0 && config[at - 1] != '\n')) return false;
  const std::string_view behind = config.substr(at + server.size(), 1);
  return behind.empty() || behind == "\n" || behind == ";";
}

class ReconfigChecker {
 public:
  ReconfigChecker(const ZkOperation& operation, const Model& model, Violations& violations)
      : operation_(operation), model_(model), violations_(violations) {}

  void Check() {
    if (operation_.read_only) {
      if (operation_.error != ZkError::kNotReadOnly) Fail("was not refused as read-only");
      return;
    }
    const bool any = operation_.config_id == -1;
    switch (operation_.error) {
      case ZkError::kOk:
        return CheckGranted();
      case ZkError::kBadVersion:
        if (any || !HadVersion(/*other=*/true)) Fail("was refused for its version, the newest one");
        return;
      case ZkError::kNoAuth:
        if (IsSuper()) Fail("was refused to the superuser");
        return;
      default:
        if (!any && !HadVersion(/*other=*/false)) CheckRefusedEarly();
        return;
    }
  }

 private:
  // Whether at a state that the server may have had then the version was this one, or another one.
  bool HadVersion(bool other) const {
    const auto& timeline = model_.TimelineOf(kConfigPath);
    for (auto at = timeline.begin(); at != timeline.end(); ++at) {
      const auto next = std::next(at);
      if (at->first > operation_.zxid) break;
      if (next != timeline.end() && next->first <= operation_.relative) continue;
      const std::string config = at->second.has_value() ? at->second->data.value_or("") : "";
      const auto version = coord::tree::VersionOfConfig(config);
      if ((version == Zxid(operation_.config_id)) != other) return true;
    }
    return false;
  }

  bool IsSuper() const {
    const auto& known = operation_.identities;
    return std::any_of(known.begin(), known.end(),
                       [](const auto& identity) { return identity.scheme == "super"; });
  }

  // Only what is looked at before the version may be why.
  void CheckRefusedEarly() {
    const ZkError error = operation_.error;
    if (error == ZkError::kReconfigDisabled || error == ZkError::kReconfigInProgress) return;
    Fail("has a version that never was the newest, and was refused for something else");
  }

  void CheckGranted() {
    if (operation_.in_vain) return Fail("can't be done");
    if (!IsSuper()) return Fail("was not asked for by the superuser");
    if (operation_.config_id != -1 && !HadVersion(/*other=*/false)) {
      return Fail("has a version that was not the newest");
    }
    const Model::Snapshot* const znode = model_.At(kConfigPath, operation_.zxid);
    if (znode == nullptr || operation_.bytes != znode->data || operation_.stat != znode->stat) {
      return Fail("was not answered with the configuration of its zxid");
    }
    const std::string& config = *operation_.bytes;
    const auto wanted = [&config](const std::string& server) { return IsIn(config, server); };
    const bool joined = std::all_of(operation_.joining.begin(), operation_.joining.end(), wanted);
    const bool left = std::none_of(
        operation_.leaving.begin(), operation_.leaving.end(), [&config](uint32_t id) {
          return config.find(fmt::format("server.{}=", id)) != std::string::npos;
        });
    const auto& members = operation_.members;
    const bool replaced =
        members.empty() ||
        (std::all_of(members.begin(), members.end(), wanted) &&
         std::count(config.begin(), config.end(), '\n') == std::ssize(members));
    if (!joined || !left || !replaced) Fail("was answered well, and is not done");
  }

  void Fail(std::string_view what) {
    violations_.Add("reconfig", "{} to {} +[{}] -[{}] =[{}], answered {} {} at zxid {}: {}",
                    Describe(operation_), operation_.config_id,
                    fmt::join(operation_.joining, ","), fmt::join(operation_.leaving, ","),
                    fmt::join(operation_.members, ","), static_cast<int32_t>(operation_.error),
                    operation_.bytes.value_or(""), operation_.zxid, what);
  }

  const ZkOperation& operation_;
  const Model& model_;
  Violations& violations_;
};

}  // namespace

void CheckConfigs(const History& history, const Model& model, const Memberships& memberships,
                  Violations& violations) {
  CheckWritten(model, memberships, violations);
  for (const ZkOperation& operation : history.zk_operations) {
    if (operation.opcode != Opcode::kReconfig || !operation.answered()) continue;
    ReconfigChecker(operation, model, violations).Check();
  }
}

}  // namespace bellwether::sim
