#include "coord/peer/convert.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "bellwether/coord/v1/peer.pb.h"
#include "coord/peer/membership_convert.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

using raft::Entry;
using raft::EntryPtr;

constexpr uint32_t kServerIdMax = 254;

absl::Status Invalid(std::string_view field) {
  return absl::InvalidArgumentError(fmt::format("peer frame: bad {}", field));
}

absl::StatusOr<ServerId> ServerIdFrom(uint32_t id, std::string_view field) {
  if (id < 1 || id > kServerIdMax) return Invalid(field);
  return ServerId(id);
}

// Nil for no bytes.
absl::StatusOr<base::Uuid> UuidFrom(const std::string& bytes, std::string_view field) {
  if (bytes.empty()) return base::Uuid();
  const std::optional<base::Uuid> id = base::Uuid::FromBytes(bytes);
  if (!id.has_value()) return Invalid(field);
  return *id;
}

std::string BytesOf(const base::Uuid& id) { return id.IsNil() ? std::string() : id.Bytes(); }

// --- Hello

v1::FormationState ToProto(FolderState state) {
  switch (state) {
    case FolderState::kEmpty:
      return v1::FORMATION_STATE_EMPTY;
    case FolderState::kMember:
      return v1::FORMATION_STATE_MEMBER;
    case FolderState::kAwaiting:
      return v1::FORMATION_STATE_AWAITING_READMISSION;
    case FolderState::kRestored:
      return v1::FORMATION_STATE_RESTORED;
  }
  return v1::FORMATION_STATE_UNSPECIFIED;
}

absl::StatusOr<FolderState> FromProto(v1::FormationState state) {
  switch (state) {
    case v1::FORMATION_STATE_EMPTY:
      return FolderState::kEmpty;
    case v1::FORMATION_STATE_MEMBER:
      return FolderState::kMember;
    case v1::FORMATION_STATE_AWAITING_READMISSION:
      return FolderState::kAwaiting;
    case v1::FORMATION_STATE_RESTORED:
      return FolderState::kRestored;
    default:
      return Invalid("formation");
  }
}

void ToProto(PeerAddress server, v1::PeerAddress& out) {
  out.set_id(server.id.value());
  out.set_address(std::move(server.address));
}

using PeerAddresses = google::protobuf::RepeatedPtrField<v1::PeerAddress>;

// More than a host and a port need.
constexpr size_t kAddressBytesMax = 1024;

absl::StatusOr<std::vector<PeerAddress>> FromProto(PeerAddresses& in, std::string_view field) {
  if (in.size() > static_cast<int>(kServerIdMax)) return Invalid(field);
  std::vector<PeerAddress> servers;
  for (v1::PeerAddress& address : in) {
    PeerAddress& server = servers.emplace_back();
    ASSIGN_OR_RETURN(server.id, ServerIdFrom(address.id(), field));
    if (address.address().size() > kAddressBytesMax) return Invalid(field);
    server.address = std::move(*address.mutable_address());
  }
  return servers;
}

void ToProto(Hello hello, v1::Hello& out) {
  out.set_protocol_version(kPeerProtocolVersion);
  out.set_ensemble_id(BytesOf(hello.ensemble_id));
  out.set_server_id(hello.server_id.value());
  out.set_folder_id(BytesOf(hello.folder_id));
  out.set_process_id(hello.process_id);
  for (PeerAddress& server : hello.servers) ToProto(std::move(server), *out.add_servers());
  out.set_grpc(std::move(hello.grpc));
  out.set_zk(std::move(hello.zk));
  out.set_formation(ToProto(hello.folder));
  for (ServerId server : hello.heard_empty) out.add_heard_empty(server.value());
  out.set_for_snapshots(hello.for_snapshots);
  out.set_feature_level_min(hello.feature_levels.min);
  out.set_feature_level_max(hello.feature_levels.max);
  for (PeerAddress& server : hello.members) ToProto(std::move(server), *out.add_members());
  out.set_members_index(hello.members_index.value());
  out.set_restore_id(BytesOf(hello.restore_id));
}

absl::StatusOr<PeerMessage> FromProto(v1::Hello& in) {
  if (in.protocol_version() != kPeerProtocolVersion) {
    return absl::UnimplementedError(
        fmt::format("peer protocol {} where this program speaks {}; run the same version of "
                    "bell-coord on all servers",
                    in.protocol_version(), kPeerProtocolVersion));
  }
  Hello hello;
  ASSIGN_OR_RETURN(hello.ensemble_id, UuidFrom(in.ensemble_id(), "ensemble_id"));
  ASSIGN_OR_RETURN(hello.server_id, ServerIdFrom(in.server_id(), "server_id"));
  ASSIGN_OR_RETURN(hello.folder_id, UuidFrom(in.folder_id(), "folder_id"));
  hello.process_id = in.process_id();
  ASSIGN_OR_RETURN(hello.servers, FromProto(*in.mutable_servers(), "servers"));
  hello.grpc = std::move(*in.mutable_grpc());
  hello.zk = std::move(*in.mutable_zk());
  ASSIGN_OR_RETURN(hello.folder, FromProto(in.formation()));
  if (in.heard_empty_size() > static_cast<int>(kServerIdMax)) return Invalid("heard_empty");
  for (uint32_t id : in.heard_empty()) {
    ASSIGN_OR_RETURN(hello.heard_empty.emplace_back(), ServerIdFrom(id, "heard_empty"));
  }
  hello.for_snapshots = in.for_snapshots();
  hello.feature_levels.min = std::max<uint32_t>(in.feature_level_min(), 1);
  hello.feature_levels.max = std::max<uint32_t>(in.feature_level_max(), 1);
  if (hello.feature_levels.min > hello.feature_levels.max) return Invalid("feature_level_min");
  ASSIGN_OR_RETURN(hello.members, FromProto(*in.mutable_members(), "members"));
  hello.members_index = LogIndex(in.members_index());
  ASSIGN_OR_RETURN(hello.restore_id, UuidFrom(in.restore_id(), "restore_id"));
  if (hello.restore_id.IsNil() == (hello.folder == FolderState::kRestored)) {
    return Invalid("restore_id");
  }
  return PeerMessage(std::move(hello));
}

// --- The core's messages

void ToProto(const raft::VoteRequest& request, v1::RaftMessage& out) {
  v1::VoteRequest& vote = *out.mutable_vote_request();
  vote.set_pre_vote(request.pre_vote);
  vote.set_campaign_term(request.campaign_term.value());
  vote.set_last_index(request.last_index.value());
  vote.set_last_term(request.last_term.value());
  vote.set_leadership_transfer(request.leadership_transfer);
}

void ToProto(const raft::VoteResponse& response, v1::RaftMessage& out) {
  v1::VoteResponse& vote = *out.mutable_vote_response();
  vote.set_pre_vote(response.pre_vote);
  vote.set_campaign_term(response.campaign_term.value());
  vote.set_granted(response.granted);
  vote.set_disk_room(static_cast<v1::DiskRoom>(response.disk_room));
}

void ToProto(const raft::AppendRequest& request, v1::RaftMessage& out) {
  v1::AppendRequest& append = *out.mutable_append_request();
  append.set_prev_index(request.prev_index.value());
  append.set_prev_term(request.prev_term.value());
  for (const EntryPtr& entry : request.entries) {
    v1::Entry& copy = *append.add_entries();
    copy.set_term(entry->term.value());
    copy.set_index(entry->index.value());
    copy.set_type(static_cast<v1::EntryType>(entry->type));
    copy.set_payload(entry->payload);
  }
  append.set_commit(request.commit.value());
  append.set_read_round(request.read_round.value());
}

void ToProto(const raft::AppendResponse& response, v1::RaftMessage& out) {
  v1::AppendResponse& append = *out.mutable_append_response();
  append.set_rejected(response.rejected);
  append.set_prev_index(response.prev_index.value());
  append.set_match(response.match.value());
  append.set_hint_index(response.hint_index.value());
  append.set_hint_term(response.hint_term.value());
  append.set_read_round(response.read_round.value());
  append.set_awaiting_readmission(response.awaiting_readmission);
  append.set_folder_id(BytesOf(response.folder_id));
  append.set_disk_room(static_cast<v1::DiskRoom>(response.disk_room));
}

void ToProto(const raft::InstallSnapshot& request, v1::RaftMessage& out) {
  v1::InstallSnapshot& install = *out.mutable_install_snapshot();
  install.set_index(request.snapshot.index.value());
  install.set_term(request.snapshot.term.value());
  install.set_membership(raft::Encode(request.snapshot.membership));
  install.set_read_round(request.read_round.value());
}

void ToProto(const raft::TimeoutNow&, v1::RaftMessage& out) { out.mutable_timeout_now(); }

raft::VoteRequest FromProto(const v1::VoteRequest& in) {
  raft::VoteRequest request;
  request.pre_vote = in.pre_vote();
  request.campaign_term = Term(in.campaign_term());
  request.last_index = LogIndex(in.last_index());
  request.last_term = Term(in.last_term());
  request.leadership_transfer = in.leadership_transfer();
  return request;
}

// What a later release says instead is no reason not to hear it: no room, until it says otherwise.
raft::DiskRoom FromProto(v1::DiskRoom in) {
  return v1::DiskRoom_IsValid(in) ? static_cast<raft::DiskRoom>(in) : raft::DiskRoom::kNothing;
}

raft::VoteResponse FromProto(const v1::VoteResponse& in) {
  raft::VoteResponse response;
  response.pre_vote = in.pre_vote();
  response.campaign_term = Term(in.campaign_term());
  response.granted = in.granted();
  response.disk_room = FromProto(in.disk_room());
  return response;
}

// UNIMPLEMENTED for a later format.
absl::StatusOr<raft::Membership> MembershipFrom(const std::string& bytes, std::string_view field) {
  absl::StatusOr<raft::Membership> membership = raft::DecodeMembership(bytes);
  if (absl::IsDataLoss(membership.status())) return Invalid(field);
  return membership;
}

absl::StatusOr<raft::AppendRequest> FromProto(v1::AppendRequest& in) {
  raft::AppendRequest request;
  request.prev_index = LogIndex(in.prev_index());
  request.prev_term = Term(in.prev_term());
  LogIndex expected = request.prev_index;
  for (v1::Entry& entry : *in.mutable_entries()) {
    ++expected;
    if (entry.index() != expected.value()) return Invalid("entries.index");
    if (entry.type() < v1::ENTRY_TYPE_NOOP || entry.type() > v1::ENTRY_TYPE_MEMBERSHIP) {
      return Invalid("entries.type");
    }
    if (entry.type() == v1::ENTRY_TYPE_MEMBERSHIP) {
      RETURN_IF_ERROR(MembershipFrom(entry.payload(), "entries.payload").status());
    }
    request.entries.push_back(std::make_shared<const Entry>(
        Entry{Term(entry.term()), expected, static_cast<raft::EntryType>(entry.type()),
              std::move(*entry.mutable_payload())}));
  }
  request.commit = LogIndex(in.commit());
  request.read_round = raft::ReadRound(in.read_round());
  return request;
}

absl::StatusOr<raft::AppendResponse> FromProto(const v1::AppendResponse& in) {
  raft::AppendResponse response;
  response.rejected = in.rejected();
  response.prev_index = LogIndex(in.prev_index());
  response.match = LogIndex(in.match());
  response.hint_index = LogIndex(in.hint_index());
  response.hint_term = Term(in.hint_term());
  response.read_round = raft::ReadRound(in.read_round());
  response.awaiting_readmission = in.awaiting_readmission();
  ASSIGN_OR_RETURN(response.folder_id, UuidFrom(in.folder_id(), "folder_id"));
  response.disk_room = FromProto(in.disk_room());
  return response;
}

absl::StatusOr<raft::InstallSnapshot> FromProto(const v1::InstallSnapshot& in) {
  raft::InstallSnapshot request;
  if (in.index() == 0) return Invalid("install_snapshot.index");
  request.snapshot.index = LogIndex(in.index());
  request.snapshot.term = Term(in.term());
  ASSIGN_OR_RETURN(request.snapshot.membership,
                   MembershipFrom(in.membership(), "install_snapshot.membership"));
  request.read_round = raft::ReadRound(in.read_round());
  return request;
}

void ToProto(const raft::Message& message, v1::RaftMessage& out) {
  out.set_from(message.from.value());
  out.set_to(message.to.value());
  out.set_term(message.term.value());
  std::visit([&out](const auto& body) { ToProto(body, out); }, message.body);
}

absl::StatusOr<PeerMessage> FromProto(v1::RaftMessage& in) {
  raft::Message message;
  ASSIGN_OR_RETURN(message.from, ServerIdFrom(in.from(), "from"));
  ASSIGN_OR_RETURN(message.to, ServerIdFrom(in.to(), "to"));
  message.term = Term(in.term());
  switch (in.body_case()) {
    case v1::RaftMessage::kVoteRequest:
      message.body = FromProto(in.vote_request());
      break;
    case v1::RaftMessage::kVoteResponse:
      message.body = FromProto(in.vote_response());
      break;
    case v1::RaftMessage::kAppendRequest: {
      ASSIGN_OR_RETURN(message.body, FromProto(*in.mutable_append_request()));
      break;
    }
    case v1::RaftMessage::kAppendResponse: {
      ASSIGN_OR_RETURN(message.body, FromProto(in.append_response()));
      break;
    }
    case v1::RaftMessage::kInstallSnapshot: {
      ASSIGN_OR_RETURN(message.body, FromProto(in.install_snapshot()));
      break;
    }
    case v1::RaftMessage::kTimeoutNow:
      message.body = raft::TimeoutNow{};
      break;
    case v1::RaftMessage::BODY_NOT_SET:
      return Invalid("raft.body");
  }
  return PeerMessage(std::move(message));
}

// --- Requests to the leader

void ToProto(Forward forward, v1::Forward& out) {
  out.set_stream_id(forward.stream_id);
  out.set_position(forward.position);
  out.set_term(forward.term.value());
  for (std::string& command : forward.commands) out.add_commands(std::move(command));
  for (std::string& principal : forward.principals) out.add_principals(std::move(principal));
}

absl::StatusOr<PeerMessage> FromProto(v1::Forward& in) {
  if (in.principals_size() != 0 && in.principals_size() != in.commands_size()) {
    return Invalid("forward.principals");
  }
  Forward forward;
  forward.stream_id = in.stream_id();
  forward.position = in.position();
  forward.term = Term(in.term());
  forward.commands.assign(std::make_move_iterator(in.mutable_commands()->begin()),
                          std::make_move_iterator(in.mutable_commands()->end()));
  forward.principals.assign(std::make_move_iterator(in.mutable_principals()->begin()),
                            std::make_move_iterator(in.mutable_principals()->end()));
  return PeerMessage(std::move(forward));
}

void ToProto(const ForwardReply& reply, v1::ForwardReply& out) {
  out.set_stream_id(reply.stream_id);
  out.set_position(reply.position);
  out.set_accepted(reply.status.ok());
  out.set_term(reply.term.value());
  out.set_index(reply.index.value());
  out.set_code(static_cast<int32_t>(reply.status.code()));
  out.set_message(std::string(reply.status.message()));
}

absl::StatusOr<PeerMessage> FromProto(const v1::ForwardReply& in) {
  ForwardReply reply;
  reply.stream_id = in.stream_id();
  reply.position = in.position();
  reply.term = Term(in.term());
  reply.index = LogIndex(in.index());
  if (!in.accepted()) {
    if (in.code() <= 0 || in.code() > static_cast<int32_t>(absl::StatusCode::kUnauthenticated)) {
      return Invalid("forward_reply.code");
    }
    reply.status = absl::Status(static_cast<absl::StatusCode>(in.code()), in.message());
  }
  return PeerMessage(std::move(reply));
}

void ToProto(const MembershipReply& reply, v1::ForwardedMembershipReply& out) {
  out.set_id(reply.id);
  if (reply.view.ok()) {
    *out.mutable_response() = coord::ToProto(*reply.view);
    return;
  }
  const absl::Status& status = reply.view.status();
  ::bellwether::common::v1::Error& error = *out.mutable_error();
  error.set_code(static_cast<int32_t>(status.code()));
  error.set_message(std::string(status.message()));
  error.set_outcome(base::OutcomeOf(status) == base::Outcome::kUnknown
                        ? ::bellwether::common::v1::OUTCOME_UNKNOWN
                        : ::bellwether::common::v1::OUTCOME_REJECTED);
}

absl::StatusOr<PeerMessage> FromProto(const v1::ForwardedMembershipReply& in) {
  MembershipReply reply;
  reply.id = in.id();
  if (!in.has_error()) {
    reply.view = coord::FromProto(in.response());
    return PeerMessage(std::move(reply));
  }
  const int32_t code = in.error().code();
  if (code <= 0 || code > static_cast<int32_t>(absl::StatusCode::kUnauthenticated)) {
    return Invalid("membership_reply.error.code");
  }
  const auto status_code = static_cast<absl::StatusCode>(code);
  if (in.error().outcome() == ::bellwether::common::v1::OUTCOME_UNKNOWN) {
    reply.view = base::UnknownOutcome(status_code, in.error().message());
  } else {
    reply.view = absl::Status(status_code, in.error().message());
  }
  return PeerMessage(std::move(reply));
}

ReadIndexRequest FromProto(v1::ReadIndexRequest& in) {
  ReadIndexRequest request;
  request.id = in.id();
  request.notes.assign(std::make_move_iterator(in.mutable_notes()->begin()),
                       std::make_move_iterator(in.mutable_notes()->end()));
  return request;
}

// --- Snapshots

SnapshotChunkRequest FromProto(const v1::SnapshotChunkRequest& in) {
  SnapshotChunkRequest request;
  request.id = in.id();
  request.index = LogIndex(in.index());
  request.term = Term(in.term());
  request.offset = in.offset();
  request.bytes_max = in.bytes_max();
  return request;
}

SnapshotChunk FromProto(v1::SnapshotChunk& in) {
  SnapshotChunk chunk;
  chunk.id = in.id();
  chunk.found = in.found();
  chunk.file_bytes = in.file_bytes();
  chunk.data = std::move(*in.mutable_data());
  chunk.crc32c = in.crc32c();
  return chunk;
}

// Fills the frame's member for each kind of message.
struct FrameFiller {
  v1::PeerFrame& frame;

  void operator()(Hello hello) { ToProto(std::move(hello), *frame.mutable_hello()); }
  void operator()(const raft::Message& message) { ToProto(message, *frame.mutable_raft()); }
  void operator()(Forward forward) { ToProto(std::move(forward), *frame.mutable_forward()); }
  void operator()(const ForwardReply& reply) { ToProto(reply, *frame.mutable_forward_reply()); }
  void operator()(ReadIndexRequest request) {
    frame.mutable_read_index_request()->set_id(request.id);
    for (std::string& note : request.notes) {
      frame.mutable_read_index_request()->add_notes(std::move(note));
    }
  }
  void operator()(const ReadIndexReply& reply) {
    frame.mutable_read_index_reply()->set_id(reply.id);
    frame.mutable_read_index_reply()->set_ok(reply.ok);
    frame.mutable_read_index_reply()->set_index(reply.index.value());
  }
  void operator()(Note note) { frame.mutable_note()->set_note(std::move(note.note)); }
  void operator()(Broadcast broadcast) {
    frame.mutable_broadcast()->set_note(std::move(broadcast.note));
  }
  void operator()(const HoldForwards& hold) {
    frame.mutable_hold_forwards()->set_term(hold.term.value());
  }
  void operator()(const MembershipRequest& request) {
    frame.mutable_membership_request()->set_id(request.id);
    *frame.mutable_membership_request()->mutable_request() = coord::ToProto(request.change);
  }
  void operator()(const MembershipReply& reply) {
    ToProto(reply, *frame.mutable_membership_reply());
  }
  void operator()(const SnapshotChunkRequest& request) {
    v1::SnapshotChunkRequest& out = *frame.mutable_snapshot_chunk_request();
    out.set_id(request.id);
    out.set_index(request.index.value());
    out.set_term(request.term.value());
    out.set_offset(request.offset);
    out.set_bytes_max(request.bytes_max);
  }
  void operator()(SnapshotChunk chunk) {
    v1::SnapshotChunk& out = *frame.mutable_snapshot_chunk();
    out.set_id(chunk.id);
    out.set_found(chunk.found);
    out.set_file_bytes(chunk.file_bytes);
    out.set_data(std::move(chunk.data));
    out.set_crc32c(chunk.crc32c);
  }
};

}  // namespace

void ToFrame(PeerMessage message, v1::PeerFrame& frame) {
  std::visit(FrameFiller{frame}, std::move(message));
}

absl::StatusOr<PeerMessage> FromFrame(v1::PeerFrame& frame) {
  switch (frame.frame_case()) {
    case v1::PeerFrame::kHello:
      return FromProto(*frame.mutable_hello());
    case v1::PeerFrame::kRaft:
      return FromProto(*frame.mutable_raft());
    case v1::PeerFrame::kForward:
      return FromProto(*frame.mutable_forward());
    case v1::PeerFrame::kForwardReply:
      return FromProto(frame.forward_reply());
    case v1::PeerFrame::kReadIndexRequest:
      return PeerMessage(FromProto(*frame.mutable_read_index_request()));
    case v1::PeerFrame::kReadIndexReply: {
      const v1::ReadIndexReply& reply = frame.read_index_reply();
      return PeerMessage(ReadIndexReply{reply.id(), reply.ok(), LogIndex(reply.index())});
    }
    case v1::PeerFrame::kNote:
      return PeerMessage(Note{std::move(*frame.mutable_note()->mutable_note())});
    case v1::PeerFrame::kBroadcast:
      return PeerMessage(Broadcast{std::move(*frame.mutable_broadcast()->mutable_note())});
    case v1::PeerFrame::kHoldForwards:
      return PeerMessage(HoldForwards{Term(frame.hold_forwards().term())});
    case v1::PeerFrame::kMembershipRequest: {
      const v1::ForwardedMembershipRequest& request = frame.membership_request();
      return PeerMessage(MembershipRequest{request.id(), coord::FromProto(request.request())});
    }
    case v1::PeerFrame::kMembershipReply:
      return FromProto(frame.membership_reply());
    case v1::PeerFrame::kSnapshotChunkRequest:
      return PeerMessage(FromProto(frame.snapshot_chunk_request()));
    case v1::PeerFrame::kSnapshotChunk:
      return PeerMessage(FromProto(*frame.mutable_snapshot_chunk()));
    case v1::PeerFrame::FRAME_NOT_SET:
      return Invalid("frame");
  }
  return Invalid("frame");
}

}  // namespace bellwether::coord
