// Registers a service and sees who is there.

#include "client/examples/connect.h"
#include "client/one_result.h"
#include "client/recipes/discovery.h"

using namespace bellwether::client;  // an example is short

int main() {
  const auto coord = examples::ConnectOrExit();
  OneResult<CreateResult> joined;
  coord->Run([&](CoordClient& client) {
    Discovery::Join(client, "/examples/services", "web-1", "127.0.0.1:8080", joined.Setter());
  });
  if (!joined.Wait().ok()) return 1;

  OneResult<Discovery::Members> seen;
  std::unique_ptr<Discovery> discovery;  // lives on the client's executor
  coord->Run([&](CoordClient& client) {
    Discovery::Callbacks callbacks;
    callbacks.on_change = [set = std::optional(seen.Setter())](const auto& members) mutable {
      if (set.has_value()) std::exchange(set, std::nullopt).value()(members);
    };
    callbacks.on_end = [](const absl::Status&) {};
    discovery = std::make_unique<Discovery>(client, "/examples/services", std::move(callbacks));
  });
  const auto members = seen.Wait();
  for (const auto& [name, address] : *members) fmt::print("{} at {}\n", name, address);
  coord->Run([&](CoordClient&) { discovery.reset(); });
  return members->contains("web-1") && coord->CloseSession().ok() ? 0 : 1;
}
