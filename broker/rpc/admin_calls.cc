#include "broker/rpc/admin_calls.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/uuid.h"
#include "broker/rpc/wire.h"
#include "fmt/format.h"

namespace bellwether::broker {
namespace {

constexpr int kTopicsMax = 10000;  // named in one request

// Whether a request that names an ensemble, or none, is for this broker's.
absl::Status CheckEnsemble(const Cluster& cluster, const std::string& named) {
  if (named.empty()) return absl::OkStatus();
  const auto wanted = base::Uuid::FromBytes(named);
  if (!wanted.has_value()) return absl::InvalidArgumentError("ensemble_id is not 16 bytes");
  const base::Uuid own = cluster.ensemble_id();
  if (own.IsNil()) {
    return absl::UnavailableError(
        "this broker has not met its coordination ensemble yet; check coord and try again");
  }
  if (*wanted == own) return absl::OkStatus();
  return base::ErrorWithReason(
      absl::StatusCode::kFailedPrecondition, "other_ensemble",
      fmt::format("the client knows the cluster of ensemble {}, this broker is of that of {}; "
                  "check the addresses",
                  wanted->ToString(), own.ToString()));
}

// Waits for all named topics that coord may know of and the view doesn't have yet.
void WaitForTopics(Cluster& cluster, const v1::MetadataRequest& request, absl::Duration timeout,
                   absl::AnyInvocable<void()> done) {
  const auto view = cluster.view();
  std::vector<std::string> missing;
  for (const std::string& name : request.topics()) {
    if (view->FindTopic(std::string_view(name)) == nullptr) missing.push_back(name);
  }
  if (missing.empty()) return done();
  struct Shared {
    explicit Shared(size_t count) : left(count) {}
    std::atomic<size_t> left;
    absl::AnyInvocable<void()> done;
  };
  const auto shared = std::make_shared<Shared>(missing.size());  // one owner per wait
  shared->done = std::move(done);
  for (const std::string& name : missing) {
    // Whatever it says, the view decides.
    cluster.WaitForTopic(name, timeout, [shared](const absl::Status&) {
      if (shared->left.fetch_sub(1) == 1) shared->done();
    });
  }
}

void AddTopics(const ClusterView& view, const v1::MetadataRequest& request,
               v1::MetadataResponse& response) {
  if (!request.topics().empty()) {
    std::vector<std::string> names(request.topics().begin(), request.topics().end());
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      if (const auto topic = view.FindTopic(std::string_view(name))) {
        *response.add_topics() = ToWire(*topic, &view.ConfigsOf(name));
        continue;
      }
      v1::TopicInfo& info = *response.add_topics();
      info.set_name(name);
      *info.mutable_error() = ToWire(absl::NotFoundError(
          fmt::format("topic '{}' does not exist; check the name, or create it first", name)));
    }
    return;
  }
  std::vector<std::shared_ptr<const Topic>> topics;
  view.topics().ForEach([&topics](const std::string&, const std::shared_ptr<const Topic>& topic) {
    if (topic->readable) topics.push_back(topic);
  });
  std::sort(topics.begin(), topics.end(),
            [](const auto& a, const auto& b) { return a->name < b->name; });
  for (const auto& topic : topics) *response.add_topics() = ToWire(*topic, nullptr);
}

}  // namespace

void CreateTopicCall(Cluster& cluster, const v1::CreateTopicRequest& request,
                     absl::Duration timeout, v1::CreateTopicResponse& response, CallDone done) {
  if (const absl::Status status = CheckEnsemble(cluster, request.ensemble_id()); !status.ok()) {
    *response.mutable_error() = ToWire(status);
    return done(absl::OkStatus());
  }
  TopicSpec spec;
  spec.name = request.name();
  spec.partitions = request.partitions() == 0 ? 1 : request.partitions();
  spec.replication = request.replication();
  for (const v1::ConfigEntry& entry : request.configs()) {
    if (spec.configs.emplace(entry.name(), entry.value()).second) continue;
    *response.mutable_error() = ToWire(absl::InvalidArgumentError(
        fmt::format("topic config '{}' is given twice", entry.name())));
    return done(absl::OkStatus());
  }
  cluster.CreateTopic(std::move(spec), timeout,
                      [&response, done = std::move(done)](
                          const absl::StatusOr<base::Uuid>& topic_id) mutable {
                        if (topic_id.ok()) {
                          response.set_topic_id(topic_id->Bytes());
                        } else {
                          *response.mutable_error() = ToWire(topic_id.status());
                        }
                        done(absl::OkStatus());
                      });
}

void DeleteTopicCall(Cluster& cluster, const v1::DeleteTopicRequest& request,
                     absl::Duration timeout, v1::DeleteTopicResponse& response, CallDone done) {
  if (const absl::Status status = CheckEnsemble(cluster, request.ensemble_id()); !status.ok()) {
    *response.mutable_error() = ToWire(status);
    return done(absl::OkStatus());
  }
  cluster.DeleteTopic(request.name(), timeout,
                      [&response, done = std::move(done)](const absl::Status& status) mutable {
                        if (!status.ok()) *response.mutable_error() = ToWire(status);
                        done(absl::OkStatus());
                      });
}

void MetadataCall(Cluster& cluster, const v1::MetadataRequest& request, absl::Duration timeout,
                  v1::MetadataResponse& response, CallDone done) {
  if (request.topics_size() > kTopicsMax) {
    return done(absl::InvalidArgumentError(
        fmt::format("at most {} topics can be named in one request", kTopicsMax)));
  }
  const Zxid zxid(std::max<int64_t>(request.min_zxid(), 1));
  cluster.WaitForView(zxid, timeout, [&cluster, &request, timeout, &response,
                                      done = std::move(done)](const absl::Status& status) mutable {
    if (!status.ok()) return done(absl::UnavailableError(status.message()));
    WaitForTopics(cluster, request, timeout,
                  [&cluster, &request, &response, done = std::move(done)]() mutable {
                    const auto view = cluster.view();
                    response = ClusterToWire(*view);
                    response.set_ensemble_id(cluster.ensemble_id().Bytes());
                    AddTopics(*view, request, response);
                    done(absl::OkStatus());
                  });
  });
}

}  // namespace bellwether::broker
