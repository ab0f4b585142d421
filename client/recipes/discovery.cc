#include "client/recipes/discovery.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/errors.h"
#include "client/recipes/lock.h"

namespace bellwether::client {

Discovery::Discovery(CoordClient& client, std::string path, Callbacks callbacks)
    : prefix_(absl::StrCat(path, "/")), callbacks_(std::move(callbacks)) {
  WatchOptions options;
  options.recursive = true;
  WatchCallbacks watch_callbacks;
  watch_callbacks.on_batch = [this](WatchBatch batch) { OnBatch(batch); };
  watch_callbacks.on_end = [this](absl::Status status) { callbacks_.on_end(status); };
  watch_ = client.Watch(std::move(path), options, std::move(watch_callbacks));
}

void Discovery::OnBatch(const WatchBatch& batch) {
  for (const WatchChange& change : batch.changes) {
    if (!absl::StartsWith(change.path, prefix_)) continue;
    const std::string name = change.path.substr(prefix_.size());
    if (absl::StrContains(name, "/")) continue;
    if (change.type == WatchEventType::kDeleted) {
      members_.erase(name);
    } else {
      members_[name] = change.data.value_or("");
    }
    changed_ = true;
  }
  if (batch.complete && std::exchange(changed_, false)) callbacks_.on_change(members_);
}

void Discovery::Join(CoordClient& client, const std::string& path, const std::string& name,
                     std::string data, Callback<CreateResult> done) {
  CreateWithParents(client, path,
                    [&client, own = absl::StrCat(path, "/", name), data = std::move(data),
                     done = std::move(done)](const absl::Status& made) mutable {
                      if (!made.ok()) return done(made);
                      client.Create(own, std::move(data), CreateMode::kEphemeral, {},
                                    std::move(done));
                    });
}

}  // namespace bellwether::client
