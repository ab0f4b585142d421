// Becomes the leader, and asks who leads.

#include "client/examples/connect.h"
#include "client/one_result.h"
#include "client/recipes/leader_election.h"

using namespace bellwether::client;  // an example is short

int main() {
  const auto coord = examples::ConnectOrExit();
  OneResult<Zxid> elected;
  std::unique_ptr<LeaderElection> election;  // lives on the client's executor
  coord->Run([&](CoordClient& client) {
    LockCallbacks callbacks;
    callbacks.on_acquired = elected.Setter();
    callbacks.on_lost = [](const absl::Status&) { fmt::print("leads no longer\n"); };
    election = std::make_unique<LeaderElection>(client, "/examples/election", "host-1:8080",
                                                std::move(callbacks));
    election->Campaign();
  });
  const auto term = elected.Wait();

  OneResult<std::pair<std::string, Zxid>> current;
  coord->Run([&](CoordClient& client) {
    LeaderElection::CurrentLeader(client, "/examples/election", current.Setter());
  });
  const auto leader = current.Wait();
  const bool right = leader.ok() && leader->second == *term;
  fmt::print("leader: {}\n", leader.ok() ? leader->first : "none");
  coord->Run([&](CoordClient&) { election.reset(); });
  return right && coord->CloseSession().ok() ? 0 : 1;
}
