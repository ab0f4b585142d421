#include "coord/zk/requests.h"

#include <string>

#include "tests/unit/coord/zk/protocol_fixture.h"

namespace bellwether::coord::zk {
namespace {

// A client's requests and what comes of them.
class ZkRequests : public ProtocolTest {
 protected:
  void SetUp() override {
    ProtocolTest::SetUp();
    client_ = Connect();
  }

  ZkError Outcome(Opcode opcode, wire::RequestBody body) {
    const int32_t xid = client_->Ask(opcode, std::move(body));
    Settle();
    return client_->ErrorOf(xid);
  }
  template <typename Body>
  Body Reply(Opcode opcode, wire::RequestBody body) {
    const int32_t xid = client_->Ask(opcode, std::move(body));
    Settle();
    return client_->BodyOf<Body>(xid);
  }
  wire::Stat StatOf(std::string_view path) {
    return Reply<wire::StatReply>(Opcode::kExists, wire::ReadRequest{path, false}).stat;
  }
  static wire::CreateRequest Creating(std::string_view path, int32_t flags, int64_t ttl_ms = 0) {
    return {path, "", ZkClient::OpenAcl(), flags, ttl_ms};
  }

  std::unique_ptr<ZkClient> client_;
};

TEST_F(ZkRequests, CreateTellsThePathAndCreate2TheStatToo) {
  EXPECT_EQ(Reply<wire::PathReply>(Opcode::kCreate, ZkClient::Making("/a", "xyz")).path, "/a");
  const auto made = Reply<wire::CreateReply>(Opcode::kCreate2, ZkClient::Making("/b", "xyz"));
  EXPECT_EQ(made.path, "/b");
  EXPECT_EQ(made.stat.data_length, 3);
  EXPECT_EQ(made.stat, StatOf("/b"));
}

TEST_F(ZkRequests, CreateKnowsEveryKindOfZnode) {
  using Flags = wire::CreateFlags;
  const auto create = [this](std::string_view path, Flags flags) {
    return Reply<wire::PathReply>(Opcode::kCreate, ZkClient::Making(path, "", flags)).path;
  };
  EXPECT_EQ(create("/s-", Flags::kPersistentSequential), "/s-0000000000");
  EXPECT_EQ(create("/s-", Flags::kEphemeralSequential), "/s-0000000001");
  EXPECT_EQ(create("/e", Flags::kEphemeral), "/e");
  EXPECT_EQ(StatOf("/e").ephemeral_owner, client_->handshake().session_id);
  const auto container =
      Reply<wire::CreateReply>(Opcode::kCreateContainer, Creating("/container", 4));
  EXPECT_EQ(container.stat.ephemeral_owner, 0);  // Z6
  const auto ttl = Reply<wire::CreateReply>(Opcode::kCreateTtl, Creating("/ttl", 5, 1000));
  EXPECT_EQ(ttl.stat.ephemeral_owner, 0);  // Z6
  const auto sequential = Reply<wire::CreateReply>(Opcode::kCreateTtl, Creating("/t-", 6, 1000));
  EXPECT_EQ(sequential.path, "/t-0000000005");
}

// Z15
TEST_F(ZkRequests, CreateRefusesFlagsAndTtlsThatDontFit) {
  constexpr int64_t kTtlMax = (int64_t{1} << 40) - 1;
  EXPECT_EQ(Outcome(Opcode::kCreate, Creating("/a", 7)), ZkError::kBadArguments);
  EXPECT_EQ(Outcome(Opcode::kCreate, Creating("/a", -1)), ZkError::kBadArguments);
  EXPECT_EQ(Outcome(Opcode::kCreate2, Creating("/a", 256)), ZkError::kBadArguments);
  EXPECT_EQ(Outcome(Opcode::kCreate, Creating("/a", 5)), ZkError::kBadArguments);
  EXPECT_EQ(Outcome(Opcode::kCreateTtl, Creating("/a", 5, 0)), ZkError::kBadArguments);
  EXPECT_EQ(Outcome(Opcode::kCreateTtl, Creating("/a", 5, -1)), ZkError::kBadArguments);
  EXPECT_EQ(Outcome(Opcode::kCreateTtl, Creating("/a", 5, kTtlMax + 1)), ZkError::kBadArguments);
  EXPECT_EQ(Outcome(Opcode::kCreateTtl, Creating("/a", 0, 1000)), ZkError::kBadArguments);
  EXPECT_EQ(Outcome(Opcode::kExists, wire::ReadRequest{"/a", false}), ZkError::kNoNode);
  EXPECT_EQ(Outcome(Opcode::kCreateTtl, Creating("/a", 5, kTtlMax)), ZkError::kOk);
}

// Z13: the flags are looked at before everything else, that it exists before what its parent is.
TEST_F(ZkRequests, CreateLooksInZookeepersOrder) {
  EXPECT_EQ(Outcome(Opcode::kCreate, Creating("/none/a", 99)), ZkError::kBadArguments);
  wire::CreateRequest no_acl = ZkClient::Making("/none/a");
  no_acl.acl.clear();
  EXPECT_EQ(Outcome(Opcode::kCreate, no_acl), ZkError::kInvalidAcl);
  EXPECT_EQ(Outcome(Opcode::kCreate, ZkClient::Making("/none//a")), ZkError::kNoNode);
  EXPECT_EQ(Outcome(Opcode::kCreate, Creating("/e", 1)), ZkError::kOk);
  EXPECT_EQ(Outcome(Opcode::kCreate, ZkClient::Making("/e/a")),
            ZkError::kNoChildrenForEphemerals);
  EXPECT_EQ(Outcome(Opcode::kCreate, ZkClient::Making("/e")), ZkError::kNodeExists);
}

// Z14
TEST_F(ZkRequests, KeepTheSystemsZnodes) {
  EXPECT_EQ(Outcome(Opcode::kCreate, ZkClient::Making("/")), ZkError::kNodeExists);
  for (const char* path : {"/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"}) {
    EXPECT_EQ(Outcome(Opcode::kDelete, wire::DeleteRequest{path, -1}), ZkError::kBadArguments);
  }
}

// Z20
TEST_F(ZkRequests, CompareVersions) {
  client_->Create("/a");
  EXPECT_EQ(Outcome(Opcode::kSetData, wire::SetDataRequest{"/a", "1", 7}), ZkError::kBadVersion);
  EXPECT_EQ(Outcome(Opcode::kSetData, wire::SetDataRequest{"/a", "1", 0}), ZkError::kOk);
  EXPECT_EQ(Outcome(Opcode::kSetData, wire::SetDataRequest{"/a", "1", -1}), ZkError::kOk);
  EXPECT_EQ(Outcome(Opcode::kDelete, wire::DeleteRequest{"/a", 1}), ZkError::kBadVersion);
  client_->Create("/a/b");
  EXPECT_EQ(Outcome(Opcode::kDelete, wire::DeleteRequest{"/a", 2}), ZkError::kNotEmpty);
  EXPECT_EQ(Outcome(Opcode::kDelete, wire::DeleteRequest{"/a/b", 0}), ZkError::kOk);
}

// Z21
TEST_F(ZkRequests, TellNullFromEmptyData) {
  wire::CreateRequest null = ZkClient::Making("/null");
  null.data.reset();
  EXPECT_EQ(Outcome(Opcode::kCreate, null), ZkError::kOk);
  client_->Create("/empty", "");
  const auto read = [this](std::string_view path) {
    return Reply<wire::DataReply>(Opcode::kGetData, wire::ReadRequest{path, false});
  };
  EXPECT_FALSE(read("/null").data.has_value());
  EXPECT_EQ(read("/null").stat.data_length, 0);
  EXPECT_EQ(read("/empty").data, "");
  EXPECT_EQ(Outcome(Opcode::kSetData, wire::SetDataRequest{"/empty", std::nullopt, -1}),
            ZkError::kOk);
  EXPECT_FALSE(read("/empty").data.has_value());
}

// Z48
TEST_F(ZkRequests, TakeAnyPathForAReadAndFewForAWrite) {
  using namespace std::string_view_literals;
  for (const std::string_view path : {""sv, "a"sv, "/a/"sv, "//a"sv, "/./a"sv, "/\x01"sv}) {
    for (const Opcode opcode : {Opcode::kExists, Opcode::kGetData, Opcode::kGetChildren,
                                Opcode::kGetChildren2}) {
      EXPECT_EQ(Outcome(opcode, wire::ReadRequest{path, false}), ZkError::kNoNode) << path;
    }
    EXPECT_EQ(Outcome(Opcode::kGetAcl, wire::PathRequest{path}), ZkError::kNoNode) << path;
    EXPECT_EQ(Outcome(Opcode::kGetAllChildrenNumber, wire::PathRequest{path}), ZkError::kNoNode);
    EXPECT_EQ(Outcome(Opcode::kSetData, wire::SetDataRequest{path, "", -1}),
              ZkError::kBadArguments)
        << path;
  }
  EXPECT_EQ(Outcome(Opcode::kExists, wire::ReadRequest{"/a\0b"sv, true}), ZkError::kBadArguments);
  EXPECT_EQ(Outcome(Opcode::kGetData, wire::ReadRequest{"/a\0b"sv, false}), ZkError::kNoNode);
}

TEST_F(ZkRequests, ListChildrenWithAndWithoutTheStat) {
  client_->Create("/a");
  client_->Create("/a/x");
  client_->Create("/a/y");
  const auto names = Reply<wire::NamesReply>(Opcode::kGetChildren, wire::ReadRequest{"/a", false});
  EXPECT_EQ(names.names, (std::vector<std::string_view>{"x", "y"}));
  const auto with_stat =
      Reply<wire::NamesStatReply>(Opcode::kGetChildren2, wire::ReadRequest{"/a", false});
  EXPECT_EQ(with_stat.names, names.names);
  EXPECT_EQ(with_stat.stat.num_children, 2);
}

TEST_F(ZkRequests, ListTheSessionsEphemerals) {
  client_->Create("/a");
  client_->Create("/a/e", "", wire::CreateFlags::kEphemeral);
  client_->Create("/b", "", wire::CreateFlags::kEphemeral);
  const auto other = Connect();
  other->Create("/c", "", wire::CreateFlags::kEphemeral);
  Settle();
  const auto list = [this](std::string_view prefix) {
    const auto reply = Reply<wire::NamesReply>(Opcode::kGetEphemerals,
                                               wire::GetEphemeralsRequest{prefix});
    return std::vector<std::string>(reply.names.begin(), reply.names.end());
  };
  const std::vector<std::string> all{"/a/e", "/b"};
  EXPECT_EQ(list("/"), all);
  EXPECT_EQ(list(""), all);
  EXPECT_EQ(list(" / "), all);
  EXPECT_EQ(list("/a"), (std::vector<std::string>{"/a/e"}));
  EXPECT_TRUE(list("/c").empty());
  EXPECT_TRUE(list(" /a").empty());
}

TEST_F(ZkRequests, CountAllThatIsBelow) {
  client_->Create("/a");
  client_->Create("/a/b");
  client_->Create("/a/b/c");
  EXPECT_EQ(Reply<wire::CountReply>(Opcode::kGetAllChildrenNumber, wire::PathRequest{"/a"}).count,
            2);
  EXPECT_EQ(Outcome(Opcode::kGetAllChildrenNumber, wire::PathRequest{"/none"}), ZkError::kNoNode);
}

// ---- What no client can bring about ----

TEST(ErrorOf, HasANumberForEveryOutcome) {
  using tree::ResultCode;
  EXPECT_EQ(ErrorOf(ResultCode::kOk), ZkError::kOk);
  EXPECT_EQ(ErrorOf(ResultCode::kSessionExpired), ZkError::kSessionExpired);
  EXPECT_EQ(ErrorOf(ResultCode::kQuotaExceeded), ZkError::kQuotaExceeded);
  EXPECT_EQ(ErrorOf(ResultCode::kTooLarge), ZkError::kBadArguments);
  EXPECT_EQ(ErrorOf(ResultCode::kAlreadySet), ZkError::kSystemError);
}

// Z42
TEST(ErrorOf, HasNoneForAMovedSession) {
  const Failure moved = FailureOf(tree::ResultCode::kStaleGeneration, "");
  EXPECT_EQ(ErrorOf(Opcode::kCreate, moved), std::nullopt);
  EXPECT_EQ(ErrorOf(Opcode::kCreate, Unavailable("no leader")), std::nullopt);
}

TEST(OperationName, IsZookeepers) {
  EXPECT_EQ(OperationName(Opcode::kGetChildren2), "GETC");
  EXPECT_EQ(OperationName(Opcode::kError), "NA");
}

}  // namespace
}  // namespace bellwether::coord::zk
