#include "client/producer.h"

#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/check.h"
#include "base/mutex.h"
#include "base/random.h"
#include "base/record/partitioner.h"
#include "base/rendezvous.h"
#include "base/status.h"
#include "client/any_broker.h"
#include "client/broker_runtime.h"
#include "client/errors.h"
#include "client/offsets.h"
#include "client/producer_batches.h"
#include "fmt/format.h"

namespace bellwether::client {
namespace {

constexpr absl::Duration kRetryPause = absl::Milliseconds(100);
constexpr absl::Duration kDeadlineCheck = absl::Milliseconds(100);

struct Topic;

// A partition that is being sent to. The batches are guarded by the producer's lock; the rest is
// the sending thread's.
struct Queue {
  Queue(Topic& t, int32_t p, const record::BatchBuilder::Options& o, absl::Duration timeout)
      : topic(t), partition(p), batches(o, timeout) {}

  Topic& topic;
  const int32_t partition;
  PartitionBatches batches;
  std::optional<ProducerBatch> in_flight;
  uint64_t request_id = 0;  // of in_flight
  bool waits_for_retry = false;
};

struct Topic {
  std::string name;
  std::shared_ptr<const ClusterInfo> cluster;  // shared with readers; replaced as a whole
  std::vector<std::unique_ptr<Queue>> queues;  // one per partition
  int32_t sticky = -1;                         // partition of null keys; -1: choose one
  bool refreshing = false;                     // the sending thread's

  const TopicInfo& info() const { return cluster->topics.front(); }
};

// A stream to one broker and what is under way on it.
struct Link {
  std::unique_ptr<ProduceCall> call;
  absl::flat_hash_map<uint64_t, Queue*> in_flight;  // by request id
};

// A batch with its outcome, to be told after the lock is released.
struct Settled {
  ProducerBatch batch;
  absl::Status status;
  int32_t partition = 0;
  int64_t base_offset = 0;
};

// Threads: Send and Flush run on callers' threads and touch only what mutex_ guards; sending,
// answers and deadlines run on executor_.
class SendingProducer : public Producer {
 public:
  SendingProducer(Options options, std::unique_ptr<BrokerRuntime> runtime);
  ~SendingProducer() override;

  absl::Status Send(const std::string& topic, const ProducerRecord& record, Done done) override;
  void Flush() override;

 private:
  absl::StatusOr<Topic*> TopicOf(const std::string& name);
  absl::StatusOr<ClusterInfo> Describe(const std::string& name);
  absl::StatusOr<int32_t> PartitionOf(Topic& topic, const ProducerRecord& record)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int32_t Sticky(Topic& topic) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Has every open batch sent, full or not, as its partition's turn comes.
  void SendOpen() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // On executor_:
  void Linger(Queue& queue);
  void Pump(Queue& queue);
  void Retry(Queue& queue);
  void Refresh(Topic& topic);
  Link& LinkTo(const std::string& address);
  void OnResponse(const std::string& address, const broker::v1::ProduceResponse& response);
  void OnLinkEnd(const std::string& address, const absl::Status& status);
  void OnFailure(Queue& queue, const absl::Status& status);
  void CheckDeadlines();
  // False: it is another topic of the same name.
  bool Update(Topic& topic, ClusterInfo cluster);
  // The topic was deleted: fails what waits; who sends to the name again looks for it anew.
  void GiveUp(Topic& topic, const absl::Status& status);
  void Settle(Settled settled);

  const Options options_;
  const record::BatchBuilder::Options batch_options_;
  const std::unique_ptr<BrokerRuntime> runtime_;
  base::Clock& clock_;
  base::Executor& executor_;
  AnyBroker any_;                      // executor_
  std::map<std::string, Link> links_;  // executor_; by address
  uint64_t last_request_ = 0;          // executor_

  base::Mutex mutex_;
  base::CondVar room_;
  base::Random random_ ABSL_GUARDED_BY(mutex_);
  // All topics ever sent to: queues stay where tasks expect them.
  std::vector<std::unique_ptr<Topic>> topics_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Topic*> topics_by_name_ ABSL_GUARDED_BY(mutex_);
  size_t buffered_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

SendingProducer::SendingProducer(Options options, std::unique_ptr<BrokerRuntime> runtime)
    : options_(std::move(options)),
      batch_options_{.compression = options_.compression, .bytes_max = options_.batch_bytes_max},
      runtime_(std::move(runtime)),
      clock_(runtime_->clock()),
      executor_(runtime_->executor()),
      any_(options_.addresses, runtime_->connector(), clock_, executor_, base::SystemRandom()),
      random_(base::SystemRandom()) {
  executor_.RunAfter(kDeadlineCheck, [this] { CheckDeadlines(); });
}

SendingProducer::~SendingProducer() {
  runtime_->Stop();
  links_.clear();
  std::vector<Settled> settled;
  {
    base::MutexLock lock(mutex_);
    for (auto& topic : topics_) {
      for (auto& queue : topic->queues) {
        if (queue->in_flight.has_value()) {
          settled.push_back({*std::exchange(queue->in_flight, std::nullopt),
                             base::UnknownOutcome(absl::StatusCode::kCancelled,
                                                  "the producer was closed while waiting")});
        }
        for (ProducerBatch& batch : queue->batches.TakeAll()) {
          settled.push_back({std::move(batch), absl::CancelledError("the producer was closed")});
        }
      }
    }
  }
  for (Settled& one : settled) Settle(std::move(one));
}

absl::StatusOr<ClusterInfo> SendingProducer::Describe(const std::string& name) {
  auto result = base::Rendezvous<absl::StatusOr<ClusterInfo>>::Make();
  executor_.Post([this, name, result] {
    any_.Metadata({name}, options_.metadata_timeout,
                   [result](auto cluster) { result->Set(std::move(cluster)); });
  });
  return result->Wait();
}

absl::StatusOr<Topic*> SendingProducer::TopicOf(const std::string& name) {
  {
    base::MutexLock lock(mutex_);
    const auto it = topics_by_name_.find(name);
    if (it != topics_by_name_.end()) return it->second;
  }
  ASSIGN_OR_RETURN(ClusterInfo cluster, Describe(name));
  if (cluster.topics.front().partitions.empty()) {
    return absl::UnavailableError(fmt::format("topic '{}' has no partitions yet; try again", name));
  }
  auto topic = std::make_unique<Topic>();
  topic->name = name;
  topic->cluster = std::make_shared<const ClusterInfo>(std::move(cluster));
  for (const PartitionInfo& partition : topic->info().partitions) {
    topic->queues.push_back(std::make_unique<Queue>(*topic, partition.partition, batch_options_,
                                                    options_.delivery_timeout));
  }
  base::MutexLock lock(mutex_);
  const auto [entry, is_new] = topics_by_name_.try_emplace(name, topic.get());
  if (is_new) topics_.push_back(std::move(topic));
  return entry->second;
}

int32_t SendingProducer::Sticky(Topic& topic) {
  if (topic.sticky >= 0) return topic.sticky;
  std::vector<int32_t> online;
  for (const PartitionInfo& partition : topic.info().partitions) {
    if (partition.leader.value() >= 0) online.push_back(partition.partition);
  }
  topic.sticky = online.empty()
                     ? static_cast<int32_t>(random_.Below(topic.queues.size()))
                     : online[random_.Below(online.size())];
  return topic.sticky;
}

absl::StatusOr<int32_t> SendingProducer::PartitionOf(Topic& topic, const ProducerRecord& record) {
  const auto count = static_cast<int32_t>(topic.queues.size());
  if (record.partition.has_value()) {
    if (*record.partition < 0 || *record.partition >= count) {
      return absl::InvalidArgumentError(fmt::format("topic '{}' has partitions 0 to {}, not {}",
                                                    topic.name, count - 1, *record.partition));
    }
    return *record.partition;
  }
  if (record.key.has_value()) return record::PartitionForKey(*record.key, count);
  return Sticky(topic);
}

absl::Status SendingProducer::Send(const std::string& topic_name, const ProducerRecord& record,
                                   Done done) {
  ASSIGN_OR_RETURN(Topic* const topic, TopicOf(topic_name));
  record::Record item{.timestamp_ms = record.timestamp_ms,
                      .key = record.key,
                      .value = record.value,
                      .headers = record.headers};
  if (item.timestamp_ms == record::kNoTimestamp) {
    item.timestamp_ms = clock_.WallMillis();
  }
  const size_t bytes = record::RecordBytesMax(item);
  bool start_linger = false, pump = false;
  Queue* queue = nullptr;
  {
    base::MutexLock lock(mutex_);
    while (buffered_bytes_ > 0 && buffered_bytes_ + bytes > options_.buffer_bytes_max) {
      SendOpen();  // company that they linger for can't come
      room_.Wait(mutex_);
    }
    ASSIGN_OR_RETURN(const int32_t partition, PartitionOf(*topic, record));
    queue = topic->queues[static_cast<size_t>(partition)].get();
    const bool was_open = queue->batches.has_open();
    const size_t waiting = queue->batches.waiting();
    RETURN_IF_ERROR(queue->batches.Append(item, bytes, clock_.Monotonic(), done));
    buffered_bytes_ += bytes;
    const bool filled = queue->batches.waiting() > waiting;
    if (filled && topic->sticky == partition) topic->sticky = -1;
    pump = filled && waiting == 0;
    start_linger = !was_open || filled;
  }
  if (pump) executor_.Post([this, queue] { Pump(*queue); });
  if (start_linger) {
    executor_.RunAfter(options_.linger, [this, queue] { Linger(*queue); });
  }
  return absl::OkStatus();
}

void SendingProducer::Linger(Queue& queue) {
  // With a batch under way the open one goes on filling: it is finished when its turn comes.
  if (!queue.in_flight.has_value()) Pump(queue);
}

void SendingProducer::SendOpen() {
  for (auto& topic : topics_) {
    for (auto& queue : topic->queues) {
      if (queue->batches.has_open()) executor_.Post([this, q = queue.get()] { Pump(*q); });
    }
  }
}

void SendingProducer::Flush() {
  base::MutexLock lock(mutex_);
  SendOpen();
  while (buffered_bytes_ > 0) room_.Wait(mutex_);
}

void SendingProducer::Pump(Queue& queue) {
  if (queue.in_flight.has_value() || queue.waits_for_retry) return;
  ProducerBatch batch;
  std::shared_ptr<const ClusterInfo> cluster;
  {
    base::MutexLock lock(mutex_);
    if (!queue.batches.has_waiting()) {
      CHECK(queue.batches.FinishOpen().ok());
      if (queue.topic.sticky == queue.partition) queue.topic.sticky = -1;
    }
    if (!queue.batches.has_waiting()) return;
    batch = queue.batches.TakeFirst();
    cluster = queue.topic.cluster;
  }
  const TopicInfo& info = cluster->topics.front();
  const PartitionInfo& partition = info.partitions[static_cast<size_t>(queue.partition)];
  const auto address = LeaderAddress(*cluster, info, partition);
  queue.in_flight = std::move(batch);
  if (!address.ok()) {
    OnFailure(queue, address.status());
    return;
  }
  queue.request_id = ++last_request_;
  broker::v1::ProduceRequest request;
  request.set_request_id(queue.request_id);
  *request.mutable_partition() = RefOf(info, partition);
  request.set_batch(queue.in_flight->bytes);
  Link& link = LinkTo(*address);
  link.in_flight[queue.request_id] = &queue;
  link.call->Send(std::move(request));
}

Link& SendingProducer::LinkTo(const std::string& address) {
  Link& link = links_[address];
  if (link.call == nullptr) {
    StreamCallbacks<broker::v1::ProduceResponse> callbacks;
    callbacks.on_frame = [this, address](const broker::v1::ProduceResponse& response) {
      OnResponse(address, response);
    };
    callbacks.on_end = [this, address](const absl::Status& status) { OnLinkEnd(address, status); };
    link.call = runtime_->connector().OpenProduce(address, std::move(callbacks));
  }
  return link;
}

void SendingProducer::OnResponse(const std::string& address,
                                 const broker::v1::ProduceResponse& response) {
  Link& link = links_[address];
  const auto it = link.in_flight.find(response.request_id());
  if (it == link.in_flight.end()) return;  // given up meanwhile
  Queue& queue = *it->second;
  link.in_flight.erase(it);
  if (response.has_error()) {
    OnFailure(queue, FromWire(response.error()));
    return;
  }
  Settle({*std::exchange(queue.in_flight, std::nullopt), absl::OkStatus(), queue.partition,
          response.base_offset()});
  Pump(queue);
}

void SendingProducer::OnLinkEnd(const std::string& address, const absl::Status& status) {
  auto link = links_.extract(address);
  for (const auto& [id, queue] : link.mapped().in_flight) OnFailure(*queue, status);
}

// Sends the batch under way again when that is safe and may help, else tells its outcome.
void SendingProducer::OnFailure(Queue& queue, const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  const bool may_help = absl::IsUnavailable(status) || reason == "fenced_leader_epoch" ||
                        reason == "unknown_topic_or_partition";
  ProducerBatch batch = *std::exchange(queue.in_flight, std::nullopt);
  const bool in_time = clock_.Monotonic() < batch.deadline;
  if (base::OutcomeOf(status) == base::Outcome::kUnknown || !may_help || !in_time) {
    Settle({std::move(batch), status, queue.partition});
    Retry(queue);
    return;
  }
  {
    base::MutexLock lock(mutex_);
    queue.batches.PutBack(std::move(batch));
  }
  Retry(queue);
}

void SendingProducer::Retry(Queue& queue) {
  if (std::exchange(queue.waits_for_retry, true)) return;
  Refresh(queue.topic);
  executor_.RunAfter(kRetryPause, [this, &queue] {
    queue.waits_for_retry = false;
    Pump(queue);
  });
}

void SendingProducer::Refresh(Topic& topic) {
  if (std::exchange(topic.refreshing, true)) return;
  any_.Metadata({topic.name}, options_.metadata_timeout, [this, &topic](auto cluster) {
    topic.refreshing = false;
    if (!cluster.ok()) {
      if (absl::IsNotFound(cluster.status())) GiveUp(topic, cluster.status());
      return;
    }
    if (!Update(topic, *std::move(cluster))) {
      GiveUp(topic, ErrorWithReason(
                        absl::StatusCode::kNotFound, "unknown_topic_or_partition",
                        fmt::format("topic '{}' was deleted and made again; records sent from now "
                                    "on go to the new one",
                                    topic.name)));
    }
  });
}

bool SendingProducer::Update(Topic& topic, ClusterInfo cluster) {
  base::MutexLock lock(mutex_);
  const TopicInfo& info = cluster.topics.front();
  if (info.topic_id != topic.info().topic_id) return false;
  any_.Judge(!SameLeaders(info, topic.info()));
  if (info.partitions.size() >= topic.queues.size()) {
    topic.cluster = std::make_shared<const ClusterInfo>(std::move(cluster));
    topic.sticky = -1;
  }
  return true;
}

void SendingProducer::GiveUp(Topic& topic, const absl::Status& status) {
  std::vector<Settled> settled;
  {
    base::MutexLock lock(mutex_);
    const auto current = topics_by_name_.find(topic.name);
    if (current != topics_by_name_.end() && current->second == &topic) {
      topics_by_name_.erase(current);
    }
    for (auto& queue : topic.queues) {
      for (ProducerBatch& batch : queue->batches.TakeAll()) {
        settled.push_back({std::move(batch), status, queue->partition});
      }
    }
  }
  for (Settled& one : settled) Settle(std::move(one));
}

void SendingProducer::CheckDeadlines() {
  const absl::Duration now = clock_.Monotonic();
  std::vector<Settled> settled;
  std::vector<Queue*> freed;
  const auto late = [this](std::string_view what) {
    return fmt::format("{} within {}", what, absl::FormatDuration(options_.delivery_timeout));
  };
  {
    base::MutexLock lock(mutex_);
    for (auto& topic : topics_) {
      for (auto& queue : topic->queues) {
        while (queue->batches.has_waiting() && queue->batches.first_deadline() <= now) {
          settled.push_back({queue->batches.TakeFirst(),
                             absl::DeadlineExceededError(late("could not be sent")),
                             queue->partition});
        }
        if (queue->in_flight.has_value() && queue->in_flight->deadline <= now) {
          for (auto& link : links_) link.second.in_flight.erase(queue->request_id);
          freed.push_back(queue.get());
          settled.push_back({*std::exchange(queue->in_flight, std::nullopt),
                             base::UnknownOutcome(absl::StatusCode::kDeadlineExceeded,
                                                  late("no answer from the broker")),
                             queue->partition});
        }
      }
    }
  }
  for (Settled& one : settled) Settle(std::move(one));
  for (Queue* const queue : freed) Pump(*queue);
  executor_.RunAfter(kDeadlineCheck, [this] { CheckDeadlines(); });
}

void SendingProducer::Settle(Settled settled) {
  for (size_t i = 0; i < settled.batch.records.size(); ++i) {
    AwaitedRecord& record = settled.batch.records[i];
    if (!settled.status.ok()) {
      record.done(settled.status);
      continue;
    }
    record.done(RecordLocation{
        .partition = settled.partition,
        .offset = Offset(settled.base_offset + static_cast<int64_t>(i)),
        .timestamp_ms = record.timestamp_ms});
  }
  base::MutexLock lock(mutex_);
  buffered_bytes_ -= settled.batch.buffered_bytes;
  room_.SignalAll();
}

}  // namespace

std::unique_ptr<Producer> NewProducer(Producer::Options options,
                                      std::unique_ptr<BrokerRuntime> runtime) {
  return std::make_unique<SendingProducer>(std::move(options), std::move(runtime));
}

std::unique_ptr<Producer> Producer::Create(Options options) {
  return NewProducer(std::move(options), NewGrpcBrokerRuntime("producer"));
}

}  // namespace bellwether::client
