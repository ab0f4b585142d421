#pragma once

#include "absl/status/statusor.h"
#include "bellwether/coord/v1/coord.pb.h"
#include "client/coord_types.h"

// Between the protobufs and the plain values of the public headers.
namespace bellwether::client {

Stat FromWire(const coord::v1::Stat& stat);
WatchEvent FromWire(const coord::v1::WatchEvent& event);
WatchEventType FromWire(coord::v1::ChangeType type);
GrantEvent FromWire(const coord::v1::GrantEvent& event);
WatchChange FromWire(coord::v1::Znode znode);
WatchChange FromWire(coord::v1::Change change);
ServerStatus FromWire(const coord::v1::StatusResponse& response);
UpgradeStatus FromWire(const coord::v1::UpgradeResponse& response);
MembershipStatus FromWire(const coord::v1::MembershipResponse& response);

// DATA_LOSS when its checksum is wrong.
absl::StatusOr<SnapshotPiece> SnapshotPieceOf(coord::v1::SaveSnapshotResponse response);

// A result of another kind than the request's gives INTERNAL.
absl::StatusOr<CreateResult> CreateResultOf(coord::v1::Response response);
absl::StatusOr<SetResult> SetResultOf(const coord::v1::Response& response);
absl::StatusOr<DeleteResult> DeleteResultOf(const coord::v1::Response& response);
absl::StatusOr<GetResult> GetResultOf(coord::v1::Response response);
absl::StatusOr<StatResult> StatResultOf(const coord::v1::Response& response);
absl::StatusOr<SetResult> SetAclResultOf(const coord::v1::Response& response);
absl::StatusOr<GrantResult> GrantResultOf(const coord::v1::Response& response);
absl::StatusOr<AclResult> AclResultOf(const coord::v1::Response& response);
absl::StatusOr<std::vector<Identity>> IdentitiesOf(const coord::v1::Response& response);
absl::StatusOr<TransactionResult> TransactionResultOf(coord::v1::Response response);
absl::StatusOr<ImportResult> ImportResultOf(const coord::v1::Response& response);

coord::v1::Acl ToWire(const Acl& acl);
coord::v1::Credential ToWire(const Credential& credential);
coord::v1::CreateRequest ToWire(CreateOperation operation);
coord::v1::MembershipRequest ToWire(const MembershipChange& change);
coord::v1::SetDataRequest ToWire(SetOperation operation);
coord::v1::DeleteRequest ToWire(DeleteOperation operation);
coord::v1::TransactionRequest ToWire(Transaction transaction);
coord::v1::ImportRequest ToWire(std::vector<ImportedZnode> znodes, bool overwrite);

}  // namespace bellwether::client
