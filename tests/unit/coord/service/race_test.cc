#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "coord/service/envelope.h"
#include "coord/tree/path.h"
#include "coord/tree/state_machine.h"
#include "fmt/format.h"
#include "tests/unit/coord/service/threads_fixture.h"

namespace bellwether::coord {
namespace {

using Changes = std::map<Zxid, std::vector<tree::Change>>;
using Type = tree::Change::Type;

constexpr const char* kPaths[] = {"/a", "/a/x", "/a/y", "/a/x/z", "/b"};

std::string AnyPath(base::Random& random) { return kPaths[random.Below(std::size(kPaths))]; }

RequestOperation AnyRead(base::Random& random) {
  const std::string path = AnyPath(random);
  const uint64_t choice = random.Below(16);
  if (choice == 0) return AddWatch{random.Chance(0.5) ? "/a" : path, random.Chance(0.5)};
  if (choice <= 4) return StatRead{path, true};
  if (choice <= 8) return ListRead{path, true};
  return GetRead{path, random.Chance(0.8)};
}

RequestOperation AnyWrite(base::Random& random) {
  const std::string path = AnyPath(random);
  const uint64_t choice = random.Below(4);
  if (choice == 0) return tree::Create{path};
  if (choice == 1) return tree::Delete{path};
  return tree::SetData{path, tree::SharedBytes::Copy("data")};
}

// What the commands that the log took changed.
Changes Replay(const std::vector<std::string>& commands) {
  tree::StateMachine tree;
  Changes changes;
  for (const std::string& command : commands) {
    tree::ApplyOutcome outcome = tree.Apply(OpenCommand(command)->command, {1});
    changes[outcome.result.zxid] = std::move(outcome.changes);
  }
  return changes;
}

// Watches of one connection, as its answers set them (Z27-Z30).
class Watches {
 public:
  void OnAnswered(const RequestOperation& operation, const Response& response) {
    const bool found = !response.failure.has_value();
    if (const auto* get = std::get_if<GetRead>(&operation)) {
      if (get->watch) data_.insert(get->path);
    } else if (const auto* stat = std::get_if<StatRead>(&operation)) {
      if (stat->watch) data_.insert(stat->path);
    } else if (const auto* list = std::get_if<ListRead>(&operation)) {
      if (list->watch && found) child_.insert(list->path);
    } else if (const auto* add = std::get_if<AddWatch>(&operation)) {
      (add->recursive ? recursive_ : persistent_).insert(add->path);
    }
  }

  // Whether the change is told; what is one-shot is gone then.
  bool Fire(const tree::Change& change) {
    if (change.type == Type::kChildren) {
      return child_.erase(change.path) > 0 || persistent_.count(change.path) > 0;
    }
    bool told = data_.erase(change.path) > 0;
    if (change.type == Type::kDeleted) told = child_.erase(change.path) > 0 || told;
    for (const std::string& root : recursive_) {
      told = told || change.path == root || tree::IsBelow(change.path, root);
    }
    return told || persistent_.count(change.path) > 0;
  }

 private:
  std::set<std::string> data_;
  std::set<std::string> child_;
  std::set<std::string> persistent_;
  std::set<std::string> recursive_;
};

// Follows what came over a connection, in order.
class Follower {
 public:
  explicit Follower(const Changes& changes) : changes_(changes) {}

  // What is wrong with the event; empty: nothing.
  std::string OnEvent(const WatchEvent& event) {
    AdvanceTo(event.zxid);
    if (due_.empty() || due_.front()->type != event.type || due_.front()->zxid != event.zxid ||
        due_.front()->path != event.path.view()) {
      return fmt::format("told of {} at zxid {}, due was {}", event.path.view(), event.zxid, Due());
    }
    due_.pop_front();
    ++told_;
    return "";
  }

  std::string OnResponse(const RequestOperation& operation, const Response& response) {
    AdvanceTo(response.zxid);
    if (!due_.empty()) return fmt::format("shown zxid {} before {}", response.zxid, Due());
    watches_.OnAnswered(operation, response);
    return "";
  }

  size_t told() const { return told_; }

 private:
  std::string Due() const {
    if (due_.empty()) return "none";
    return fmt::format("{} at zxid {}", due_.front()->path, due_.front()->zxid);
  }

  void AdvanceTo(Zxid zxid) {
    for (auto next = changes_.upper_bound(position_); next != changes_.end(); ++next) {
      if (next->first > zxid) break;
      for (const tree::Change& change : next->second) {
        if (watches_.Fire(change)) due_.push_back(&change);
      }
    }
    position_ = std::max(position_, zxid);
  }

  const Changes& changes_;
  Watches watches_;
  Zxid position_;  // changes up to it have fired
  std::deque<const tree::Change*> due_;
  size_t told_ = 0;
};

// Reads that set watches, against changes, on real threads: DESIGN 3.4, read-register-reply.
class RaceTest : public ThreadsFixture {
 protected:
  static constexpr size_t kReads = 1'000;  // of each reader, some writes among them
  static constexpr size_t kReadsAtATime = 32;
  static constexpr size_t kWritesAtATime = 32;

  struct Client {
    std::shared_ptr<SessionSink> sink;
    std::shared_ptr<Connection> connection;
    std::vector<RequestOperation> asked;
    uint64_t writes = 0;
  };

  Client AttachClient(uint64_t nonce) {
    Client client;
    client.connection = Attach(nonce, client.sink);
    return client;
  }

  static void Ask(Client& client, RequestOperation operation) {
    Request request;
    request.operation = std::move(operation);
    request.id = client.asked.size() + 1;
    request.generation = SessionGeneration(1);
    request.stale_ok = true;  // as ZooKeeper's clients read, whenever the server gets to it
    if (request.is_write()) request.sequence = CommandSequence(++client.writes);
    client.asked.push_back(request.operation);
    client.connection->Submit(std::move(request), 100);
  }

  static void AwaitAnswers(Client& client) {
    ASSERT_EQ(client.sink->AwaitKind<Response>(client.asked.size()), client.asked.size());
  }

  static void Read(Client& client, uint64_t seed) {
    base::Random random(seed);
    for (size_t i = 0; i < kReads; ++i) {
      Ask(client, random.Chance(0.1) ? AnyWrite(random) : AnyRead(random));
      if (i % kReadsAtATime == 0) AwaitAnswers(client);
    }
    AwaitAnswers(client);
  }

  // Until the readers are through.
  void Write(Client& client, uint64_t seed) {
    base::Random random(seed);
    while (readers_left_ > 0) {
      Ask(client, AnyWrite(random));
      if (client.asked.size() % kWritesAtATime == 0) AwaitAnswers(client);
    }
    AwaitAnswers(client);
  }

  // That it was shown all that happened, each event before any answer that reveals it, and no more.
  static void Check(Client& client, const Changes& changes) {
    Follower follower(changes);
    size_t answered = 0;
    for (const ServerFrame& frame : client.sink->All()) {
      std::string wrong;
      if (const auto* event = std::get_if<WatchEvent>(&frame)) {
        wrong = follower.OnEvent(*event);
      } else if (const auto* response = std::get_if<Response>(&frame)) {
        wrong = follower.OnResponse(client.asked.at(answered++), *response);
      }
      ASSERT_EQ(wrong, "") << "after " << answered << " answers";
    }
    EXPECT_GT(follower.told(), 0u);
  }

  std::atomic<int> readers_left_{0};
};

TEST_F(RaceTest, EveryEventComesBeforeWhatRevealsItAndNoWatchIsLost) {
  std::vector<Client> readers;
  std::vector<Client> writers;
  for (uint64_t nonce = 1; nonce <= 3; ++nonce) readers.push_back(AttachClient(nonce));
  for (uint64_t nonce = 11; nonce <= 12; ++nonce) writers.push_back(AttachClient(nonce));
  readers_left_ = static_cast<int>(readers.size());
  {
    std::vector<base::Thread> threads;
    for (size_t i = 0; i < readers.size(); ++i) {
      threads.emplace_back("reader", [this, &reader = readers[i], i] {
        Read(reader, i);
        --readers_left_;
      });
    }
    for (size_t i = 0; i < writers.size(); ++i) {
      threads.emplace_back("writer", [this, &writer = writers[i], i] { Write(writer, 100 + i); });
    }
  }
  // One change more that all of them must be told of, and an answer that reveals it all.
  for (Client& reader : readers) Ask(reader, AddWatch{"/", true});
  for (Client& reader : readers) AwaitAnswers(reader);
  Ask(writers[0], tree::SetData{"/", tree::SharedBytes::Copy("last")});
  AwaitAnswers(writers[0]);
  const Changes changes = Replay(log_.commands());
  for (Client& reader : readers) {
    Ask(reader, SyncRead());
    AwaitAnswers(reader);
    Check(reader, changes);
  }
  service_.Stop();
  for (const Client& reader : readers) reader.sink->AwaitEnd();
  for (const Client& writer : writers) writer.sink->AwaitEnd();
}

}  // namespace
}  // namespace bellwether::coord
