#include <utility>

#include "tests/sim/sim_client.h"

// The part of a SimClient that stands in line for a lock.
namespace bellwether::sim {

void SimClient::StandInLine() {
  if (random_.Chance(0.2)) {
    Operation& lock = NewOperation(Operation::Kind::kCreate, std::string(kLockPath));
    client_.Create(lock.path, NewTag(lock), lock.mode, {}, Answer<client::CreateResult>(lock));
  }
  Operation& place = NewOperation(Operation::Kind::kCreate, std::string(kLockPath) + "/w-");
  place.mode = client::CreateMode::kEphemeralSequential;
  client_.Create(place.path, NewTag(place), place.mode, {},
                 [this, answer = Answer<client::CreateResult>(place)](
                     absl::StatusOr<client::CreateResult> result) mutable {
                   const std::string path = result.ok() ? result->path : "";
                   answer(std::move(result));
                   if (!path.empty() && !over_) AwaitGrant(path);
                 });
}

void SimClient::AwaitGrant(std::string path) {
  GrantRecord* const record = &deps_.history.grants.emplace_back();
  record->client = serial_;
  record->path = path;
  record->floor = Newest();
  const auto on_event = [this, record](const client::GrantEvent& event) {
    deps_.trace.Add("client {} in line with {} event={} zxid={}", serial_, record->path,
                    static_cast<int>(event.type), event.zxid);
    record->events.push_back(event);
    if (event.type != client::GrantEventType::kGranted) std::erase(in_line_, record);
  };
  client_.AwaitGrant(path, {}, on_event,
                     [this, record](absl::StatusOr<client::GrantResult> result) {
                       record->ceiling = Newest();
                       if (!result.ok()) return;
                       record->answered = true;
                       record->token = Zxid(result->token.value());
                       record->held = result->held;
                       in_line_.push_back(record);
                       deps_.trace.Add("client {} in line with {} held={}", serial_, record->path,
                                       record->held);
                     });
}

}  // namespace bellwether::sim
