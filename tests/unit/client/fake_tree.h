#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/coord_client.h"
#include "tests/unit/client/fake_ensemble.h"

namespace bellwether::client {

// Answers what sessions of a FakeEnsemble send from a few znodes: creates, deletes, reads, one-shot
// watches on znodes, and who waits in line. All is served, in order, whenever Serve is called, and
// nothing when it isn't. Unless `knows_grants` it refuses to wait, as earlier releases. Fault model: with `loses_answer` the next write takes effect and breaks its connection
// instead of being answered.
class FakeTree {
 public:
  FakeTree(FakeEnsemble& ensemble, ManualExecutor& executor)
      : ensemble_(ensemble), executor_(executor) {}

  std::unique_ptr<CoordClient> NewClient() {
    CoordOptions options;
    options.addresses = {"a:1", "b:1"};
    options.session_timeout = absl::Seconds(9);
    options.seed = 7;
    auto client = std::make_unique<CoordClient>(options, executor_, executor_, ensemble_);
    client->Start();
    Serve();
    return client;
  }

  void Serve() {
    executor_.Run();
    for (bool busy = true; busy;) {
      busy = false;
      const auto sessions = ensemble_.sessions;
      for (const auto& session : sessions) {
        while (!session->cancelled && served_[session.get()] < session->sent.size()) {
          busy = true;
          const auto frame = session->sent[served_[session.get()]++];
          Answer(session, frame);
        }
      }
      executor_.Run();
    }
  }

  // As if somebody else did it.
  void Delete(const std::string& path) {
    ++zxid_;
    Remove(path);
    Serve();
  }

  // Paths, in order.
  std::vector<std::string> Paths() const {
    std::vector<std::string> paths;
    for (const auto& entry : znodes_) paths.push_back(entry.first);
    return paths;
  }
  std::vector<std::string> Children(const std::string& path) const {
    std::vector<std::string> names;
    for (const auto& entry : znodes_) {
      if (!absl::StartsWith(entry.first, path + "/")) continue;
      const std::string name = entry.first.substr(path.size() + 1);
      if (!absl::StrContains(name, "/")) names.push_back(name);
    }
    return names;
  }

  bool loses_answer = false;
  bool knows_grants = true;
  int requests = 0;  // served

 private:
  using SessionPtr = std::shared_ptr<FakeEnsemble::Session>;
  struct Znode {
    std::string data;
    int64_t czxid = 0;
  };

  void Answer(const SessionPtr& session, const coord::v1::SessionRequest& frame) {
    coord::v1::SessionResponse out;
    if (frame.has_attach()) {
      const uint64_t id =
          frame.attach().session_id() != 0 ? frame.attach().session_id() : ++last_session_;
      ids_[session.get()] = id;
      coord::v1::Attached& attached = *out.mutable_attached();
      attached.set_session_id(id);
      attached.set_password("0123456789abcdef");
      attached.set_generation(++generation_);
      attached.set_timeout_ms(9000);
      attached.set_last_sequence(sequences_[id]);
      attached.set_ensemble_id(base::Uuid(1, 2).Bytes());
      attached.set_zxid(zxid_);
    } else if (frame.has_keep_alive()) {
      out.mutable_keep_alive_ack()->set_id(frame.keep_alive().id());
    } else {
      const coord::v1::Request& request = frame.request();
      ++requests;
      out.mutable_response()->set_request_id(request.request_id());
      if (request.sequence() != 0) sequences_[ids_[session.get()]] = request.sequence();
      Run(session, request, *out.mutable_response());
      out.mutable_response()->set_zxid(zxid_);
      if (request.sequence() != 0 && std::exchange(loses_answer, false)) {
        return session->End(executor_, absl::UnavailableError("connection reset"));
      }
    }
    session->Deliver(executor_, out);
  }

  void Run(const SessionPtr& session, const coord::v1::Request& request,
           coord::v1::Response& response) {
    if (request.has_create()) return Create(request.create(), response);
    if (request.has_await_grant()) return Await(session, request.await_grant().path(), response);
    if (request.has_delete_()) {
      ++zxid_;
      if (!Remove(request.delete_().path())) return NoNode(response);
      response.mutable_delete_()->set_deleted(1);
    } else if (request.has_list()) {
      if (!Exists(request.list().path())) return NoNode(response);
      response.mutable_list();
      for (const std::string& name : Children(request.list().path())) {
        response.mutable_list()->add_names(name);
      }
    } else if (request.has_stat()) {
      const std::string& path = request.stat().path();
      if (request.stat().watch()) watches_[path].insert(session);
      if (!Exists(path)) return NoNode(response);
      response.mutable_stat()->mutable_stat()->set_czxid(znodes_[path].czxid);
    } else {
      const std::string& path = request.get().path();
      if (!Exists(path)) return NoNode(response);
      response.mutable_get()->set_data(znodes_[path].data);
      response.mutable_get()->mutable_stat()->set_czxid(znodes_[path].czxid);
    }
  }

  void Create(const coord::v1::CreateRequest& request, coord::v1::Response& response) {
    ++zxid_;
    std::string path = request.path();
    const std::string parent = path.substr(0, path.rfind('/'));
    if (!parent.empty() && !Exists(parent)) return NoNode(response);
    if (request.mode() == coord::v1::CREATE_MODE_EPHEMERAL_SEQUENTIAL) {
      path += absl::StrFormat("%010d", counter_++);
    }
    if (!znodes_.try_emplace(path, Znode{request.data(), zxid_}).second) {
      response.mutable_error()->set_code(static_cast<int>(absl::StatusCode::kAlreadyExists));
      response.mutable_error()->set_reason("node_exists");
      return;
    }
    response.mutable_create()->set_path(path);
    response.mutable_create()->mutable_stat()->set_czxid(zxid_);
  }

  bool Exists(const std::string& path) const { return znodes_.contains(path); }

  void Await(const SessionPtr& session, const std::string& path, coord::v1::Response& response) {
    if (!knows_grants) {
      response.mutable_error()->set_code(static_cast<int>(absl::StatusCode::kInvalidArgument));
      response.mutable_error()->set_reason("bad_arguments");
      return;
    }
    if (!Exists(path)) return NoNode(response);
    waits_[path] = session;
    response.mutable_await_grant()->set_token(znodes_[path].czxid);
    response.mutable_await_grant()->set_held(IsFirst(path));
    if (IsFirst(path)) granted_.insert(path);
  }
  bool IsFirst(const std::string& path) const {
    for (const std::string& name : Children(path.substr(0, path.rfind('/')))) {
      if (name.substr(name.size() - 10) < path.substr(path.size() - 10)) return false;
    }
    return true;
  }
  void TellGrant(coord::v1::GrantEventType type, const std::string& path, int64_t token) {
    coord::v1::SessionResponse event;
    event.mutable_grant()->set_type(type);
    event.mutable_grant()->set_path(path);
    event.mutable_grant()->set_token(token);
    event.mutable_grant()->set_zxid(zxid_);
    waits_[path]->Deliver(executor_, event);
  }

  bool Remove(const std::string& path) {
    const auto removed = znodes_.find(path);
    if (removed == znodes_.end()) return false;
    const int64_t czxid = removed->second.czxid;
    znodes_.erase(removed);
    if (waits_.contains(path)) {
      TellGrant(coord::v1::GRANT_EVENT_TYPE_GONE, path, czxid);
      waits_.erase(path);
    }
    for (const auto& [waiting, session] : waits_) {
      if (!IsFirst(waiting) || !granted_.insert(waiting).second) continue;
      TellGrant(coord::v1::GRANT_EVENT_TYPE_GRANTED, waiting, znodes_[waiting].czxid);
    }
    coord::v1::SessionResponse event;
    event.mutable_event()->set_type(coord::v1::CHANGE_TYPE_DELETED);
    event.mutable_event()->set_path(path);
    event.mutable_event()->set_zxid(zxid_);
    const std::set<SessionPtr> watchers = std::exchange(watches_[path], {});
    for (const SessionPtr& session : watchers) session->Deliver(executor_, event);
    return true;
  }

  static void NoNode(coord::v1::Response& response) {
    response.mutable_error()->set_code(static_cast<int>(absl::StatusCode::kNotFound));
    response.mutable_error()->set_reason("no_node");
  }

  FakeEnsemble& ensemble_;
  ManualExecutor& executor_;
  std::map<std::string, Znode> znodes_;
  std::map<std::string, std::set<SessionPtr>> watches_;         // one-shot, by path
  std::map<std::string, SessionPtr> waits_;                     // in line, by path
  std::set<std::string> granted_;                               // those told that they are first
  std::map<const FakeEnsemble::Session*, size_t> served_;       // frames
  std::map<const FakeEnsemble::Session*, uint64_t> ids_;        // of the session attached
  std::map<uint64_t, uint64_t> sequences_;                      // last one, by session id
  uint64_t last_session_ = 0;
  uint64_t generation_ = 0;
  int64_t zxid_ = 10;
  int counter_ = 0;
};

}  // namespace bellwether::client
