#include <string>

#include "tests/unit/coord/zk/protocol_fixture.h"

namespace bellwether::coord::zk {
namespace {

// What ZooKeeper's clients are told when the tree has reached its bound.
class ZkTreeFull : public ProtocolTest {
 protected:
  ZkTreeFull() : ProtocolTest(Bounded()) {}

  static ServiceOptions Bounded() {
    ServiceOptions options = DefaultOptions();
    options.tree_bytes_max = 20'000;
    return options;
  }
  void SetUp() override {
    ProtocolTest::SetUp();
    client_ = Connect();
    client_->Create("/full", std::string(20'000, 'x'));
    Settle();
  }

  std::unique_ptr<ZkClient> client_;
};

TEST_F(ZkTreeFull, RefusesWithACodeThatAllClientsKnow) {
  const int32_t create = client_->Create("/a");
  const int32_t multi = client_->Ask(
      Opcode::kMulti,
      wire::MultiRequest{
          {{Opcode::kCreate, wire::CreateRequest{"/a", "", ZkClient::OpenAcl(), 0}}}});
  Settle();
  EXPECT_EQ(client_->ErrorOf(create), ZkError::kSystemError);
  EXPECT_EQ(client_->ErrorOf(multi), ZkError::kSystemError);
  EXPECT_FALSE(client_->closed());
}

TEST_F(ZkTreeFull, LetsWhatIsBehindARefusalThrough) {
  const int32_t create = client_->Create("/a");
  const int32_t remove = client_->Delete("/full");
  Settle();
  EXPECT_EQ(client_->ErrorOf(create), ZkError::kSystemError);
  EXPECT_EQ(client_->ErrorOf(remove), ZkError::kOk);
  const int32_t again = client_->Create("/a");
  Settle();
  EXPECT_EQ(client_->ErrorOf(again), ZkError::kOk);
  EXPECT_FALSE(client_->closed());
}

// Z42
TEST_F(ZkTreeFull, NothingBehindALostWriteTakesEffect) {
  client_->Delete("/full");
  Settle();
  log_.RejectNext();
  client_->Create("/lost");
  client_->Exists("/lost");
  client_->Create("/behind");
  Settle();
  EXPECT_TRUE(client_->closed());
  EXPECT_EQ(service_->View().FindZnode("/behind"), nullptr);
}

}  // namespace
}  // namespace bellwether::coord::zk
