#pragma once

#include "absl/status/statusor.h"
#include "bellwether/coord/v1/coord.pb.h"
#include "coord/replica/membership_change.h"

// Between coord.proto's words for membership and the replica's: the same for clients and for servers
// that pass them on.
namespace bellwether::coord {

v1::MembershipRequest ToProto(const MembershipChange& change);
// Only the form is checked, the rest is the leader's to judge.
MembershipChange FromProto(const v1::MembershipRequest& request);

v1::MembershipResponse ToProto(const MembershipView& view);
MembershipView FromProto(const v1::MembershipResponse& response);

}  // namespace bellwether::coord
