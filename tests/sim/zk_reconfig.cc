#include <utility>

#include "absl/strings/str_split.h"
#include "base/parse.h"
#include "coord/tree/system_znodes.h"
#include "tests/sim/zk_client.h"
#include "tests/sim/zk_users.h"

// What a ZkClient asks for about who is in the ensemble (Z53, Z55).
namespace bellwether::sim {
namespace {

namespace wire = coord::zk::wire;

// No server has it.
constexpr std::string_view kUnknownServer = "200";

std::vector<std::string> Listed(const std::string& text) {
  if (text.empty()) return {};
  return absl::StrSplit(text, ',');
}

}  // namespace

bool ZkClient::Reconfigure(WantedServers wanted, std::function<void()> then) {
  if (!operates_ || over_ || finishing_ || link_ == nullptr || !attached_) return false;
  if (connection_->read_only || on_reconfigured_ != nullptr) return false;
  on_reconfigured_ = std::move(then);
  executor_.Post([this, wanted = std::move(wanted), connection = last_connection_]() mutable {
    if (over_ || link_ == nullptr || last_connection_ != connection) return;
    Prove(kSuperPassword);
    const bool by_version = config_version_ != -1 && random_.Chance(0.3);
    SendReconfig(std::move(wanted), by_version ? config_version_ : -1, false);
  });
  return true;
}

// What changes nothing, whatever becomes of it.
void ZkClient::ReconfigureInVain() {
  WantedServers wanted;
  wanted.leaving = kUnknownServer;
  if (operates_ && attached_ && random_.Chance(0.3)) Prove(kSuperPassword);
  switch (random_.Below(7)) {
    case 0:
      return SendReconfig(std::move(wanted), -1, false);
    case 1:
      return SendReconfig(std::move(wanted), config_version_, false);
    case 2:
      return SendReconfig(std::move(wanted), older_config_version_, false);
    case 3:
      return SendReconfig(std::move(wanted), random_.Between(0, int64_t{1} << 40), false);
    case 4:
      wanted.leaving = "1,2,3,4,5,6";  // nobody would vote
      return SendReconfig(std::move(wanted), -1, true);
    case 5:
      wanted.joining = "server.98=nowhere:1:2:observer,server.99=nowhere:1:2:observer";
      return SendReconfig(std::move(wanted), -1, true);
    default:
      wanted.joining = "server.98=nowhere";
      return SendReconfig(std::move(wanted), -1, true);
  }
}

void ZkClient::SendReconfig(WantedServers wanted, int64_t config_id, bool in_vain) {
  ZkOperation& operation = NewOperation(Opcode::kReconfig, std::string(coord::tree::kConfigPath));
  operation.relative = Zxid(last_zxid_);
  operation.config_id = config_id;
  operation.in_vain = in_vain;
  operation.joining = Listed(wanted.joining);
  operation.members = Listed(wanted.members);
  for (const std::string& id : Listed(wanted.leaving)) {
    operation.leaving.push_back(static_cast<uint32_t>(*base::ParseInteger(id, 0, INT32_MAX)));
  }
  // Their port for clients says nothing here.
  std::string joining;
  for (const std::string& server : operation.joining) joining += server + ";2181,";
  wire::ReconfigRequest request;
  request.config_id = config_id;
  if (!wanted.members.empty()) {
    request.new_members = wanted.members;
  } else {
    request.joining = joining;
    request.leaving = wanted.leaving;
  }
  Send(operation, std::move(request));
}

void ZkClient::OnConfig(const ZkOperation& operation) {
  if (operation.path != coord::tree::kConfigPath) return;
  if (operation.bytes.has_value()) {
    const std::optional<Zxid> version = coord::tree::VersionOfConfig(*operation.bytes);
    if (version.has_value() && version->value() != config_version_) {
      older_config_version_ = std::exchange(config_version_, version->value());
    }
  }
  const bool changes = !operation.members.empty() || !operation.joining.empty() ||
                       (!operation.leaving.empty() && operation.leaving.front() < 200);
  if (operation.opcode != Opcode::kReconfig || operation.in_vain || !changes) return;
  const auto then = std::exchange(on_reconfigured_, nullptr);
  if (operation.error == wire::ZkError::kOk && then != nullptr) then();
}

}  // namespace bellwether::sim
