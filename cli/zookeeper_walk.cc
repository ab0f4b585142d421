#include "cli/zookeeper_walk.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "coord/zk/wire/frame.h"
#include "fmt/format.h"

namespace bellwether::cli {
namespace {

namespace wire = coord::zk::wire;
using wire::Opcode;
using wire::ZkError;

constexpr wire::Opcode kParts[] = {Opcode::kGetData, Opcode::kGetAcl, Opcode::kGetChildren2};
constexpr int kAttemptsMax = 5;

std::string ChildOf(const std::string& parent, const std::string& name) {
  return parent == "/" ? "/" + name : parent + "/" + name;
}

client::Acl AclOf(const wire::Acl& from) {
  client::Acl acl;
  for (const wire::AclEntry& entry : from) {
    acl.push_back({static_cast<uint32_t>(entry.permissions), std::string(entry.scheme),
                   std::string(entry.id)});
  }
  return acl;
}

// True when nothing of a znode changed between two answers; its data's length is of the data.
bool IsSameState(const wire::Stat& a, const wire::Stat& b) {
  return a.czxid == b.czxid && a.mzxid == b.mzxid && a.pzxid == b.pzxid &&
         a.aversion == b.aversion && a.cversion == b.cversion;
}

}  // namespace

ZookeeperWalk::ZookeeperWalk(std::string top, Callbacks callbacks)
    : callbacks_(std::move(callbacks)) {
  Asked first;
  first.path = std::move(top);
  again_.push_back(std::move(first));
}

void ZookeeperWalk::Append(Opcode opcode, wire::RequestBody body, std::string& out) {
  const size_t begin = wire::BeginFrame(out);
  wire::EncodeRequest({next_xid_, opcode, std::move(body)}, out);
  CHECK(wire::EndFrame(out, begin));
  // The xids of their own are negative.
  next_xid_ = next_xid_ == INT32_MAX ? 1 : next_xid_ + 1;
}

bool ZookeeperWalk::TakeNext(Asked& next) {
  if (!again_.empty()) {
    next = std::move(again_.front());
    again_.pop_front();
    return true;
  }
  if (levels_.empty()) return false;
  Level& level = levels_.back();
  next.path = ChildOf(level.parent, level.names.back());
  level.names.pop_back();
  if (level.names.empty()) levels_.pop_back();
  return true;
}

void ZookeeperWalk::AppendRequests(std::string& out) {
  while (asked_.size() < kAskedMax) {
    Asked next;
    if (!TakeNext(next)) return;
    asked_.push_back(std::move(next));
    const std::string& path = asked_.back().path;
    Append(Opcode::kGetData, wire::ReadRequest{path, false}, out);
    Append(Opcode::kGetAcl, wire::PathRequest{path}, out);
    Append(Opcode::kGetChildren2, wire::ReadRequest{path, false}, out);
  }
}

absl::Status ZookeeperWalk::OnFrame(std::string_view frame) {
  const auto unexpected = [] {
    return absl::DataLossError(
        "the source answered with something else than was asked; check the address");
  };
  if (asked_.empty()) return unexpected();
  Asked& asked = asked_.front();
  std::optional<wire::Reply> reply = wire::DecodeReply(kParts[asked.answers], frame);
  if (!reply.has_value() || reply->header.xid != next_answer_) return unexpected();
  next_answer_ = next_answer_ == INT32_MAX ? 1 : next_answer_ + 1;
  if (reply->header.error != ZkError::kOk) {
    if (asked.error == ZkError::kOk) asked.error = reply->header.error;
  } else if (asked.answers == 0) {
    const auto& got = std::get<wire::DataReply>(reply->body);
    if (got.data.has_value()) asked.znode.data.emplace(*got.data);
    asked.data_stat = got.stat;
  } else if (asked.answers == 1) {
    const auto& got = std::get<wire::AclReply>(reply->body);
    asked.znode.acl = AclOf(got.acl);
    asked.acl_stat = got.stat;
  } else {
    const auto& got = std::get<wire::NamesStatReply>(reply->body);
    asked.names.assign(got.names.begin(), got.names.end());
    asked.znode.stat = got.stat;
  }
  if (++asked.answers < static_cast<int>(std::size(kParts))) return absl::OkStatus();
  Asked whole = std::move(asked);
  asked_.pop_front();
  Finish(std::move(whole));
  return absl::OkStatus();
}

void ZookeeperWalk::Finish(Asked asked) {
  WalkedZnode& znode = asked.znode;
  znode.path = std::move(asked.path);
  if (asked.error == ZkError::kNoNode) {
    return callbacks_.left_out(znode.path, kVanished, "it was deleted meanwhile");
  }
  if (asked.error == ZkError::kNoAuth) {
    return callbacks_.left_out(znode.path, kNoPermission,
                               "its ACL permits no reading, so that what is below it is not known; "
                               "give --source-auth");
  }
  if (asked.error != ZkError::kOk) {
    return callbacks_.left_out(
        znode.path, kFailed,
        fmt::format("the source answered with ZooKeeper's error {}",
                    static_cast<int32_t>(asked.error)));
  }
  if (znode.stat.ephemeral_owner != 0) {
    return callbacks_.left_out(znode.path, kEphemeral, "its session is one of the source");
  }
  if (!IsSameState(asked.data_stat, znode.stat) || !IsSameState(asked.acl_stat, znode.stat)) {
    if (asked.attempt == kAttemptsMax) {
      return callbacks_.left_out(znode.path, kChanged,
                                 "it changes too often to be read; run again when it is quiet");
    }
    Asked once_more;
    once_more.path = std::move(znode.path);
    once_more.attempt = asked.attempt + 1;
    again_.push_back(std::move(once_more));
    return;
  }
  if (znode.path == "/") std::erase(asked.names, "zookeeper");
  znode.children = asked.names.size();
  if (!asked.names.empty()) {
    std::sort(asked.names.begin(), asked.names.end(), std::greater<>());  // the first one last
    levels_.push_back({znode.path, std::move(asked.names)});
  }
  callbacks_.znode(std::move(znode));
}

void ZookeeperWalk::OnDisconnected() {
  while (!asked_.empty()) {
    Asked once_more;
    once_more.path = std::move(asked_.back().path);
    once_more.attempt = asked_.back().attempt;
    again_.push_front(std::move(once_more));
    asked_.pop_back();
  }
  next_answer_ = next_xid_;
}

}  // namespace bellwether::cli
