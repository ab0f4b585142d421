#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/thread_executor.h"
#include "base/uuid.h"
#include "client/broker_runtime.h"
#include "gtest/gtest.h"

namespace bellwether::client {

// Runs tasks on a thread of its own, so that a test may block on what they bring, but time passes
// only in Advance: timers are due there and nowhere else. Thread-safe.
class SteppedExecutor : public base::Executor, public base::Clock {
 public:
  void Post(base::Task task) override {
    {
      base::MutexLock lock(mutex_);
      if (stopped_) return;
      ++pending_;
    }
    thread_.Post([this, task = std::move(task)]() mutable {
      task();
      task = nullptr;
      base::MutexLock lock(mutex_);
      if (--pending_ == 0) idle_.SignalAll();
    });
  }

  base::TimerId RunAfter(absl::Duration delay, base::Task task) override {
    base::MutexLock lock(mutex_);
    const base::TimerId id = ++last_timer_;
    timers_.emplace(std::pair(now_ + std::max(delay, absl::ZeroDuration()), id), std::move(task));
    return id;
  }

  void Cancel(base::TimerId timer) override {
    base::MutexLock lock(mutex_);
    const auto found = std::find_if(timers_.begin(), timers_.end(), [timer](const auto& entry) {
      return entry.first.second == timer;
    });
    if (found != timers_.end()) timers_.erase(found);
  }

  absl::Duration Monotonic() const override {
    base::MutexLock lock(mutex_);
    return now_;
  }
  absl::Time Wall() const override { return absl::UnixEpoch() + Monotonic(); }

  // Waits until everything posted has run, and what that posted.
  void Settle() {
    base::MutexLock lock(mutex_);
    while (pending_ > 0 && !stopped_) idle_.Wait(mutex_);
  }

  void Advance(absl::Duration duration) {
    const absl::Duration end = Monotonic() + duration;
    Settle();
    while (base::Task task = TakeDue(end)) {
      Post(std::move(task));
      Settle();
    }
    base::MutexLock lock(mutex_);
    now_ = end;
  }

  void Stop() {
    {
      base::MutexLock lock(mutex_);
      stopped_ = true;
      idle_.SignalAll();
    }
    thread_.Stop();
  }

 private:
  // The next timer due by `end`, at its time; null: none.
  base::Task TakeDue(absl::Duration end) {
    base::MutexLock lock(mutex_);
    if (timers_.empty() || timers_.begin()->first.first > end) return nullptr;
    auto timer = timers_.extract(timers_.begin());
    now_ = std::max(now_, timer.key().first);
    return std::move(timer.mapped());
  }

  mutable base::Mutex mutex_;
  base::CondVar idle_;
  absl::Duration now_ ABSL_GUARDED_BY(mutex_) = absl::Hours(1);
  std::map<std::pair<absl::Duration, base::TimerId>, base::Task> timers_ ABSL_GUARDED_BY(mutex_);
  base::TimerId last_timer_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t pending_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  base::ThreadExecutor thread_{"stepped"};  // joined before what its tasks use goes
};

inline void SetWireError(absl::StatusCode code, const std::string& reason,
                         common::v1::Error& error) {
  error.set_code(static_cast<int>(code));
  error.set_reason(reason);
  error.set_message(reason + " it says");
}

// The network and all brokers, played by the test. Streams are recorded; frames and ends come when
// the test says so, and nothing is lost, reordered or delayed by itself. Unary calls are answered at
// once from `metadata` and `offsets`, by brokers that aren't `down`; those refuse everything.
// The test may look at all of it whenever the executor has settled.
class FakeBrokers {
 public:
  template <typename Request, typename Response>
  struct Stream {
    std::string address;
    StreamCallbacks<Response> callbacks;
    std::vector<Request> sent;
    bool cancelled = false;  // the client let go of it
  };
  using ProduceStream = Stream<broker::v1::ProduceRequest, broker::v1::ProduceResponse>;
  using ConsumeStream = Stream<broker::v1::ConsumeRequest, broker::v1::ConsumeResponse>;

  // Brokers 0 up to `brokers`, at "b0:1" and so on, and topic "t" whose partition p is led by
  // broker p modulo `brokers` in epoch 1.
  FakeBrokers(int brokers, int partitions) {
    for (int i = 0; i < brokers; ++i) {
      auto* const broker = metadata.add_brokers();
      broker->set_id(i);
      broker->set_up(true);
      broker->set_grpc(absl::StrCat("b", i, ":1"));
    }
    auto* const topic = metadata.add_topics();
    topic->set_name("t");
    topic->set_topic_id(base::Uuid(1, 1).Bytes());
    for (int p = 0; p < partitions; ++p) {
      auto* const partition = topic->add_partitions();
      partition->set_partition(p);
      SetLeader(p, p % brokers, 1);
      partition->add_replicas(p % brokers);
      offsets.emplace_back();
    }
  }

  broker::v1::TopicInfo& topic() { return *metadata.mutable_topics(0); }
  void SetLeader(int partition, int broker, int epoch) {
    topic().mutable_partitions(partition)->set_leader(broker);
    topic().mutable_partitions(partition)->set_leader_epoch(epoch);
  }

  std::unique_ptr<BrokerRuntime> NewRuntime() {
    auto runtime = std::make_unique<Runtime>(*this);
    executor = runtime->shared_executor();
    return runtime;
  }

  // Runs `action` on the executor, with all that follows from it.
  void Do(base::Task action) {
    executor->Post(std::move(action));
    executor->Settle();
  }

  template <typename Request, typename Response>
  void Deliver(Stream<Request, Response>& stream, Response frame) {
    Do([&stream, frame = std::move(frame)] {
      if (!stream.cancelled) stream.callbacks.on_frame(frame);
    });
  }
  template <typename Request, typename Response>
  void End(Stream<Request, Response>& stream, absl::Status status) {
    Do([&stream, status = std::move(status)] {
      if (!stream.cancelled) stream.callbacks.on_end(status);
    });
  }

  broker::v1::MetadataResponse metadata;                         // of all brokers
  std::vector<broker::v1::ListOffsetsResponse::Answer> offsets;  // by partition of "t"
  std::set<std::string> down;                                    // addresses
  std::vector<std::string> asked;                                // addresses, for metadata
  std::vector<std::string> ensembles_named;                      // by changes of topics
  bool loses_changes = false;  // deletions of topics are not answered: the connection breaks
  bool accepts_all = false;  // batches are answered at once, all with offset 0
  std::vector<std::shared_ptr<ProduceStream>> produce_streams;  // shared with their calls
  std::vector<std::shared_ptr<ConsumeStream>> consume_streams;
  std::shared_ptr<SteppedExecutor> executor;  // of the newest runtime, shared with it

 private:
  template <typename Base, typename Request, typename Response>
  struct Call : Base {
    Call(FakeBrokers& b, base::Executor& e, std::shared_ptr<Stream<Request, Response>> s)
        : brokers(b), executor(e), stream(std::move(s)) {}
    ~Call() override { stream->cancelled = true; }
    void Send(Request frame) override {
      if constexpr (std::is_same_v<Request, broker::v1::ProduceRequest>) {
        if (brokers.accepts_all) Accept(frame.request_id());
      }
      stream->sent.push_back(std::move(frame));
    }
    void Accept(uint64_t request_id) {
      executor.Post([s = stream, request_id] {
        Response response;
        response.set_request_id(request_id);
        if (!s->cancelled) s->callbacks.on_frame(response);
      });
    }
    FakeBrokers& brokers;
    base::Executor& executor;
    const std::shared_ptr<Stream<Request, Response>> stream;  // shared with the test
  };

  class Connector : public BrokerConnector {
   public:
    Connector(FakeBrokers& brokers, base::Executor& executor)
        : brokers_(brokers), executor_(executor) {}

    std::unique_ptr<ProduceCall> OpenProduce(
        const std::string& address,
        StreamCallbacks<broker::v1::ProduceResponse> callbacks) override {
      return Open<ProduceCall>(address, std::move(callbacks), brokers_.produce_streams);
    }
    std::unique_ptr<ConsumeCall> OpenConsume(
        const std::string& address,
        StreamCallbacks<broker::v1::ConsumeResponse> callbacks) override {
      return Open<ConsumeCall>(address, std::move(callbacks), brokers_.consume_streams);
    }

    void Metadata(const std::string& address, absl::Duration, broker::v1::MetadataRequest request,
                  Answer<broker::v1::MetadataResponse> answer) override {
      brokers_.asked.push_back(address);
      Reply(address, brokers_.Describe(request), std::move(answer));
    }
    void ListOffsets(const std::string& address, absl::Duration,
                     broker::v1::ListOffsetsRequest request,
                     Answer<broker::v1::ListOffsetsResponse> answer) override {
      broker::v1::ListOffsetsResponse response;
      for (const auto& query : request.queries()) {
        *response.add_answers() =
            brokers_.offsets.at(static_cast<size_t>(query.partition().partition()));
      }
      Reply(address, std::move(response), std::move(answer));
    }
    void CreateTopic(const std::string& address, absl::Duration,
                     broker::v1::CreateTopicRequest request,
                     Answer<broker::v1::CreateTopicResponse> answer) override {
      brokers_.ensembles_named.push_back(request.ensemble_id());
      broker::v1::CreateTopicResponse response;
      response.set_topic_id(base::Uuid(2, 2).Bytes());
      Reply(address, std::move(response), std::move(answer));
    }
    void DeleteTopic(const std::string& address, absl::Duration,
                     broker::v1::DeleteTopicRequest request,
                     Answer<broker::v1::DeleteTopicResponse> answer) override {
      brokers_.ensembles_named.push_back(request.ensemble_id());
      if (brokers_.loses_changes) {
        return executor_.Post([answer = std::move(answer)]() mutable {
          answer(absl::UnavailableError("connection reset"));
        });
      }
      Reply(address, broker::v1::DeleteTopicResponse(), std::move(answer));
    }
    void Status(const std::string& address, absl::Duration, broker::v1::StatusRequest,
                Answer<broker::v1::StatusResponse> answer) override {
      broker::v1::StatusResponse response;
      response.set_broker_id(address.at(1) - '0');
      response.set_disk_free_bytes(1000);
      Reply(address, std::move(response), std::move(answer));
    }

   private:
    template <typename Base, typename Request, typename Response>
    std::unique_ptr<Base> Open(const std::string& address, StreamCallbacks<Response> callbacks,
                               std::vector<std::shared_ptr<Stream<Request, Response>>>& streams) {
      auto stream = std::make_shared<Stream<Request, Response>>();
      stream->address = address;
      stream->callbacks = std::move(callbacks);
      streams.push_back(stream);
      if (brokers_.down.contains(address)) {
        executor_.Post([stream] {
          if (!stream->cancelled) stream->callbacks.on_end(absl::UnavailableError("refused"));
        });
      }
      return std::make_unique<Call<Base, Request, Response>>(brokers_, executor_,
                                                             std::move(stream));
    }

    template <typename Response>
    void Reply(const std::string& address, Response response, Answer<Response> answer) {
      const bool up = !brokers_.down.contains(address);
      executor_.Post([up, response = std::move(response), answer = std::move(answer)]() mutable {
        if (up) return answer(std::move(response));
        answer(absl::UnavailableError("refused"));
      });
    }

    FakeBrokers& brokers_;
    base::Executor& executor_;
  };

  class Runtime : public BrokerRuntime {
   public:
    explicit Runtime(FakeBrokers& brokers)
        : executor_(std::make_shared<SteppedExecutor>()), connector_(brokers, *executor_) {}
    ~Runtime() override { executor_->Stop(); }
    base::Executor& executor() override { return *executor_; }
    base::Clock& clock() override { return *executor_; }
    BrokerConnector& connector() override { return connector_; }
    void Stop() override { executor_->Stop(); }
    const std::shared_ptr<SteppedExecutor>& shared_executor() const { return executor_; }

   private:
    const std::shared_ptr<SteppedExecutor> executor_;  // shared with the test, which advances it
    Connector connector_;
  };

  broker::v1::MetadataResponse Describe(const broker::v1::MetadataRequest& request) const {
    broker::v1::MetadataResponse response = metadata;
    if (request.topics().empty()) return response;
    response.clear_topics();
    for (const std::string& name : request.topics()) {
      const auto found = std::find_if(metadata.topics().begin(), metadata.topics().end(),
                                      [&](const auto& topic) { return topic.name() == name; });
      if (found != metadata.topics().end()) {
        *response.add_topics() = *found;
      } else {
        SetWireError(absl::StatusCode::kNotFound, "unknown_topic_or_partition",
                     *response.add_topics()->mutable_error());
      }
    }
    return response;
  }
};

}  // namespace bellwether::client
