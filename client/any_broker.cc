#include "client/any_broker.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "client/errors.h"
#include "fmt/format.h"

namespace bellwether::client {
namespace {

constexpr absl::Duration kPause = absl::Milliseconds(100);
constexpr absl::Duration kAttemptTimeout = absl::Seconds(3);
constexpr int kStaleAnswersMax = 10;

const char* SourceName(broker::v1::ConfigSource source) {
  switch (source) {
    case broker::v1::CONFIG_SOURCE_TOPIC:
      return "topic";
    case broker::v1::CONFIG_SOURCE_BROKER:
      return "broker";
    default:
      return "default";
  }
}

std::vector<BrokerId> Ids(const google::protobuf::RepeatedField<int32_t>& values) {
  std::vector<BrokerId> ids;
  for (const int32_t value : values) ids.emplace_back(value);
  return ids;
}

TopicInfo ToTopic(const broker::v1::TopicInfo& from) {
  TopicInfo topic{.name = from.name()};
  topic.topic_id = base::Uuid::FromBytes(from.topic_id()).value_or(base::Uuid());
  for (const auto& p : from.partitions()) {
    topic.partitions.push_back({.partition = p.partition(),
                                .leader = BrokerId(p.leader()),
                                .leader_epoch = LeaderEpoch(p.leader_epoch()),
                                .replicas = Ids(p.replicas()),
                                .isr = Ids(p.isr())});
  }
  for (const auto& config : from.configs()) {
    topic.configs.push_back({config.name(), config.value(), SourceName(config.source())});
  }
  return topic;
}

absl::StatusOr<ClusterInfo> ToCluster(const broker::v1::MetadataResponse& from) {
  ClusterInfo cluster;
  cluster.ensemble_id = base::Uuid::FromBytes(from.ensemble_id()).value_or(base::Uuid());
  cluster.zxid = from.zxid();
  cluster.controller_id = BrokerId(from.controller_id());
  cluster.controller_epoch = from.controller_epoch();
  for (const auto& b : from.brokers()) {
    cluster.brokers.push_back({.id = BrokerId(b.id()),
                               .up = b.up(),
                               .epoch = b.epoch(),
                               .grpc = b.grpc(),
                               .rack = b.rack(),
                               .started_ms = b.started_ms()});
  }
  for (const auto& topic : from.topics()) {
    if (topic.has_error()) return FromWire(topic.error());
    cluster.topics.push_back(ToTopic(topic));
  }
  return cluster;
}

// Whether the answer is to the question, as its readers take for granted.
absl::Status CheckAnswer(const broker::v1::MetadataRequest& request,
                         const broker::v1::MetadataResponse& response) {
  if (!request.topics().empty() && request.topics_size() != response.topics_size()) {
    return absl::InternalError(fmt::format("the broker described {} topics instead of {}",
                                           response.topics_size(), request.topics_size()));
  }
  for (const auto& topic : response.topics()) {
    for (int p = 0; p < topic.partitions_size(); ++p) {
      if (topic.partitions(p).partition() == p) continue;
      return absl::InternalError(
          fmt::format("the broker described topic '{}' without partition {}", topic.name(), p));
    }
  }
  return absl::OkStatus();
}

// What became of a call that changes something, sent to a broker that was there a moment ago.
template <typename Response>
absl::Status Settle(const absl::StatusOr<Response>& response, std::string_view what) {
  if (!response.ok()) {
    return AsUnknown(base::Annotate(response.status(),
                                    fmt::format("it is unknown whether {} took effect", what)));
  }
  return response->has_error() ? FromWire(response->error()) : absl::OkStatus();
}

}  // namespace

// One look for a broker that answers.
struct AnyBroker::Search {
  broker::v1::MetadataRequest request;
  absl::Duration deadline;
  size_t tried = 0;  // brokers of this round; a pause follows when all were
  absl::Status last_error;
  absl::AnyInvocable<void(absl::StatusOr<broker::v1::MetadataResponse>, const std::string&)> done;
};

AnyBroker::AnyBroker(std::vector<std::string> addresses, BrokerConnector& connector,
                     base::Clock& clock, base::Executor& executor, uint64_t seed)
    : connector_(connector),
      clock_(clock),
      executor_(executor),
      configured_(std::move(addresses)),
      next_(base::Random(seed).Below(configured_.size())) {}

AnyBroker::~AnyBroker() { *alive_ = false; }

void AnyBroker::Find(std::shared_ptr<Search> search) {
  const size_t count = configured_.size() + learned_.size();
  const absl::Duration left = search->deadline - clock_.Monotonic();
  if (left <= absl::ZeroDuration()) {
    search->done(
        absl::UnavailableError(fmt::format(
            "no broker answers (asked {}; last error: {}); check that brokers run and that the "
            "addresses are theirs",
            fmt::join(configured_, ", "),
            search->last_error.ok() ? "timed out" : base::StdView(search->last_error.message()))),
        "");
    return;
  }
  if (search->tried >= count) {
    executor_.RunAfter(std::min(kPause, left), [this, search, alive = alive_] {
      if (!*alive) return;
      search->tried = 0;
      Find(search);
    });
    return;
  }
  const size_t index = next_ % count;
  next_ = index + 1;
  const std::string address =
      index < configured_.size() ? configured_[index] : learned_[index - configured_.size()];
  connector_.Metadata(address, std::min(left, kAttemptTimeout), search->request,
                      [this, search, address, alive = alive_](auto response) {
                        if (*alive) OnAnswer(search, address, std::move(response));
                      });
}

void AnyBroker::OnAnswer(std::shared_ptr<Search> search, std::string address,
                         absl::StatusOr<broker::v1::MetadataResponse> response) {
  absl::Status status = response.status();
  if (status.ok()) status = CheckAnswer(search->request, *response);
  if (!status.ok()) {
    search->last_error = std::move(status);
    ++search->tried;
    Find(std::move(search));
    return;
  }
  Learn(*response);
  StayWith(address);
  search->done(std::move(response), address);
}

void AnyBroker::Learn(const broker::v1::MetadataResponse& response) {
  if (ensemble_id_.IsNil()) {
    ensemble_id_ = base::Uuid::FromBytes(response.ensemble_id()).value_or(base::Uuid());
  }
  learned_.clear();
  for (const auto& broker : response.brokers()) {
    const bool known = std::find(configured_.begin(), configured_.end(), broker.grpc()) !=
                       configured_.end();
    if (broker.up() && !broker.grpc().empty() && !known) learned_.push_back(broker.grpc());
  }
}

void AnyBroker::StayWith(const std::string& address) {
  const auto configured = std::find(configured_.begin(), configured_.end(), address);
  const auto learned = std::find(learned_.begin(), learned_.end(), address);
  next_ = static_cast<size_t>(configured - configured_.begin());
  if (configured == configured_.end()) next_ += static_cast<size_t>(learned - learned_.begin());
}

void AnyBroker::Judge(bool was_news) {
  stale_answers_ = was_news ? 0 : stale_answers_ + 1;
  if (stale_answers_ < kStaleAnswersMax) return;
  stale_answers_ = 0;
  ++next_;
}

void AnyBroker::Metadata(std::vector<std::string> topics, absl::Duration timeout,
                         Done<ClusterInfo> done) {
  auto search = std::make_shared<Search>();  // shared by the callbacks of its attempts
  for (std::string& topic : topics) search->request.add_topics(std::move(topic));
  search->deadline = clock_.Monotonic() + timeout;
  search->done = [done = std::move(done)](auto response, const std::string&) mutable {
    done(response.ok() ? ToCluster(*response) : response.status());
  };
  Find(std::move(search));
}

void AnyBroker::CreateTopic(broker::v1::CreateTopicRequest request, absl::Duration timeout,
                            Done<base::Uuid> done) {
  auto search = std::make_shared<Search>();  // shared by the callbacks of its attempts
  search->deadline = clock_.Monotonic() + timeout;
  search->request.add_topics(request.name());
  search->done = [this, deadline = search->deadline, request = std::move(request),
                  done = std::move(done)](auto found, const std::string& address) mutable {
    if (!found.ok()) return done(found.status());
    if (!ensemble_id_.IsNil()) request.set_ensemble_id(ensemble_id_.Bytes());
    connector_.CreateTopic(
        address, deadline - clock_.Monotonic(), std::move(request),
        [done = std::move(done)](absl::StatusOr<broker::v1::CreateTopicResponse> response) mutable {
          const absl::Status status = Settle(response, "the creation of the topic");
          if (!status.ok()) return done(status);
          done(base::Uuid::FromBytes(response->topic_id()).value_or(base::Uuid()));
        });
  };
  Find(std::move(search));
}

void AnyBroker::DeleteTopic(std::string name, absl::Duration timeout, Done<bool> done) {
  auto search = std::make_shared<Search>();  // shared by the callbacks of its attempts
  search->deadline = clock_.Monotonic() + timeout;
  search->request.add_topics(name);
  search->done = [this, deadline = search->deadline, name = std::move(name),
                  done = std::move(done)](auto found, const std::string& address) mutable {
    if (!found.ok()) return done(found.status());
    broker::v1::DeleteTopicRequest request;
    request.set_name(std::move(name));
    if (!ensemble_id_.IsNil()) request.set_ensemble_id(ensemble_id_.Bytes());
    connector_.DeleteTopic(
        address, deadline - clock_.Monotonic(), std::move(request),
        [done = std::move(done)](absl::StatusOr<broker::v1::DeleteTopicResponse> response) mutable {
          const absl::Status status = Settle(response, "the deletion of the topic");
          if (!status.ok()) return done(status);
          done(true);
        });
  };
  Find(std::move(search));
}

}  // namespace bellwether::client
