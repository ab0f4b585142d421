#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "client/coord_client.h"
#include "gtest/gtest.h"
#include "tests/unit/client/fake_ensemble.h"

namespace bellwether::client {

inline constexpr uint64_t kSession = 0x100000000000007;

inline coord::v1::SessionResponse AttachedFrame(uint64_t generation, uint64_t last_sequence,
                                                int64_t zxid = 10) {
  coord::v1::SessionResponse frame;
  coord::v1::Attached& attached = *frame.mutable_attached();
  attached.set_session_id(kSession);
  attached.set_password("0123456789abcdef");
  attached.set_generation(generation);
  attached.set_timeout_ms(9000);
  attached.set_last_sequence(last_sequence);
  attached.set_ensemble_id(base::Uuid(1, 2).Bytes());
  attached.set_server_id(1);
  attached.set_zxid(zxid);
  return frame;
}

inline void SetError(absl::StatusCode code, const std::string& reason,
                     common::v1::Outcome outcome, common::v1::Error& error) {
  error.set_code(static_cast<int>(code));
  error.set_reason(reason);
  error.set_message(reason + " it says");
  error.set_outcome(outcome);
}

inline coord::v1::SessionResponse SetDone(uint64_t request_id, int64_t zxid, int version) {
  coord::v1::SessionResponse frame;
  frame.mutable_response()->set_request_id(request_id);
  frame.mutable_response()->set_zxid(zxid);
  frame.mutable_response()->mutable_set_data()->mutable_stat()->set_version(version);
  return frame;
}

inline coord::v1::SessionResponse GetDone(uint64_t request_id, int64_t zxid, const std::string& data) {
  coord::v1::SessionResponse frame;
  frame.mutable_response()->set_request_id(request_id);
  frame.mutable_response()->set_zxid(zxid);
  frame.mutable_response()->mutable_get()->set_data(data);
  return frame;
}

inline coord::v1::SessionResponse Failed(
    uint64_t request_id, int64_t zxid, absl::StatusCode code, const std::string& reason,
    common::v1::Outcome outcome = common::v1::OUTCOME_REJECTED) {
  coord::v1::SessionResponse frame;
  frame.mutable_response()->set_request_id(request_id);
  frame.mutable_response()->set_zxid(zxid);
  SetError(code, reason, outcome, *frame.mutable_response()->mutable_error());
  return frame;
}

// A client of three fake servers, on a clock that the test moves.
class CoordClientTest : public ::testing::Test {
 protected:
  CoordClientTest() {
    CoordOptions options;
    options.addresses = {"a:1", "b:1", "c:1"};
    options.session_timeout = absl::Seconds(9);
    options.seed = 7;
    client_ = std::make_unique<CoordClient>(options, executor_, executor_, ensemble_);
    client_->AddStateListener([this](SessionState state) { states_.push_back(state); });
    client_->Start();
    executor_.Run();
  }

  FakeEnsemble::Session& Last() { return *ensemble_.sessions.back(); }
  void Deliver(coord::v1::SessionResponse frame) { Last().Deliver(executor_, std::move(frame)); }
  void Break() { Last().End(executor_, absl::UnavailableError("connection reset")); }

  // Sets a znode and puts what came of it in `results_` under the value.
  void Set(const std::string& value) {
    client_->Set("/a", value, kAnyVersion, {}, [this, value](absl::StatusOr<SetResult> result) {
      results_.emplace_back(value, result.status());
    });
  }
  void Get(const std::string& label) {
    client_->Get("/a", {}, [this, label](absl::StatusOr<GetResult> result) {
      results_.emplace_back(label, result.status());
    });
  }

  // "data/sequence" of the writes and "get" of the reads sent on the last connection.
  std::vector<std::string> Sent() {
    std::vector<std::string> sent;
    for (const coord::v1::Request& request : Last().Requests()) {
      sent.push_back(request.has_set_data()
                         ? request.set_data().data() + "/" + std::to_string(request.sequence())
                         : "get");
    }
    return sent;
  }

  // "value outcome" of all results so far.
  std::vector<std::string> Results() {
    std::vector<std::string> texts;
    for (const auto& [value, status] : results_) {
      texts.push_back(value + (status.ok() ? " ok"
                               : base::OutcomeOf(status) == base::Outcome::kUnknown
                                   ? " unknown"
                                   : " rejected"));
    }
    return texts;
  }

  ManualExecutor executor_;
  FakeEnsemble ensemble_;
  std::vector<SessionState> states_;
  std::vector<std::pair<std::string, absl::Status>> results_;
  std::unique_ptr<CoordClient> client_;
};

}  // namespace bellwether::client
