// Keeps settings in memory and hears of changes.

#include "client/examples/connect.h"
#include "client/one_result.h"
#include "client/recipes/config_cache.h"
#include "client/recipes/lock.h"

using namespace bellwether::client;  // an example is short

int main() {
  const auto coord = examples::ConnectOrExit();
  const std::string setting = "/examples/config/colour";
  OneResult<bool> made;
  coord->Run([&](CoordClient& client) {
    CreateWithParents(client, setting,
                      [set = made.Setter()](absl::Status status) mutable { set(status.ok()); });
  });
  if (!*made.Wait() || !coord->Set(setting, "red").ok()) return 1;

  OneResult<bool> ready;
  OneResult<std::string> changed;
  std::unique_ptr<ConfigCache> cache;  // lives on the client's executor
  coord->Run([&](CoordClient& client) {
    ConfigCache::Callbacks callbacks;
    callbacks.on_ready = [set = ready.Setter()]() mutable { set(true); };
    callbacks.on_change = [set = changed.Setter()](const std::string&, const Data& data) mutable {
      set(data.value_or(""));
    };
    callbacks.on_end = [](const absl::Status&) {};
    cache = std::make_unique<ConfigCache>(client, "/examples/config", std::move(callbacks));
  });
  (void)ready.Wait();
  fmt::print("at first: {}\n", cache->Get(setting).value_or(""));
  if (!coord->Set(setting, "blue").ok()) return 1;
  const auto value = changed.Wait();
  fmt::print("then: {}\n", *value);
  const bool right = cache->Get(setting) == "blue";
  coord->Run([&](CoordClient&) { cache.reset(); });
  return right && coord->CloseSession().ok() ? 0 : 1;
}
