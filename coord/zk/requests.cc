#include "coord/zk/requests.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "coord/zk/reconfig.h"

namespace bellwether::coord::zk {
namespace {

using wire::Opcode;
using wire::ZkError;

// A mode that no znode has: the tree refuses such a create before it looks at anything else (Z13).
constexpr auto kNoMode = static_cast<tree::CreateMode>(0xff);

bool IsFlags(int32_t flags) {
  constexpr auto kLast = wire::CreateFlags::kPersistentSequentialWithTtl;
  return flags >= 0 && flags <= static_cast<int32_t>(kLast);
}

bool HasTtl(tree::CreateMode mode) {
  return mode == tree::CreateMode::kPersistentWithTtl ||
         mode == tree::CreateMode::kPersistentSequentialWithTtl;
}

// Outside of a transaction a TTL that the flags don't ask for is refused, too (Z15).
tree::CreateMode ModeOf(Opcode opcode, const wire::CreateRequest& create) {
  if (!IsFlags(create.flags)) return kNoMode;
  const auto mode = static_cast<tree::CreateMode>(create.flags);
  if (opcode == Opcode::kCreateTtl && !HasTtl(mode) && create.ttl_ms >= 0) return kNoMode;
  return mode;
}

tree::SharedBytes BytesOf(const wire::Buffer& buffer) {
  return buffer.has_value() ? tree::SharedBytes::Copy(*buffer) : tree::SharedBytes();
}

tree::Acl AclOf(const wire::Acl& acl) {
  tree::Acl made;
  made.reserve(acl.size());
  for (const wire::AclEntry& entry : acl) {
    made.push_back({static_cast<uint32_t>(entry.permissions), std::string(entry.scheme),
                    std::string(entry.id)});
  }
  return made;
}

// Open to all, which most znodes are, and need no ACL for.
bool IsOpen(const wire::Acl& acl) {
  constexpr wire::AclEntry kOpen{static_cast<int32_t>(tree::kAllPermissions), "world", "anyone"};
  return acl.size() == 1 && acl.front() == kOpen;
}

tree::Create CreateOf(Opcode opcode, const wire::CreateRequest& request) {
  tree::Create create;
  create.path = std::string(request.path);
  create.data = BytesOf(request.data);
  create.mode = ModeOf(opcode, request);
  if (!IsOpen(request.acl)) create.acl = AclOf(request.acl);
  // One that is not there, or below 1, is refused as 0 is.
  if (HasTtl(create.mode) && opcode == Opcode::kCreateTtl) {
    create.ttl_ms = std::max<int64_t>(request.ttl_ms, 0);
  }
  return create;
}

std::vector<std::string> PathsOf(const std::vector<std::string_view>& paths) {
  return {paths.begin(), paths.end()};
}

// As ZooKeeper understands a prefix: none at all, and the root, mean everything.
std::string PrefixOf(std::string_view prefix) {
  const auto is_visible = [](char byte) { return static_cast<unsigned char>(byte) > ' '; };
  const auto first = std::find_if(prefix.begin(), prefix.end(), is_visible);
  const auto end = std::find_if(prefix.rbegin(), prefix.rend(), is_visible).base();
  const bool everything = first == prefix.end() || (*first == '/' && end - first == 1);
  return everything ? "" : std::string(prefix);
}

// Makes one request's operation, by the kind of its body and its opcode.
class Translation {
 public:
  Translation(const PendingReply::SharedIdentities& identities, PendingReply& reply,
              size_t& overhead_bytes)
      : identities_(identities), reply_(reply), overhead_bytes_(overhead_bytes) {}

  RequestOperation operator()(const wire::EmptyRequest&) {
    if (reply_.opcode == Opcode::kCloseSession) {
      reply_.ends_connection = true;  // Z44
      return tree::CloseSession{};
    }
    if (reply_.opcode == Opcode::kWhoAmI) reply_.detail = identities_;
    if (reply_.opcode == Opcode::kPing) reply_.xid = wire::kPingXid;
    return EchoRead{};
  }

  RequestOperation operator()(const wire::CreateRequest& request) {
    overhead_bytes_ += request.acl.size() * sizeof(tree::AclEntry);
    return CreateOf(reply_.opcode, request);
  }

  RequestOperation operator()(const wire::DeleteRequest& request) {
    return tree::Delete{std::string(request.path), request.version};
  }

  RequestOperation operator()(const wire::SetDataRequest& request) {
    return tree::SetData{std::string(request.path), BytesOf(request.data), request.version};
  }

  RequestOperation operator()(const wire::SetAclRequest& request) {
    overhead_bytes_ += request.acl.size() * sizeof(tree::AclEntry);
    return tree::SetAcl{std::string(request.path), AclOf(request.acl), request.aversion};
  }

  RequestOperation operator()(const wire::ReadRequest& request) {
    std::string path(request.path);
    if (reply_.opcode == Opcode::kExists) {
      // The one read that looks at its path first (Z48).
      if (path.find('\0') != std::string::npos) return Refuse(ZkError::kBadArguments);
      return StatRead{std::move(path), request.watch};
    }
    if (reply_.opcode == Opcode::kGetData) {
      return GetRead{std::move(path), request.watch, /*watch_missing=*/false};  // Z26
    }
    return ListOf(std::move(path), request.watch);
  }

  RequestOperation operator()(const wire::PathRequest& request) {
    std::string path(request.path);
    if (reply_.opcode == Opcode::kGetAcl) return GetAclRead{std::move(path)};
    return DescendantsRead{std::move(path)};
  }

  RequestOperation operator()(const wire::SyncRequest& request) {
    PendingReply::Path path;
    if (request.path.has_value()) path = std::string(*request.path);
    reply_.detail = std::move(path);
    return SyncRead{};
  }

  RequestOperation operator()(const wire::MultiRequest& request) {
    return reply_.opcode == Opcode::kMultiRead ? Reads(request) : Writes(request);
  }

  RequestOperation operator()(const wire::ReconfigRequest& request) {
    Reconfigure reconfigure = TranslateReconfig(request);
    overhead_bytes_ += reconfigure.joining.size() * sizeof(Reconfigure::Server);
    return reconfigure;
  }

  RequestOperation operator()(const wire::WatchesRequest& request) {
    if (request.type < static_cast<int32_t>(WatchKind::kChildren) ||
        request.type > static_cast<int32_t>(WatchKind::kRecursive)) {
      return Refuse(ZkError::kMarshallingError);  // Z33
    }
    return RemoveWatches{std::string(request.path), static_cast<WatchKind>(request.type),
                         reply_.opcode == Opcode::kCheckWatches};
  }

  RequestOperation operator()(const wire::SetWatchesRequest& request) {
    SetWatches watches;
    watches.relative = Zxid(request.relative_zxid);
    watches.data = PathsOf(request.data);
    watches.exist = PathsOf(request.exist);
    watches.child = PathsOf(request.child);
    watches.persistent = PathsOf(request.persistent);
    watches.recursive = PathsOf(request.recursive);
    for (const auto* paths : {&watches.data, &watches.exist, &watches.child, &watches.persistent,
                              &watches.recursive}) {
      overhead_bytes_ += paths->size() * sizeof(std::string);
    }
    return watches;
  }

  RequestOperation operator()(const wire::AddWatchRequest& request) {
    switch (static_cast<wire::AddWatchMode>(request.mode)) {
      case wire::AddWatchMode::kPersistent:
        return AddWatch{std::string(request.path), /*recursive=*/false};
      case wire::AddWatchMode::kPersistentRecursive:
        return AddWatch{std::string(request.path), /*recursive=*/true};
    }
    return Refuse(ZkError::kMarshallingError);  // Z33
  }

  RequestOperation operator()(const wire::GetEphemeralsRequest& request) {
    return EphemeralsRead{PrefixOf(request.prefix)};
  }

  RequestOperation operator()(const wire::AuthRequest&) { return NotForTheService(); }
  RequestOperation operator()(const wire::SaslRequest&) { return NotForTheService(); }

 private:
  RequestOperation Refuse(ZkError error) {
    reply_.refusal = error;
    return EchoRead{};
  }

  static RequestOperation NotForTheService() {
    CHECK(false, "authentication is answered on receipt");
    return EchoRead{};
  }

  static ListRead ListOf(std::string path, bool watch) {
    ListRead list;
    list.path = std::move(path);
    list.watch = watch;
    list.whole = true;  // Z60
    list.system_znodes = true;
    return list;
  }

  RequestOperation Reads(const wire::MultiRequest& request) {
    MultiRead multi;
    multi.reads.reserve(request.operations.size());
    for (const wire::MultiOperation& operation : request.operations) {
      std::string path(std::get<wire::ReadRequest>(operation.body).path);
      if (operation.opcode == Opcode::kGetData) {
        multi.reads.emplace_back(GetRead{std::move(path)});
      } else {
        multi.reads.emplace_back(ListOf(std::move(path), /*watch=*/false));
      }
    }
    overhead_bytes_ += multi.reads.capacity() * sizeof(multi.reads[0]);
    return multi;
  }

  RequestOperation Writes(const wire::MultiRequest& request) {
    const size_t count = request.operations.size();
    if (count > tree::kTransactionItemsMax) return Refuse(ZkError::kBadArguments);
    tree::Transaction transaction;
    transaction.operations.reserve(count);
    PendingReply::Opcodes opcodes;
    opcodes.reserve(count);
    for (const wire::MultiOperation& operation : request.operations) {
      const auto* create = std::get_if<wire::CreateRequest>(&operation.body);
      if (create != nullptr && !IsFlags(create->flags)) {
        return Refuse(ZkError::kMarshallingError);  // Z15
      }
      if (create != nullptr) overhead_bytes_ += create->acl.size() * sizeof(tree::AclEntry);
      transaction.operations.push_back(WriteOf(operation));
      opcodes.push_back(operation.opcode);
    }
    overhead_bytes_ += count * sizeof(tree::TransactionOperation);
    reply_.detail = std::move(opcodes);
    return transaction;
  }

  static tree::TransactionOperation WriteOf(const wire::MultiOperation& operation) {
    if (const auto* create = std::get_if<wire::CreateRequest>(&operation.body)) {
      return CreateOf(operation.opcode, *create);
    }
    if (const auto* set = std::get_if<wire::SetDataRequest>(&operation.body)) {
      return tree::SetData{std::string(set->path), BytesOf(set->data), set->version};
    }
    if (const auto* check = std::get_if<wire::CheckVersionRequest>(&operation.body)) {
      return tree::Check{std::string(check->path), check->version};
    }
    const auto* erase = std::get_if<wire::DeleteRequest>(&operation.body);
    CHECK(erase != nullptr, "a read in a transaction was decoded");
    return tree::Delete{std::string(erase->path), erase->version};
  }

  const PendingReply::SharedIdentities& identities_;
  PendingReply& reply_;
  size_t& overhead_bytes_;
};

}  // namespace

TranslatedRequest TranslateRequest(const wire::Request& request,
                                   const PendingReply::SharedIdentities& identities,
                                   PendingReply& reply) {
  reply.xid = request.xid;
  reply.opcode = request.opcode;
  TranslatedRequest translated;
  translated.operation =
      std::visit(Translation(identities, reply, translated.overhead_bytes), request.body);
  return translated;
}

std::string_view OperationName(Opcode opcode) {
  switch (opcode) {
    case Opcode::kCreate:
    case Opcode::kCreate2:
    case Opcode::kCreateContainer:
    case Opcode::kCreateTtl:
      return "CREA";
    case Opcode::kDelete:
      return "DELE";
    case Opcode::kExists:
      return "EXIS";
    case Opcode::kGetData:
      return "GETD";
    case Opcode::kSetData:
      return "SETD";
    case Opcode::kGetAcl:
      return "GETA";
    case Opcode::kSetAcl:
      return "SETA";
    case Opcode::kGetChildren:
    case Opcode::kGetChildren2:
      return "GETC";
    case Opcode::kSync:
      return "SYNC";
    case Opcode::kPing:
      return "PING";
    case Opcode::kMulti:
      return "MULT";
    case Opcode::kReconfig:
      return "RECO";
    case Opcode::kCheckWatches:
      return "CHKW";
    case Opcode::kRemoveWatches:
      return "REMW";
    case Opcode::kMultiRead:
      return "MLTR";
    case Opcode::kSetWatches:
      return "SETW";
    case Opcode::kGetEphemerals:
      return "GETE";
    case Opcode::kGetAllChildrenNumber:
      return "GETACN";
    case Opcode::kSetWatches2:
      return "STW2";
    case Opcode::kAddWatch:
      return "ADDW";
    case Opcode::kWhoAmI:
      return "HOMI";
    case Opcode::kCreateSession:
      return "SESS";
    case Opcode::kCloseSession:
      return "CLOS";
    case Opcode::kError:
    case Opcode::kNotification:
    case Opcode::kCheck:
    case Opcode::kDeleteContainer:
    case Opcode::kAuth:
    case Opcode::kSasl:
      break;
  }
  return "NA";
}

}  // namespace bellwether::coord::zk
