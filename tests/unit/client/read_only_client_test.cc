#include <string>
#include <utility>

#include "client/errors.h"
#include "gmock/gmock.h"
#include "tests/unit/client/coord_client_fixture.h"

namespace bellwether::client {
namespace {

using ::testing::ElementsAre;

// A client without a session, of its own options.
class ReadOnlyClientTest : public CoordClientTest {
 protected:
  ReadOnlyClientTest() {
    CoordOptions options;
    options.addresses = {"a:1", "b:1"};
    options.read_only = true;
    states_.clear();
    client_ = std::make_unique<CoordClient>(options, executor_, executor_, ensemble_);
    client_->AddStateListener([this](SessionState state) { states_.push_back(state); });
    client_->Start();
    executor_.Run();
  }

  static coord::v1::SessionResponse AttachedWithoutSession() {
    coord::v1::SessionResponse frame;
    frame.mutable_attached()->set_ensemble_id(base::Uuid(1, 2).Bytes());
    frame.mutable_attached()->set_server_id(2);
    frame.mutable_attached()->set_zxid(10);
    return frame;
  }
  void GetStale(const std::string& label) {
    ReadOptions options;
    options.stale_ok = true;
    client_->Get("/a", std::move(options), [this, label](absl::StatusOr<GetResult> result) {
      results_.emplace_back(label, result.status());
    });
  }
};

TEST_F(ReadOnlyClientTest, ReadsWithoutASessionAndSendsNoKeepAlives) {
  const coord::v1::Attach& attach = Last().sent.at(0).attach();
  EXPECT_TRUE(attach.read_only());
  EXPECT_EQ(attach.session_id(), 0u);
  EXPECT_TRUE(attach.nonce().empty());
  GetStale("r");
  Deliver(AttachedWithoutSession());
  EXPECT_EQ(client_->state(), SessionState::kConnected);
  EXPECT_EQ(client_->session().id, SessionId());
  EXPECT_EQ(client_->session().server_id, 2u);
  ASSERT_EQ(Last().Requests().size(), 1u);
  EXPECT_TRUE(Last().Requests()[0].stale_ok());
  EXPECT_EQ(Last().Requests()[0].generation(), 0u);
  Deliver(GetDone(1, 12, "v"));
  EXPECT_THAT(Results(), ElementsAre("r ok"));
  executor_.Advance(absl::Minutes(5));
  EXPECT_THAT(Last().KeepAlives(), ElementsAre());
  EXPECT_THAT(states_, ElementsAre(SessionState::kConnected));
}

TEST_F(ReadOnlyClientTest, GoesToAnotherServerWithWhatItAsked) {
  const std::string first = Last().address;
  Break();
  EXPECT_NE(Last().address, first);
  Deliver(AttachedWithoutSession());
  GetStale("r");
  Break();
  executor_.Advance(absl::Seconds(1));
  EXPECT_TRUE(Last().sent.at(0).attach().read_only());
  Deliver(AttachedWithoutSession());
  EXPECT_EQ(Last().Requests().size(), 1u);
  EXPECT_THAT(states_, ElementsAre(SessionState::kConnected, SessionState::kConnecting,
                                   SessionState::kConnected));
}

TEST_F(ReadOnlyClientTest, RefusesWhatNeedsALeader) {
  Deliver(AttachedWithoutSession());
  Set("w");
  Get("r");
  absl::Status sync, close;
  client_->Sync({}, [&](auto result) { sync = result.status(); });
  client_->CloseSession({}, [&](auto result) { close = result.status(); });
  executor_.Run();
  EXPECT_THAT(Results(), ElementsAre("w rejected", "r rejected"));
  EXPECT_EQ(ReasonOf(results_.at(0).second), "read_only");
  EXPECT_EQ(ReasonOf(sync), "read_only");
  EXPECT_EQ(ReasonOf(close), "read_only");
  EXPECT_THAT(Last().Requests(), ::testing::IsEmpty());
  GetStale("stale");
  EXPECT_EQ(Last().Requests().size(), 1u) << "the client goes on";
}

}  // namespace
}  // namespace bellwether::client
