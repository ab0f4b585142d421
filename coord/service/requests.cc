#include "coord/service/requests.h"

#include <utility>

#include "coord/tree/quotas.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

using tree::ResultCode;

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
    case ResultCode::kResultForgotten:
      return {absl::StatusCode::kAborted, "result_forgotten", "read again to see what holds now"};
    case ResultCode::kSequenceReused:
      return {absl::StatusCode::kInvalidArgument, "sequence_reused",
              "a client must give every write a sequence of its own"};
    case ResultCode::kOk:
    case ResultCode::kRolledBack:
    case ResultCode::kNotAttempted:
      break;
  }
  return {absl::StatusCode::kInternal, "internal"};
}

// What a frame holds besides the place of the frame itself.
struct HeapBytes {
  size_t operator()(const Response& response) const {
    const size_t failure = response.failure.has_value() ? (*this)(*response.failure) : 0;
    return failure + std::visit(*this, response.result);
  }
  // Those that are told of one change share its path, but each change may tell but one.
  size_t operator()(const WatchEvent& event) const { return event.path.size(); }
  size_t operator()(const Attached& attached) const {
    return attached.failure.has_value() ? (*this)(*attached.failure) : 0;
  }
  size_t operator()(const GrantEvent& event) const { return event.path.size(); }
  size_t operator()(const KeepAliveAck&) const { return 0; }
  size_t operator()(const Detached& detached) const { return (*this)(detached.failure); }
  size_t operator()(std::monostate) const { return 0; }
  size_t operator()(const CreateResult& result) const { return result.path.size(); }
  size_t operator()(const SetDataResult&) const { return 0; }
  size_t operator()(const SetAclResult&) const { return 0; }
  size_t operator()(const CheckResult&) const { return 0; }
  size_t operator()(const Failure& failure) const {
    return failure.message.size() + failure.reason.size();
  }
  size_t operator()(const DeleteResult&) const { return 0; }
  size_t operator()(const TransactionResult& result) const { return OfVariants(result.results); }
  size_t operator()(const ImportResult& result) const {
    size_t bytes = 0;
    for (const auto& one : result.outcomes) {
      bytes += sizeof(one);
      if (const auto* failure = std::get_if<Failure>(&one)) bytes += (*this)(*failure);
    }
    return bytes;
  }
  size_t operator()(const GetResult& result) const { return result.data.size(); }
  size_t operator()(const StatResult&) const { return 0; }
  // As if a packed list was this frame's alone: that is what sending it takes.
  size_t operator()(const ListResult& result) const {
    return OfTexts(result.names) + (result.packed == nullptr ? 0 : result.packed->bytes.size());
  }
  size_t operator()(const GetAclResult& result) const {
    return tree::AclBytes(result.acl) + result.acl.size() * sizeof(tree::AclEntry);
  }
  size_t operator()(const WhoAmIResult& result) const {
    size_t bytes = 0;
    for (const tree::Identity& one : result.identities) bytes += sizeof(one) + one.id.size();
    return bytes;
  }
  size_t operator()(const EphemeralsResult& result) const { return OfTexts(result.paths); }
  size_t operator()(const CountResult&) const { return 0; }
  size_t operator()(const AwaitGrantResult&) const { return 0; }
  size_t operator()(const MultiReadResult& result) const { return OfVariants(result.results); }

 private:
  static size_t OfTexts(const std::vector<std::string>& texts) {
    size_t bytes = 0;
    for (const std::string& text : texts) bytes += sizeof(text) + text.size();
    return bytes;
  }
  template <typename Variant>
  size_t OfVariants(const std::vector<Variant>& results) const {
    size_t bytes = 0;
    for (const Variant& one : results) bytes += sizeof(one) + std::visit(*this, one);
    return bytes;
  }
};

// What else there is to say of a path that was beyond a limit; empty: nothing.
std::string LimitOf(std::string_view path) {
  if (tree::QuotaOfUsage(path).empty()) return "";
  return fmt::format(
      "; a quota begins by counting what is there, at most {} znodes; set quotas on parts of it",
      tree::QuotaCountedZnodesMax(tree::kFeatureLevelRetries));
}

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
  if (!path.empty()) message = fmt::format("{}: {}", PathForMessage(path), message);
  if (described.advice != nullptr) message += fmt::format("; {}", described.advice);
  if (code == ResultCode::kTooLarge) message += LimitOf(path);
  const base::Outcome outcome = code == ResultCode::kResultForgotten ? base::Outcome::kUnknown
                                                                     : base::Outcome::kRejected;
  return {described.code, std::move(message), described.reason, outcome, code};
}

std::string PathForMessage(std::string_view path) {
  if (path.size() <= kMessagePathBytesMax) return std::string(path);
  size_t end = kMessagePathBytesMax;
  const auto is_in_character = [&] { return (path[end] & 0xc0) == 0x80; };  // UTF-8
  for (int i = 0; i < 3 && is_in_character(); ++i) --end;
  return fmt::format("{}... ({} bytes)", path.substr(0, end), path.size());
}

absl::Status CheckSameEnsemble(base::Uuid wanted, base::Uuid own) {
  if (wanted.IsNil() || wanted == own) return absl::OkStatus();
  return base::ErrorWithReason(
      absl::StatusCode::kFailedPrecondition, "other_ensemble",
      fmt::format("the client knows ensemble {}, this server belongs to {}; check the addresses",
                  wanted.ToString(), own.ToString()));
}

size_t FrameBytes(const ServerFrame& frame) {
  return sizeof(frame) + std::visit(HeapBytes(), frame);
}

}  // namespace bellwether::coord
