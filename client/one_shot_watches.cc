#include "client/one_shot_watches.h"

#include <utility>

namespace bellwether::client {

void OneShotWatches::Add(Kind kind, std::string path, OneShotWatch watch) {
  Table& table = kind == Kind::kZnode ? znode_watches_ : children_watches_;
  table[std::move(path)].push_back(std::move(watch));
}

void OneShotWatches::Fire(const WatchEvent& event) {
  if (event.type != WatchEventType::kChildren) FireIn(znode_watches_, event);
  if (event.type == WatchEventType::kChildren || event.type == WatchEventType::kDeleted) {
    FireIn(children_watches_, event);
  }
}

void OneShotWatches::FireIn(Table& table, const WatchEvent& event) {
  auto found = table.find(event.path);
  if (found == table.end()) return;
  std::vector<OneShotWatch> watches = std::move(found->second);
  table.erase(found);
  for (OneShotWatch& watch : watches) watch(event);
}

void OneShotWatches::FireConnectionLost() {
  for (Table* table : {&znode_watches_, &children_watches_}) {
    Table lost;
    lost.swap(*table);
    for (auto& [path, watches] : lost) {
      for (OneShotWatch& watch : watches) {
        watch({WatchEventType::kConnectionLost, path, Zxid()});
      }
    }
  }
}

}  // namespace bellwether::client
