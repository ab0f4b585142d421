// interop_c_client: libzookeeper, ZooKeeper's own client in C.
//   interop_c_client HOST:PORT[,HOST:PORT] ROOT
// ROOT exists and is empty. Prints a line per check, `check NAME` or `failed NAME: why`, and asks,
// with `crash HOST:PORT`, for the end of the server that it is connected to; the answer is a line
// on stdin, `crashed` or `none`. Exit 1 when a check failed.

#define THREADED  // the library's calls that wait
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "fmt/format.h"

namespace bellwether::tests {
namespace {

constexpr int kTimeoutMs = 10'000;
constexpr absl::Duration kWaitMax = absl::Seconds(30);
constexpr absl::Duration kRetryInterval = absl::Milliseconds(50);
constexpr int kDescriptorsMax = 1024;

// The line of a check. One that fails ends the program: what follows builds on it.
void Check(std::string_view name, bool holds, std::string_view why) {
  if (!holds) {
    fmt::print("failed {}: {}\n", name, why);
    std::fflush(stdout);
    std::_Exit(1);
  }
}

void Passed(std::string_view name) {
  fmt::print("check {}\n", name);
  std::fflush(stdout);
}

void CheckCode(std::string_view name, int code, int expected = ZOK) {
  Check(name, code == expected, fmt::format("{} in place of {}", zerror(code), zerror(expected)));
}

// One watch's event, or the session's state.
struct Event {
  int type = 0;
  int state = 0;
  std::string path;
};

// What the library's thread tells: waited for by the main one. Thread-safe.
class Events {
 public:
  static void OnEvent(zhandle_t*, int type, int state, const char* path, void* context) {
    static_cast<Events*>(context)->Add({type, state, path == nullptr ? "" : path});
  }

  // False when no event of this type comes in time. All before it are forgotten.
  bool WaitForType(int type, std::string_view path) {
    return WaitUntil([&](const Event& event) { return event.type == type && event.path == path; });
  }

  void Add(Event event) {
    base::MutexLock lock(mutex_);
    events_.push_back(std::move(event));
    added_.SignalAll();
  }

  bool WaitForState(int state) {
    return WaitUntil([&](const Event& event) {
      return event.type == ZOO_SESSION_EVENT && event.state == state;
    });
  }

  void Forget() {
    base::MutexLock lock(mutex_);
    events_.clear();
  }

 private:
  bool WaitUntil(const std::function<bool(const Event&)>& wanted) {
    const absl::Duration deadline = base::SystemClock().Monotonic() + kWaitMax;
    base::MutexLock lock(mutex_);
    while (true) {
      const auto found = std::find_if(events_.begin(), events_.end(), wanted);
      if (found != events_.end()) {
        events_.erase(events_.begin(), found + 1);
        return true;
      }
      const absl::Duration left = deadline - base::SystemClock().Monotonic();
      if (left <= absl::ZeroDuration()) return false;
      added_.WaitFor(mutex_, left);
    }
  }

  base::Mutex mutex_;
  base::CondVar added_;
  std::vector<Event> events_ ABSL_GUARDED_BY(mutex_);
};

constexpr int kDone = 1;
constexpr int kFailed = -1;

// On the library's thread: what it was asked for has come.
void AddResult(int code, const void* events) {
  static_cast<Events*>(const_cast<void*>(events))->Add({code == ZOK ? kDone : kFailed, code, ""});
}

// A session, closed at the end of the scope. Used by the main thread.
class Client {
 public:
  explicit Client(const std::string& hosts, const clientid_t* id = nullptr)
      : handle_(zookeeper_init(hosts.c_str(), Events::OnEvent, kTimeoutMs, id, &states, 0)) {
    Check("connect", handle_ != nullptr, "zookeeper_init");
  }
  ~Client() { Close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  zhandle_t* get() const { return handle_; }

  void Close() {
    if (handle_ != nullptr) zookeeper_close(std::exchange(handle_, nullptr));
  }

  // The code of `call`, asked again while the connection is lost.
  int Retry(const std::function<int()>& call) const {
    const absl::Duration deadline = base::SystemClock().Monotonic() + kWaitMax;
    base::Mutex mutex;
    base::CondVar never;
    int code = call();
    while ((code == ZCONNECTIONLOSS || code == ZOPERATIONTIMEOUT) &&
           base::SystemClock().Monotonic() < deadline) {
      base::MutexLock lock(mutex);
      never.WaitFor(mutex, kRetryInterval);
      code = call();
    }
    return code;
  }

  int Create(const std::string& path, std::string_view value, int mode = 0,
             std::string* made = nullptr, Stat* stat = nullptr,
             const ACL_vector* acl = &ZOO_OPEN_ACL_UNSAFE) const {
    char buffer[512] = "";
    Stat ignored{};
    const int code =
        zoo_create2(handle_, path.c_str(), value.data(), static_cast<int>(value.size()), acl, mode,
                    buffer, sizeof(buffer), stat == nullptr ? &ignored : stat);
    if (made != nullptr) *made = buffer;
    return code;
  }

  int Get(const std::string& path, std::string& value, Stat* stat = nullptr,
          Events* watch = nullptr) const {
    char buffer[512];
    int length = sizeof(buffer);
    Stat ignored{};
    const int code =
        zoo_wget(handle_, path.c_str(), watch == nullptr ? nullptr : Events::OnEvent, watch, buffer,
                 &length, stat == nullptr ? &ignored : stat);
    if (code == ZOK) value.assign(buffer, static_cast<size_t>(std::max(0, length)));
    return code;
  }

  int Set(const std::string& path, std::string_view value, int version = -1) const {
    return zoo_set(handle_, path.c_str(), value.data(), static_cast<int>(value.size()), version);
  }

  // What others wrote before is seen afterwards, whichever server they are at (Z52).
  void Sync() const {
    Events done;
    CheckCode("sync", zoo_async(handle_, "/", [](int code, const char*, const void* events) {
      AddResult(code, events);
    }, &done));
    Check("sync", done.WaitForType(kDone, ""), "no answer");
  }

  int Exists(const std::string& path, Stat* stat = nullptr, Events* watch = nullptr) const {
    Stat ignored{};
    return zoo_wexists(handle_, path.c_str(), watch == nullptr ? nullptr : Events::OnEvent, watch,
                       stat == nullptr ? &ignored : stat);
  }

  int Children(const std::string& path, std::vector<std::string>& names,
               Events* watch = nullptr) const {
    String_vector found{};
    Stat stat{};
    const int code = zoo_wget_children2(handle_, path.c_str(),
                                        watch == nullptr ? nullptr : Events::OnEvent, watch, &found,
                                        &stat);
    names.clear();
    if (code != ZOK) return code;
    for (int32_t i = 0; i < found.count; ++i) names.emplace_back(found.data[i]);
    std::sort(names.begin(), names.end());
    deallocate_String_vector(&found);
    return code;
  }

  Events states;

 private:
  zhandle_t* handle_;
};

void Connect(Client& client) {
  Check("connect", client.states.WaitForState(ZOO_CONNECTED_STATE), "no session in time");
  Check("connect", zoo_client_id(client.get())->client_id != 0, "the session's id is 0");
  Check("connect", zoo_recv_timeout(client.get()) == kTimeoutMs, "another timeout");
}

void CheckData(const Client& client, const std::string& root) {
  const std::string path = root + "/data";
  std::string value;
  Stat stat{};
  CheckCode("data", client.Create(path, "one", 0, nullptr, &stat));
  Check("data", stat.version == 0 && stat.dataLength == 3 && stat.czxid == stat.mzxid, "its Stat");
  CheckCode("data", client.Create(path, "one"), ZNODEEXISTS);
  CheckCode("data", client.Set(path, "two", 0));
  CheckCode("data", client.Set(path, "three", 0), ZBADVERSION);
  CheckCode("data", client.Get(path, value, &stat));
  Check("data", value == "two" && stat.version == 1, value);
  CheckCode("data", client.Create(path + "/child", ""));
  CheckCode("data", zoo_delete(client.get(), path.c_str(), -1), ZNOTEMPTY);
  CheckCode("data", zoo_delete(client.get(), (path + "/child").c_str(), 0));
  CheckCode("data", zoo_delete(client.get(), path.c_str(), 1));
  CheckCode("data", client.Exists(path), ZNONODE);
  int length = 1;
  char buffer[1];
  CheckCode("data", zoo_create(client.get(), path.c_str(), nullptr, -1, &ZOO_OPEN_ACL_UNSAFE, 0,
                               nullptr, 0));
  CheckCode("data", zoo_get(client.get(), path.c_str(), 0, buffer, &length, &stat));
  Check("data", length == -1, "null data came back as other data");
  Passed("data");
}

void CheckModes(const Client& client, const std::string& root) {
  const std::string path = root + "/modes";
  std::string made;
  Stat stat{};
  CheckCode("modes", client.Create(path, "", ZOO_CONTAINER));
  CheckCode("modes", client.Create(path + "/e", "", ZOO_EPHEMERAL, nullptr, &stat));
  Check("modes", stat.ephemeralOwner == zoo_client_id(client.get())->client_id, "another owner");
  CheckCode("modes", client.Create(path + "/e/x", ""), ZNOCHILDRENFOREPHEMERALS);
  CheckCode("modes", client.Create(path + "/s-", "", ZOO_PERSISTENT_SEQUENTIAL, &made));
  Check("modes", made == path + "/s-0000000001", made);
  char buffer[512];
  CheckCode("modes", zoo_create2_ttl(client.get(), (path + "/t").c_str(), "", 0,
                                     &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 3'600'000,
                                     buffer, sizeof(buffer), &stat));
  Check("modes", stat.ephemeralOwner == 0, "a znode with a TTL has an owner");
  std::vector<std::string> names;
  CheckCode("modes", client.Children(path, names));
  Check("modes", names == std::vector<std::string>{"e", "s-0000000001", "t"}, "other children");
  Passed("modes");
}

void CheckTransactions(const Client& client, const std::string& root) {
  const std::string first = root + "/multi";
  const std::string second = first + "/s";
  char made[512] = "";
  Stat stat{};
  zoo_op_t operations[4];
  zoo_op_result_t results[4];
  zoo_create_op_init(&operations[0], first.c_str(), "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, nullptr, 0);
  zoo_create_op_init(&operations[1], second.c_str(), "", 0, &ZOO_OPEN_ACL_UNSAFE,
                     ZOO_PERSISTENT_SEQUENTIAL, made, sizeof(made));
  zoo_set_op_init(&operations[2], first.c_str(), "2", 1, 0, &stat);
  zoo_check_op_init(&operations[3], first.c_str(), 1);
  CheckCode("transactions", zoo_multi(client.get(), 4, operations, results));
  Check("transactions", made == second + "0000000000" && stat.version == 1, made);

  const std::string never = first + "/never";
  zoo_create_op_init(&operations[0], never.c_str(), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, nullptr, 0);
  zoo_check_op_init(&operations[1], first.c_str(), 9);
  zoo_delete_op_init(&operations[2], first.c_str(), -1);
  CheckCode("transactions", zoo_multi(client.get(), 3, operations, results), ZBADVERSION);
  CheckCode("transactions", results[1].err, ZBADVERSION);
  CheckCode("transactions", results[2].err, ZRUNTIMEINCONSISTENCY);
  CheckCode("transactions", client.Exists(never), ZNONODE);
  Passed("transactions");
}

void CheckWatches(const Client& client, const Client& other, const std::string& root) {
  const std::string path = root + "/watched";
  Events events;
  std::string value;
  std::vector<std::string> names;
  CheckCode("watches", client.Exists(path, nullptr, &events), ZNONODE);
  CheckCode("watches", other.Create(path, ""));
  Check("watches", events.WaitForType(ZOO_CREATED_EVENT, path), "created");
  CheckCode("watches", client.Get(path, value, nullptr, &events));
  CheckCode("watches", other.Set(path, "1"));
  Check("watches", events.WaitForType(ZOO_CHANGED_EVENT, path), "changed");
  CheckCode("watches", client.Children(path, names, &events));
  CheckCode("watches", other.Create(path + "/x", ""));
  Check("watches", events.WaitForType(ZOO_CHILD_EVENT, path), "child");
  CheckCode("watches", client.Get(path + "/x", value, nullptr, &events));
  CheckCode("watches", zoo_delete(other.get(), (path + "/x").c_str(), -1));
  Check("watches", events.WaitForType(ZOO_DELETED_EVENT, path + "/x"), "deleted");
  CheckCode("watches", client.Get(path, value, nullptr, &events));
  CheckCode("watches", zoo_remove_watches(client.get(), path.c_str(), ZWATCHTYPE_DATA,
                                          Events::OnEvent, &events, 0));
  CheckCode("watches", zoo_remove_watches(client.get(), path.c_str(), ZWATCHTYPE_DATA,
                                          Events::OnEvent, &events, 0), ZNOWATCHER);
  Passed("watches");
}

void CheckAccess(const Client& client, const Client& other, const std::string& root) {
  const std::string path = root + "/access";
  std::string value;
  Events events;
  CheckCode("access", zoo_add_auth(client.get(), "digest", "alice:a", 7, AddResult, &events));
  Check("access", events.WaitForType(kDone, ""), "not authenticated");
  CheckCode("access", client.Create(path, "secret", 0, nullptr, nullptr, &ZOO_CREATOR_ALL_ACL));
  CheckCode("access", client.Get(path, value));
  other.Sync();
  CheckCode("access", other.Get(path, value), ZNOAUTH);
  CheckCode("access", other.Set(path, ""), ZNOAUTH);
  ACL_vector list{};
  Stat stat{};
  CheckCode("access", zoo_get_acl(client.get(), path.c_str(), &list, &stat));
  Check("access", list.count == 1 && std::string_view(list.data[0].id.scheme) == "digest" &&
                      std::string_view(list.data[0].id.id) == "alice:AIueg8ag5ALfqeEyKdLnva1Wvi0=",
        "another list");
  deallocate_ACL_vector(&list);
  CheckCode("access", zoo_set_acl(client.get(), path.c_str(), 0, &ZOO_READ_ACL_UNSAFE));
  other.Sync();
  CheckCode("access", other.Get(path, value));
  CheckCode("access", other.Set(path, ""), ZNOAUTH);
  Passed("access");
}

// Shuts down every connection of this process to a server of these ports.
void BreakConnections() {
  for (int descriptor = 3; descriptor < kDescriptorsMax; ++descriptor) {
    sockaddr_in peer{};
    socklen_t length = sizeof(peer);
    if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &length) == 0 &&
        peer.sin_family == AF_INET) {
      shutdown(descriptor, SHUT_RDWR);
    }
  }
}

// What a session has, before and after its connection was lost.
class Belongings {
 public:
  Belongings(std::string_view name, const Client& client, std::string path)
      : name_(name), client_(client), path_(std::move(path)),
        session_(zoo_client_id(client.get())->client_id) {
    std::string value;
    CheckCode(name_, client_.Create(path_, "before"));
    CheckCode(name_, client_.Create(path_ + "/mine", "", ZOO_EPHEMERAL));
    CheckCode(name_, client_.Get(path_, value, nullptr, &events_));
  }

  void CheckThereAfter(const Client& other) {
    std::string value;
    Stat stat{};
    CheckCode(name_, client_.Retry([&] { return client_.Exists(path_ + "/mine", &stat); }));
    Check(name_, zoo_client_id(client_.get())->client_id == session_, "another session");
    Check(name_, stat.ephemeralOwner == session_, "another owner");
    CheckCode(name_, other.Retry([&] { return other.Set(path_, "after"); }));
    Check(name_, events_.WaitForType(ZOO_CHANGED_EVENT, path_), "the watch did not fire");
    CheckCode(name_, client_.Retry([&] { return client_.Get(path_, value); }));
    Check(name_, value == "after", value);
    Passed(name_);
  }

 private:
  const std::string_view name_;
  const Client& client_;
  const std::string path_;
  const int64_t session_;
  Events events_;
};

void CheckReconnect(Client& client, const Client& other, const std::string& root) {
  Belongings belongings("reconnect", client, root + "/reconnect");
  client.states.Forget();
  BreakConnections();
  Check("reconnect", client.states.WaitForState(ZOO_CONNECTED_STATE), "not connected again");
  belongings.CheckThereAfter(other);
}

void CheckCrash(Client& client, const Client& other, const std::string& root) {
  Belongings belongings("crash of the server", client, root + "/crash");
  client.states.Forget();
  fmt::print("crash {}\n", zoo_get_current_server(client.get()));
  std::fflush(stdout);
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "crashed") return fmt::print("skipped crash of the server: there is one\n");
  Check("crash of the server", client.states.WaitForState(ZOO_CONNECTED_STATE),
        "not connected to another");
  belongings.CheckThereAfter(other);
}

void CheckEnds(const std::string& hosts, Client& client, const Client& other,
               const std::string& root) {
  clientid_t wrong = *zoo_client_id(other.get());
  wrong.passwd[3] = static_cast<char>(wrong.passwd[3] + 1);
  {
    Client thief(hosts, &wrong);
    Check("ends", thief.states.WaitForState(ZOO_EXPIRED_SESSION_STATE),
          "attached with a wrong password");
  }
  const std::string path = root + "/ends";
  Events events;
  CheckCode("ends", client.Create(path, "", ZOO_EPHEMERAL));
  other.Sync();
  CheckCode("ends", other.Exists(path, nullptr, &events));
  client.Close();
  Check("ends", events.WaitForType(ZOO_DELETED_EVENT, path), "the ephemeral stayed");
  Passed("ends");
}

int Main(const std::string& hosts, const std::string& root) {
  zoo_set_debug_level(static_cast<ZooLogLevel>(0));  // what it would say belongs to the checks
  Client client(hosts);
  Client other(hosts);
  Connect(client);
  Connect(other);
  Passed("connect");
  CheckData(client, root);
  CheckModes(client, root);
  CheckTransactions(client, root);
  CheckWatches(client, other, root);
  CheckAccess(client, other, root);
  CheckReconnect(client, other, root);
  CheckCrash(client, other, root);
  CheckEnds(hosts, client, other, root);
  return 0;
}

}  // namespace
}  // namespace bellwether::tests

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: interop_c_client HOSTS ROOT\n");
    return 2;
  }
  return bellwether::tests::Main(argv[1], argv[2]);
}
