// The part of the service about who is in the ensemble, and about servers without a quorum.
#include <utility>

#include "base/log.h"
#include "base/mutant.h"
#include "base/status.h"
#include "coord/service/coord_service.h"
#include "coord/service/ensemble_change.h"
#include "coord/tree/system_znodes.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

Failure Refused(std::string_view reason, std::string_view message) {
  return FailureOf(
      base::ErrorWithReason(absl::StatusCode::kFailedPrecondition, reason, message));
}

}  // namespace

bool CoordService::ServesReadOnly() const {
  if (!started_ || stopped_ || !ensemble_id_known_ || InContact()) return false;
  return log_->status().is_member;
}

std::string CoordService::EnsembleConfig() const {
  base::ReaderLock lock(state_.mutex);
  const auto config = state_.tree.Get(tree::kConfigPath);
  return config.has_value() ? std::string(config->data.view()) : "";
}

std::optional<bool> CoordService::ProvesSession(SessionId session,
                                                const tree::SessionPassword& password) const {
  base::ReaderLock lock(state_.mutex);
  const tree::Session* const known = state_.tree.sessions().Find(session);
  if (known == nullptr) return std::nullopt;
  return known->password == password;
}

// The order of ZooKeeper, but that who may not is told so before the leader is asked what it thinks of
// the new members.
std::optional<Failure> CoordService::CheckReconfigure(const Request& request) const {
  if (feature_levels_.level() < tree::kFeatureLevelRetries) {
    return Refused(kReasonReconfigDisabled,
                   fmt::format("the ensemble is at feature level {}, and its members are told and "
                               "changed through /zookeeper/config from level {} on",
                               feature_levels_.level(), tree::kFeatureLevelRetries));
  }
  const ReplicaStatus replica = log_->status();
  if (replica.servers.size() <= 1 &&
      (replica.servers.empty() || replica.servers.front().address.address.empty())) {
    return Refused(kReasonStandalone, "this server has no address for peers");
  }
  if (reconfiguring_) {
    return Refused(kReasonReconfigInProgress, "another change of the members is under way");
  }
  const auto& wanted = std::get<coord::Reconfigure>(request.operation);
  tree::SharedBytes config;
  tree::AclPtr access;
  {
    base::ReaderLock lock(state_.mutex);
    const tree::Znode* const znode = state_.tree.FindZnode(tree::kConfigPath);
    if (znode == nullptr) return FailureOf(tree::ResultCode::kNoNode, tree::kConfigPath);
    config = znode->data;
    access = znode->access();
  }
  const auto version = tree::VersionOfConfig(config.view());
  if (wanted.config_version != -1 && Zxid(wanted.config_version) != version && !MUTANT(83)) {
    return FailureOf(tree::ResultCode::kBadVersion, tree::kConfigPath);
  }
  if (wanted.malformed.has_value()) return wanted.malformed;
  const tree::Identities nobody;
  const tree::Identities& who = request.identities == nullptr ? nobody : *request.identities;
  if (tree::Allows(access, tree::kWrite, who)) return std::nullopt;
  return FailureOf(tree::ResultCode::kNoAuth, tree::kConfigPath);
}

Response CoordService::ConfigResponse(uint64_t request_id) const {
  Response response;
  response.request_id = request_id;
  base::ReaderLock lock(state_.mutex);
  response.zxid = state_.tree.zxid();
  const auto config = state_.tree.Get(tree::kConfigPath);
  if (config.has_value()) response.result = GetResult{config->data, config->stat};
  return response;
}

void CoordService::Reconfigure(base::Executor& executor, Request request, ResponseCallback done) {
  const auto answer = [&executor, this, id = request.id](std::optional<Failure> failure,
                                                         ResponseCallback& done) {
    Response response = ConfigResponse(id);
    if (failure.has_value()) {
      response.failure = std::move(failure);
      response.result = std::monostate();
    }
    executor.Post([done = std::move(done), response = std::move(response)]() mutable {
      done(std::move(response));
    });
  };
  if (auto refused = CheckReconfigure(request)) return answer(std::move(refused), done);
  if (reconfiguring_.exchange(true)) {
    return answer(Refused(kReasonReconfigInProgress, "another change of the members is under way"),
                  done);
  }
  LOG_INFO("reconfiguration asked for id={} joining={} leaving={} replaces_all={}",
           options_.server_id, std::get<coord::Reconfigure>(request.operation).joining.size(),
           std::get<coord::Reconfigure>(request.operation).leaving.size(),
           std::get<coord::Reconfigure>(request.operation).replaces_all);
  EnsembleChange::Dependencies deps{
      .log = *log_,
      .executor = deps_.replica_executor,
      .clock = deps_.clock,
      .config = [this] { return EnsembleConfig(); }};
  EnsembleChange::Start(
      std::move(deps), std::get<coord::Reconfigure>(std::move(request.operation)),
      [this, answer, done = std::move(done)](absl::Status status) mutable {
        reconfiguring_ = false;
        answer(status.ok() ? std::nullopt : std::optional<Failure>(FailureOf(status)), done);
      });
}

}  // namespace bellwether::coord
