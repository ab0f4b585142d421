#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {
namespace {

// A client that loses its connection and sends again what it has no answer to.
class RetryTest : public ServiceTest {
 protected:
  explicit RetryTest(ServiceOptions options = DefaultOptions()) : ServiceTest(options) {}

  static tree::Create Creation(std::string path) {
    return {std::move(path), tree::SharedBytes::Copy("x"), tree::CreateMode::kPersistentSequential};
  }

  // Sends a write under that number; it has acknowledged nothing, unless a test says so.
  static uint64_t Send(TestClient& client, uint64_t sequence, RequestOperation operation,
                       uint64_t floor = 1) {
    Request request = client.Make(std::move(operation));
    request.sequence = CommandSequence(sequence);
    request.acknowledged_floor = CommandSequence(floor);
    const uint64_t id = request.id;
    client.Send(std::move(request));
    return id;
  }

  static const CreateResult& Created(const TestClient& client, uint64_t id) {
    return std::get<CreateResult>(client.Find(id)->result);
  }
  static base::Outcome OutcomeOf(const TestClient& client, uint64_t id) {
    return client.Find(id)->failure->outcome;
  }
};

TEST_F(RetryTest, AttachedSaysWhetherResultsAreKept) {
  EXPECT_TRUE(Connect()->attached()->results_kept);
  AttachRequest read_only;
  read_only.read_only = true;
  EXPECT_FALSE(Connect(read_only)->attached()->results_kept);
}

TEST_F(RetryTest, AWriteThatIsSentAgainIsAnsweredAsTheFirstTime) {
  auto client = Connect();
  const uint64_t first = Send(*client, 1, Creation("/a-"));
  Send(*client, 2, Creation("/a-"));
  Settle();
  auto again = Connect(Again(*client));
  ASSERT_EQ(again->attached()->grant.last_sequence, CommandSequence(2));
  const uint64_t repeated = Send(*again, 1, Creation("/a-"));
  const uint64_t other = Send(*again, 2, Creation("/a-"));
  const uint64_t next = Send(*again, 3, Creation("/a-"), 3);
  Settle();
  EXPECT_EQ(again->ReasonOf(repeated), "ok");
  EXPECT_EQ(Created(*again, repeated).path, "/a-0000000000");
  EXPECT_EQ(Created(*again, repeated).stat, Created(*client, first).stat);
  EXPECT_EQ(again->Find(repeated)->zxid, client->Find(first)->zxid);
  EXPECT_EQ(Created(*again, other).path, "/a-0000000001");
  EXPECT_EQ(Created(*again, next).path, "/a-0000000002");
  const std::string metrics = metrics_.Text();
  EXPECT_THAT(metrics, testing::HasSubstr("bell_repeated_writes_total 2\n"));
  EXPECT_THAT(metrics, testing::HasSubstr("bell_kept_results 1\n"));
}

TEST_F(RetryTest, AForgottenResultIsOfUnknownOutcome) {
  auto client = Connect();
  Send(*client, 1, Creation("/a-"), 0);
  Settle();
  auto again = Connect(Again(*client));
  const uint64_t repeated = Send(*again, 1, Creation("/a-"));
  const uint64_t next = Send(*again, 2, Creation("/a-"));
  Settle();
  EXPECT_EQ(again->ReasonOf(repeated), "result_forgotten");
  EXPECT_EQ(OutcomeOf(*again, repeated), base::Outcome::kUnknown);
  EXPECT_NE(again->Find(repeated)->zxid, Zxid());
  EXPECT_EQ(again->ReasonOf(next), "ok");
  EXPECT_THAT(metrics_.Text(), testing::HasSubstr("bell_forgotten_results_total 1\n"));
}

TEST_F(RetryTest, AnotherOperationOfTheSameNumberIsRejected) {
  auto client = Connect();
  Send(*client, 1, Creation("/a-"));
  Settle();
  auto again = Connect(Again(*client));
  const uint64_t other = Send(*again, 1, Creation("/b-"));
  Settle();
  EXPECT_EQ(again->ReasonOf(other), "sequence_reused");
  EXPECT_EQ(OutcomeOf(*again, other), base::Outcome::kRejected);
}

TEST_F(RetryTest, NumbersOfThisConnectionAreNotRepeated) {
  auto client = Connect();
  const uint64_t first = Send(*client, 1, Creation("/a-"));
  const uint64_t again = Send(*client, 1, Creation("/a-"));
  const uint64_t next = Send(*client, 2, Creation("/a-"));
  Settle();
  EXPECT_EQ(client->ReasonOf(first), "ok");
  EXPECT_EQ(client->ReasonOf(again), "sequence_gap");
  EXPECT_EQ(client->ReasonOf(next), "ok");
}

// It was applied, so that a refusal does not mean that nothing happened.
TEST_F(RetryTest, ARefusedRepetitionIsOfUnknownOutcomeAndGivesBackNoNumber) {
  auto client = Connect();
  Send(*client, 1, Creation("/a-"));
  Settle();
  auto again = Connect(Again(*client));
  log_.Hold();
  log_.RejectNext();
  const uint64_t repeated = Send(*again, 1, Creation("/a-"));
  const uint64_t with_it = Send(*again, 2, Creation("/b-"));
  Settle();
  log_.Release();
  Settle();
  EXPECT_EQ(again->Find(repeated)->failure->code, absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(OutcomeOf(*again, repeated), base::Outcome::kUnknown);
  EXPECT_EQ(OutcomeOf(*again, with_it), base::Outcome::kRejected);
  const uint64_t once_more = Send(*again, 1, Creation("/a-"));
  const uint64_t next = Send(*again, 2, Creation("/b-"));
  Settle();
  EXPECT_EQ(again->ReasonOf(once_more), "ok");
  EXPECT_EQ(Created(*again, next).path, "/b-0000000001");
}

TEST_F(RetryTest, ARefusedRepetitionAloneGivesBackNoNumber) {
  auto client = Connect();
  Send(*client, 1, Creation("/a-"));
  Settle();
  auto again = Connect(Again(*client));
  log_.RejectNext();
  Send(*again, 1, Creation("/a-"));
  Settle();
  const uint64_t large = Send(
      *again, 1,
      tree::SetData{"/a", tree::SharedBytes::Copy(std::string(tree::kDataBytesMax + 1, 'x'))});
  const uint64_t next = Send(*again, 2, Creation("/b-"));
  Settle();
  EXPECT_EQ(again->ReasonOf(large), "too_large");
  EXPECT_EQ(OutcomeOf(*again, large), base::Outcome::kUnknown);
  EXPECT_EQ(again->ReasonOf(next), "ok");
}

TEST_F(RetryTest, AFailedTransactionIsToldByTheClientsPositionsAgain) {
  auto client = Connect();
  tree::Transaction transaction;
  transaction.compares = {{"/", tree::Compare::Field::kExists, 1},
                          {"/", tree::Compare::Field::kVersion, 7}};
  const auto send = [&](TestClient& to) {
    Request request = to.Make(transaction);
    request.sequence = request.acknowledged_floor = CommandSequence(1);
    request.compare_positions = {4, 5};
    const uint64_t id = request.id;
    to.Send(std::move(request));
    Settle();
    return std::get<TransactionResult>(to.Find(id)->result).failed_compare;
  };
  EXPECT_EQ(send(*client), 5);
  auto again = Connect(Again(*client));
  EXPECT_EQ(send(*again), 5);
}

class OlderEnsembleTest : public RetryTest {
 protected:
  static ServiceOptions Older() {
    ServiceOptions options = DefaultOptions();
    options.feature_levels = {1, 3};
    return options;
  }
  OlderEnsembleTest() : RetryTest(Older()) {}
};

TEST_F(OlderEnsembleTest, KeepsNothing) {
  auto client = Connect();
  EXPECT_FALSE(client->attached()->results_kept);
  Send(*client, 1, Creation("/a-"));
  Settle();
  auto again = Connect(Again(*client));
  const uint64_t repeated = Send(*again, 1, Creation("/a-"));
  const uint64_t next = Send(*again, 2, Creation("/a-"));
  Settle();
  EXPECT_EQ(again->ReasonOf(repeated), "sequence_gap");
  EXPECT_EQ(again->ReasonOf(next), "ok");
}

}  // namespace
}  // namespace bellwether::coord
