#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "coord/service/znode_watches.h"
#include "coord/tree/acl.h"
#include "fmt/format.h"

namespace bellwether::coord {

// A watcher that keeps what it was told, as in "created /a".
class RecordingWatcher : public ZnodeWatcher {
 public:
  RecordingWatcher() = default;
  // Who has proved to be "user", and nothing else.
  explicit RecordingWatcher(std::string_view user)
      : identities_(std::make_shared<const tree::Identities>(
            tree::Identities{{"digest", std::string(user)}})) {}

  bool QueueEvent(WatchEvent event) override {
    static constexpr const char* kNames[] = {"created", "changed", "deleted", "children"};
    events.push_back(fmt::format("{} {}", kNames[static_cast<int>(event.type)], event.path.view()));
    zxids.push_back(event.zxid.value());
    return needs_wake;
  }
  std::shared_ptr<const tree::Identities> identities() const override { return identities_; }
  SessionId session() const override { return session_id; }
  void PostWake() override {}

  std::vector<std::string> TakeEvents() { return std::exchange(events, {}); }

  std::vector<std::string> events;
  std::vector<int64_t> zxids;
  bool needs_wake = true;
  SessionId session_id;

 private:
  const std::shared_ptr<const tree::Identities> identities_;  // as ZnodeWatcher's
};

// An ACL that lets one digest user do what `permissions` say.
inline tree::AclPtr AccessOf(std::string_view user, uint32_t permissions) {
  return tree::AclPtr(new tree::Access{
      {{permissions, "digest", std::string(user)}}, 0, tree::RefCount()});
}

}  // namespace bellwether::coord
