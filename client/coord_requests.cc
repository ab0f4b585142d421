// The requests of CoordClient: from plain values to frames and back.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/utf8.h"
#include "client/coord_client.h"
#include "client/errors.h"
#include "client/wire.h"

namespace bellwether::client {
namespace {

using coord::v1::Request;
using coord::v1::Response;

// Before a list is begun again, as others finish theirs.
constexpr absl::Duration kListAgainAfterFirst = absl::Milliseconds(10);
constexpr absl::Duration kListAgainAfterMax = absl::Milliseconds(500);

// Hands `parse(response)` or the error to the callback.
template <typename T, typename Parse>
RequestQueue::Answer AnswerTo(Callback<T> callback, Parse parse) {
  return [callback = std::move(callback), parse](absl::StatusOr<Response> response) mutable {
    if (!response.ok()) return callback(std::move(response).status());
    callback(parse(*std::move(response)));
  };
}

// Servers of another ensemble refuse it then.
template <typename Message>
void NameEnsemble(const ServerList& servers, Message& request) {
  if (!servers.ensemble_id().IsNil()) request.set_ensemble_id(servers.ensemble_id().Bytes());
}

bool IsUtf8(const coord::v1::Acl& acl) {
  return std::all_of(acl.entries().begin(), acl.entries().end(), [](const auto& entry) {
    return base::IsUtf8(entry.scheme()) && base::IsUtf8(entry.id());
  });
}

bool TextsAreUtf8(const Request& request) {
  switch (request.operation_case()) {
    case Request::kCreate:
      return base::IsUtf8(request.create().path()) && IsUtf8(request.create().acl());
    case Request::kSetAcl:
      return base::IsUtf8(request.set_acl().path()) && IsUtf8(request.set_acl().acl());
    case Request::kGetAcl:
      return base::IsUtf8(request.get_acl().path());
    case Request::kAuthenticate:
      return base::IsUtf8(request.authenticate().credential().scheme());
    case Request::kSetData:
      return base::IsUtf8(request.set_data().path());
    case Request::kDelete:
      return base::IsUtf8(request.delete_().path());
    case Request::kGet:
      return base::IsUtf8(request.get().path());
    case Request::kStat:
      return base::IsUtf8(request.stat().path());
    case Request::kList:
      return base::IsUtf8(request.list().path());
    case Request::kAwaitGrant:
      return base::IsUtf8(request.await_grant().path());
    case Request::kImport:
      return std::all_of(request.import().znodes().begin(), request.import().znodes().end(),
                         [](const auto& znode) {
                           return base::IsUtf8(znode.path()) && IsUtf8(znode.acl());
                         });
    default:
      break;
  }
  for (const coord::v1::Compare& compare : request.transaction().compares()) {
    if (!base::IsUtf8(compare.path())) return false;
  }
  for (const coord::v1::TransactionOperation& operation : request.transaction().operations()) {
    if (!base::IsUtf8(operation.create().path()) || !base::IsUtf8(operation.set_data().path()) ||
        !base::IsUtf8(operation.delete_().path()) || !base::IsUtf8(operation.check().path()) ||
        !IsUtf8(operation.create().acl())) {
      return false;
    }
  }
  return true;
}

}  // namespace

// A list that is being read page by page.
struct ListUnderWay {
  std::string path;
  bool recursive = false;
  ReadOptions options;
  absl::Duration deadline;
  absl::Duration pause;  // before it was last begun again
  ListResult result;     // zxid 0: before the first page
  Callback<ListResult> callback;
};

absl::Duration CoordClient::DeadlineAfter(std::optional<absl::Duration> timeout) const {
  return clock_.Monotonic() + timeout.value_or(options_.request_timeout);
}

void CoordClient::Submit(Request request, absl::Duration deadline, RequestQueue::Answer answer) {
  absl::Status refused;
  if (!final_status_.ok()) {
    refused = base::Annotate(final_status_, Describe(request));
  } else if (closing_) {
    refused = absl::CancelledError(
        absl::StrCat(Describe(request), ": the session is being closed"));
  } else if (options_.read_only && !request.stale_ok()) {
    refused = ErrorWithReason(
        absl::StatusCode::kFailedPrecondition, "read_only",
        absl::StrCat(Describe(request), ": this client is read-only and may only read with stale_ok; "
                                        "open one with a session"));
  } else if (!TextsAreUtf8(request)) {
    refused = ErrorWithReason(absl::StatusCode::kInvalidArgument, "bad_arguments",
                              "the path or ACL is not valid UTF-8; choose another one");
  } else {
    refused = queue_.Add(std::move(request), deadline, answer);
  }
  if (refused.ok()) {
    ArmRequestTimer();
    return SendPending();
  }
  executor_.Post([alive = alive_, refused, answer = std::move(answer)]() mutable {
    if (*alive) answer(refused);
  });
}

void CoordClient::ArmRequestTimer() {
  const absl::Duration next = queue_.NextDeadline();
  if (next == absl::InfiniteDuration() || next >= request_timer_at_) return;
  executor_.Cancel(request_timer_);
  request_timer_at_ = next;
  request_timer_ = executor_.RunAfter(next - clock_.Monotonic(), [this] {
    request_timer_at_ = absl::InfiniteDuration();
    queue_.ExpireDeadlines(clock_.Monotonic(),
                           attached_ ? absl::StrCat("attached to ", session_.address)
                                     : absl::StrCat("last failure: ", servers_.LastFailure()));
    ArmRequestTimer();
  });
}

void CoordClient::Create(std::string path, Data data, CreateMode mode, CallOptions options,
                         Callback<CreateResult> callback) {
  Create(CreateOperation{std::move(path), std::move(data), mode}, options, std::move(callback));
}

void CoordClient::Create(CreateOperation operation, CallOptions options,
                         Callback<CreateResult> callback) {
  Request request;
  *request.mutable_create() = ToWire(std::move(operation));
  Submit(std::move(request), DeadlineAfter(options.timeout),
         AnswerTo(std::move(callback), [](Response r) { return CreateResultOf(std::move(r)); }));
}

void CoordClient::Set(std::string path, Data data, int32_t version, CallOptions options,
                      Callback<SetResult> callback) {
  Request request;
  *request.mutable_set_data() = ToWire(SetOperation{std::move(path), std::move(data), version});
  Submit(std::move(request), DeadlineAfter(options.timeout),
         AnswerTo(std::move(callback), SetResultOf));
}

void CoordClient::Delete(std::string path, int32_t version, bool recursive, CallOptions options,
                         Callback<DeleteResult> callback) {
  Request request;
  *request.mutable_delete_() = ToWire(DeleteOperation{std::move(path), version, recursive});
  Submit(std::move(request), DeadlineAfter(options.timeout),
         AnswerTo(std::move(callback), DeleteResultOf));
}

void CoordClient::Commit(Transaction transaction, CallOptions options,
                         Callback<TransactionResult> callback) {
  Request request;
  *request.mutable_transaction() = ToWire(std::move(transaction));
  Submit(std::move(request), DeadlineAfter(options.timeout),
         AnswerTo(std::move(callback), TransactionResultOf));
}

void CoordClient::Import(std::vector<ImportedZnode> znodes, bool overwrite, CallOptions options,
                         Callback<ImportResult> callback) {
  Request request;
  *request.mutable_import() = ToWire(std::move(znodes), overwrite);
  Submit(std::move(request), DeadlineAfter(options.timeout),
         AnswerTo(std::move(callback), ImportResultOf));
}

void CoordClient::RaiseZxid(Zxid zxid, CallOptions options, Callback<SyncResult> callback) {
  Request request;
  request.mutable_raise_zxid()->set_zxid(zxid.value());
  Submit(std::move(request), DeadlineAfter(options.timeout),
         AnswerTo(std::move(callback), [](const Response& r) -> absl::StatusOr<SyncResult> {
           return SyncResult{Zxid(r.zxid())};
         }));
}

void CoordClient::SetReadOptions(const ReadOptions& options, Request& request) const {
  request.set_stale_ok(options.stale_ok);
  request.set_min_zxid(options.min_zxid.value());
  if (options.stale_ok) request.set_min_zxid(std::max(options.min_zxid, HighestZxid()).value());
}

RequestQueue::Answer CoordClient::WithWatch(OneShotWatches::Kind kind, std::string path,
                                            OneShotWatch watch, RequestQueue::Answer answer) {
  if (!watch) return answer;
  return [this, kind, path = std::move(path), watch = std::move(watch),
          answer = std::move(answer)](absl::StatusOr<Response> response) mutable {
    const bool set = response.ok() || (kind == OneShotWatches::Kind::kZnode &&
                                       ReasonOf(response.status()) == "no_node");
    if (set) watches_.Add(kind, std::move(path), std::move(watch));
    answer(std::move(response));
  };
}

void CoordClient::Get(std::string path, ReadOptions options, Callback<GetResult> callback) {
  Request request;
  SetReadOptions(options, request);
  request.mutable_get()->set_path(path);
  request.mutable_get()->set_watch(options.watch != nullptr);
  auto answer =
      AnswerTo(std::move(callback), [](Response r) { return GetResultOf(std::move(r)); });
  Submit(std::move(request), DeadlineAfter(options.timeout),
         WithWatch(OneShotWatches::Kind::kZnode, std::move(path), std::move(options.watch),
                   std::move(answer)));
}

void CoordClient::GetStat(std::string path, ReadOptions options, Callback<StatResult> callback) {
  Request request;
  SetReadOptions(options, request);
  request.mutable_stat()->set_path(path);
  request.mutable_stat()->set_watch(options.watch != nullptr);
  Submit(std::move(request), DeadlineAfter(options.timeout),
         WithWatch(OneShotWatches::Kind::kZnode, std::move(path), std::move(options.watch),
                   AnswerTo(std::move(callback), StatResultOf)));
}

void CoordClient::List(std::string path, bool recursive, ReadOptions options,
                       Callback<ListResult> callback) {
  auto list = std::make_shared<ListUnderWay>();
  list->path = std::move(path);
  list->recursive = recursive;
  list->deadline = DeadlineAfter(options.timeout);
  list->options = std::move(options);
  list->result.pages = 0;
  list->callback = std::move(callback);
  ListPage("", std::move(list));
}

void CoordClient::ListPage(std::string after, std::shared_ptr<ListUnderWay> list) {
  Request request;
  SetReadOptions(list->options, request);
  request.mutable_list()->set_path(list->path);
  request.mutable_list()->set_recursive(list->recursive);
  request.mutable_list()->set_after(std::move(after));
  request.mutable_list()->set_at_zxid(list->result.zxid.value());
  request.mutable_list()->set_keep_state(true);
  OneShotWatch watch = std::exchange(list->options.watch, nullptr);  // of the first page only
  request.mutable_list()->set_watch(watch != nullptr);
  const absl::Duration deadline = list->deadline;
  std::string path = list->path;
  Submit(std::move(request), deadline,
         WithWatch(OneShotWatches::Kind::kChildren, std::move(path), std::move(watch),
                   [this, list = std::move(list)](absl::StatusOr<Response> response) mutable {
                     OnListPage(std::move(response), std::move(list));
                   }));
}

void CoordClient::OnListPage(absl::StatusOr<Response> response,
                             std::shared_ptr<ListUnderWay> list) {
  if (ReasonOf(response.status()) == "list_expired") return ListAgain(response.status(), list);
  if (!response.ok()) return list->callback(std::move(response).status());
  if (!response->has_list()) {
    return list->callback(absl::InternalError("the server answered a list with something else"));
  }
  ListResult& result = list->result;
  const Zxid zxid(response->zxid());
  if (result.pages++ == 0) {
    result.stat = FromWire(response->list().stat());
    result.zxid = zxid;
    list->options.min_zxid = std::max(list->options.min_zxid, zxid);
  } else if (zxid != result.zxid) {
    result.one_zxid = false;
  }
  auto& names = *response->mutable_list()->mutable_names();
  result.names.insert(result.names.end(), std::make_move_iterator(names.begin()),
                      std::make_move_iterator(names.end()));
  if (!response->list().more() || names.empty()) return list->callback(std::move(result));
  std::string last = result.names.back();
  ListPage(std::move(last), std::move(list));
}

// The watch of the first page stays: it tells of whatever came after that.
void CoordClient::ListAgain(const absl::Status& why, std::shared_ptr<ListUnderWay> list) {
  list->pause = std::clamp(2 * list->pause, kListAgainAfterFirst, kListAgainAfterMax);
  if (clock_.Monotonic() + list->pause >= list->deadline) return list->callback(why);
  list->result = ListResult();
  list->result.pages = 0;
  executor_.RunAfter(list->pause, [this, alive = alive_, list] {
    if (*alive) ListPage("", list);
  });
}

void CoordClient::AwaitGrant(std::string path, CallOptions options, GrantListener listener,
                             Callback<GrantResult> callback) {
  Request request;
  request.set_stale_ok(true);  // what holds once holds until the znode is gone
  request.set_min_zxid(HighestZxid().value());
  request.mutable_await_grant()->set_path(path);
  Submit(std::move(request), DeadlineAfter(options.timeout),
         [this, path = std::move(path), listener = std::move(listener),
          callback = std::move(callback)](absl::StatusOr<Response> response) mutable {
           if (!response.ok()) return callback(std::move(response).status());
           grant_waits_.Add(std::move(path), std::move(listener));
           callback(GrantResultOf(*response));
         });
}

void CoordClient::SetAcl(std::string path, const Acl& acl, int32_t version, CallOptions options,
                         Callback<SetResult> callback) {
  Request request;
  request.mutable_set_acl()->set_path(std::move(path));
  *request.mutable_set_acl()->mutable_acl() = ToWire(acl);
  request.mutable_set_acl()->set_version(version);
  Submit(std::move(request), DeadlineAfter(options.timeout),
         AnswerTo(std::move(callback), SetAclResultOf));
}

void CoordClient::GetAcl(std::string path, ReadOptions options, Callback<AclResult> callback) {
  Request request;
  SetReadOptions(options, request);
  request.mutable_get_acl()->set_path(std::move(path));
  Submit(std::move(request), DeadlineAfter(options.timeout),
         AnswerTo(std::move(callback), AclResultOf));
}

void CoordClient::Authenticate(Credential credential, CallOptions options,
                               Callback<SyncResult> callback) {
  Request request;
  request.set_stale_ok(true);  // no state is read
  *request.mutable_authenticate()->mutable_credential() = ToWire(credential);
  Submit(std::move(request), DeadlineAfter(options.timeout),
         [this, credential = std::move(credential),
          callback = std::move(callback)](absl::StatusOr<Response> response) mutable {
           if (!response.ok()) return callback(std::move(response).status());
           credentials_.push_back(std::move(credential));
           callback(SyncResult{Zxid(response->zxid())});
         });
}

void CoordClient::WhoAmI(CallOptions options, Callback<std::vector<Identity>> callback) {
  Request request;
  request.set_stale_ok(true);  // no state is read
  request.mutable_who_am_i();
  Submit(std::move(request), DeadlineAfter(options.timeout),
         AnswerTo(std::move(callback), IdentitiesOf));
}

void CoordClient::Sync(CallOptions options, Callback<SyncResult> callback) {
  Request request;
  request.mutable_sync();
  Submit(std::move(request), DeadlineAfter(options.timeout),
         AnswerTo(std::move(callback), [](const Response& r) -> absl::StatusOr<SyncResult> {
           return SyncResult{Zxid(r.zxid())};
         }));
}

void CoordClient::CloseSession(CallOptions options, Callback<SyncResult> callback) {
  Request request;
  request.mutable_close_session();
  Submit(std::move(request), DeadlineAfter(options.timeout),
         [this, callback = std::move(callback)](absl::StatusOr<Response> response) mutable {
           if (!response.ok() && ReasonOf(response.status()) == "session_expired") {
             return callback(SyncResult{HighestZxid()});  // gone is gone
           }
           if (!response.ok()) return callback(std::move(response).status());
           Finish(SessionState::kClosed, absl::CancelledError("the session was closed"));
           callback(SyncResult{Zxid(response->zxid())});
         });
  closing_ = !options_.read_only;
}

std::unique_ptr<CoordWatch> CoordClient::Watch(std::string path, WatchOptions options,
                                               WatchCallbacks callbacks) {
  return std::make_unique<CoordWatch>(servers_, connector_, executor_, credentials_,
                                      std::move(path), std::move(options), std::move(callbacks));
}

void CoordClient::Status(const std::string& address, absl::Duration timeout,
                         Callback<ServerStatus> callback) {
  connector_.Status(address, timeout,
                    [alive = alive_, callback = std::move(callback)](
                        absl::StatusOr<coord::v1::StatusResponse> response) mutable {
                      if (!*alive) return;
                      if (!response.ok()) return callback(std::move(response).status());
                      callback(FromWire(*response));
                    });
}

void CoordClient::Upgrade(const std::string& address, bool finalize, absl::Duration timeout,
                          Callback<UpgradeStatus> callback) {
  coord::v1::UpgradeRequest request;
  request.set_finalize(finalize);
  NameEnsemble(servers_, request);
  connector_.Upgrade(address, std::move(request), timeout,
                     [alive = alive_, finalize, callback = std::move(callback)](
                         absl::StatusOr<coord::v1::UpgradeResponse> response) mutable {
                       if (!*alive) return;
                       if (response.ok()) return callback(FromWire(*response));
                       // Without an answer nobody knows what became of it.
                       const bool lost = absl::IsDeadlineExceeded(response.status());
                       callback(finalize && lost ? AsUnknown(response.status())
                                                 : response.status());
                     });
}

void CoordClient::Membership(const std::string& address, const MembershipChange& change,
                             absl::Duration timeout, Callback<MembershipStatus> callback) {
  coord::v1::MembershipRequest request = ToWire(change);
  NameEnsemble(servers_, request);
  connector_.Membership(address, std::move(request), timeout,
                        [alive = alive_, callback = std::move(callback)](
                            absl::StatusOr<coord::v1::MembershipResponse> response) mutable {
                          if (!*alive) return;
                          if (!response.ok()) return callback(std::move(response).status());
                          callback(FromWire(*response));
                        });
}

void CoordClient::SaveSnapshot(const std::string& address, uint64_t index, uint64_t term,
                               uint64_t offset, absl::Duration timeout,
                               Callback<SnapshotPiece> callback) {
  coord::v1::SaveSnapshotRequest request;
  request.set_index(index);
  request.set_term(term);
  request.set_offset(offset);
  NameEnsemble(servers_, request);
  connector_.SaveSnapshot(address, std::move(request), timeout,
                          [alive = alive_, callback = std::move(callback)](
                              absl::StatusOr<coord::v1::SaveSnapshotResponse> response) mutable {
                            if (!*alive) return;
                            if (!response.ok()) return callback(std::move(response).status());
                            callback(SnapshotPieceOf(*std::move(response)));
                          });
}

}  // namespace bellwether::client
