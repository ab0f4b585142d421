#include "cli/zookeeper_walk.h"

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "coord/zk/wire/frame.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::cli {
namespace {

namespace wire = coord::zk::wire;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

// A server's side: answers what is asked of some znodes.
class FakeZookeeper {
 public:
  struct Znode {
    std::string data;
    wire::Stat stat;
    wire::ZkError error = wire::ZkError::kOk;
    int unsettled = 0;  // how often its children are told as of a later change
  };

  std::map<std::string, Znode> znodes;

  std::string Answer(const wire::Request& request) {
    wire::Reply reply;
    reply.header.xid = request.xid;
    const std::string path(std::visit(
        [](const auto& body) -> std::string_view {
          if constexpr (requires { body.path; }) {
            if constexpr (std::is_same_v<std::decay_t<decltype(body.path)>, std::string_view>) {
              return body.path;
            }
          }
          return {};
        },
        request.body));
    const auto found = znodes.find(path);
    reply.header.error = found == znodes.end() ? wire::ZkError::kNoNode : found->second.error;
    std::vector<std::string> names;
    if (reply.header.error == wire::ZkError::kOk) {
      reply.body = BodyOf(request.opcode, path, found->second, names);
    }
    std::string frame;
    wire::EncodeReply(reply, frame);
    return frame;
  }

 private:
  wire::ReplyBody BodyOf(wire::Opcode opcode, const std::string& path, Znode& znode,
                         std::vector<std::string>& names) {
    if (opcode == wire::Opcode::kGetData) return wire::DataReply{znode.data, znode.stat};
    if (opcode == wire::Opcode::kGetAcl) {
      return wire::AclReply{{{31, "world", "anyone"}}, znode.stat};
    }
    const std::string top = path == "/" ? "/" : path + "/";
    for (const auto& [other, ignored] : znodes) {
      if (other.starts_with(top) && other != top && other.find('/', top.size()) == other.npos) {
        names.push_back(other.substr(top.size()));
      }
    }
    wire::NamesStatReply reply{{names.begin(), names.end()}, znode.stat};
    if (znode.unsettled-- > 0) reply.stat.mzxid += 100;
    return reply;
  }
};

class ZookeeperWalkTest : public testing::Test {
 protected:
  ZookeeperWalk Walk(std::string top) {
    ZookeeperWalk::Callbacks callbacks;
    callbacks.znode = [this](WalkedZnode znode) {
      met.push_back(znode.path);
      children[znode.path] = znode.children;
      data[znode.path] = znode.data.value_or("(null)");
    };
    callbacks.left_out = [this](const std::string& path, std::string_view reason,
                                const std::string&) { left_out[path] = std::string(reason); };
    return ZookeeperWalk(std::move(top), std::move(callbacks));
  }

  // The requests that the walk makes now.
  std::vector<wire::Request> Asked(ZookeeperWalk& walk) {
    bytes.clear();
    walk.AppendRequests(bytes);
    std::vector<wire::Request> requests;
    for (size_t at = 0; at < bytes.size();) {
      const auto length = static_cast<size_t>(wire::JuteReader(std::string_view(bytes).substr(at)).Int());
      wire::Request& request = requests.emplace_back();
      EXPECT_EQ(wire::DecodeRequest(std::string_view(bytes).substr(at + 4, length), request),
                wire::ZkError::kOk);
      at += 4 + length;
    }
    return requests;
  }

  void Finish(ZookeeperWalk& walk) {
    while (!walk.done()) {
      for (const wire::Request& request : Asked(walk)) {
        ASSERT_TRUE(walk.OnFrame(server.Answer(request)).ok());
      }
    }
  }

  FakeZookeeper server;
  std::string bytes;
  std::vector<std::string> met;
  std::map<std::string, size_t> children;
  std::map<std::string, std::string> data;
  std::map<std::string, std::string> left_out;
};

TEST_F(ZookeeperWalkTest, MeetsParentsFirstAndNoSystemZnodes) {
  for (const char* path : {"/", "/a", "/a/b", "/a/b/c", "/d", "/zookeeper", "/zookeeper/quota"}) {
    server.znodes[path].data = path;
  }
  ZookeeperWalk walk = Walk("/");
  Finish(walk);
  EXPECT_THAT(met, ElementsAre("/", "/a", "/d", "/a/b", "/a/b/c"));
  EXPECT_EQ(data["/a/b"], "/a/b");
  EXPECT_THAT(children, Contains(Pair("/", 2)));
  EXPECT_THAT(left_out, IsEmpty());
}

TEST_F(ZookeeperWalkTest, TellsWhyAZnodeIsLeftOut) {
  for (const char* path : {"/t", "/t/e", "/t/s", "/t/s/below", "/t/x"}) server.znodes[path];
  server.znodes["/t/e"].stat.ephemeral_owner = 77;
  server.znodes["/t/s"].error = wire::ZkError::kNoAuth;
  server.znodes["/t/x"].error = wire::ZkError::kThrottledOp;
  ZookeeperWalk walk = Walk("/t");
  Finish(walk);
  EXPECT_THAT(met, ElementsAre("/t"));
  EXPECT_THAT(left_out, UnorderedElementsAre(Pair("/t/e", "ephemeral"),
                                             Pair("/t/s", "no_permission"), Pair("/t/x", "failed")));
}

TEST_F(ZookeeperWalkTest, WhatGoesMeanwhileHasVanished) {
  server.znodes["/t"];
  server.znodes["/t/gone"];
  ZookeeperWalk walk = Walk("/t");
  for (const wire::Request& request : Asked(walk)) {
    ASSERT_TRUE(walk.OnFrame(server.Answer(request)).ok());
  }
  server.znodes.erase("/t/gone");
  Finish(walk);
  EXPECT_THAT(left_out, ElementsAre(Pair("/t/gone", "vanished")));
}

TEST_F(ZookeeperWalkTest, AsksAgainUntilTheAnswersAreOfOneState) {
  server.znodes["/t"].unsettled = 3;
  ZookeeperWalk walk = Walk("/t");
  Finish(walk);
  EXPECT_THAT(met, ElementsAre("/t"));

  server.znodes["/restless"].unsettled = 100;
  ZookeeperWalk other = Walk("/restless");
  Finish(other);
  EXPECT_THAT(left_out, ElementsAre(Pair("/restless", "changed")));
}

TEST_F(ZookeeperWalkTest, AsksAgainAfterALostConnection) {
  for (const char* path : {"/t", "/t/a", "/t/b"}) server.znodes[path];
  ZookeeperWalk walk = Walk("/t");
  const std::vector<wire::Request> first = Asked(walk);
  ASSERT_TRUE(walk.OnFrame(server.Answer(first[0])).ok());
  walk.OnDisconnected();
  EXPECT_FALSE(walk.done());
  Finish(walk);
  EXPECT_THAT(met, ElementsAre("/t", "/t/a", "/t/b"));
}

TEST_F(ZookeeperWalkTest, AsksAboutABoundedNumberAtOnce) {
  server.znodes["/t"];
  for (int i = 0; i < 1000; ++i) server.znodes["/t/" + std::to_string(i)];
  ZookeeperWalk walk = Walk("/t");
  for (const wire::Request& request : Asked(walk)) {
    ASSERT_TRUE(walk.OnFrame(server.Answer(request)).ok());
  }
  EXPECT_EQ(Asked(walk).size(), 3 * ZookeeperWalk::kAskedMax);
  EXPECT_THAT(Asked(walk), IsEmpty());
}

TEST_F(ZookeeperWalkTest, AnotherAnswerIsAnError) {
  server.znodes["/t"];
  ZookeeperWalk walk = Walk("/t");
  std::vector<wire::Request> asked = Asked(walk);
  EXPECT_FALSE(walk.OnFrame("").ok());
  asked[0].xid += 7;
  EXPECT_FALSE(walk.OnFrame(server.Answer(asked[0])).ok());
  ZookeeperWalk silent = Walk("/t");
  EXPECT_FALSE(silent.OnFrame(server.Answer(asked[1])).ok());
}

}  // namespace
}  // namespace bellwether::cli
