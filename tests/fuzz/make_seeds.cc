// fuzz_seeds FOLDER: writes FOLDER/TARGET/seed-NAME for every fuzz target, always the same bytes: what
// the encoders of this build write, small.

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/data_dir.h"
#include "base/folder.h"
#include "bellwether/coord/v1/peer.pb.h"
#include "cli/export_format.h"
#include "coord/peer/convert.h"
#include "coord/raft/membership.h"
#include "coord/raft/readmission.h"
#include "coord/replica/entry_payload.h"
#include "coord/storage/log_format.h"
#include "coord/storage/snapshot_file.h"
#include "coord/tree/command.h"
#include "coord/tree/snapshot_codec.h"
#include "coord/zk/wire/frame.h"
#include "fmt/format.h"
#include "tests/support/zk_examples.h"

namespace bellwether::coord {
namespace {

using raft::Entry;
using raft::EntryType;
using raft::LogIndex;
using raft::ServerId;
using raft::Term;

const base::Uuid kFolder(0x0123456789abcdef, 0x8edcba9876543210);

class Seeds {
 public:
  explicit Seeds(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::string PathOf(const std::string& target, const std::string& name) const {
    std::filesystem::create_directories(folder_ / target);
    return folder_ / target / ("seed-" + name);
  }
  void Write(const std::string& target, const std::string& name, const std::string& bytes) const {
    std::ofstream(PathOf(target, name), std::ios::binary) << bytes;
  }

 private:
  const std::filesystem::path folder_;
};

raft::Membership JointMembership() {
  raft::Membership membership;
  for (uint32_t id : {1u, 2u, 3u}) {
    membership.members.push_back({ServerId(id), "a" + std::to_string(id) + ":2192", id != 3});
  }
  membership.next = membership.members;
  membership.next.push_back({ServerId(7), "b:2192", true});
  return membership;
}

// --- Commands

template <typename Operation>
tree::Command CommandOf(uint64_t sequence, Operation operation) {
  tree::Command command;
  if (sequence > 0) {
    command.session = tree::SessionId(uint64_t{1} << 56 | 1);  // the first command's, of server 1
    command.generation = tree::SessionGeneration(1);
    command.sequence = tree::CommandSequence(sequence);
  }
  command.operation = std::move(operation);
  return command;
}

std::vector<std::pair<std::string, tree::Command>> Commands() {
  tree::CreateSession session{base::Uuid(1, 2), {}, 10'000, 1};
  tree::Transaction transaction;
  transaction.compares = {{"/a", tree::Compare::Field::kExists, 1},
                          {"/a", tree::Compare::Field::kVersion, 1}};
  transaction.operations = {
      tree::Create{"/a/s-", tree::SharedBytes(), tree::CreateMode::kEphemeralSequential},
      tree::SetData{"/a", tree::SharedBytes::Copy("two"), tree::kAnyVersion},
      tree::Delete{"/a/b", 0}};
  const tree::Acl acl = {{tree::kAllPermissions, "auth", ""}, {tree::kRead, "ip", "10.0.0.0/8"}};
  const tree::Acl acl_of_all = {{tree::kAllPermissions, "world", "anyone"},
                                {tree::kRead, "digest", "user:hash"}};
  tree::Create container{"/c", tree::SharedBytes(), tree::CreateMode::kContainer};
  tree::Create with_ttl{"/c/t", tree::SharedBytes(), tree::CreateMode::kPersistentWithTtl};
  with_ttl.acl = acl;
  with_ttl.ttl_ms = 500;
  tree::Transaction checked;
  checked.operations = {tree::Check{"/c", 0}, with_ttl};
  tree::Import import;
  import.znodes = {{"/i", tree::SharedBytes::Copy("old"), acl_of_all}, {"/i/t"}, {"/missing/x"}};
  import.znodes[0].ctime_ms = import.znodes[0].mtime_ms = 1'600'000'000'000;
  import.znodes[0].version = 3;
  import.znodes[0].create_counter = 7;
  import.znodes[1].mode = tree::CreateMode::kPersistentWithTtl;
  import.znodes[1].ttl_ms = 5;
  std::vector<std::pair<std::string, tree::Command>> commands = {
      {"create_session", CommandOf(0, session)},
      {"create", CommandOf(1, tree::Create{"/a", tree::SharedBytes::Copy("data")})},
      {"create_null", CommandOf(2, tree::Create{"/a/b", tree::SharedBytes()})},
      {"set", CommandOf(3, tree::SetData{"/a", tree::SharedBytes::Copy("new"), 0})},
      {"transaction", CommandOf(4, transaction)},
      {"delete", CommandOf(5, tree::Delete{"/missing", 3})},
      {"delete_recursive", CommandOf(6, tree::DeleteRecursive{"/a"})},
      {"feature_level", CommandOf(0, tree::SetFeatureLevel{tree::kFeatureLevelAcls})},
      {"container", CommandOf(7, container)},
      {"check", CommandOf(8, checked)},
      {"set_acl", CommandOf(9, tree::SetAcl{"/c", acl, 0})},
      {"retries_level", CommandOf(0, tree::SetFeatureLevel{tree::kFeatureLevelRetries})},
      {"kept", CommandOf(10, tree::Create{"/k", tree::SharedBytes::Copy("kept")})},
      {"kept_again", CommandOf(10, tree::Create{"/k", tree::SharedBytes::Copy("kept")})},
      {"import", CommandOf(11, import)},
      {"raise_zxid", CommandOf(12, tree::RaiseZxid{tree::Zxid(int64_t{1} << 40)})},
      {"config", CommandOf(0, tree::SetEnsembleConfig{"server.1=a:2192:2192:participant\n", 0})},
      {"delete_expired", CommandOf(0, tree::DeleteExpired{"/c/t"})},
      {"attach", CommandOf(0, tree::AttachSession{tree::SessionId(uint64_t{1} << 56 | 1), {}, 5})},
      {"expire", CommandOf(0, tree::ExpireSession{tree::SessionId(uint64_t{1} << 56 | 1),
                                                  tree::SessionGeneration(1)})},
      {"ensemble", CommandOf(0, tree::SetEnsembleId{kFolder})},
      {"close", CommandOf(13, tree::CloseSession{})},
  };
  for (auto& [name, command] : commands) {
    const bool is_of_client = command.session != tree::SessionId();
    if (is_of_client) command.acknowledged_floor = tree::CommandSequence(1);
    if (is_of_client && FeatureLevelOf(command) >= tree::kFeatureLevelAcls) {
      command.identities = {{"ip", "10.1.2.3"}, {"digest", "user:hash"}};
    }
  }
  return commands;
}

void WriteCommands(const Seeds& seeds) {
  std::string all;
  for (const auto& [name, command] : Commands()) {
    std::string bytes;
    EncodeCommand(command, bytes);
    seeds.Write("command", name, bytes);
    base::Encoder(all).String(bytes);
  }
  seeds.Write("apply", "all", all);
}

// --- The state

void WriteStates(const Seeds& seeds) {
  tree::StateMachine machine;
  const auto write = [&](const std::string& name) {
    std::string bytes;
    const absl::Status status =
        tree::WriteSnapshot(machine.View(), [&bytes](std::string_view record) {
          base::Encoder(bytes).String(record);
          return absl::OkStatus();
        });
    CHECK(status.ok());
    seeds.Write("state_snapshot", name, bytes);
  };
  write("empty");
  for (const auto& [name, command] : Commands()) {
    machine.Apply(command, {1000});
    if (name == "transaction") write("small");
    if (name == "set_acl") write("acls");
    if (name == "kept_again") write("kept_results");
    if (name == "config") write("imported");
  }
}

// --- Peers

std::vector<std::pair<std::string, PeerMessage>> PeerMessages() {
  Hello hello;
  hello.ensemble_id = kFolder;
  hello.server_id = ServerId(1);
  hello.folder_id = kFolder;
  hello.process_id = 77;
  hello.servers = {{ServerId(1), "a:2192"}, {ServerId(2), "b:2192"}};
  hello.grpc = "a:2191";
  hello.heard_empty = {ServerId(2)};
  raft::AppendRequest append;
  append.prev_index = LogIndex(4);
  append.prev_term = Term(2);
  append.entries = {std::make_shared<const Entry>(Entry{Term(2), LogIndex(5)}),
                    std::make_shared<const Entry>(
                        Entry{Term(2), LogIndex(6), EntryType::kCommands, "commands"})};
  append.commit = LogIndex(4);
  raft::AppendResponse refusal;
  refusal.rejected = true;
  refusal.prev_index = LogIndex(9);
  refusal.hint_index = LogIndex(3);
  refusal.folder_id = kFolder;
  const auto message = [](auto body) {
    return raft::Message{ServerId(1), ServerId(2), Term(3), std::move(body)};
  };
  return {
      {"hello", hello},
      {"vote_request", message(raft::VoteRequest{true, Term(4), LogIndex(6), Term(2)})},
      {"vote_response", message(raft::VoteResponse{true, Term(4), true})},
      {"append_request", message(append)},
      {"append_response", message(refusal)},
      {"install_snapshot", message(raft::InstallSnapshot{
                               {LogIndex(300), Term(3), JointMembership()}, raft::ReadRound(7)})},
      {"timeout_now", message(raft::TimeoutNow{})},
      {"forward", Forward{5, 1, Term(3), {"one", "two"}, {"who", ""}}},
      {"forward_reply", ForwardReply{5, 1, absl::OkStatus(), Term(3), LogIndex(9)}},
      {"forward_refused",
       ForwardReply{5, 2, absl::FailedPreconditionError("not leader"), Term(3), LogIndex()}},
      {"read_index_request", ReadIndexRequest{8, {"note"}}},
      {"read_index_reply", ReadIndexReply{8, true, LogIndex(9)}},
      {"note", Note{"touched"}},
      {"broadcast", Broadcast{"digest"}},
      {"snapshot_chunk_request", SnapshotChunkRequest{4, LogIndex(300), Term(3), 1 << 20, 1 << 20}},
      {"snapshot_chunk", SnapshotChunk{4, true, 3 << 20, "piece", base::Crc32c("piece")}},
      {"hold_forwards", HoldForwards{}},
  };
}

void WritePeerMessages(const Seeds& seeds) {
  v1::PeerBatch all;
  for (auto& [name, message] : PeerMessages()) {
    v1::PeerBatch batch;
    ToFrame(std::move(message), *batch.add_frames());
    *all.add_frames() = batch.frames(0);
    seeds.Write("peer_message", name, batch.SerializeAsString());
  }
  seeds.Write("peer_message", "all", all.SerializeAsString());
}

// --- Disks

void WriteLogRecords(const Seeds& seeds) {
  const raft::Membership membership = JointMembership();
  const std::string payload = EncodeEntryPayload(1'700'000'000'000, {"one", "", "three"});
  const std::string readmission = Encode(raft::Readmission{ServerId(2), kFolder});
  const std::vector<Entry> entries = {
      {Term(1), LogIndex(1), EntryType::kNoop, ""},
      {Term(1), LogIndex(2), EntryType::kCommands, payload},
      {Term(3), LogIndex(300), EntryType::kReadmit, readmission},
      {Term(3), LogIndex(301), EntryType::kMembership, Encode(membership)}};
  for (const Entry& entry : entries) {
    const std::string key = EncodeEntryKey(entry.index);
    seeds.Write("log_entry", std::to_string(entry.index.value()),
                std::string(1, static_cast<char>(key.size())) + key + EncodeEntryValue(key, entry));
  }
  seeds.Write("entry_payload", "three", payload);
  seeds.Write("entry_payload", "none", EncodeEntryPayload(-1, {}));
  seeds.Write("readmission", "one", readmission);
  seeds.Write("membership", "joint", Encode(membership));
  seeds.Write("membership", "simple", Encode(raft::Membership{membership.members, {}}));
  seeds.Write("vote_file", "voter",
              EncodeHardState({Term(4), ServerId(2), raft::Standing::kVoter}));
  seeds.Write("vote_file", "awaiting",
              EncodeHardState({Term(9), ServerId(), raft::Standing::kAwaitingReadmission}));
}

void WriteIdentities(const Seeds& seeds) {
  base::Identity identity{"coord", base::Uuid(), 1, kFolder};
  seeds.Write("identity", "new", FormatIdentity(identity));
  identity.ensemble_id = kFolder;
  seeds.Write("identity", "of_an_ensemble", FormatIdentity(identity));
}

void WriteSnapshot(const Seeds& seeds, const std::string& name, int records) {
  const std::filesystem::path path = seeds.PathOf("snapshot_file", name);
  const auto folder = base::OpenFolder(path.parent_path());
  CHECK(folder.ok());
  const auto file = (*folder)->Open(path.filename(), base::Folder::Mode::kCreate);
  CHECK(file.ok());
  SnapshotFileWriter writer(**file);
  CHECK(writer.WriteHeader({LogIndex(300), Term(3), JointMembership()}).ok());
  for (int i = 0; i < records; ++i) {
    CHECK(writer.Append("record " + std::to_string(i)).ok());
  }
  CHECK(writer.WriteEnd().ok());
}

// --- ZooKeeper's clients

void AppendFrame(std::string& out, const std::string& body) {
  const size_t begin = zk::wire::BeginFrame(out);
  out += body;
  CHECK(zk::wire::EndFrame(out, begin));
}

void WriteZkMessages(const Seeds& seeds) {
  std::string handshake;
  zk::wire::EncodeConnectRequest({0, 5, 10'000, 7, "0123456789abcdef", false}, handshake);
  std::string begin(1, '\x40');  // pieces of 64 bytes
  AppendFrame(begin, handshake);
  std::string all = begin;
  for (const auto& example : tests::ZkRequestExamples()) {
    std::string bytes = begin;
    AppendFrame(bytes, example.bytes);
    AppendFrame(all, example.bytes);
    seeds.Write("zk_connection", example.name, bytes);
  }
  seeds.Write("zk_connection", "all", all);
  seeds.Write("zk_connection", "four_letter_word", "\x01ruok");
  for (const auto& example : tests::ZkReplyExamples()) {
    std::string bytes;
    base::Encoder(bytes).Fixed32(static_cast<uint32_t>(example.opcode)).Raw(example.bytes);
    seeds.Write("zk_reply", example.name, bytes);
  }
}

void WriteExportLines(const Seeds& seeds) {
  const auto write = [&seeds](const std::string& name, const cli::ExportLine& line) {
    seeds.Write("export_line", name, cli::ToLine(line));
  };
  write("header", cli::ExportHeader{kFolder.ToString(), client::Zxid(9), "/app"});
  cli::ExportedZnode znode;
  znode.path = "/app/a";
  znode.data = "text";
  znode.access.acl = {{31, "digest", "user:hash"}};
  write("znode", znode);
  znode.data = std::string("\xff\x00", 2);
  znode.access.mode = client::CreateMode::kPersistentWithTtl;
  znode.access.ttl_ms = 5;
  write("znode_with_ttl", znode);
  write("quota", cli::ExportedQuota{"/app", "count=5"});
  write("end", cli::ExportEnd{2, 6, 1});
}

void WriteFourLetterWords(const Seeds& seeds) {
  for (const std::string word : {"conf", "cons", "dump", "mntr", "wchc", "wchp"}) {
    std::string bytes;
    base::Encoder out(bytes);
    out.String("ruok, " + word).Raw(word).Fixed8(0x0d);  // it serves, observes, left something out
    out.Fixed8(0).Varint(7).String("/a").Fixed8(0).Varint(8).String("/a");      // watches
    out.Fixed8(0x81).Varint(7).String("/e/1").String("/e/2");                    // ephemerals
    out.Fixed8(2).Varint(7).String("127.0.0.1:40312").Signed(5).Signed(9).Signed(1'000);
    out.Fixed8(3).Varint(0).String("server.1=a:2192:2192:participant;a:2181");
    seeds.Write("four_letter_words", word, bytes);
  }
}

}  // namespace
}  // namespace bellwether::coord

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: fuzz_seeds FOLDER\n");
    return 2;
  }
  const bellwether::coord::Seeds seeds(argv[1]);
  WriteCommands(seeds);
  WriteStates(seeds);
  WritePeerMessages(seeds);
  WriteLogRecords(seeds);
  WriteIdentities(seeds);
  WriteSnapshot(seeds, "empty", 0);
  WriteSnapshot(seeds, "hundred", 100);
  WriteZkMessages(seeds);
  WriteFourLetterWords(seeds);
  WriteExportLines(seeds);
  return 0;
}
