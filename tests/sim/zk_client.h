#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "coord/zk/wire/frame.h"
#include "coord/zk/wire/records.h"
#include "tests/sim/options.h"
#include "tests/sim/program.h"
#include "tests/sim/zk_link.h"

namespace bellwether::sim {

// A program that uses coord by ZooKeeper's protocol, as ZooKeeper's own clients do: one connection
// at a time, requests pipelined into it, also behind the handshake (Z43); one that is lost, or
// silent for two thirds of the timeout, is followed by one to another server with the same session,
// the last zxid seen and the watches set again. Requests of all kinds on few paths. Checks by
// itself only what makes clients give up: the order of replies (Z46) and what can't be decoded.
class ZkClient : public Program {
 public:
  // `slot`: the machine it runs on.
  ZkClient(uint32_t slot, uint64_t serial, const Options& options, Dependencies deps);
  ~ZkClient() override;

  void Pause() override { executor_.Pause(); }
  void Resume() override { executor_.Resume(); }
  void Finish() override;
  bool finished() const override { return last_answered_; }
  bool WatchesReached(Zxid) const override { return true; }

  uint64_t serial() const override { return serial_; }
  bool over() const override { return over_; }
  size_t writes_outstanding() const override;
  uint32_t server() const override { return server_; }
  absl::Duration session_deadline() const override { return deadline_; }
  std::string State() const override;
  bool Reconfigure(WantedServers wanted, std::function<void()> then) override;

 private:
  using Opcode = coord::zk::wire::Opcode;

  // Connections (zk_client.cc).
  void Connect();
  void Disconnect(std::string_view why);
  void SendHandshake();
  void SendAuth(uint64_t user);
  void Prove(std::string_view password);
  void SetWatchesAgain();
  void Leave();
  void LetGoOfLeft();
  void AskWhereLeft(uint64_t connection);
  void OnPieceOfLeft(const ZkLink::Piece& piece);
  void OnPiece(uint64_t connection, ZkLink::Piece piece);
  void OnFrame(std::string_view frame, const ZkLink::Piece& piece);
  void OnHandshake(std::string_view frame);
  void OnReadOnly(const coord::zk::wire::ConnectResponse& response);
  void OnEvent(std::string_view frame);
  void OnReply(const coord::zk::wire::ReplyHeader& header, std::string_view frame,
               const ZkLink::Piece& piece);
  void OnAnswered(const ZkOperation& operation);
  void Keep(const coord::zk::wire::Reply& reply, ZkOperation& operation);
  void RememberWatch(const ZkOperation& operation);
  void SawZxid(int64_t zxid);
  void CheckOnConnection();
  void SessionIsOver(std::string_view why);
  SessionRecord* FindSession();
  Zxid Newest() const { return deps_.newest_zxid(); }

  // Requests (zk_requests.cc).
  void Think();
  void IssueOne();
  void Create();
  void Set();
  void Delete();
  void SetAcl();
  void Multi();
  void Read();
  void Sync();
  void ChangeWatches();
  void MakeQuota();
  void IssueLast();

  // Who is in the ensemble (zk_reconfig.cc).
  void ReconfigureInVain();
  void SendReconfig(WantedServers wanted, int64_t config_id, bool in_vain);
  void OnConfig(const ZkOperation& operation);
  ZkOperation& NewOperation(Opcode opcode, std::string path);
  std::string NewTag(ZkOperation& operation);
  int32_t GuessVersion();
  coord::zk::wire::Acl AnyAcl(std::string_view path);
  coord::zk::wire::CreateRequest AnyCreate(std::string_view path, std::string_view tag);
  void Send(ZkOperation& operation, coord::zk::wire::RequestBody body);
  std::string AnyPath();
  uint64_t OtherUser() const { return 1 - user_; }

  const uint32_t slot_;
  const uint64_t serial_;
  const Options& options_;
  Dependencies deps_;
  base::Random random_;
  const uint64_t user_;     // of two, whose passwords all know
  const bool proves_user_;  // on every connection
  const bool operates_;     // it knows the superuser's password
  const size_t outstanding_max_;
  SimExecutor executor_;

  std::shared_ptr<ZkLink> link_;  // shared with what is on its way; null: between two
  ZkConnection* connection_ = nullptr;
  uint64_t last_connection_ = 0;
  uint32_t server_ = 0;
  bool attached_ = false;  // the handshake was answered on link_
  bool pipelines_ = false;  // on link_: asks before that
  bool may_be_read_only_ = false;  // on link_
  coord::tree::Identities identities_;  // on link_
  coord::zk::wire::FrameReader input_;
  // A connection that the client left open when it went to another server; at most one.
  struct Left {
    std::shared_ptr<ZkLink> link;  // null: none; shared as link_ is
    ZkConnection* connection = nullptr;
    coord::zk::wire::FrameReader input;
    int asked = 0;
  };
  Left left_;
  absl::Duration connect_sent_;
  absl::Duration heard_;
  absl::Duration sent_;

  coord::tree::SessionId session_;
  std::string password_;
  absl::Duration timeout_;
  absl::Duration deadline_ = -absl::InfiniteDuration();
  int64_t last_zxid_ = 0;

  std::deque<ZkOperation*> pending_;
  // As the client remembers them.
  std::set<std::string> data_watches_;
  std::set<std::string> exist_watches_;
  std::set<std::string> child_watches_;
  std::set<std::string> persistent_watches_;
  std::set<std::string> recursive_watches_;

  int32_t last_xid_ = 0;
  uint64_t last_number_ = 0;
  int32_t last_version_ = 0;
  int64_t config_version_ = -1;  // the newest one seen
  int64_t older_config_version_ = -1;
  std::function<void()> on_reconfigured_;  // of a kReconfig not yet answered
  std::vector<std::string> sequential_paths_;
  bool over_ = false;
  bool finishing_ = false;
  bool last_answered_ = false;
  const ZkOperation* last_write_ = nullptr;  // of IssueLast
  const ZkOperation* last_read_ = nullptr;   // likewise
};

}  // namespace bellwether::sim
