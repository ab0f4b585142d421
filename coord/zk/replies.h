#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "coord/service/requests.h"
#include "coord/zk/wire/opcodes.h"
#include "coord/zk/wire/records.h"

// What the service says, as bytes for a client. Everything is appended as whole frames.
namespace bellwether::coord::zk {

// What is kept of a request until its response comes: enough to write the reply.
struct PendingReply {
  using Path = std::optional<std::string>;
  using Opcodes = std::vector<wire::Opcode>;
  using SharedIdentities = std::shared_ptr<const tree::Identities>;

  int32_t xid = 0;
  wire::Opcode opcode = wire::Opcode::kError;
  wire::ZkError refusal = wire::ZkError::kOk;  // else: the answer, whatever the response says
  bool ends_connection = false;
  absl::Duration received;  // when, by Clock::Monotonic
  // kSync: the path. kMulti: the operations' opcodes. kWhoAmI: who asked.
  std::variant<std::monostate, Path, Opcodes, SharedIdentities> detail;
};

// What one takes in memory.
size_t PendingBytes(const PendingReply& pending);

// The number for an outcome. One that no request of a ZooKeeper client can have is kSystemError.
wire::ZkError ErrorOf(tree::ResultCode code);

// The number for a failed request of `opcode`; nullopt when no reply would be true, or the client
// must look for another server: its connection ends unanswered.
std::optional<wire::ZkError> ErrorOf(wire::Opcode opcode, const Failure& failure);

// Appends the reply to a request. False, and nothing is appended: the connection ends unanswered.
// `zxid`: what the client is told to have seen (Z8).
[[nodiscard]] bool AppendReply(const PendingReply& pending, const Response& response, Zxid zxid,
                               std::string& out);

// Appends a reply without a body.
void AppendHeader(const wire::ReplyHeader& header, std::string& out);

// Appends a watch's event (Z34).
void AppendEvent(const WatchEvent& event, std::string& out);

// Appends the answer to a handshake. `grant` null: there is no such session (Z39). `read_only`:
// whether the session is; nullopt: the client's handshake did not have that byte.
void AppendHandshake(const tree::SessionGrant* grant, std::optional<bool> read_only,
                     std::string& out);

}  // namespace bellwether::coord::zk
