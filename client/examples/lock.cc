// Does something while no one else does, with a fencing token.

#include "client/examples/connect.h"
#include "client/one_result.h"
#include "client/recipes/lock.h"

using namespace bellwether::client;  // an example is short

int main() {
  const auto coord = examples::ConnectOrExit();
  OneResult<Zxid> acquired;
  std::unique_ptr<Lock> lock;  // lives on the client's executor
  coord->Run([&](CoordClient& client) {
    LockCallbacks callbacks;
    callbacks.on_acquired = acquired.Setter();
    callbacks.on_lost = [](const absl::Status& why) {
      fmt::print("lost: {}\n", std::string(why.message()));  // stop the work here
    };
    lock = std::make_unique<Lock>(client, "/examples/lock", "example", std::move(callbacks));
    lock->Acquire();
  });
  const auto token = acquired.Wait();
  fmt::print("working under token {}\n", token->value());

  OneResult<bool> released;
  coord->Run([&](CoordClient&) {
    lock->Release([set = released.Setter()](absl::Status status) mutable { set(status.ok()); });
  });
  fmt::print("released: {}\n", *released.Wait());
  coord->Run([&](CoordClient&) { lock.reset(); });
  return coord->CloseSession().ok() ? 0 : 1;
}
