#include "broker/rpc/admin_calls.h"

#include <string>
#include <utility>

#include "base/metrics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/client/fake_ensemble.h"

namespace bellwether::broker {
namespace {

// A broker that has just met its ensemble, and was told nothing by it yet.
class AdminCallsTest : public testing::Test {
 protected:
  AdminCallsTest() {
    cluster_.Start("b:1");
    executor_.Run();
  }

  void MeetEnsemble() {
    coord::v1::SessionResponse frame;
    coord::v1::Attached& attached = *frame.mutable_attached();
    attached.set_session_id(7);
    attached.set_password("0123456789abcdef");
    attached.set_generation(1);
    attached.set_timeout_ms(9'000);
    attached.set_ensemble_id(kOwn.Bytes());
    attached.set_server_id(1);
    coord_.sessions.back()->Deliver(executor_, std::move(frame));
  }

  // What it says to the creation and to the deletion of a topic.
  common::v1::Error Create(const std::string& ensemble_id) {
    v1::CreateTopicRequest request;
    v1::CreateTopicResponse response;
    return Call(CreateTopicCall, ensemble_id, request, response);
  }
  common::v1::Error Delete(const std::string& ensemble_id) {
    v1::DeleteTopicRequest request;
    v1::DeleteTopicResponse response;
    return Call(DeleteTopicCall, ensemble_id, request, response);
  }

  const base::Uuid kOwn{1, 2};

 private:
  template <typename Function, typename Request, typename Response>
  common::v1::Error Call(Function function, const std::string& ensemble_id, Request& request,
                         Response& response) {
    request.set_name("t");
    request.set_ensemble_id(ensemble_id);
    bool done = false;
    function(cluster_, request, absl::Seconds(1), response, [&done](const absl::Status& status) {
      EXPECT_TRUE(status.ok()) << status;
      done = true;
    });
    executor_.Advance(absl::Milliseconds(1'100));
    EXPECT_TRUE(done);
    return response.error();
  }

  client::ManualExecutor executor_;
  client::FakeEnsemble coord_;
  base::Metrics metrics_;
  Cluster cluster_{ClusterOptions{.coord = {"c:1"}},
                   ClusterCallbacks{.on_ensemble = [](base::Uuid) { return absl::OkStatus(); },
                                    .on_view = [](const auto&, BrokerEpoch) {},
                                    .on_fatal = [](const absl::Status&) {}},
                   executor_,
                   executor_,
                   coord_,
                   metrics_};
};

TEST_F(AdminCallsTest, RefuseWhatIsForTheClusterOfAnotherEnsemble) {
  MeetEnsemble();
  for (const common::v1::Error& error :
       {Create(base::Uuid(3, 4).Bytes()), Delete(base::Uuid(3, 4).Bytes())}) {
    EXPECT_EQ(error.code(), static_cast<int>(absl::StatusCode::kFailedPrecondition));
    EXPECT_EQ(error.reason(), "other_ensemble");
    EXPECT_EQ(error.outcome(), common::v1::OUTCOME_REJECTED);
  }
}

TEST_F(AdminCallsTest, TakeWhatNamesTheirEnsembleOrNone) {
  MeetEnsemble();
  for (const std::string& ensemble_id : {kOwn.Bytes(), std::string()}) {
    EXPECT_EQ(Create(ensemble_id).code(), static_cast<int>(absl::StatusCode::kUnavailable));
    EXPECT_EQ(Delete(ensemble_id).code(), static_cast<int>(absl::StatusCode::kDeadlineExceeded));
  }
}

TEST_F(AdminCallsTest, SayThatTheEnsembleIsNotKnownYet) {
  EXPECT_EQ(Create(kOwn.Bytes()).code(), static_cast<int>(absl::StatusCode::kUnavailable));
  EXPECT_THAT(Create(kOwn.Bytes()).message(), testing::HasSubstr("not met its coordination ensemble"));
}

TEST_F(AdminCallsTest, RefuseAnEnsembleIdThatIsNone) {
  MeetEnsemble();
  EXPECT_EQ(Create("short").code(), static_cast<int>(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace bellwether::broker
