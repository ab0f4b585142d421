#include "broker/metadata/registration.h"

#include <array>
#include <utility>
#include <variant>

#include "base/log.h"
#include "base/status.h"
#include "broker/metadata/paths.h"
#include "broker/metadata/znode_json.h"
#include "client/errors.h"
#include "fmt/format.h"

namespace bellwether::broker {
namespace {

constexpr absl::Duration kRetryDelay = absl::Milliseconds(200);

constexpr std::array<std::string_view, 7> kFolders = {
    paths::kBrokers, paths::kBrokerIds,    paths::kTopics,       paths::kConfig,
    paths::kTopicConfigs, paths::kAdmin, paths::kDeletedTopics};

}  // namespace

Registration::Registration(Options options, CoordSession& session, base::Executor& executor,
                           base::Clock& clock, Done done)
    : options_(std::move(options)), session_(session), executor_(executor), clock_(clock),
      done_(std::move(done)), path_(paths::Broker(options_.self.id)) {}

Registration::~Registration() { *alive_ = false; }

void Registration::Start() {
  if (under_way_) return;
  under_way_ = true;
  give_up_at_ = absl::InfiniteDuration();
  MakeFolder(0);
}

void Registration::MakeFolder(size_t index) {
  if (index == kFolders.size()) return LookAtHolder();
  client::Transaction create;
  create.operations.push_back(client::CreateOperation{.path = std::string(kFolders[index])});
  session_.Commit(std::move(create), [this, index, alive = alive_](const auto& result) {
    if (!*alive) return;
    if (result.ok() || client::ReasonOf(result.status()) == "node_exists") {
      return MakeFolder(index + 1);
    }
    Retry(result.status());
  });
}

void Registration::LookAtHolder() {
  session_.Get(path_, [this, alive = alive_](const auto& found) {
    if (!*alive) return;
    if (found.ok()) return OnHolder(*found);
    if (client::ReasonOf(found.status()) == "no_node") return Register(nullptr);
    Retry(found.status());
  });
}

void Registration::OnHolder(const client::GetResult& found) {
  Broker holder;
  const auto decoded =
      DecodeBroker(found.data ? std::string_view(*found.data) : "", found.stat, options_.self.id);
  if (decoded.ok()) {
    holder = *decoded;
  } else {
    LOG_WARN("registration unreadable path={} error={}", path_, decoded.status());
    holder.epoch = BrokerEpoch(found.stat.czxid.value());
    holder.session_id = found.stat.ephemeral_owner;
    holder.host = "an unknown host";
  }
  if (holder.session_id == session_.id()) {  // an earlier attempt of ours did succeed
    under_way_ = false;
    return done_(holder.epoch);
  }
  if (holder.folder_id == options_.self.folder_id) {
    LOG_INFO("replacing this folder's earlier registration id={} epoch={} pid={}", holder.id,
             holder.epoch, holder.pid);
    return FreeController(holder);
  }
  WaitForHolder(holder);
}

void Registration::WaitForHolder(const Broker& holder) {
  const absl::Duration now = clock_.Monotonic();
  if (give_up_at_ == absl::InfiniteDuration()) give_up_at_ = now + options_.holder_wait;
  const bool here = holder.host == options_.self.host;
  if (now >= give_up_at_ || (here && options_.is_alive(holder.pid))) {
    under_way_ = false;
    return done_(absl::AlreadyExistsError(fmt::format(
        "broker id {} is registered by another process: host {} pid {}; stop that one or choose "
        "another --id",
        options_.self.id, holder.host, holder.pid)));
  }
  LOG_WARN("waiting for another registration of this id to expire id={} host={} pid={}",
           options_.self.id, holder.host, holder.pid);
  After(kRetryDelay * 5, [this] { LookAtHolder(); });
}

void Registration::FreeController(const Broker& old) {
  client::Transaction free;
  client::Compare held;
  held.path = std::string(paths::kController);
  held.ephemeral_owner = old.session_id;
  free.compares.push_back(std::move(held));
  free.operations.push_back(client::DeleteOperation{.path = std::string(paths::kController)});
  session_.Commit(std::move(free), [this, old, alive = alive_](const auto& result) {
    if (!*alive) return;
    // It need not have been the controller; when the outcome isn't known its session's end will do.
    if (!result.ok() && client::ReasonOf(result.status()) != "compare_failed") {
      LOG_DEBUG("could not free the office of controller error={}", result.status());
    }
    Register(&old);
  });
}

void Registration::Register(const Broker* replaced) {
  client::Transaction transaction;
  client::Compare before;
  before.path = path_;
  if (replaced == nullptr) {
    before.exists = false;
  } else {
    before.czxid = Zxid(replaced->epoch.value());
    transaction.operations.push_back(client::DeleteOperation{.path = path_});
  }
  transaction.compares.push_back(std::move(before));
  transaction.operations.push_back(
      client::CreateOperation{.path = path_,
                              .data = EncodeBroker(options_.self),
                              .mode = client::CreateMode::kEphemeral});
  session_.Commit(std::move(transaction), [this, alive = alive_](const auto& result) {
    if (!*alive) return;
    if (!result.ok()) return Retry(result.status());
    under_way_ = false;
    done_(BrokerEpoch(result->zxid.value()));
  });
}

void Registration::Retry(const absl::Status& status) {
  LOG_WARN("registration not done yet id={} error={}", options_.self.id, status);
  After(kRetryDelay, [this] { MakeFolder(0); });
}

void Registration::After(absl::Duration delay, std::function<void()> task) {
  executor_.RunAfter(delay, [alive = alive_, task = std::move(task)] {
    if (*alive) task();
  });
}

}  // namespace bellwether::broker
