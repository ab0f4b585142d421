#include "broker/service/consume_stream.h"

#include <algorithm>
#include <utility>

#include "base/record/record_batch.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::broker {
namespace {

size_t BytesOf(const std::vector<BatchRef>& batches) {
  size_t bytes = 0;
  for (const BatchRef& batch : batches) bytes += batch->size();
  return bytes;
}

}  // namespace

ConsumeStream::ConsumeStream(BrokerService& service, base::Executor& executor,
                             base::Metrics& metrics, Sink sink)
    : service_(service), executor_(executor),
      subscriptions_gauge_(metrics.AddGauge("bell_consume_subscriptions",
                                            "Partitions subscribed to by consume streams")),
      bytes_counter_(metrics.AddCounter("bell_consume_bytes_total",
                                        "Bytes of batches sent to consumers")),
      sink_(std::move(sink)) {}

ConsumeStream::~ConsumeStream() { Close(); }

void ConsumeStream::Subscribe(uint64_t id, const PartitionTarget& target, Offset offset) {
  if (closed_) return;
  if (subscriptions_.contains(id)) {
    return Fail(id, absl::AlreadyExistsError(fmt::format("subscription {} exists", id)), {});
  }
  if (subscriptions_.size() >= service_.limits().subscriptions_max) {
    return Fail(id,
                absl::ResourceExhaustedError(
                    fmt::format("a stream can have {} subscriptions; open another stream",
                                service_.limits().subscriptions_max)),
                {});
  }
  auto leadership = service_.Find(target);
  if (!leadership.ok()) return Fail(id, leadership.status(), {});

  Subscription& subscription = subscriptions_[id];
  subscriptions_gauge_.Add(1);
  subscription.target = target;
  subscription.leadership = *std::move(leadership);
  subscription.next = offset;
  subscription.number = ++last_number_;
  subscription.end_notification = subscription.leadership->NotifyOnEnd(
      Later(id, subscription.number, &ConsumeStream::OnLeadershipEnd));
  MakeReady(id, subscription);
  Pump();
}

void ConsumeStream::Unsubscribe(uint64_t id) {
  const auto it = subscriptions_.find(id);
  if (it != subscriptions_.end()) Drop(it);
}

void ConsumeStream::AddCredit(uint64_t bytes) {
  const uint64_t most = service_.limits().credit_bytes_max;
  credit_ = std::min(most, credit_ + std::min(bytes, most));
  Pump();
}

void ConsumeStream::SinkReady() {
  sink_ready_ = true;
  Pump();
}

void ConsumeStream::Close() {
  closed_ = true;
  errors_.clear();
  while (!subscriptions_.empty()) Drop(subscriptions_.begin());
}

void ConsumeStream::Pump() {
  while (!closed_ && sink_ready_) {
    if (!errors_.empty()) {
      ConsumeChunk chunk = std::move(errors_.front());
      errors_.pop_front();
      Send(std::move(chunk));
      continue;
    }
    if (ready_.empty()) return;
    const uint64_t id = ready_.front();
    const auto it = subscriptions_.find(id);
    if (it == subscriptions_.end() || !it->second.queued) {
      ready_.pop_front();
      continue;
    }
    // The first frame of a subscription, which tells its offsets, needs no credit.
    if (credit_ == 0 && it->second.greeted) {
      const bool someone_new = std::any_of(ready_.begin(), ready_.end(), [this](uint64_t other) {
        const auto found = subscriptions_.find(other);
        return found != subscriptions_.end() && !found->second.greeted;
      });
      if (!someone_new) return;
      ready_.pop_front();
      ready_.push_back(id);
      continue;
    }
    ready_.pop_front();
    it->second.queued = false;
    Serve(id, it->second);
  }
}

void ConsumeStream::Serve(uint64_t id, Subscription& subscription) {
  PartitionLog& log = subscription.leadership->log();
  if (credit_ == 0) {
    const LogOffsets offsets = log.offsets();
    if (subscription.next >= offsets.log_start && subscription.next <= offsets.high_watermark) {
      subscription.greeted = true;
      MakeReady(id, subscription);
      return Send({.subscription_id = id, .offsets = offsets});
    }
  }
  const size_t wanted =
      std::min<uint64_t>(std::max<uint64_t>(credit_, 1), service_.limits().consume_chunk_bytes);
  auto read = log.Read(subscription.next, wanted);
  if (!read.ok()) {
    absl::Status error = read.status();
    if (absl::IsOutOfRange(error)) {
      error = base::ErrorWithReason(error.code(), "offset_out_of_range",
                                    base::StdView(error.message()));
    } else if (absl::IsNotFound(error)) {
      error = base::ErrorWithReason(error.code(), "unknown_topic_or_partition",
                                    base::StdView(error.message()));
    }
    return Fail(id, std::move(error), log.offsets());
  }
  const bool greeting = !std::exchange(subscription.greeted, true);
  if (read->batches.empty()) {
    WaitForMore(id, subscription, read->offsets.high_watermark);
    if (greeting) Send({.subscription_id = id, .offsets = read->offsets});
    return;
  }
  const auto last = record::ParseBatchHeader(*read->batches.back());
  if (!last.ok()) {
    return Fail(id, base::Annotate(last.status(), "a stored batch is damaged"), read->offsets);
  }
  subscription.next = Offset(last->next_offset());
  const size_t bytes = BytesOf(read->batches);
  credit_ -= std::min<uint64_t>(credit_, bytes);
  bytes_counter_.Add(bytes);
  MakeReady(id, subscription);
  Send({.subscription_id = id,
        .offsets = read->offsets,
        .batches = std::move(read->batches)});
}

void ConsumeStream::WaitForMore(uint64_t id, Subscription& subscription, Offset above) {
  subscription.wait = subscription.leadership->log().NotifyWhenAbove(
      above, Later(id, subscription.number, &ConsumeStream::OnMore));
}

absl::AnyInvocable<void()> ConsumeStream::Later(uint64_t id, uint64_t number,
                                                void (ConsumeStream::*action)(uint64_t)) {
  return [weak = weak_from_this(), executor = &executor_, id, number, action] {
    executor->Post([weak, id, number, action] {
      const auto self = weak.lock();
      if (self == nullptr || self->closed_) return;
      const auto it = self->subscriptions_.find(id);
      if (it != self->subscriptions_.end() && it->second.number == number) {
        ((*self).*action)(id);
      }
    });
  };
}

void ConsumeStream::OnMore(uint64_t id) {
  Subscription& subscription = subscriptions_.find(id)->second;
  subscription.wait = 0;
  MakeReady(id, subscription);
  Pump();
}

void ConsumeStream::OnLeadershipEnd(uint64_t id) {
  const Subscription& subscription = subscriptions_.find(id)->second;
  const LogOffsets offsets = subscription.leadership->log().offsets();
  absl::Status why = service_.Find({.id = subscription.target.id}).status();
  if (why.ok()) {  // led again, in a new epoch
    why = base::ErrorWithReason(absl::StatusCode::kUnavailable, "not_leader",
                                "the partition has a new leader epoch; fetch metadata again");
  }
  Fail(id, std::move(why), offsets);
}

void ConsumeStream::MakeReady(uint64_t id, Subscription& subscription) {
  if (std::exchange(subscription.queued, true)) return;
  ready_.push_back(id);
}

void ConsumeStream::Fail(uint64_t id, absl::Status error, LogOffsets offsets) {
  // A refused second subscription of an id must not end the first.
  if (!absl::IsAlreadyExists(error)) Unsubscribe(id);
  errors_.push_back({.subscription_id = id, .error = std::move(error), .offsets = offsets});
  Pump();
}

void ConsumeStream::Drop(std::map<uint64_t, Subscription>::iterator it) {
  Subscription& subscription = it->second;
  if (subscription.wait != 0) subscription.leadership->log().CancelNotify(subscription.wait);
  subscription.leadership->CancelNotify(subscription.end_notification);
  subscriptions_gauge_.Add(-1);
  subscriptions_.erase(it);
}

void ConsumeStream::Send(ConsumeChunk chunk) {
  sink_ready_ = false;
  sink_(std::move(chunk));
}

}  // namespace bellwether::broker
