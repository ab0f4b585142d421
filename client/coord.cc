#include "client/coord.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/status.h"
#include "client/one_result.h"
#include "client/snapshot_download.h"

namespace bellwether::client {
namespace {

CoordOptions WithSeed(CoordOptions options) {
  if (options.seed == 0) options.seed = base::SystemRandom();
  return options;
}

}  // namespace

Coord::Coord(CoordOptions options)
    : addresses_(options.addresses),
      executor_("coord-client"),
      connector_(executor_),
      client_(std::make_unique<CoordClient>(WithSeed(std::move(options)), executor_,
                                            base::SystemClock(), connector_)) {}

Coord::~Coord() {
  Run([this](CoordClient&) { client_.reset(); });
}

absl::StatusOr<std::unique_ptr<Coord>> Coord::Connect(CoordOptions options) {
  if (options.addresses.empty()) {
    return absl::InvalidArgumentError("no coord server is named; give at least one HOST:PORT");
  }
  const absl::Duration timeout = options.request_timeout;
  const bool read_only = options.read_only;
  std::unique_ptr<Coord> coord(new Coord(std::move(options)));
  OneResult<SessionState> attached;
  base::TimerId timer = 0;
  coord->Run([&](CoordClient& client) {
    auto setter = std::make_shared<Callback<SessionState>>(attached.Setter());
    client.AddStateListener([setter, &client](SessionState state) {
      if (!*setter) return;
      auto set = std::exchange(*setter, nullptr);
      client.final_status().ok() ? set(state) : set(client.final_status());
    });
    timer = client.executor().RunAfter(timeout, [setter, timeout, read_only, &client] {
      if (!*setter) return;
      std::exchange(*setter, nullptr)(absl::UnavailableError(absl::StrCat(
          read_only ? "no coord server could be reached within "
                    : "no coord server could open a session within ", absl::FormatDuration(timeout), " (",
          client.LastFailure(), "); check the addresses and that ",
          read_only ? "a server is up" : "most servers are up")));
    });
    client.Start();
  });
  const absl::StatusOr<SessionState> state = attached.Wait();
  coord->executor_.Cancel(timer);
  if (!state.ok()) return state.status();
  return coord;
}

void Coord::Run(absl::AnyInvocable<void(CoordClient&)> task) {
  OneResult<bool> done;
  executor_.Post([this, &task, set = done.Setter()]() mutable {
    task(*client_);
    set(true);
  });
  (void)done.Wait();
}

template <typename T>
absl::StatusOr<T> Coord::Await(absl::AnyInvocable<void(CoordClient&, Callback<T>)> start) {
  OneResult<T> result;
  executor_.Post([this, &start, set = result.Setter()]() mutable {
    start(*client_, std::move(set));
  });
  return result.Wait();
}

absl::StatusOr<CreateResult> Coord::Create(std::string path, Data data, CreateMode mode,
                                           CallOptions options) {
  return Await<CreateResult>([&](CoordClient& client, Callback<CreateResult> done) {
    client.Create(std::move(path), std::move(data), mode, options, std::move(done));
  });
}

absl::StatusOr<CreateResult> Coord::Create(CreateOperation operation, CallOptions options) {
  return Await<CreateResult>([&](CoordClient& client, Callback<CreateResult> done) {
    client.Create(std::move(operation), options, std::move(done));
  });
}

absl::StatusOr<SetResult> Coord::Set(std::string path, Data data, int32_t version,
                                     CallOptions options) {
  return Await<SetResult>([&](CoordClient& client, Callback<SetResult> done) {
    client.Set(std::move(path), std::move(data), version, options, std::move(done));
  });
}

absl::StatusOr<DeleteResult> Coord::Delete(std::string path, int32_t version, bool recursive,
                                           CallOptions options) {
  return Await<DeleteResult>([&](CoordClient& client, Callback<DeleteResult> done) {
    client.Delete(std::move(path), version, recursive, options, std::move(done));
  });
}

absl::StatusOr<TransactionResult> Coord::Commit(Transaction transaction, CallOptions options) {
  return Await<TransactionResult>([&](CoordClient& client, Callback<TransactionResult> done) {
    client.Commit(std::move(transaction), options, std::move(done));
  });
}

absl::StatusOr<ImportResult> Coord::Import(std::vector<ImportedZnode> znodes, bool overwrite,
                                           CallOptions options) {
  return Await<ImportResult>([&](CoordClient& client, Callback<ImportResult> done) {
    client.Import(std::move(znodes), overwrite, options, std::move(done));
  });
}

absl::StatusOr<SyncResult> Coord::RaiseZxid(Zxid zxid, CallOptions options) {
  return Await<SyncResult>([&](CoordClient& client, Callback<SyncResult> done) {
    client.RaiseZxid(zxid, options, std::move(done));
  });
}

absl::StatusOr<GetResult> Coord::Get(std::string path, ReadOptions options) {
  return Await<GetResult>([&](CoordClient& client, Callback<GetResult> done) {
    client.Get(std::move(path), std::move(options), std::move(done));
  });
}

absl::StatusOr<StatResult> Coord::GetStat(std::string path, ReadOptions options) {
  return Await<StatResult>([&](CoordClient& client, Callback<StatResult> done) {
    client.GetStat(std::move(path), std::move(options), std::move(done));
  });
}

absl::StatusOr<ServerStatus> Coord::ServerStatusOf(std::string address, absl::Duration timeout) {
  return Await<ServerStatus>([&](CoordClient& client, Callback<ServerStatus> done) {
    client.Status(address, timeout, std::move(done));
  });
}

absl::StatusOr<UpgradeStatus> Coord::Upgrade(bool finalize, absl::Duration timeout) {
  return Await<UpgradeStatus>([&](CoordClient& client, Callback<UpgradeStatus> done) {
    client.Upgrade(client.session().address, finalize, timeout, std::move(done));
  });
}

absl::StatusOr<MembershipStatus> Coord::Membership(MembershipChange change,
                                                   absl::Duration timeout) {
  return Await<MembershipStatus>([&](CoordClient& client, Callback<MembershipStatus> done) {
    client.Membership(client.session().address, change, timeout, std::move(done));
  });
}

absl::StatusOr<TopResult> Coord::Top(TopOrder by, uint32_t limit, absl::Duration timeout) {
  return Await<TopResult>([&](CoordClient& client, Callback<TopResult> done) {
    client.Top(client.session().address, by, limit, timeout, std::move(done));
  });
}

absl::StatusOr<SessionPage> Coord::Sessions(const std::string& address, absl::Duration timeout) {
  SessionPage all;
  for (SessionId after; all.more || after == SessionId();) {
    ASSIGN_OR_RETURN(SessionPage page,
                     Await<SessionPage>([&](CoordClient& client, Callback<SessionPage> done) {
                       client.Sessions(address.empty() ? client.session().address : address, after,
                                       timeout, std::move(done));
                     }));
    all.more = page.more && !page.sessions.empty();
    if (after == SessionId()) {
      all.server_id = page.server_id;
      all.zxid = page.zxid;
    }
    if (page.sessions.empty()) break;
    after = page.sessions.back().id;
    all.sessions.insert(all.sessions.end(), std::make_move_iterator(page.sessions.begin()),
                        std::make_move_iterator(page.sessions.end()));
  }
  return all;
}

absl::StatusOr<SessionEnded> Coord::EndSession(SessionId session, absl::Duration timeout) {
  return Await<SessionEnded>([&](CoordClient& client, Callback<SessionEnded> done) {
    client.EndSession(client.session().address, session, timeout, std::move(done));
  });
}

// All that the client knows, beginning with the one that it is attached to.
class Coord::SnapshotServersOf : public SnapshotServers {
 public:
  explicit SnapshotServersOf(Coord& coord) : coord_(coord), addresses_(coord.addresses_) {
    std::string attached;
    coord_.Run([&](CoordClient& client) { attached = client.session().address; });
    const auto found = std::find(addresses_.begin(), addresses_.end(), attached);
    if (found != addresses_.end()) std::rotate(addresses_.begin(), found, addresses_.end());
  }

  size_t count() const override { return addresses_.size(); }
  void UseNext() override {
    std::rotate(addresses_.begin(), addresses_.begin() + 1, addresses_.end());
  }
  absl::StatusOr<SnapshotPiece> Read(uint64_t index, uint64_t term, uint64_t offset,
                                     absl::Duration timeout) override {
    return coord_.Await<SnapshotPiece>([&](CoordClient& client, Callback<SnapshotPiece> done) {
      client.SaveSnapshot(addresses_.front(), index, term, offset, timeout, std::move(done));
    });
  }
  absl::Duration Now() override { return base::SystemClock().Monotonic(); }
  void Sleep(absl::Duration duration) override {
    OneResult<bool> over;
    coord_.executor_.RunAfter(duration, [set = over.Setter()]() mutable { set(true); });
    (void)over.Wait();
  }

 private:
  Coord& coord_;
  std::vector<std::string> addresses_;  // the one in use in front
};

absl::StatusOr<uint64_t> Coord::SaveSnapshot(
    absl::FunctionRef<absl::Status(std::string_view piece)> sink, absl::Duration timeout) {
  SnapshotServersOf servers(*this);
  return DownloadSnapshot(servers, sink, timeout);
}

absl::StatusOr<ListResult> Coord::List(std::string path, bool recursive, ReadOptions options) {
  return Await<ListResult>([&](CoordClient& client, Callback<ListResult> done) {
    client.List(std::move(path), recursive, std::move(options), std::move(done));
  });
}

absl::StatusOr<SetResult> Coord::SetAcl(std::string path, Acl acl, int32_t version,
                                        CallOptions options) {
  return Await<SetResult>([&](CoordClient& client, Callback<SetResult> done) {
    client.SetAcl(std::move(path), acl, version, options, std::move(done));
  });
}

absl::StatusOr<AclResult> Coord::GetAcl(std::string path, ReadOptions options) {
  return Await<AclResult>([&](CoordClient& client, Callback<AclResult> done) {
    client.GetAcl(std::move(path), std::move(options), std::move(done));
  });
}

absl::Status Coord::Authenticate(Credential credential, CallOptions options) {
  return Await<SyncResult>([&](CoordClient& client, Callback<SyncResult> done) {
           client.Authenticate(std::move(credential), options, std::move(done));
         })
      .status();
}

absl::StatusOr<std::vector<Identity>> Coord::WhoAmI(CallOptions options) {
  return Await<std::vector<Identity>>(
      [&](CoordClient& client, Callback<std::vector<Identity>> done) {
        client.WhoAmI(options, std::move(done));
      });
}

absl::StatusOr<SyncResult> Coord::Sync(CallOptions options) {
  return Await<SyncResult>([&](CoordClient& client, Callback<SyncResult> done) {
    client.Sync(options, std::move(done));
  });
}

absl::Status Coord::CloseSession(CallOptions options) {
  return Await<SyncResult>([&](CoordClient& client, Callback<SyncResult> done) {
           client.CloseSession(options, std::move(done));
         })
      .status();
}

SessionState Coord::state() {
  SessionState state = SessionState::kConnecting;
  Run([&](CoordClient& client) { state = client.state(); });
  return state;
}

SessionInfo Coord::session() {
  SessionInfo session;
  Run([&](CoordClient& client) { session = client.session(); });
  return session;
}

std::unique_ptr<BlockingWatch> Coord::Watch(std::string path, WatchOptions options) {
  return std::unique_ptr<BlockingWatch>(new BlockingWatch(*this, std::move(path), std::move(options)));
}

BlockingWatch::BlockingWatch(Coord& coord, std::string path, WatchOptions options)
    : coord_(coord) {
  coord_.Run([&](CoordClient& client) {
    WatchCallbacks callbacks;
    callbacks.on_batch = [this](WatchBatch batch) { OnBatch(std::move(batch)); };
    callbacks.on_end = [this](absl::Status status) { OnEnd(status); };
    watch_ = client.Watch(std::move(path), std::move(options), std::move(callbacks));
  });
}

BlockingWatch::~BlockingWatch() {
  coord_.Run([this](CoordClient&) { watch_.reset(); });
}

void BlockingWatch::OnBatch(WatchBatch batch) {
  bool full = false;
  {
    base::MutexLock lock(mutex_);
    full = unread_.Push(std::move(batch));
    changed_.SignalAll();
  }
  if (full) watch_->Pause();
}

void BlockingWatch::OnEnd(const absl::Status& status) {
  base::MutexLock lock(mutex_);
  end_ = status;
  changed_.SignalAll();
}

absl::StatusOr<WatchBatch> BlockingWatch::Next(absl::Duration timeout) {
  const absl::Duration deadline = base::SystemClock().Monotonic() + timeout;
  bool resume = false;
  WatchBatch batch;
  {
    base::MutexLock lock(mutex_);
    while (unread_.empty()) {
      if (!end_.ok()) return end_;
      const absl::Duration left = deadline - base::SystemClock().Monotonic();
      if (left <= absl::ZeroDuration()) {
        return absl::DeadlineExceededError("nothing happened in time at what is watched");
      }
      // Bounded, since a condition variable can't wait for ever by a duration.
      changed_.WaitFor(mutex_, std::min(left, absl::Hours(1)));
    }
    batch = unread_.Pop();
    resume = unread_.TakeResume();
  }
  if (resume) coord_.Run([this](CoordClient&) { watch_->Resume(); });
  return batch;
}

}  // namespace bellwether::client
