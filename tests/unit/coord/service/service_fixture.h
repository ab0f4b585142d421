#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/metrics.h"
#include "coord/service/coord_service.h"
#include "gtest/gtest.h"
#include "tests/support/sim_executor.h"
#include "tests/unit/coord/service/fake_log.h"

namespace bellwether::coord {

// What a connection holds of the test's client, which holds the connection.
class WeakSink : public StreamSink {
 public:
  explicit WeakSink(std::weak_ptr<StreamSink> sink) : sink_(std::move(sink)) {}
  void OnOutput() override {
    if (const auto sink = sink_.lock()) sink->OnOutput();
  }
  void OnResume() override {
    if (const auto sink = sink_.lock()) sink->OnResume();
  }

 private:
  const std::weak_ptr<StreamSink> sink_;
};

// A client of one Session stream: keeps what it was sent; reads as fast as the server writes,
// unless it is told not to.
class TestClient : public StreamSink, public std::enable_shared_from_this<TestClient> {
 public:
  void Open(CoordService& service, std::string address = "test",
            base::Executor* executor = nullptr) {
    auto opened = service.OpenConnection({std::move(address)},
                                         std::make_shared<WeakSink>(weak_from_this()), executor);
    ASSERT_TRUE(opened.ok()) << opened.status();
    connection_ = *opened;
  }

  void OnOutput() override {
    if (reads_) TakeAll();
  }
  void OnResume() override { ++resumes; }

  void SetReads(bool reads) {
    reads_ = reads;
    if (reads) TakeAll();
  }

  bool Send(ClientFrame frame, size_t bytes = 100) {
    return connection_->Submit(std::move(frame), bytes);
  }
  void Close() { connection_->Close(); }
  void Become(tree::Identities identities) {
    connection_->SetIdentities(
        std::make_shared<const tree::Identities>(std::move(identities)));
  }

  // A request with the next id, the attached generation and, for writes, the next sequence.
  Request Make(RequestOperation operation) {
    Request request;
    request.id = ++last_id_;
    request.generation = generation();
    request.operation = std::move(operation);
    if (request.is_write()) request.sequence = CommandSequence(++last_sequence);
    return request;
  }
  uint64_t Ask(RequestOperation operation) {
    Request request = Make(std::move(operation));
    const uint64_t id = request.id;
    Send(std::move(request));
    return id;
  }
  // A read that may be stale.
  uint64_t AskStale(RequestOperation operation) {
    Request request = Make(std::move(operation));
    request.stale_ok = true;
    const uint64_t id = request.id;
    Send(std::move(request));
    return id;
  }
  uint64_t Create(std::string path, std::string_view data = "") {
    return Ask(tree::Create{std::move(path), tree::SharedBytes::Copy(data)});
  }
  uint64_t Set(std::string path, std::string_view data) {
    return Ask(tree::SetData{std::move(path), tree::SharedBytes::Copy(data)});
  }
  uint64_t Get(std::string path, bool watch = false) {
    return Ask(GetRead{std::move(path), watch});
  }

  template <typename Frame>
  std::vector<Frame> All() const {
    std::vector<Frame> all;
    for (const ServerFrame& frame : frames) {
      if (const Frame* one = std::get_if<Frame>(&frame)) all.push_back(*one);
    }
    return all;
  }
  // The response to a request, or null.
  const Response* Find(uint64_t id) const {
    for (const ServerFrame& frame : frames) {
      const auto* response = std::get_if<Response>(&frame);
      if (response != nullptr && response->request_id == id) return response;
    }
    return nullptr;
  }
  std::string ReasonOf(uint64_t id) const {
    const Response* response = Find(id);
    if (response == nullptr) return "no response";
    return response->failure.has_value() ? response->failure->reason : "ok";
  }
  const Attached* attached() const {
    for (const ServerFrame& frame : frames) {
      if (const auto* one = std::get_if<Attached>(&frame)) return one;
    }
    return nullptr;
  }
  SessionGeneration generation() const {
    return attached() == nullptr ? SessionGeneration() : attached()->grant.generation;
  }

  std::vector<ServerFrame> frames;
  bool finished = false;
  int resumes = 0;
  uint64_t last_sequence = 0;

 private:
  void TakeAll() {
    if (connection_ == nullptr) return;
    size_t before;
    do {
      before = frames.size();
      finished = connection_->Take(64 << 10, frames).finished;
    } while (frames.size() > before);
  }

  std::shared_ptr<Connection> connection_;  // shared with the service
  bool reads_ = true;
  uint64_t last_id_ = 0;
};

// One CoordService on a fake log, in one thread and virtual time.
class ServiceTest : public testing::Test {
 protected:
  explicit ServiceTest(ServiceOptions options = DefaultOptions(), uint64_t seed = 1)
      : scheduler_(seed), clock_(scheduler_), options_(options) {}

  static ServiceOptions DefaultOptions() {
    ServiceOptions options;
    options.server_id = 1;
    return options;
  }

  void SetUp() override {
    CoordService::Dependencies deps{
        .clock = clock_,
        .replica_executor = replica_executor_,
        .io_executors = {&io_executor_, &other_io_executor_},
        .frontend_executors = {&frontend_executor_},
        .metrics = metrics_,
        .random = [this] { return scheduler_.random().Next(); },
        .on_ensemble_id = [](base::Uuid) {},
        .on_fatal = [this](absl::Status status) { fatal_ = std::move(status); },
        .disk_free_bytes = nullptr};
    service_ = std::make_unique<CoordService>(options_, std::move(deps));
    log_.Drive(*service_);
    service_->Start(log_);
    service_->OnLeadership({Term(1), ServerId(1), Role::kLeader});
    service_->OnTick(absl::Milliseconds(10));
    Settle();
  }

  // Lets everything happen that is not further than a moment away.
  void Settle() { scheduler_.RunFor(absl::Milliseconds(5)); }

  static AttachRequest NewSession(uint64_t nonce, int64_t timeout_ms = 10'000) {
    AttachRequest request;
    request.nonce = base::Uuid(nonce, nonce);
    request.timeout_ms = timeout_ms;
    return request;
  }
  static AttachRequest Again(const TestClient& client) {
    AttachRequest request;
    request.session = client.attached()->grant.session;
    request.password = client.attached()->grant.password;
    return request;
  }

  std::shared_ptr<TestClient> Connect(AttachRequest request, std::string address = "test",
                                      base::Executor* executor = nullptr) {
    auto client = std::make_shared<TestClient>();
    client->Open(*service_, std::move(address), executor);
    client->Send(std::move(request));
    Settle();
    if (client->attached() != nullptr) {
      client->last_sequence = client->attached()->grant.last_sequence.value();
    }
    return client;
  }
  std::shared_ptr<TestClient> Connect() { return Connect(NewSession(++last_nonce_)); }

  SimScheduler scheduler_;
  SimClock clock_;
  SimExecutor replica_executor_{scheduler_};
  SimExecutor apply_executor_{scheduler_};
  SimExecutor io_executor_{scheduler_};
  SimExecutor other_io_executor_{scheduler_};
  SimExecutor frontend_executor_{scheduler_};
  base::Metrics metrics_;
  FakeLog log_{replica_executor_, apply_executor_};
  ServiceOptions options_;
  std::unique_ptr<CoordService> service_;
  absl::Status fatal_;
  uint64_t last_nonce_ = 0;
};

}  // namespace bellwether::coord
