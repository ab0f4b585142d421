#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "base/thread_executor.h"
#include "client/coord_client.h"
#include "client/grpc_channel.h"
#include "client/watch_buffer.h"

namespace bellwether::client {

class BlockingWatch;

// A session with the ensemble for programs that may block: CoordClient on a thread of its own.
// Thread-safe. Errors and order are those of CoordClient; the methods wait for the answer, at most
// for the request's timeout.
class Coord {
 public:
  // Waits until a session is attached (read_only: a server answers), at most options.request_timeout. options.seed 0 takes one
  // from the system. Errors: UNAVAILABLE that names the last failure; UNAUTHENTICATED auth_failed.
  static absl::StatusOr<std::unique_ptr<Coord>> Connect(CoordOptions options);

  // The session lives on until its timeout, with its ephemeral znodes, unless CloseSession was
  // called. Requires: all its watches were destroyed.
  ~Coord();
  Coord(const Coord&) = delete;
  Coord& operator=(const Coord&) = delete;

  // Errors: NOT_FOUND no_node (the parent), ALREADY_EXISTS, FAILED_PRECONDITION.
  absl::StatusOr<CreateResult> Create(std::string path, Data data,
                                      CreateMode mode = CreateMode::kPersistent,
                                      CallOptions options = {});
  // With an ACL or a TTL. Likewise, and INVALID_ARGUMENT invalid_acl.
  absl::StatusOr<CreateResult> Create(CreateOperation operation, CallOptions options = {});
  // Errors: NOT_FOUND no_node, FAILED_PRECONDITION bad_version.
  absl::StatusOr<SetResult> Set(std::string path, Data data, int32_t version = kAnyVersion,
                                CallOptions options = {});
  // Errors: NOT_FOUND no_node, FAILED_PRECONDITION bad_version or not_empty.
  absl::StatusOr<DeleteResult> Delete(std::string path, int32_t version = kAnyVersion,
                                      bool recursive = false, CallOptions options = {});
  // Errors: FAILED_PRECONDITION compare_failed, or that of the operation that failed.
  absl::StatusOr<TransactionResult> Commit(Transaction transaction, CallOptions options = {});
  // See CoordClient::Import and RaiseZxid.
  absl::StatusOr<ImportResult> Import(std::vector<ImportedZnode> znodes, bool overwrite = false,
                                      CallOptions options = {});
  absl::StatusOr<SyncResult> RaiseZxid(Zxid zxid, CallOptions options = {});
  // Errors: NOT_FOUND no_node.
  absl::StatusOr<GetResult> Get(std::string path, ReadOptions options = {});
  // Errors: NOT_FOUND no_node.
  absl::StatusOr<StatResult> GetStat(std::string path, ReadOptions options = {});
  // Errors: NOT_FOUND no_node.
  absl::StatusOr<ListResult> List(std::string path, bool recursive = false,
                                  ReadOptions options = {});
  // See CoordClient::SetAcl, GetAcl, Authenticate and WhoAmI.
  absl::StatusOr<SetResult> SetAcl(std::string path, Acl acl, int32_t version = kAnyVersion,
                                   CallOptions options = {});
  absl::StatusOr<AclResult> GetAcl(std::string path, ReadOptions options = {});
  absl::Status Authenticate(Credential credential, CallOptions options = {});
  absl::StatusOr<std::vector<Identity>> WhoAmI(CallOptions options = {});
  // Returns when the server attached to is as new as the leader was.
  absl::StatusOr<SyncResult> Sync(CallOptions options = {});
  // Ends the session now, with its ephemeral znodes; afterwards everything fails.
  absl::Status CloseSession(CallOptions options = {});

  // Of one server, one of the options or any other; answered without a leader, too.
  absl::StatusOr<ServerStatus> ServerStatusOf(std::string address, absl::Duration timeout);

  // Asks the server attached to; see CoordClient::Upgrade.
  absl::StatusOr<UpgradeStatus> Upgrade(bool finalize, absl::Duration timeout);

  // Asks the server attached to; see CoordClient::Membership.
  absl::StatusOr<MembershipStatus> Membership(MembershipChange change, absl::Duration timeout);

  // Gives `sink` the file of a snapshot of the state as of this call or later, in pieces of at most
  // 1 MiB, from the server attached to, or another one when that is busy or can't. `timeout` is each
  // piece's: taking a snapshot of a large state may need seconds, and a busy server is asked again until
  // then. Returns the file's size. Errors: those of CoordClient::SaveSnapshot, but UNAVAILABLE when
  // newer ones took its place meanwhile; and the sink's. What the sink got is then to be thrown away.
  absl::StatusOr<uint64_t> SaveSnapshot(
      absl::FunctionRef<absl::Status(std::string_view piece)> sink, absl::Duration timeout);

  // Asks the server attached to; see CoordClient::Top.
  absl::StatusOr<TopResult> Top(TopOrder by, uint32_t limit, absl::Duration timeout);

  // All live sessions, by id, as one server has them: that at `address`, or, when it is empty, the one
  // attached to. `timeout` is each page's; see CoordClient::Sessions. A session is told once, whatever
  // happens meanwhile; the zxid is that of the first page.
  absl::StatusOr<SessionPage> Sessions(const std::string& address, absl::Duration timeout);

  // Asks the server attached to; see CoordClient::EndSession.
  absl::StatusOr<SessionEnded> EndSession(SessionId session, absl::Duration timeout);

  // The state, then every change; see CoordWatch.
  std::unique_ptr<BlockingWatch> Watch(std::string path, WatchOptions options = {});

  SessionState state();
  SessionInfo session();

  // For recipes and whatever needs the asynchronous client: `task` runs on its executor; returns
  // when it has run. Not from the executor itself.
  void Run(absl::AnyInvocable<void(CoordClient&)> task);

 private:
  friend class BlockingWatch;
  class SnapshotServersOf;

  explicit Coord(CoordOptions options);

  template <typename T>
  absl::StatusOr<T> Await(absl::AnyInvocable<void(CoordClient&, Callback<T>)> start);

  const std::vector<std::string> addresses_;
  base::ThreadExecutor executor_;
  GrpcConnector connector_;
  std::unique_ptr<CoordClient> client_;  // used on the executor
};

// A watch read by a thread. With 256 batches or 16 MiB that were not read, the server's are left
// unread. Thread-safe. Must not outlive its Coord.
class BlockingWatch {
 public:
  ~BlockingWatch();
  BlockingWatch(const BlockingWatch&) = delete;
  BlockingWatch& operator=(const BlockingWatch&) = delete;

  // The next batch. Errors: DEADLINE_EXCEEDED when none came within `timeout`; the watch's own end,
  // then again at every call.
  absl::StatusOr<WatchBatch> Next(absl::Duration timeout);

 private:
  friend class Coord;

  BlockingWatch(Coord& coord, std::string path, WatchOptions options);

  void OnBatch(WatchBatch batch);
  void OnEnd(const absl::Status& status);

  Coord& coord_;
  std::unique_ptr<CoordWatch> watch_;  // used on the executor
  base::Mutex mutex_;
  base::CondVar changed_;
  WatchBuffer unread_ ABSL_GUARDED_BY(mutex_);
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bellwether::client
