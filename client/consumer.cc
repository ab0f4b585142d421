#include "client/consumer.h"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/random.h"
#include "base/rendezvous.h"
#include "base/status.h"
#include "client/admin.h"
#include "client/any_broker.h"
#include "client/broker_runtime.h"
#include "client/errors.h"
#include "client/offsets.h"
#include "fmt/format.h"

namespace bellwether::client {
namespace {

constexpr absl::Duration kRetryPause = absl::Milliseconds(100);
constexpr size_t kBatchBytesMax = size_t{64} << 20;  // larger ones are taken for damage

// A partition being read. Fields are the receiving thread's.
struct Reading {
  int32_t partition = 0;
  Offset next;                   // to be received
  uint64_t subscription_id = 0;  // 0: not subscribed now
};

// A stream to one broker and the subscriptions on it.
struct Source {
  std::unique_ptr<ConsumeCall> call;
  absl::flat_hash_map<uint64_t, Reading*> readings;  // by subscription id
};

// What a consumer starts from, learned before it exists.
struct Beginning {
  ClusterInfo cluster;
  std::vector<Reading> readings;
  std::map<int32_t, Offset> ends;
};

// Threads: Poll runs on the caller's thread and touches only what mutex_ guards; streams and
// positions of receiving are executor_'s.
class ReadingConsumer : public Consumer {
 public:
  ReadingConsumer(Options options, Beginning beginning, std::unique_ptr<BrokerRuntime> runtime);
  ~ReadingConsumer() override;

  absl::StatusOr<std::optional<ConsumedBatch>> Poll(absl::Duration timeout) override;
  void Interrupt() override;
  std::vector<int32_t> partitions() const override;
  Offset EndAtOpen(int32_t partition) const override { return ends_.at(partition); }
  Offset Position(int32_t partition) const override { return positions_.at(partition); }

 private:
  // On executor_:
  void SubscribeAll();
  void Subscribe(Reading& reading);
  void OnFrame(const std::string& address, const broker::v1::ConsumeResponse& frame);
  void OnSourceEnd(const std::string& address);
  void OnSubscriptionEnd(Reading& reading, const absl::Status& status);
  absl::Status TakeBatches(const std::string& address, Reading& reading,
                           const broker::v1::ConsumeResponse& frame);
  void GiveFirstCredit(const std::string& address);
  void OnPolled(const std::string& address, size_t bytes);
  void GiveCredit(const std::string& address, uint64_t bytes);
  void RefreshSoon();
  void Fail(const absl::Status& status);

  const Options options_;
  const std::map<int32_t, Offset> ends_;
  std::map<int32_t, Offset> positions_;  // of delivery; the polling thread's
  const std::unique_ptr<BrokerRuntime> runtime_;
  base::Executor& executor_;
  AnyBroker any_;                          // executor_
  ClusterInfo cluster_;                    // executor_
  std::vector<Reading> readings_;          // executor_
  std::map<std::string, Source> sources_;  // executor_; by address
  std::map<std::string, size_t> unpolled_bytes_;  // executor_; by address they came from
  uint64_t last_subscription_ = 0;         // executor_
  bool refreshing_ = false;                // executor_

  struct Received {
    ConsumedBatch batch;
    std::string address;
  };
  base::Mutex mutex_;
  base::CondVar received_;
  std::deque<Received> queue_ ABSL_GUARDED_BY(mutex_);
  bool interrupted_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

ReadingConsumer::ReadingConsumer(Options options, Beginning beginning,
                                 std::unique_ptr<BrokerRuntime> runtime)
    : options_(std::move(options)),
      ends_(std::move(beginning.ends)),
      runtime_(std::move(runtime)),
      executor_(runtime_->executor()),
      any_(options_.addresses, runtime_->connector(), runtime_->clock(), executor_,
           base::SystemRandom()),
      cluster_(std::move(beginning.cluster)),
      readings_(std::move(beginning.readings)) {
  for (const Reading& reading : readings_) positions_[reading.partition] = reading.next;
  executor_.Post([this] { SubscribeAll(); });
}

ReadingConsumer::~ReadingConsumer() {
  runtime_->Stop();
  sources_.clear();
}

std::vector<int32_t> ReadingConsumer::partitions() const {
  std::vector<int32_t> partitions;
  for (const auto& entry : positions_) partitions.push_back(entry.first);
  return partitions;
}

absl::StatusOr<std::optional<ConsumedBatch>> ReadingConsumer::Poll(absl::Duration timeout) {
  const absl::Duration deadline = base::SystemClock().Monotonic() + timeout;
  Received received;
  {
    base::MutexLock lock(mutex_);
    while (queue_.empty()) {
      if (std::exchange(interrupted_, false)) return std::nullopt;
      if (!failure_.ok()) return failure_;
      const absl::Duration left = deadline - base::SystemClock().Monotonic();
      if (left <= absl::ZeroDuration()) return std::nullopt;
      received_.WaitFor(mutex_, std::min(left, absl::Hours(1)));
    }
    received = std::move(queue_.front());
    queue_.pop_front();
  }
  positions_[received.batch.partition] = received.batch.next_offset;
  executor_.Post([this, address = std::move(received.address),
                  bytes = received.batch.bytes.size()] { OnPolled(address, bytes); });
  return std::move(received.batch);
}

void ReadingConsumer::Interrupt() {
  base::MutexLock lock(mutex_);
  interrupted_ = true;
  received_.SignalAll();
}

void ReadingConsumer::Fail(const absl::Status& status) {
  base::MutexLock lock(mutex_);
  if (failure_.ok()) failure_ = status;
  received_.SignalAll();
}

void ReadingConsumer::SubscribeAll() {
  for (Reading& reading : readings_) {
    if (reading.subscription_id == 0) Subscribe(reading);
  }
}

void ReadingConsumer::Subscribe(Reading& reading) {
  const TopicInfo& topic = cluster_.topics.front();
  const PartitionInfo& partition = topic.partitions[static_cast<size_t>(reading.partition)];
  const auto address = LeaderAddress(cluster_, topic, partition);
  if (!address.ok()) return RefreshSoon();
  reading.subscription_id = ++last_subscription_;
  Source& source = sources_[*address];
  if (source.call == nullptr) {
    StreamCallbacks<broker::v1::ConsumeResponse> callbacks;
    callbacks.on_frame = [this, a = *address](const broker::v1::ConsumeResponse& frame) {
      OnFrame(a, frame);
    };
    callbacks.on_end = [this, a = *address](const absl::Status&) { OnSourceEnd(a); };
    source.call = runtime_->connector().OpenConsume(*address, std::move(callbacks));
    GiveFirstCredit(*address);
  }
  source.readings[reading.subscription_id] = &reading;
  broker::v1::ConsumeRequest request;
  auto* const subscribe = request.mutable_subscribe();
  subscribe->set_subscription_id(reading.subscription_id);
  *subscribe->mutable_partition() = RefOf(topic, partition);
  subscribe->set_offset(reading.next.value());
  source.call->Send(std::move(request));
}

// What an earlier stream to this broker brought is credit for this one only when it is polled.
void ReadingConsumer::GiveFirstCredit(const std::string& address) {
  const size_t share = std::max<size_t>(options_.buffer_bytes_max / cluster_.brokers.size(), 1);
  const size_t unpolled = unpolled_bytes_[address];
  if (unpolled < share) GiveCredit(address, share - unpolled);
}

void ReadingConsumer::OnPolled(const std::string& address, size_t bytes) {
  unpolled_bytes_[address] -= bytes;
  GiveCredit(address, bytes);
}

void ReadingConsumer::GiveCredit(const std::string& address, uint64_t bytes) {
  const auto source = sources_.find(address);
  if (source == sources_.end()) return;
  broker::v1::ConsumeRequest request;
  request.mutable_credit()->set_bytes(bytes);
  source->second.call->Send(std::move(request));
}

void ReadingConsumer::OnFrame(const std::string& address,
                              const broker::v1::ConsumeResponse& frame) {
  Source& source = sources_[address];
  const auto it = source.readings.find(frame.subscription_id());
  if (it == source.readings.end()) {
    // Records of a subscription that has ended: the credit they used is given back.
    if (!frame.batches().empty()) GiveCredit(address, frame.batches().size());
    return;
  }
  Reading& reading = *it->second;
  const absl::Status status =
      frame.has_error() ? FromWire(frame.error()) : TakeBatches(address, reading, frame);
  if (status.ok()) return;
  source.readings.erase(it);
  OnSubscriptionEnd(reading, status);
}

absl::Status ReadingConsumer::TakeBatches(const std::string& address, Reading& reading,
                                          const broker::v1::ConsumeResponse& frame) {
  std::string_view rest = frame.batches();
  while (!rest.empty()) {
    const auto bytes = record::TakeBatch(rest);
    auto header = bytes.ok() ? record::ValidateBatch(*bytes, kBatchBytesMax)
                             : absl::StatusOr<record::BatchHeader>(bytes.status());
    if (!header.ok()) {
      return base::Annotate(header.status(),
                            fmt::format("partition {}/{} at offset {}", options_.topic,
                                        reading.partition, reading.next));
    }
    ConsumedBatch batch{.partition = reading.partition, .first_offset = reading.next};
    batch.next_offset = std::max(reading.next, Offset(header->next_offset()));
    batch.high_watermark = Offset(frame.high_watermark());
    batch.leader_epoch = LeaderEpoch(header->leader_epoch);
    batch.bytes = std::string(*bytes);
    unpolled_bytes_[address] += bytes->size();
    reading.next = batch.next_offset;
    base::MutexLock lock(mutex_);
    queue_.push_back({std::move(batch), address});
    received_.Signal();
  }
  return absl::OkStatus();
}

void ReadingConsumer::OnSourceEnd(const std::string& address) {
  auto source = sources_.extract(address);
  for (const auto& [id, reading] : source.mapped().readings) reading->subscription_id = 0;
  RefreshSoon();
}

void ReadingConsumer::OnSubscriptionEnd(Reading& reading, const absl::Status& status) {
  reading.subscription_id = 0;
  const bool moved = absl::IsUnavailable(status) || ReasonOf(status) == "fenced_leader_epoch" ||
                     ReasonOf(status) == "unknown_topic_or_partition";
  if (moved) {
    RefreshSoon();
  } else {
    Fail(status);
  }
}

void ReadingConsumer::RefreshSoon() {
  if (std::exchange(refreshing_, true)) return;
  executor_.RunAfter(kRetryPause, [this] {
    any_.Metadata({options_.topic}, options_.timeout, [this](auto cluster) {
      refreshing_ = false;
      if (!cluster.ok()) {
        if (absl::IsNotFound(cluster.status())) return Fail(cluster.status());
        return RefreshSoon();
      }
      if (cluster->topics.front().topic_id != cluster_.topics.front().topic_id) {
        return Fail(ErrorWithReason(
            absl::StatusCode::kNotFound, "unknown_topic_or_partition",
            fmt::format("topic '{}' was deleted and made again; open it anew to read the new one",
                        options_.topic)));
      }
      any_.Judge(!SameLeaders(cluster->topics.front(), cluster_.topics.front()));
      cluster_ = *std::move(cluster);
      SubscribeAll();
    });
  });
}

// Finds where each partition begins and ends, for Consumer::Open.
class Opening {
 public:
  Opening(const Consumer::Options& options, std::unique_ptr<BrokerRuntime> runtime)
      : options_(options),
        executor_(runtime->executor()),
        admin_(NewAdmin({.addresses = options.addresses, .timeout = options.timeout},
                        std::move(runtime))) {}

  absl::StatusOr<Beginning> Run() {
    for (absl::Duration waited;; waited += kRetryPause) {
      auto beginning = Try();
      if (!LeaderIsNew(beginning.status()) || waited >= options_.timeout) return beginning;
      const auto pause = base::Rendezvous<bool>::Make();
      executor_.RunAfter(kRetryPause, [pause] { pause->Set(true); });
      pause->Wait();
    }
  }

 private:
  // A leader that was named a moment ago may not have opened its log, or others not know of it.
  static bool LeaderIsNew(const absl::Status& status) {
    const auto reason = ReasonOf(status);
    return reason == "not_leader" || reason == "unknown_leader_epoch" ||
           reason == "fenced_leader_epoch";
  }

  absl::StatusOr<Beginning> Try() {
    Beginning beginning;
    ASSIGN_OR_RETURN(beginning.cluster, admin_->Describe({options_.topic}));
    const TopicInfo& topic = beginning.cluster.topics.front();
    std::vector<int32_t> wanted = options_.partitions;
    if (wanted.empty()) {
      for (const PartitionInfo& partition : topic.partitions) {
        wanted.push_back(partition.partition);
      }
    }
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    const auto ends = admin_->ListOffsets(beginning.cluster, topic, Admin::kEnd);
    auto starts = ends;
    if (options_.start.kind == StartPosition::Kind::kTimestamp) {
      starts = admin_->ListOffsets(beginning.cluster, topic, options_.start.value);
    }
    for (const int32_t partition : wanted) {
      if (partition < 0 || static_cast<size_t>(partition) >= topic.partitions.size()) {
        return absl::InvalidArgumentError(fmt::format("topic '{}' has partitions 0 to {}, not {}",
                                                      topic.name, topic.partitions.size() - 1,
                                                      partition));
      }
      const auto& end = ends[static_cast<size_t>(partition)];
      RETURN_IF_ERROR(end.status());
      RETURN_IF_ERROR(starts[static_cast<size_t>(partition)].status());
      ASSIGN_OR_RETURN(const Offset first,
                       First(partition, *end, *starts[static_cast<size_t>(partition)]));
      beginning.readings.push_back({.partition = partition, .next = first});
      beginning.ends[partition] = end->high_watermark;
    }
    return beginning;
  }

  absl::StatusOr<Offset> First(int32_t partition, const PartitionOffsets& end,
                               const PartitionOffsets& start) const {
    switch (options_.start.kind) {
      case StartPosition::Kind::kBeginning:
        return end.log_start_offset;
      case StartPosition::Kind::kEnd:
        return end.high_watermark;
      case StartPosition::Kind::kTail:
        return std::max(end.log_start_offset, end.high_watermark - options_.start.value);
      case StartPosition::Kind::kTimestamp:
        return start.offset;
      case StartPosition::Kind::kOffset:
        break;
    }
    const Offset offset(options_.start.value);
    if (offset < end.log_start_offset || offset > end.high_watermark) {
      return ErrorWithReason(
          absl::StatusCode::kOutOfRange, "offset_out_of_range",
          fmt::format("partition {}/{} has offsets {} to {}, not {}; start within them, or from "
                      "the beginning or the end",
                      options_.topic, partition, end.log_start_offset, end.high_watermark, offset));
    }
    return offset;
  }

  const Consumer::Options& options_;
  base::Executor& executor_;  // admin_'s
  const std::unique_ptr<Admin> admin_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Consumer>> OpenConsumer(Consumer::Options options,
                                                       const MakeBrokerRuntime& make_runtime) {
  ASSIGN_OR_RETURN(Beginning beginning, Opening(options, make_runtime("opening")).Run());
  return std::make_unique<ReadingConsumer>(std::move(options), std::move(beginning),
                                           make_runtime("consumer"));
}

absl::StatusOr<std::unique_ptr<Consumer>> Consumer::Open(Options options) {
  return OpenConsumer(std::move(options), NewGrpcBrokerRuntime);
}

}  // namespace bellwether::client
