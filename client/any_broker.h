#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"
#include "client/broker_channel.h"
#include "client/broker_types.h"

namespace bellwether::client {

// Calls that any broker can answer, sent to one that does: addresses are tried in turn, those of
// brokers learned on the way included, with a pause after each round, until one answers or the
// deadline passes. Owned by one executor; all calls and callbacks there. Destruction drops what is
// outstanding.
class AnyBroker {
 public:
  template <typename Result>
  using Done = absl::AnyInvocable<void(absl::StatusOr<Result>)>;

  // `addresses` is not empty; connector, clock and executor outlive this.
  AnyBroker(std::vector<std::string> addresses, BrokerConnector& connector, base::Clock& clock,
            base::Executor& executor, uint64_t seed);
  ~AnyBroker();

  // Topics by name, or all (without configs). A topic that doesn't exist gives NOT_FOUND, reason
  // "unknown_topic_or_partition".
  void Metadata(std::vector<std::string> topics, absl::Duration timeout, Done<ClusterInfo> done);

  // Says whether the last answer of Metadata was news. A broker that is cut off from the others
  // answers, but never with any: after ten answers in a row that were none another one is asked.
  void Judge(bool was_news);

  // Sent once, to a broker that has just answered: an error after that is an unknown outcome. A
  // broker of another cluster than that of the first answer refuses.
  void CreateTopic(broker::v1::CreateTopicRequest request, absl::Duration timeout,
                   Done<base::Uuid> done);
  void DeleteTopic(std::string name, absl::Duration timeout, Done<bool> done);

 private:
  struct Search;

  // Gives the address of a broker that answers and what it said.
  void Find(std::shared_ptr<Search> search);
  void OnAnswer(std::shared_ptr<Search> search, std::string address,
                absl::StatusOr<broker::v1::MetadataResponse> response);
  // The brokers, and which cluster they are of.
  void Learn(const broker::v1::MetadataResponse& response);
  // Asks this one first the next time.
  void StayWith(const std::string& address);

  BrokerConnector& connector_;
  base::Clock& clock_;
  base::Executor& executor_;
  const std::vector<std::string> configured_;
  std::vector<std::string> learned_;
  base::Uuid ensemble_id_;  // of coord, as the first broker that knew it said; nil before
  int stale_answers_ = 0;  // in a row
  size_t next_ = 0;  // to be asked: place among the configured, then the learned ones
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // watched by late callbacks
};

}  // namespace bellwether::client
