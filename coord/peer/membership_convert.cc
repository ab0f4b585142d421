#include "coord/peer/membership_convert.h"

namespace bellwether::coord {

using Kind = MembershipChange::Kind;

v1::MembershipRequest ToProto(const MembershipChange& change) {
  v1::MembershipRequest request;
  switch (change.kind) {
    case Kind::kNone:
      break;
    case Kind::kAdd:
      request.mutable_add()->set_id(change.server.value());
      request.mutable_add()->set_address(change.address);
      break;
    case Kind::kPromote:
      request.mutable_promote()->set_id(change.server.value());
      break;
    case Kind::kRemove:
      request.mutable_remove()->set_id(change.server.value());
      break;
    case Kind::kTransfer:
      request.mutable_transfer()->set_id(change.server.value());
      break;
  }
  return request;
}

MembershipChange FromProto(const v1::MembershipRequest& request) {
  using raft::ServerId;
  switch (request.operation_case()) {
    case v1::MembershipRequest::kAdd:
      return {Kind::kAdd, ServerId(request.add().id()), request.add().address()};
    case v1::MembershipRequest::kPromote:
      return {Kind::kPromote, ServerId(request.promote().id()), ""};
    case v1::MembershipRequest::kRemove:
      return {Kind::kRemove, ServerId(request.remove().id()), ""};
    case v1::MembershipRequest::kTransfer:
      return {Kind::kTransfer, ServerId(request.transfer().id()), ""};
    case v1::MembershipRequest::OPERATION_NOT_SET:
      break;
  }
  return {};
}

v1::MembershipResponse ToProto(const MembershipView& view) {
  v1::MembershipResponse response;
  response.set_term(view.term.value());
  response.set_leader_id(view.leader.value());
  response.set_index(view.index.value());
  response.set_last_index(view.last_index.value());
  response.set_changing(view.changing);
  for (const MemberInfo& from : view.members) {
    v1::Member& member = *response.add_members();
    member.set_id(from.id.value());
    member.set_peer(from.address);
    member.set_grpc(from.grpc);
    member.set_voter(from.voter);
    member.set_leaving(from.leaving);
    member.set_active(from.active);
    member.set_awaiting_readmission(from.awaiting_readmission);
    member.set_needs_snapshot(from.needs_snapshot);
    member.set_match_index(from.match.value());
  }
  return response;
}

MembershipView FromProto(const v1::MembershipResponse& response) {
  MembershipView view;
  view.term = raft::Term(response.term());
  view.leader = raft::ServerId(response.leader_id());
  view.index = raft::LogIndex(response.index());
  view.last_index = raft::LogIndex(response.last_index());
  view.changing = response.changing();
  for (const v1::Member& from : response.members()) {
    MemberInfo& member = view.members.emplace_back();
    member.id = raft::ServerId(from.id());
    member.address = from.peer();
    member.grpc = from.grpc();
    member.voter = from.voter();
    member.leaving = from.leaving();
    member.active = from.active();
    member.awaiting_readmission = from.awaiting_readmission();
    member.needs_snapshot = from.needs_snapshot();
    member.match = raft::LogIndex(from.match_index());
  }
  return view;
}

}  // namespace bellwether::coord
