#include "coord/rpc/convert.h"

#include <string>
#include <utility>

#include "base/status.h"
#include "coord/service/identities.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

using tree::SharedBytes;

constexpr std::string_view kReasonAuthFailed = "auth_failed";
constexpr size_t kSchemeShownBytesMax = 64;  // in errors

// nullopt unless the field is empty or a uuid's 16 bytes.
std::optional<base::Uuid> UuidOf(const std::string& bytes) {
  if (bytes.empty()) return base::Uuid();
  return base::Uuid::FromBytes(bytes);
}

template <typename Message>
SharedBytes DataOf(const Message& message) {
  return message.has_data() ? SharedBytes::Copy(message.data()) : SharedBytes();
}

// More entries than an ACL may have are not copied: FixUpAcl refuses one too many as well.
tree::Acl AclOf(const v1::Acl& from) {
  tree::Acl acl;
  for (const v1::AclEntry& entry : from.entries()) {
    if (acl.size() > tree::kAclEntriesMax) break;
    acl.push_back({entry.permissions(), entry.scheme(), entry.id()});
  }
  return acl;
}

ClientFrame ToAttach(const v1::Attach& attach) {
  AttachRequest request;
  const auto ensemble_id = UuidOf(attach.ensemble_id());
  const auto nonce = UuidOf(attach.nonce());
  if (!ensemble_id.has_value()) return ProtocolError{"Attach.ensemble_id is not 16 bytes"};
  if (!nonce.has_value()) return ProtocolError{"Attach.nonce is not 16 bytes"};
  request.ensemble_id = *ensemble_id;
  request.nonce = *nonce;
  request.session = SessionId(attach.session_id());
  request.read_only = attach.read_only();
  if (request.read_only && request.session != SessionId(0)) {
    return ProtocolError{"Attach.read_only is set together with session_id"};
  }
  if (request.session != SessionId(0)) {
    if (attach.password().size() != request.password.size()) {
      return ProtocolError{"Attach.password is not 16 bytes"};
    }
    std::copy(attach.password().begin(), attach.password().end(), request.password.begin());
  }
  request.timeout_ms = attach.timeout_ms();
  request.min_zxid = Zxid(attach.min_zxid());
  return request;
}

// Fills an operation; false, with the reason, when it can't be expressed.
class OperationReader {
 public:
  explicit OperationReader(Request& request) : request_(request) {}

  void Read(const v1::Request& from) {
    switch (from.operation_case()) {
      case v1::Request::kCreate:
        request_.operation = Create(from.create());
        break;
      case v1::Request::kSetData:
        request_.operation = SetData(from.set_data());
        break;
      case v1::Request::kDelete:
        ReadDelete(from.delete_());
        break;
      case v1::Request::kTransaction:
        ReadTransaction(from.transaction());
        break;
      case v1::Request::kCloseSession:
        request_.operation = tree::CloseSession();
        break;
      case v1::Request::kSetAcl:
        request_.operation = tree::SetAcl{from.set_acl().path(), AclOf(from.set_acl().acl()),
                                          from.set_acl().version()};
        break;
      case v1::Request::kImport:
        ReadImport(from.import());
        break;
      case v1::Request::kRaiseZxid:
        request_.operation = tree::RaiseZxid{Zxid(from.raise_zxid().zxid())};
        break;
      case v1::Request::kGet:
        request_.operation = GetRead{from.get().path(), from.get().watch()};
        break;
      case v1::Request::kStat:
        request_.operation = StatRead{from.stat().path(), from.stat().watch()};
        break;
      case v1::Request::kList:
        request_.operation = List(from.list());
        break;
      case v1::Request::kSync:
        request_.operation = SyncRead();
        break;
      case v1::Request::kGetAcl:
        request_.operation = GetAclRead{from.get_acl().path()};
        break;
      case v1::Request::kWhoAmI:
        request_.operation = WhoAmIRead();
        break;
      case v1::Request::kAwaitGrant:
        request_.operation = AwaitGrant{from.await_grant().path()};
        break;
      case v1::Request::kAuthenticate:  // by the stream, on receipt
        request_.operation = EchoRead();
        break;
      case v1::Request::OPERATION_NOT_SET:
        Refuse("the request has no operation that this server knows");
        break;
    }
  }

 private:
  void Refuse(std::string message) {
    Failure failure = FailureOf(tree::ResultCode::kBadArguments, "");
    failure.message = std::move(message);
    request_.malformed = std::move(failure);
  }

  tree::Create Create(const v1::CreateRequest& from) {
    if (from.mode() < 0 || from.mode() > v1::CREATE_MODE_PERSISTENT_SEQUENTIAL_WITH_TTL) {
      Refuse(fmt::format("create {}: mode {} is not known", from.path(), from.mode()));
      return {};
    }
    tree::Create create{from.path(), DataOf(from), static_cast<tree::CreateMode>(from.mode())};
    if (from.has_acl()) create.acl = AclOf(from.acl());
    create.ttl_ms = from.ttl_ms();
    return create;
  }

  static ListRead List(const v1::ListRequest& from) {
    ListRead read{from.path(), from.watch(), from.recursive(), from.after()};
    read.at_zxid = Zxid(from.at_zxid());
    read.keep_state = from.keep_state();
    return read;
  }

  tree::SetData SetData(const v1::SetDataRequest& from) {
    return {from.path(), DataOf(from), from.version()};
  }

  void ReadDelete(const v1::DeleteRequest& from) {
    if (!from.recursive()) {
      request_.operation = tree::Delete{from.path(), from.version()};
    } else if (from.version() == tree::kAnyVersion) {
      request_.operation = tree::DeleteRecursive{from.path()};
    } else {
      request_.operation = tree::DeleteRecursive{from.path()};
      Refuse(fmt::format("delete {}: a recursive delete takes no version, only -1", from.path()));
    }
  }

  void ReadImport(const v1::ImportRequest& from) {
    tree::Import import;
    import.overwrite = from.overwrite();
    for (const v1::ImportedZnode& znode : from.znodes()) {
      if (import.znodes.size() > tree::kTransactionItemsMax) break;  // refused as too many
      import.znodes.push_back(ImportedZnode(znode));
    }
    request_.operation = std::move(import);
  }

  tree::ImportedZnode ImportedZnode(const v1::ImportedZnode& from) {
    if (from.mode() < 0 || from.mode() > v1::CREATE_MODE_PERSISTENT_SEQUENTIAL_WITH_TTL) {
      Refuse(fmt::format("import {}: mode {} is not known", from.path(), from.mode()));
      return {};
    }
    tree::ImportedZnode znode;
    znode.path = from.path();
    znode.data = DataOf(from);
    if (from.has_acl()) znode.acl = AclOf(from.acl());
    znode.mode = static_cast<tree::CreateMode>(from.mode());
    znode.ttl_ms = from.ttl_ms();
    znode.ctime_ms = from.ctime_ms();
    znode.mtime_ms = from.mtime_ms();
    znode.version = from.version();
    znode.aversion = from.aversion();
    znode.create_counter = from.children_created();
    return znode;
  }

  void ReadTransaction(const v1::TransactionRequest& from) {
    tree::Transaction transaction;
    for (int i = 0; i < from.compares_size(); ++i) {
      AddCompares(from.compares(i), static_cast<uint32_t>(i), transaction.compares);
    }
    for (const v1::TransactionOperation& operation : from.operations()) {
      AddOperation(operation, transaction.operations);
    }
    request_.operation = std::move(transaction);
  }

  void AddCompares(const v1::Compare& from, uint32_t position,
                   std::vector<tree::Compare>& compares) {
    using Field = tree::Compare::Field;
    const auto add = [&](Field field, int64_t value) {
      compares.push_back({from.path(), field, value});
      request_.compare_positions.push_back(position);
    };
    if (from.has_exists()) add(Field::kExists, from.exists() ? 1 : 0);
    if (from.has_version()) add(Field::kVersion, from.version());
    if (from.has_czxid()) add(Field::kCzxid, from.czxid());
    if (from.has_mzxid()) add(Field::kMzxid, from.mzxid());
    if (from.has_ephemeral_owner()) {
      add(Field::kEphemeralOwner, static_cast<int64_t>(from.ephemeral_owner()));
    }
  }

  void AddOperation(const v1::TransactionOperation& from,
                    std::vector<tree::TransactionOperation>& operations) {
    switch (from.operation_case()) {
      case v1::TransactionOperation::kCreate:
        operations.emplace_back(Create(from.create()));
        return;
      case v1::TransactionOperation::kSetData:
        operations.emplace_back(SetData(from.set_data()));
        return;
      case v1::TransactionOperation::kDelete:
        operations.emplace_back(tree::Delete{from.delete_().path(), from.delete_().version()});
        if (from.delete_().recursive()) {
          Refuse(fmt::format("delete {}: a transaction can't delete recursively",
                             from.delete_().path()));
        }
        return;
      case v1::TransactionOperation::kCheck:
        operations.emplace_back(tree::Check{from.check().path(), from.check().version()});
        return;
      case v1::TransactionOperation::OPERATION_NOT_SET:
        Refuse("an operation of the transaction is not known to this server");
        return;
    }
  }

  Request& request_;
};

Request ToRequest(const v1::Request& from) {
  Request request;
  request.id = from.request_id();
  request.sequence = CommandSequence(from.sequence());
  request.acknowledged_floor = CommandSequence(from.acknowledged_floor());
  request.generation = SessionGeneration(from.generation());
  request.min_zxid = Zxid(from.min_zxid());
  request.stale_ok = from.stale_ok();
  OperationReader(request).Read(from);
  // Clients of this protocol count their writes.
  if (request.is_write() && request.sequence == kNextSequence && !request.malformed.has_value()) {
    request.malformed = FailureOf(tree::ResultCode::kSequenceGap, "");
  }
  return request;
}

}  // namespace

ClientFrame ToClientFrame(v1::SessionRequest&& frame) {
  switch (frame.frame_case()) {
    case v1::SessionRequest::kAttach:
      return ToAttach(frame.attach());
    case v1::SessionRequest::kRequest:
      return ToRequest(frame.request());
    case v1::SessionRequest::kKeepAlive:
      return KeepAliveRequest{frame.keep_alive().id()};
    case v1::SessionRequest::FRAME_NOT_SET:
      break;
  }
  return ProtocolError{"a frame that this server doesn't know"};
}

absl::StatusOr<base::Uuid> ToEnsembleId(const std::string& bytes, std::string_view call) {
  const auto ensemble_id = UuidOf(bytes);
  if (ensemble_id.has_value()) return *ensemble_id;
  return absl::InvalidArgumentError(fmt::format("{}: ensemble_id is not 16 bytes", call));
}

absl::StatusOr<tree::Identities> Authenticated(const CoordService& service, tree::Identities known,
                                               const Credentials& credentials) {
  if (static_cast<size_t>(credentials.size()) > tree::kIdentitiesMax) {
    return base::ErrorWithReason(
        absl::StatusCode::kUnauthenticated, kReasonAuthFailed,
        fmt::format("{} credentials are too many; give at most {}", credentials.size(),
                    tree::kIdentitiesMax));
  }
  for (const v1::Credential& one : credentials) {
    std::optional<tree::Identities> proved =
        service.Authenticate(known, one.scheme(), one.credential());
    if (!proved.has_value()) {
      return base::ErrorWithReason(
          absl::StatusCode::kUnauthenticated, kReasonAuthFailed,
          fmt::format("a credential of the scheme '{}' proves nothing here; use the scheme digest "
                      "with USER:PASSWORD, of a user of at most {} bytes",
                      one.scheme().substr(0, kSchemeShownBytesMax), kIdentityBytesMax - 64));
    }
    known = *std::move(proved);
  }
  return known;
}

absl::StatusOr<WatchRequest> ToWatchRequest(const v1::WatchRequest& from) {
  WatchRequest request;
  ASSIGN_OR_RETURN(request.ensemble_id, ToEnsembleId(from.ensemble_id(), "watch"));
  request.filter.paths = {from.path()};
  request.filter.paths.insert(request.filter.paths.end(), from.further_paths().begin(),
                              from.further_paths().end());
  request.filter.recursive = from.recursive();
  request.from_zxid = Zxid(from.from_zxid());
  request.min_zxid = Zxid(from.min_zxid());
  request.stale_ok = from.stale_ok();
  request.prompt_progress = from.prompt_progress();
  request.with_access = from.with_access();
  return request;
}

}  // namespace bellwether::coord
