#include "client/grant_waits.h"

#include <utility>

namespace bellwether::client {

void GrantWaits::Add(std::string path, GrantListener listener) {
  listeners_[std::move(path)] = std::make_shared<GrantListener>(std::move(listener));
}

void GrantWaits::Fire(const GrantEvent& event) {
  const auto found = listeners_.find(event.path);
  if (found == listeners_.end()) return;
  const std::shared_ptr<GrantListener> listener = found->second;
  if (event.type != GrantEventType::kGranted) listeners_.erase(found);
  (*listener)(event);
}

void GrantWaits::FireConnectionLost() {
  const auto lost = std::exchange(listeners_, {});
  for (const auto& [path, listener] : lost) {
    (*listener)({GrantEventType::kConnectionLost, path, Zxid(), Zxid()});
  }
}

}  // namespace bellwether::client
