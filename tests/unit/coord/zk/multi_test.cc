#include <string>

#include "tests/unit/coord/zk/protocol_fixture.h"

namespace bellwether::coord::zk {
namespace {

// Transactions, and several reads at once.
class ZkMulti : public ProtocolTest {
 protected:
  using Operations = std::vector<wire::MultiOperation>;

  void SetUp() override {
    ProtocolTest::SetUp();
    client_ = Connect();
  }

  int32_t Run(Operations operations) {
    const int32_t xid = client_->Ask(Opcode::kMulti, wire::MultiRequest{std::move(operations)});
    Settle();
    return xid;
  }
  std::vector<wire::MultiResult> ResultsOf(int32_t xid) {
    return client_->BodyOf<wire::MultiReply>(xid).results;
  }
  ZkError Exists(std::string_view path) {
    const int32_t xid = client_->Exists(path);
    Settle();
    return client_->ErrorOf(xid);
  }

  static wire::MultiOperation Create(std::string_view path, int32_t flags = 0) {
    return {Opcode::kCreate, wire::CreateRequest{path, "", ZkClient::OpenAcl(), flags}};
  }
  static wire::MultiOperation Delete(std::string_view path) {
    return {Opcode::kDelete, wire::DeleteRequest{path, -1}};
  }
  static wire::MultiOperation Set(std::string_view path) {
    return {Opcode::kSetData, wire::SetDataRequest{path, "new", -1}};
  }
  static wire::MultiOperation Check(std::string_view path, int32_t version) {
    return {Opcode::kCheck, wire::CheckVersionRequest{path, version}};
  }
  static wire::MultiResult Failed(ZkError error) {
    return {Opcode::kError, wire::ErrorReply{error}};
  }

  std::unique_ptr<ZkClient> client_;
};

// Z23
TEST_F(ZkMulti, AnswersEveryOperationAsItsKind) {
  client_->Create("/a");
  const int32_t xid = Run({Create("/b"), Set("/a"), Check("/a", 1), Delete("/a"),
                           {Opcode::kCreateContainer,
                            wire::CreateRequest{"/c", "", ZkClient::OpenAcl(), 4}},
                           {Opcode::kCreateTtl,
                            wire::CreateRequest{"/t", "", ZkClient::OpenAcl(), 5, 1000}}});
  const auto results = ResultsOf(xid);
  ASSERT_EQ(results.size(), 6u);
  EXPECT_EQ(results[0], (wire::MultiResult{Opcode::kCreate, wire::PathReply{"/b"}}));
  EXPECT_EQ(results[1].opcode, Opcode::kSetData);
  EXPECT_EQ(std::get<wire::StatReply>(results[1].body).stat.version, 1);
  EXPECT_EQ(results[2], (wire::MultiResult{Opcode::kCheck, wire::EmptyReply{}}));
  EXPECT_EQ(results[3], (wire::MultiResult{Opcode::kDelete, wire::EmptyReply{}}));
  for (const size_t i : {4, 5}) {
    EXPECT_EQ(results[i].opcode, Opcode::kCreate2);
    EXPECT_GT(std::get<wire::CreateReply>(results[i].body).stat.czxid, 0);
  }
  EXPECT_EQ(std::get<wire::CreateReply>(results[4].body).path, "/c");
}

// Z22
TEST_F(ZkMulti, TellsWhatBecameOfEachOperationWhenOneFails) {
  const int64_t zxid = service_->applied_zxid().value();
  const int32_t xid = Run({Create("/a"), Create("/b"), Check("/none", 0), Create("/c")});
  EXPECT_EQ(ResultsOf(xid), (std::vector<wire::MultiResult>{
                                Failed(ZkError::kOk), Failed(ZkError::kOk),
                                Failed(ZkError::kNoNode),
                                Failed(ZkError::kRuntimeInconsistency)}));
  EXPECT_EQ(client_->ZxidOf(xid), zxid + 1);  // Z7
  EXPECT_EQ(Exists("/a"), ZkError::kNoNode);
}

// Z22
TEST_F(ZkMulti, TakesSequenceNumbersBack) {
  Run({Create("/s-", 2), Delete("/none")});
  const int32_t xid = client_->Create("/s-", "", wire::CreateFlags::kPersistentSequential);
  Settle();
  EXPECT_EQ(client_->PathOf(xid), "/s-0000000000");
}

// Z24
TEST_F(ZkMulti, SeesItsOwnEffects) {
  const int32_t xid = Run({Create("/s-", 2), Create("/s-", 2), Create("/a"), Create("/a/b"),
                           Check("/a/b", 0), Delete("/a/b"), Delete("/a")});
  const auto results = ResultsOf(xid);
  ASSERT_EQ(results.size(), 7u);
  EXPECT_EQ(std::get<wire::PathReply>(results[0].body).path, "/s-0000000000");
  EXPECT_EQ(std::get<wire::PathReply>(results[1].body).path, "/s-0000000001");
  EXPECT_EQ(Exists("/a"), ZkError::kNoNode);
}

// Z20: a check compares the version of the data, in its place of the sequence.
TEST_F(ZkMulti, ChecksVersions) {
  client_->Create("/a");
  EXPECT_EQ(ResultsOf(Run({Check("/a", -1)})).at(0).opcode, Opcode::kCheck);
  EXPECT_EQ(ResultsOf(Run({Check("/a", 1)})).at(0), Failed(ZkError::kBadVersion));
  EXPECT_EQ(ResultsOf(Run({Set("/a"), Check("/a", 1)})).at(1).opcode, Opcode::kCheck);
}

TEST_F(ZkMulti, MayBeEmpty) {
  const int64_t zxid = service_->applied_zxid().value();
  const int32_t xid = Run({});
  EXPECT_TRUE(ResultsOf(xid).empty());
  EXPECT_EQ(client_->ZxidOf(xid), zxid + 1);
}

// Z15
TEST_F(ZkMulti, IsNotUnderstoodWithFlagsThatNobodyKnows) {
  const int32_t xid = Run({Create("/a"), Create("/b", 7)});
  EXPECT_EQ(client_->ErrorOf(xid), ZkError::kMarshallingError);
  EXPECT_EQ(Exists("/a"), ZkError::kNoNode);
}

// Z23: reads and writes don't mix, and neither setACL nor sync can be in one.
TEST_F(ZkMulti, IsNotUnderstoodWithAnythingElseInIt) {
  const int32_t read = Run({Create("/a"), {Opcode::kGetData, wire::ReadRequest{"/a", false}}});
  EXPECT_EQ(client_->ErrorOf(read), ZkError::kMarshallingError);
  const int32_t sync = Run({{Opcode::kSync, wire::DeleteRequest{"/a", -1}}});
  EXPECT_EQ(client_->ErrorOf(sync), ZkError::kMarshallingError);
  EXPECT_EQ(Exists("/a"), ZkError::kNoNode);
}

// Z24, Z25
TEST_F(ZkMulti, TellsEachChangeBeforeItsReply) {
  client_->Exists("/a", /*watch=*/true);
  client_->Exists("/b", /*watch=*/true);
  const int32_t xid = Run({Create("/a"), Create("/b"), Delete("/a")});
  EXPECT_EQ(client_->events(), (std::vector<std::string>{"1 /a", "1 /b"}));
  EXPECT_EQ(client_->xids().back(), xid);
}

TEST_F(ZkMulti, FailedTellsNothing) {
  client_->Exists("/a", /*watch=*/true);
  Run({Create("/a"), Delete("/none")});
  EXPECT_TRUE(client_->events().empty());
}

TEST_F(ZkMulti, ReadsEachByItself) {
  client_->Create("/a", "data");
  client_->Create("/a/b");
  const Operations reads{{Opcode::kGetData, wire::ReadRequest{"/a", false}},
                         {Opcode::kGetData, wire::ReadRequest{"/none", false}},
                         {Opcode::kGetChildren, wire::ReadRequest{"/a", false}},
                         {Opcode::kGetChildren, wire::ReadRequest{"bad", false}}};
  const int32_t xid = client_->Ask(Opcode::kMultiRead, wire::MultiRequest{reads});
  Settle();
  const auto results = ResultsOf(xid);
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(std::get<wire::DataReply>(results[0].body).data, "data");
  EXPECT_EQ(results[1], Failed(ZkError::kNoNode));
  EXPECT_EQ(std::get<wire::NamesReply>(results[2].body).names,
            (std::vector<std::string_view>{"b"}));
  EXPECT_EQ(results[3], Failed(ZkError::kNoNode));  // Z48
}

}  // namespace
}  // namespace bellwether::coord::zk
