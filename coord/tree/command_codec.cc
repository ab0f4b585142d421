#include <limits>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "base/coding.h"
#include "base/status.h"
#include "coord/tree/acl_codec.h"
#include "coord/tree/command.h"
#include "coord/tree/digest.h"
#include "fmt/format.h"

// The encoding: format version (1 byte), kind of operation (1), session (8), generation, sequence
// and acknowledged floor (varints), then, from format 2 on, the identities (varint of their number,
// scheme and id of each), then the operation's fields in their order. Strings carry a varint
// length; data, and an ACL that may be missing, a byte before it that says whether it is there.

namespace bellwether::coord::tree {
namespace {

using base::Decoder;
using base::Encoder;

// Bytes in the log: never renumbered.
enum class Kind : uint8_t {
  kCreateSession = 1,
  kAttachSession = 2,
  kCloseSession = 3,
  kExpireSession = 4,
  kCreate = 5,
  kSetData = 6,
  kDelete = 7,
  kDeleteRecursive = 8,
  kTransaction = 9,
  kSetEnsembleId = 10,
  kSetFeatureLevel = 11,
  // From format 2 on:
  kSetAcl = 12,
  kDeleteExpired = 13,
  kCheck = 14,
  kCreateExtended = 15,  // a Create with what came with kFeatureLevelAcls
  // From format 3 on:
  kImport = 16,
  kRaiseZxid = 17,
  kSetEnsembleConfig = 18,
};
constexpr Kind kLastOfFormat1 = Kind::kSetFeatureLevel;
constexpr Kind kLastOfFormat2 = Kind::kCreateExtended;

void PutUuid(const base::Uuid& id, Encoder& out) { out.Fixed64(id.high()).Fixed64(id.low()); }

void PutPassword(const SessionPassword& password, Encoder& out) {
  for (const uint8_t byte : password) out.Fixed8(byte);
}

void PutData(const SharedBytes& data, Encoder& out) {
  out.Fixed8(data.is_null() ? 0 : 1);
  if (!data.is_null()) out.String(data.view());
}

void PutAcl(const std::optional<Acl>& acl, Encoder& out) {
  out.Fixed8(acl.has_value() ? 1 : 0);
  if (acl.has_value()) EncodeAcl(*acl, out);
}

// Each operation writes its kind by KindOf and its fields by PutFields.
constexpr Kind KindOf(const CreateSession&) { return Kind::kCreateSession; }
constexpr Kind KindOf(const AttachSession&) { return Kind::kAttachSession; }
constexpr Kind KindOf(const CloseSession&) { return Kind::kCloseSession; }
constexpr Kind KindOf(const ExpireSession&) { return Kind::kExpireSession; }
Kind KindOf(const Create& operation) {
  return FeatureLevelOf(operation) < kFeatureLevelAcls ? Kind::kCreate : Kind::kCreateExtended;
}
constexpr Kind KindOf(const SetData&) { return Kind::kSetData; }
constexpr Kind KindOf(const Delete&) { return Kind::kDelete; }
constexpr Kind KindOf(const DeleteRecursive&) { return Kind::kDeleteRecursive; }
constexpr Kind KindOf(const Transaction&) { return Kind::kTransaction; }
constexpr Kind KindOf(const SetEnsembleId&) { return Kind::kSetEnsembleId; }
constexpr Kind KindOf(const SetFeatureLevel&) { return Kind::kSetFeatureLevel; }
constexpr Kind KindOf(const SetAcl&) { return Kind::kSetAcl; }
constexpr Kind KindOf(const DeleteExpired&) { return Kind::kDeleteExpired; }
constexpr Kind KindOf(const Check&) { return Kind::kCheck; }
constexpr Kind KindOf(const Import&) { return Kind::kImport; }
constexpr Kind KindOf(const RaiseZxid&) { return Kind::kRaiseZxid; }
constexpr Kind KindOf(const SetEnsembleConfig&) { return Kind::kSetEnsembleConfig; }

void PutFields(const CreateSession& operation, Encoder& out) {
  PutUuid(operation.nonce, out);
  PutPassword(operation.password, out);
  out.Signed(operation.timeout_ms).Fixed8(operation.server_id);
}

void PutFields(const AttachSession& operation, Encoder& out) {
  out.Fixed64(operation.session.value());
  PutPassword(operation.password, out);
  out.Signed(operation.timeout_ms);
}

void PutFields(const CloseSession&, Encoder&) {}

void PutFields(const ExpireSession& operation, Encoder& out) {
  out.Fixed64(operation.session.value()).Varint(operation.generation.value());
}

void PutFields(const Create& operation, Encoder& out) {
  out.String(operation.path);
  PutData(operation.data, out);
  out.Fixed8(static_cast<uint8_t>(operation.mode));
  if (KindOf(operation) == Kind::kCreate) return;
  PutAcl(operation.acl, out);
  out.Signed(operation.ttl_ms);
}

void PutFields(const Import& operation, Encoder& out) {
  out.Fixed8(operation.overwrite ? 1 : 0).Varint(operation.znodes.size());
  for (const ImportedZnode& znode : operation.znodes) {
    out.String(znode.path);
    PutData(znode.data, out);
    out.Fixed8(static_cast<uint8_t>(znode.mode));
    PutAcl(znode.acl, out);
    out.Signed(znode.ttl_ms).Signed(znode.ctime_ms).Signed(znode.mtime_ms);
    out.Signed(znode.version).Signed(znode.aversion).Signed(znode.create_counter);
  }
}

void PutFields(const RaiseZxid& operation, Encoder& out) { out.Signed(operation.zxid.value()); }

void PutFields(const SetEnsembleConfig& operation, Encoder& out) {
  out.String(operation.members).Signed(operation.expected_version);
}

void PutFields(const SetData& operation, Encoder& out) {
  out.String(operation.path);
  PutData(operation.data, out);
  out.Signed(operation.expected_version);
}

void PutFields(const Delete& operation, Encoder& out) {
  out.String(operation.path).Signed(operation.expected_version);
}

void PutFields(const Check& operation, Encoder& out) {
  out.String(operation.path).Signed(operation.expected_version);
}

void PutFields(const SetAcl& operation, Encoder& out) {
  out.String(operation.path);
  EncodeAcl(operation.acl, out);
  out.Signed(operation.expected_version);
}

void PutFields(const DeleteExpired& operation, Encoder& out) { out.String(operation.path); }

void PutFields(const DeleteRecursive& operation, Encoder& out) { out.String(operation.path); }

void PutFields(const Transaction& operation, Encoder& out) {
  out.Varint(operation.compares.size());
  for (const Compare& compare : operation.compares) {
    out.String(compare.path).Fixed8(static_cast<uint8_t>(compare.field)).Signed(compare.value);
  }
  out.Varint(operation.operations.size());
  for (const TransactionOperation& each : operation.operations) {
    std::visit(
        [&out](const auto& change) {
          out.Fixed8(static_cast<uint8_t>(KindOf(change)));
          PutFields(change, out);
        },
        each);
  }
}

void PutFields(const SetEnsembleId& operation, Encoder& out) {
  PutUuid(operation.ensemble_id, out);
}

void PutFields(const SetFeatureLevel& operation, Encoder& out) { out.Varint(operation.level); }

void PutIdentities(const Identities& identities, Encoder& out) {
  out.Varint(identities.size());
  for (const Identity& identity : identities) out.String(identity.scheme).String(identity.id);
}

// Reads one command. After the first error everything it returns is meaningless but harmless, and
// status() says what it was.
class CommandReader {
 public:
  explicit CommandReader(std::string_view bytes) : in_(bytes) {}

  Command Read() {
    Command command;
    version_ = in_.Fixed8();
    if (in_.ok() && (version_ == 0 || version_ > kCommandFormatVersion)) {
      Unknown("format version", version_);
    }
    const uint8_t kind = in_.Fixed8();
    command.session = SessionId(in_.Fixed64());
    command.generation = SessionGeneration(in_.Varint());
    command.sequence = CommandSequence(in_.Varint());
    command.acknowledged_floor = CommandSequence(in_.Varint());
    if (ok() && version_ > 1) command.identities = ReadIdentities();
    if (ok()) command.operation = ReadOperation(kind);
    return command;
  }

  absl::Status status() const {
    if (!unknown_.ok()) return unknown_;
    if (!in_.ok()) return absl::DataLossError("a coord command ends too early");
    if (malformed_) return absl::DataLossError("a coord command holds an impossible value");
    if (!in_.Done()) return absl::DataLossError("a coord command has bytes after its end");
    return absl::OkStatus();
  }

 private:
  bool ok() const { return unknown_.ok() && in_.ok() && !malformed_; }

  void Unknown(std::string_view what, uint8_t value) {
    if (!ok()) return;
    unknown_ = absl::UnimplementedError(
        fmt::format("a coord command has {} {}, which this server does not know: it was written by "
                    "a newer release, which must run here too",
                    what, value));
  }

  base::Uuid ReadUuid() {
    const uint64_t high = in_.Fixed64();
    return base::Uuid(high, in_.Fixed64());
  }

  SessionPassword ReadPassword() {
    SessionPassword password;
    for (uint8_t& byte : password) byte = in_.Fixed8();
    return password;
  }

  SharedBytes ReadData() {
    const uint8_t present = in_.Fixed8();
    if (present > 1) malformed_ = true;
    if (present != 1) return {};
    const std::string_view bytes = in_.String();
    return ok() ? SharedBytes::Copy(bytes) : SharedBytes();
  }

  int32_t ReadVersion() {
    const int64_t value = in_.Signed();
    if (value < std::numeric_limits<int32_t>::min() ||
        value > std::numeric_limits<int32_t>::max()) {
      malformed_ = true;
    }
    return static_cast<int32_t>(value);
  }

  // The lists grow as their items are read: a false count ends with the bytes.
  Identities ReadIdentities() {
    Identities identities;
    const uint64_t count = in_.Varint();
    for (uint64_t i = 0; i < count && ok(); ++i) {
      std::string scheme(in_.String());
      identities.push_back({std::move(scheme), std::string(in_.String())});
    }
    return identities;
  }

  // 0, which is none, for a kind that the command's format does not have.
  Kind KindIn(uint8_t kind) const {
    const Kind read = static_cast<Kind>(kind);
    if (version_ == 1 && read > kLastOfFormat1) return static_cast<Kind>(0);
    if (version_ == 2 && read > kLastOfFormat2) return static_cast<Kind>(0);
    return read;
  }

  Operation ReadOperation(uint8_t kind) {
    switch (KindIn(kind)) {
      case Kind::kCreateSession:
        return ReadCreateSession();
      case Kind::kAttachSession:
        return ReadAttachSession();
      case Kind::kCloseSession:
        return CloseSession{};
      case Kind::kExpireSession:
        return ReadExpireSession();
      case Kind::kCreate:
        return ReadCreate();
      case Kind::kSetData:
        return ReadSetData();
      case Kind::kDelete:
        return ReadDelete();
      case Kind::kDeleteRecursive:
        return DeleteRecursive{std::string(in_.String())};
      case Kind::kTransaction:
        return ReadTransaction();
      case Kind::kSetEnsembleId:
        return SetEnsembleId{ReadUuid()};
      case Kind::kSetFeatureLevel:
        return ReadSetFeatureLevel();
      case Kind::kSetAcl:
        return ReadSetAcl();
      case Kind::kDeleteExpired:
        return DeleteExpired{std::string(in_.String())};
      case Kind::kCreateExtended:
        return ReadCreateExtended();
      case Kind::kImport:
        return ReadImport();
      case Kind::kRaiseZxid:
        return RaiseZxid{Zxid(in_.Signed())};
      case Kind::kSetEnsembleConfig:
        return ReadSetEnsembleConfig();
      case Kind::kCheck:  // only in transactions
        break;
    }
    Unknown("operation kind", kind);
    return {};
  }

  CreateSession ReadCreateSession() {
    CreateSession operation;
    operation.nonce = ReadUuid();
    operation.password = ReadPassword();
    operation.timeout_ms = in_.Signed();
    operation.server_id = in_.Fixed8();
    return operation;
  }

  AttachSession ReadAttachSession() {
    AttachSession operation;
    operation.session = SessionId(in_.Fixed64());
    operation.password = ReadPassword();
    operation.timeout_ms = in_.Signed();
    return operation;
  }

  ExpireSession ReadExpireSession() {
    ExpireSession operation;
    operation.session = SessionId(in_.Fixed64());
    operation.generation = SessionGeneration(in_.Varint());
    return operation;
  }

  SetFeatureLevel ReadSetFeatureLevel() {
    const uint64_t level = in_.Varint();
    if (level > std::numeric_limits<uint32_t>::max()) malformed_ = true;
    return SetFeatureLevel{static_cast<uint32_t>(level)};
  }

  Create ReadCreate() {
    Create operation;
    operation.path = std::string(in_.String());
    operation.data = ReadData();
    operation.mode = static_cast<CreateMode>(in_.Fixed8());
    return operation;
  }

  Create ReadCreateExtended() {
    Create operation = ReadCreate();
    operation.acl = ReadOptionalAcl();
    operation.ttl_ms = in_.Signed();
    return operation;
  }

  ImportedZnode ReadImportedZnode() {
    ImportedZnode znode;
    znode.path = std::string(in_.String());
    znode.data = ReadData();
    znode.mode = static_cast<CreateMode>(in_.Fixed8());
    znode.acl = ReadOptionalAcl();
    znode.ttl_ms = in_.Signed();
    znode.ctime_ms = in_.Signed();
    znode.mtime_ms = in_.Signed();
    znode.version = ReadVersion();
    znode.aversion = ReadVersion();
    znode.create_counter = ReadVersion();
    return znode;
  }

  SetEnsembleConfig ReadSetEnsembleConfig() {
    SetEnsembleConfig operation;
    operation.members = std::string(in_.String());
    operation.expected_version = ReadVersion();
    return operation;
  }

  Import ReadImport() {
    Import operation;
    const uint8_t overwrite = in_.Fixed8();
    if (overwrite > 1) malformed_ = true;
    operation.overwrite = overwrite == 1;
    const uint64_t znodes = in_.Varint();
    for (uint64_t i = 0; i < znodes && ok(); ++i) operation.znodes.push_back(ReadImportedZnode());
    return operation;
  }

  std::optional<Acl> ReadOptionalAcl() {
    const uint8_t present = in_.Fixed8();
    if (present > 1) malformed_ = true;
    return present == 1 ? std::optional<Acl>(ReadAcl()) : std::nullopt;
  }

  Acl ReadAcl() {
    Acl acl;
    if (!DecodeAcl(in_, acl)) malformed_ = true;
    return acl;
  }

  SetAcl ReadSetAcl() {
    SetAcl operation;
    operation.path = std::string(in_.String());
    operation.acl = ReadAcl();
    operation.expected_version = ReadVersion();
    return operation;
  }

  Check ReadCheck() {
    Check operation;
    operation.path = std::string(in_.String());
    operation.expected_version = ReadVersion();
    return operation;
  }

  SetData ReadSetData() {
    SetData operation;
    operation.path = std::string(in_.String());
    operation.data = ReadData();
    operation.expected_version = ReadVersion();
    return operation;
  }

  Delete ReadDelete() {
    Delete operation;
    operation.path = std::string(in_.String());
    operation.expected_version = ReadVersion();
    return operation;
  }

  Compare ReadCompare() {
    Compare compare;
    compare.path = std::string(in_.String());
    const uint8_t field = in_.Fixed8();
    if (field > static_cast<uint8_t>(Compare::Field::kEphemeralOwner)) {
      Unknown("compare field", field);
    }
    compare.field = static_cast<Compare::Field>(field);
    compare.value = in_.Signed();
    return compare;
  }

  TransactionOperation ReadTransactionOperation() {
    const uint8_t kind = in_.Fixed8();
    switch (KindIn(kind)) {
      case Kind::kCreate:
        return ReadCreate();
      case Kind::kCreateExtended:
        return ReadCreateExtended();
      case Kind::kCheck:
        return ReadCheck();
      case Kind::kSetData:
        return ReadSetData();
      case Kind::kDelete:
        return ReadDelete();
      default:
        break;
    }
    Unknown("transaction operation kind", kind);
    return {};
  }

  Transaction ReadTransaction() {
    Transaction operation;
    const uint64_t compares = in_.Varint();
    for (uint64_t i = 0; i < compares && ok(); ++i) operation.compares.push_back(ReadCompare());
    const uint64_t operations = in_.Varint();
    for (uint64_t i = 0; i < operations && ok(); ++i) {
      operation.operations.push_back(ReadTransactionOperation());
    }
    return operation;
  }

  Decoder in_;
  uint8_t version_ = 0;
  bool malformed_ = false;
  absl::Status unknown_;
};

uint8_t FormatOf(const Command& command) {
  const uint32_t level = FeatureLevelOf(command);
  if (level < kFeatureLevelAcls) return 1;
  return level < kFeatureLevelRetries ? 2 : kCommandFormatVersion;
}

}  // namespace

uint64_t OperationHash(const Operation& operation, std::string& scratch) {
  scratch.clear();
  Encoder out(scratch);
  std::visit(
      [&out](const auto& each) {
        out.Fixed8(static_cast<uint8_t>(KindOf(each)));
        PutFields(each, out);
      },
      operation);
  return Hasher('o').Bytes(scratch).Finish();
}

void EncodeCommand(const Command& command, std::string& out) {
  Encoder encoder(out);
  const uint8_t version = FormatOf(command);
  std::visit(
      [&](const auto& operation) {
        encoder.Fixed8(version)
            .Fixed8(static_cast<uint8_t>(KindOf(operation)))
            .Fixed64(command.session.value())
            .Varint(command.generation.value())
            .Varint(command.sequence.value())
            .Varint(command.acknowledged_floor.value());
        if (version > 1) PutIdentities(command.identities, encoder);
        PutFields(operation, encoder);
      },
      command.operation);
}

absl::StatusOr<Command> DecodeCommand(std::string_view bytes) {
  CommandReader reader(bytes);
  Command command = reader.Read();
  RETURN_IF_ERROR(reader.status());
  return command;
}

}  // namespace bellwether::coord::tree
