#include "coord/service/requests.h"

#include "fmt/format.h"

namespace bellwether::coord {
namespace {

using tree::ResultCode;

constexpr size_t kFrameOverheadBytes = 64;

struct CodeAndReason {
  absl::StatusCode code;
  const char* reason;
};

CodeAndReason Describe(ResultCode code) {
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
  size_t operator()(const DeleteResult&) const { return 8; }
  size_t operator()(const TransactionResult& result) const {
    size_t bytes = 0;
    for (const auto& one : result.results) bytes += kFrameOverheadBytes + std::visit(*this, one);
    return bytes;
  }
  size_t operator()(const GetResult& result) const { return result.data.size() + 88; }
  size_t operator()(const StatResult&) const { return 88; }
  size_t operator()(const ListResult& result) const {
    size_t bytes = 88;
    for (const std::string& name : result.names) bytes += sizeof(name) + name.size();
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
  const CodeAndReason described = Describe(code);
  const std::string_view text = tree::ResultText(code);
  return {described.code, path.empty() ? std::string(text) : fmt::format("{}: {}", path, text),
          described.reason, base::Outcome::kRejected};
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
