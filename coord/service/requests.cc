#include "coord/service/requests.h"

#include <utility>

#include "fmt/format.h"

namespace bellwether::coord {
namespace {

using tree::ResultCode;

constexpr size_t kFrameOverheadBytes = 64;

struct Description {
  absl::StatusCode code;
  const char* reason;
  const char* advice = nullptr;  // what to do, where the code's text does not say it
};

Description Describe(ResultCode code) {
  switch (code) {
    case ResultCode::kNoNode:
      return {absl::StatusCode::kNotFound, "no_node"};
    case ResultCode::kNodeExists:
      return {absl::StatusCode::kAlreadyExists, "node_exists"};
    case ResultCode::kBadVersion:
      return {absl::StatusCode::kFailedPrecondition, "bad_version"};
    case ResultCode::kNotEmpty:
      return {absl::StatusCode::kFailedPrecondition, "not_empty"};
    case ResultCode::kNoChildrenForEphemerals:
      return {absl::StatusCode::kFailedPrecondition, "no_children_for_ephemerals"};
    case ResultCode::kBadArguments:
      return {absl::StatusCode::kInvalidArgument, "bad_arguments"};
    case ResultCode::kTooLarge:
      return {absl::StatusCode::kInvalidArgument, "too_large"};
    case ResultCode::kSessionExpired:
      return {absl::StatusCode::kNotFound, "session_expired"};
    case ResultCode::kStaleGeneration:
      return {absl::StatusCode::kAborted, "session_moved"};
    case ResultCode::kSequenceGap:
      return {absl::StatusCode::kAborted, "sequence_gap"};
    case ResultCode::kCompareFailed:
      return {absl::StatusCode::kFailedPrecondition, "compare_failed"};
    case ResultCode::kAlreadySet:
      return {absl::StatusCode::kAlreadyExists, "already_set"};
    case ResultCode::kNoAuth:
      return {absl::StatusCode::kPermissionDenied, "no_auth",
              "authenticate as someone whom the ACL permits it, or ask who may change the ACL"};
    case ResultCode::kInvalidAcl:
      return {absl::StatusCode::kInvalidArgument, "invalid_acl",
              "it needs at least one entry, each with a known scheme (world, digest, ip, x509) and an "
              "id of that scheme's form, or auth from a client that has authenticated"};
    case ResultCode::kQuotaExceeded:
      return {absl::StatusCode::kResourceExhausted, "quota_exceeded",
              "delete znodes or data below the quota's path, or raise the quota in /zookeeper/quota"};
    case ResultCode::kNotExpired:
      return {absl::StatusCode::kFailedPrecondition, "not_expired"};
    case ResultCode::kOk:
    case ResultCode::kRolledBack:
    case ResultCode::kNotAttempted:
      break;
  }
  return {absl::StatusCode::kInternal, "internal"};
}

struct PayloadBytes {
  size_t operator()(const Response& response) const { return std::visit(*this, response.result); }
  size_t operator()(const WatchEvent& event) const { return event.path.size(); }
  size_t operator()(const Attached&) const { return 128; }
  size_t operator()(const KeepAliveAck&) const { return 0; }
  size_t operator()(const Detached&) const { return 0; }
  size_t operator()(std::monostate) const { return 0; }
  size_t operator()(const CreateResult& result) const { return result.path.size() + 88; }
  size_t operator()(const SetDataResult&) const { return 88; }
  size_t operator()(const SetAclResult&) const { return 88; }
  size_t operator()(const CheckResult&) const { return 0; }
  size_t operator()(const Failure& failure) const { return failure.message.size() + 64; }
  size_t operator()(const DeleteResult&) const { return 8; }
  size_t operator()(const TransactionResult& result) const {
    size_t bytes = 0;
    for (const auto& one : result.results) bytes += kFrameOverheadBytes + std::visit(*this, one);
    return bytes;
  }
  size_t operator()(const GetResult& result) const { return result.data.size() + 88; }
  size_t operator()(const StatResult&) const { return 88; }
  size_t operator()(const ListResult& result) const { return 88 + Sum(result.names); }
  size_t operator()(const GetAclResult& result) const { return 88 + tree::AclBytes(result.acl); }
  size_t operator()(const WhoAmIResult& result) const {
    size_t bytes = 0;
    for (const tree::Identity& one : result.identities) bytes += sizeof(one) + one.id.size();
    return bytes;
  }
  size_t operator()(const EphemeralsResult& result) const { return Sum(result.paths); }
  size_t operator()(const CountResult&) const { return 8; }
  size_t operator()(const MultiReadResult& result) const {
    size_t bytes = 0;
    for (const auto& one : result.results) bytes += kFrameOverheadBytes + std::visit(*this, one);
    return bytes;
  }

 private:
  static size_t Sum(const std::vector<std::string>& texts) {
    size_t bytes = 0;
    for (const std::string& text : texts) bytes += sizeof(text) + text.size();
    return bytes;
  }
};

}  // namespace

Failure Unavailable(std::string message) {
  return {absl::StatusCode::kUnavailable, std::move(message), "", base::Outcome::kRejected};
}

Failure FailureOf(const absl::Status& status) {
  return {status.code(), std::string(base::StdView(status.message())), base::ReasonOf(status),
          base::OutcomeOf(status)};
}

Failure FailureOf(tree::ResultCode code, std::string_view path) {
  const Description described = Describe(code);
  std::string message(tree::ResultText(code));
  if (!path.empty()) message = fmt::format("{}: {}", path, message);
  if (described.advice != nullptr) message += fmt::format("; {}", described.advice);
  return {described.code, std::move(message), described.reason, base::Outcome::kRejected, code};
}

absl::Status CheckSameEnsemble(base::Uuid wanted, base::Uuid own) {
  if (wanted.IsNil() || wanted == own) return absl::OkStatus();
  return base::ErrorWithReason(
      absl::StatusCode::kFailedPrecondition, "other_ensemble",
      fmt::format("the client knows ensemble {}, this server belongs to {}; check the addresses",
                  wanted.ToString(), own.ToString()));
}

size_t FrameBytes(const ServerFrame& frame) {
  return kFrameOverheadBytes + std::visit(PayloadBytes(), frame);
}

}  // namespace bellwether::coord
