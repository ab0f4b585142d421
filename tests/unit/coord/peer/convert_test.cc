#include "coord/peer/convert.h"

#include <memory>
#include <string>

#include "base/random.h"
#include "base/status.h"
#include "bellwether/coord/v1/peer.pb.h"
#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

// Through the bytes of a frame.
absl::StatusOr<PeerMessage> Carry(PeerMessage message) {
  v1::PeerFrame frame;
  ToFrame(std::move(message), frame);
  v1::PeerFrame received;
  EXPECT_TRUE(received.ParseFromString(frame.SerializeAsString()));
  return FromFrame(received);
}

template <typename T>
T CarryAs(PeerMessage message) {
  absl::StatusOr<PeerMessage> carried = Carry(std::move(message));
  EXPECT_TRUE(carried.ok()) << carried.status();
  return std::get<T>(*std::move(carried));
}

raft::Message MessageOf(decltype(raft::Message::body) body) {
  return {ServerId(1), ServerId(2), Term(7), std::move(body)};
}

TEST(PeerConvert, CarriesHello) {
  Hello hello;
  hello.ensemble_id = base::Uuid(1, 2);
  hello.server_id = ServerId(3);
  hello.folder_id = base::Uuid(3, 4);
  hello.process_id = 99;
  hello.servers = {{ServerId(1), "a:1"}, {ServerId(3), "c:3"}};
  hello.grpc = "c:4";
  hello.zk = "c:5";
  hello.folder = FolderState::kAwaiting;
  hello.heard_empty = {ServerId(1)};
  hello.for_snapshots = true;
  hello.members = {{ServerId(1), "m:1"}, {ServerId(4), "m:4"}};
  hello.members_index = LogIndex(12);
  hello.feature_levels = {2, 5};
  const Hello carried = CarryAs<Hello>(hello);
  EXPECT_EQ(carried.ensemble_id, hello.ensemble_id);
  EXPECT_EQ(carried.server_id, hello.server_id);
  EXPECT_EQ(carried.folder_id, hello.folder_id);
  EXPECT_EQ(carried.process_id, hello.process_id);
  EXPECT_EQ(carried.servers, hello.servers);
  EXPECT_EQ(carried.zk, hello.zk);
  EXPECT_EQ(carried.grpc, hello.grpc);
  EXPECT_EQ(carried.folder, hello.folder);
  EXPECT_EQ(carried.heard_empty, hello.heard_empty);
  EXPECT_TRUE(carried.for_snapshots);
  EXPECT_EQ(carried.members, hello.members);
  EXPECT_EQ(carried.members_index, hello.members_index);
  EXPECT_EQ(carried.feature_levels, hello.feature_levels);
}

TEST(PeerConvert, CarriesTheHelloOfARestoredFolder) {
  Hello hello;
  hello.server_id = ServerId(3);
  hello.folder = FolderState::kRestored;
  hello.restore_id = base::Uuid(5, 6);
  const Hello carried = CarryAs<Hello>(hello);
  EXPECT_EQ(carried.folder, FolderState::kRestored);
  EXPECT_EQ(carried.restore_id, base::Uuid(5, 6));
}

TEST(PeerConvert, CarriesPiecesOfSnapshots) {
  SnapshotChunkRequest request;
  request.id = 9;
  request.index = LogIndex(100);
  request.term = Term(7);
  request.offset = 4096;
  request.bytes_max = 1 << 20;
  const auto asked = CarryAs<SnapshotChunkRequest>(request);
  EXPECT_EQ(asked.id, request.id);
  EXPECT_EQ(asked.index, request.index);
  EXPECT_EQ(asked.term, request.term);
  EXPECT_EQ(asked.offset, request.offset);
  EXPECT_EQ(asked.bytes_max, request.bytes_max);

  SnapshotChunk chunk;
  chunk.id = 9;
  chunk.found = true;
  chunk.file_bytes = 10'000;
  chunk.data = "bytes";
  chunk.crc32c = 0xfedcba98;
  const auto answered = CarryAs<SnapshotChunk>(chunk);
  EXPECT_EQ(answered.id, chunk.id);
  EXPECT_TRUE(answered.found);
  EXPECT_EQ(answered.file_bytes, chunk.file_bytes);
  EXPECT_EQ(answered.data, chunk.data);
  EXPECT_EQ(answered.crc32c, chunk.crc32c);
}

TEST(PeerConvert, CarriesVotes) {
  raft::VoteRequest request;
  request.pre_vote = true;
  request.campaign_term = Term(8);
  request.last_index = LogIndex(5);
  request.last_term = Term(4);
  const auto message = CarryAs<raft::Message>(MessageOf(request));
  EXPECT_EQ(message.from, ServerId(1));
  EXPECT_EQ(message.to, ServerId(2));
  EXPECT_EQ(message.term, Term(7));
  const auto& vote = std::get<raft::VoteRequest>(message.body);
  EXPECT_TRUE(vote.pre_vote);
  EXPECT_EQ(vote.campaign_term, Term(8));
  EXPECT_EQ(vote.last_index, LogIndex(5));
  EXPECT_EQ(vote.last_term, Term(4));

  raft::VoteResponse response;
  response.campaign_term = Term(8);
  response.granted = true;
  response.disk_room = raft::DiskRoom::kUpkeep;
  const auto answer = CarryAs<raft::Message>(MessageOf(response));
  EXPECT_TRUE(std::get<raft::VoteResponse>(answer.body).granted);
  EXPECT_FALSE(std::get<raft::VoteResponse>(answer.body).pre_vote);
  EXPECT_EQ(std::get<raft::VoteResponse>(answer.body).disk_room, raft::DiskRoom::kUpkeep);
}

TEST(PeerConvert, CarriesAppends) {
  raft::AppendRequest request;
  request.prev_index = LogIndex(5);
  request.prev_term = Term(4);
  request.commit = LogIndex(3);
  request.read_round = raft::ReadRound(11);
  request.entries = {
      std::make_shared<raft::Entry>(
          raft::Entry{Term(6), LogIndex(6), raft::EntryType::kNoop, ""}),
      std::make_shared<raft::Entry>(
          raft::Entry{Term(7), LogIndex(7), raft::EntryType::kReadmit, std::string("\0x", 2)})};
  const auto message = CarryAs<raft::Message>(MessageOf(request));
  const auto& append = std::get<raft::AppendRequest>(message.body);
  EXPECT_EQ(append.prev_index, LogIndex(5));
  EXPECT_EQ(append.prev_term, Term(4));
  EXPECT_EQ(append.commit, LogIndex(3));
  EXPECT_EQ(append.read_round, raft::ReadRound(11));
  ASSERT_EQ(append.entries.size(), 2u);
  EXPECT_EQ(append.entries[0]->type, raft::EntryType::kNoop);
  EXPECT_EQ(append.entries[1]->term, Term(7));
  EXPECT_EQ(append.entries[1]->index, LogIndex(7));
  EXPECT_EQ(append.entries[1]->type, raft::EntryType::kReadmit);
  EXPECT_EQ(append.entries[1]->payload, std::string("\0x", 2));

  raft::AppendResponse response;
  response.rejected = true;
  response.prev_index = LogIndex(5);
  response.match = LogIndex(1);
  response.hint_index = LogIndex(2);
  response.hint_term = Term(3);
  response.read_round = raft::ReadRound(11);
  response.awaiting_readmission = true;
  response.folder_id = base::Uuid(5, 6);
  response.disk_room = raft::DiskRoom::kNothing;
  const auto answer = CarryAs<raft::Message>(MessageOf(response));
  const auto& appended = std::get<raft::AppendResponse>(answer.body);
  EXPECT_TRUE(appended.rejected);
  EXPECT_EQ(appended.prev_index, LogIndex(5));
  EXPECT_EQ(appended.match, LogIndex(1));
  EXPECT_EQ(appended.hint_index, LogIndex(2));
  EXPECT_EQ(appended.hint_term, Term(3));
  EXPECT_EQ(appended.read_round, raft::ReadRound(11));
  EXPECT_TRUE(appended.awaiting_readmission);
  EXPECT_EQ(appended.folder_id, base::Uuid(5, 6));
  EXPECT_EQ(appended.disk_room, raft::DiskRoom::kNothing);
}

raft::InstallSnapshot SomeSnapshot() {
  raft::InstallSnapshot request;
  request.snapshot.index = LogIndex(9);
  request.snapshot.term = Term(4);
  request.snapshot.membership.members = {{ServerId(1), "a:1", true}, {ServerId(2), "b:1", false}};
  request.read_round = raft::ReadRound(3);
  return request;
}

TEST(PeerConvert, CarriesTheHandingOverOfLeadership) {
  const auto message = CarryAs<raft::Message>(MessageOf(raft::TimeoutNow{}));
  EXPECT_TRUE(std::holds_alternative<raft::TimeoutNow>(message.body));
  raft::VoteRequest request;
  request.leadership_transfer = true;
  const auto vote = CarryAs<raft::Message>(MessageOf(request));
  EXPECT_TRUE(std::get<raft::VoteRequest>(vote.body).leadership_transfer);
}

TEST(PeerConvert, CarriesWordOfASnapshot) {
  const auto message = CarryAs<raft::Message>(MessageOf(SomeSnapshot()));
  const auto& install = std::get<raft::InstallSnapshot>(message.body);
  EXPECT_EQ(install.snapshot, SomeSnapshot().snapshot);
  EXPECT_EQ(install.read_round, raft::ReadRound(3));
}

TEST(PeerConvert, CarriesRequestsToTheLeader) {
  Forward forward;
  forward.stream_id = 1;
  forward.position = 2;
  forward.term = Term(3);
  forward.commands = {"a", std::string("\0b", 2)};
  forward.principals = {"address:x:1", ""};
  const Forward carried = CarryAs<Forward>(forward);
  EXPECT_EQ(carried.stream_id, 1u);
  EXPECT_EQ(carried.position, 2u);
  EXPECT_EQ(carried.term, Term(3));
  EXPECT_EQ(carried.commands, forward.commands);
  EXPECT_EQ(carried.principals, forward.principals);

  ForwardReply reply;
  reply.stream_id = 1;
  reply.position = 2;
  reply.status = absl::ResourceExhaustedError("full");
  const ForwardReply answered = CarryAs<ForwardReply>(reply);
  EXPECT_EQ(answered.status, reply.status);
  reply.status = absl::OkStatus();
  reply.term = Term(4);
  reply.index = LogIndex(5);
  EXPECT_TRUE(CarryAs<ForwardReply>(reply).status.ok());
  EXPECT_EQ(CarryAs<ForwardReply>(reply).index, LogIndex(5));

  const auto read = CarryAs<ReadIndexRequest>(ReadIndexRequest{4, {"x", "y"}});
  EXPECT_EQ(read.id, 4u);
  EXPECT_EQ(read.notes, (std::vector<std::string>{"x", "y"}));
  const auto read_reply = CarryAs<ReadIndexReply>(ReadIndexReply{4, true, LogIndex(8)});
  EXPECT_TRUE(read_reply.ok);
  EXPECT_EQ(read_reply.index, LogIndex(8));
  EXPECT_EQ(CarryAs<Note>(Note{"n"}).note, "n");
  EXPECT_EQ(CarryAs<HoldForwards>(HoldForwards{Term(7)}).term, Term(7));
  EXPECT_EQ(CarryAs<Broadcast>(Broadcast{"b"}).note, "b");
}

TEST(PeerConvert, CarriesQuestionsOfMembership) {
  using Kind = MembershipChange::Kind;
  for (Kind kind : {Kind::kNone, Kind::kAdd, Kind::kPromote, Kind::kRemove, Kind::kTransfer}) {
    MembershipRequest request{7, {kind, ServerId(4), kind == Kind::kAdd ? "h:1" : ""}};
    if (kind == Kind::kNone) request.change.server = ServerId();
    const auto carried = CarryAs<MembershipRequest>(request);
    EXPECT_EQ(carried.id, 7u);
    EXPECT_EQ(carried.change.kind, kind);
    EXPECT_EQ(carried.change.server, request.change.server);
    EXPECT_EQ(carried.change.address, request.change.address);
  }
  MembershipView view;
  view.term = Term(3);
  view.leader = ServerId(1);
  view.index = LogIndex(10);
  view.last_index = LogIndex(20);
  view.changing = true;
  view.members.push_back({ServerId(1), "h:1", "g:1", true, false, true, false, false, LogIndex(20)});
  view.members.push_back({ServerId(2), "h:2", "", false, true, false, true, true, LogIndex(4)});
  const auto reply = CarryAs<MembershipReply>(MembershipReply{8, view});
  EXPECT_EQ(reply.id, 8u);
  ASSERT_TRUE(reply.view.ok());
  EXPECT_EQ(*reply.view, view);
  for (const absl::Status& status :
       {absl::FailedPreconditionError("no"),
        base::UnknownOutcome(absl::StatusCode::kUnavailable, "who knows")}) {
    const auto refused = CarryAs<MembershipReply>(MembershipReply{9, status});
    EXPECT_EQ(refused.view.status().code(), status.code());
    EXPECT_EQ(refused.view.status().message(), status.message());
    EXPECT_EQ(base::OutcomeOf(refused.view.status()), base::OutcomeOf(status));
  }
}

// --- Hostile frames

absl::Status Refused(const std::function<void(v1::PeerFrame&)>& spoil, PeerMessage message) {
  v1::PeerFrame frame;
  ToFrame(std::move(message), frame);
  spoil(frame);
  return FromFrame(frame).status();
}

TEST(PeerConvert, RefusesWhatIsOutOfRange) {
  Hello hello;
  hello.server_id = ServerId(1);
  const auto refused_hello = [&hello](std::function<void(v1::Hello&)> spoil) {
    return Refused([&spoil](v1::PeerFrame& frame) { spoil(*frame.mutable_hello()); }, hello);
  };
  EXPECT_TRUE(absl::IsUnimplemented(refused_hello([](auto& h) { h.set_protocol_version(2); })));
  EXPECT_TRUE(absl::IsInvalidArgument(refused_hello([](auto& h) { h.set_server_id(0); })));
  EXPECT_TRUE(absl::IsInvalidArgument(refused_hello([](auto& h) { h.set_server_id(255); })));
  EXPECT_TRUE(absl::IsInvalidArgument(refused_hello([](auto& h) { h.set_folder_id("short"); })));
  EXPECT_TRUE(absl::IsInvalidArgument(
      refused_hello([](auto& h) { h.set_formation(v1::FORMATION_STATE_UNSPECIFIED); })));
  EXPECT_TRUE(absl::IsInvalidArgument(refused_hello([](auto& h) { h.add_heard_empty(300); })));
  EXPECT_TRUE(absl::IsInvalidArgument(
      refused_hello([](auto& h) { h.set_formation(v1::FORMATION_STATE_RESTORED); })));
  EXPECT_TRUE(absl::IsInvalidArgument(
      refused_hello([](auto& h) { h.set_restore_id(std::string(16, 'x')); })));
  EXPECT_TRUE(absl::IsInvalidArgument(refused_hello([](auto& h) {
    h.add_members()->set_id(2);
    h.mutable_members(0)->set_address(std::string(2000, 'x'));
  })));

  raft::AppendRequest request;
  request.prev_index = LogIndex(5);
  request.entries = {std::make_shared<raft::Entry>(
      raft::Entry{Term(6), LogIndex(6), raft::EntryType::kNoop, ""})};
  const auto refused_append = [&request](std::function<void(v1::RaftMessage&)> spoil) {
    return Refused([&spoil](v1::PeerFrame& frame) { spoil(*frame.mutable_raft()); },
                   MessageOf(request));
  };
  EXPECT_TRUE(absl::IsInvalidArgument(refused_append([](auto& m) { m.clear_body(); })));
  EXPECT_TRUE(absl::IsInvalidArgument(refused_append([](auto& m) { m.set_from(0); })));
  EXPECT_TRUE(absl::IsInvalidArgument(refused_append(
      [](auto& m) { m.mutable_append_request()->mutable_entries(0)->set_index(9); })));
  EXPECT_TRUE(absl::IsInvalidArgument(refused_append([](auto& m) {
    m.mutable_append_request()->mutable_entries(0)->set_type(static_cast<v1::EntryType>(17));
  })));

  v1::PeerFrame empty;
  EXPECT_TRUE(absl::IsInvalidArgument(FromFrame(empty).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Refused(
      [](v1::PeerFrame& frame) {
        frame.mutable_forward_reply()->set_accepted(false);
        frame.mutable_forward_reply()->set_code(99);
      },
      ForwardReply{})));
  Forward forward;
  forward.commands = {"a", "b"};
  EXPECT_TRUE(absl::IsInvalidArgument(Refused(
      [](v1::PeerFrame& frame) { frame.mutable_forward()->add_principals("one of two"); },
      forward)));
}

TEST(PeerConvert, RefusesADamagedMembership) {
  const auto refused = [](std::function<void(v1::InstallSnapshot&)> spoil) {
    return Refused(
        [&spoil](v1::PeerFrame& frame) { spoil(*frame.mutable_raft()->mutable_install_snapshot()); },
        MessageOf(SomeSnapshot()));
  };
  EXPECT_TRUE(absl::IsInvalidArgument(refused([](auto& m) { m.set_membership(""); })));
  EXPECT_TRUE(absl::IsInvalidArgument(refused([](auto& m) { m.set_index(0); })));

  raft::AppendRequest request;
  request.entries = {std::make_shared<raft::Entry>(raft::Entry{
      Term(6), LogIndex(1), raft::EntryType::kMembership,
      raft::Encode(SomeSnapshot().snapshot.membership)})};
  EXPECT_TRUE(Refused([](v1::PeerFrame&) {}, MessageOf(request)).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(Refused(
      [](v1::PeerFrame& frame) {
        frame.mutable_raft()->mutable_append_request()->mutable_entries(0)->mutable_payload()
            ->append("x");
      },
      MessageOf(request))));
}

TEST(PeerConvert, RandomBytesNeverCrash) {
  base::Random random(1);
  v1::PeerFrame valid;
  raft::AppendRequest request;
  request.entries = {std::make_shared<raft::Entry>(
      raft::Entry{Term(6), LogIndex(1), raft::EntryType::kNoop, "payload"})};
  ToFrame(MessageOf(request), valid);
  const std::string bytes = valid.SerializeAsString();
  for (int i = 0; i < 5000; ++i) {
    std::string spoiled = bytes;
    for (uint64_t n = random.Between(1, 4); n > 0; --n) {
      spoiled[random.Below(spoiled.size())] = static_cast<char>(random.Next());
    }
    v1::PeerFrame frame;
    if (frame.ParseFromString(spoiled)) FromFrame(frame).IgnoreError();
  }
}

}  // namespace
}  // namespace bellwether::coord
