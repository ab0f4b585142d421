// Connections that are served only by a server in contact with a leader.
#include "gmock/gmock.h"
#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {
namespace {

using testing::HasSubstr;

class ContactTest : public ServiceTest {
 protected:
  std::shared_ptr<TestClient> ConnectInContact() {
    AttachRequest request = NewSession(++last_nonce_);
    request.needs_contact = true;
    return Connect(request);
  }
  // No leader is known any more; contact with the last one counts for so long.
  void LoseLeader(absl::Duration left) {
    log_.SetLeader(false, clock_.Monotonic() + left);
    service_->OnTick(absl::Milliseconds(10));
  }
};

TEST_F(ContactTest, StaleReadsAreServedWhileContactCounts) {
  auto client = ConnectInContact();
  LoseLeader(absl::Milliseconds(300));
  const uint64_t read = client->AskStale(GetRead{"/"});
  Settle();
  EXPECT_EQ(client->ReasonOf(read), "ok");
  EXPECT_TRUE(service_->InContact());
}

TEST_F(ContactTest, TheConnectionIsGivenUpWhenItIsAskedLater) {
  auto client = ConnectInContact();
  auto other = Connect();
  LoseLeader(absl::Milliseconds(300));
  scheduler_.RunFor(absl::Milliseconds(400));
  EXPECT_FALSE(client->finished) << "nothing was asked";
  const uint64_t read = client->AskStale(GetRead{"/"});
  const uint64_t served = other->AskStale(GetRead{"/"});
  Settle();
  EXPECT_EQ(client->Find(read), nullptr);
  ASSERT_EQ(client->All<Detached>().size(), 1u);
  const Failure failure = client->All<Detached>()[0].failure;
  EXPECT_EQ(failure.code, absl::StatusCode::kUnavailable);
  EXPECT_EQ(failure.outcome, base::Outcome::kUnknown);
  EXPECT_THAT(failure.message, HasSubstr("use another server"));
  EXPECT_TRUE(client->finished);
  EXPECT_EQ(other->ReasonOf(served), "ok") << "which did not ask for contact";
}

TEST_F(ContactTest, APingIsEnoughToGiveItUp) {
  auto client = ConnectInContact();
  LoseLeader(-absl::Milliseconds(1));
  client->Send(Ping());
  Settle();
  EXPECT_EQ(client->All<Detached>().size(), 1u);
}

// A read that came in time and waited for a write.
TEST_F(ContactTest, WhatWaitedIsNotEvaluatedAfterwards) {
  auto client = ConnectInContact();
  log_.Hold();
  client->Create("/a");
  const uint64_t read = client->AskStale(GetRead{"/a"});
  Settle();
  LoseLeader(-absl::Milliseconds(1));
  log_.Release();
  Settle();
  EXPECT_EQ(client->Find(read), nullptr);
  EXPECT_EQ(client->All<Detached>().size(), 1u);
}

TEST_F(ContactTest, APingKeepsTheSessionAlive) {
  auto client = Connect(NewSession(5, 1'000));
  auto silent = Connect(NewSession(6, 1'000));
  for (int i = 0; i < 100; ++i) {
    if (i % 10 == 0) client->Send(Ping());
    service_->OnTick(absl::Milliseconds(50));
    scheduler_.RunFor(absl::Milliseconds(50));
  }
  EXPECT_FALSE(client->finished);
  EXPECT_TRUE(silent->finished);
  EXPECT_EQ(client->frames.size(), 1u) << "a ping is not answered here";
}

}  // namespace
}  // namespace bellwether::coord
