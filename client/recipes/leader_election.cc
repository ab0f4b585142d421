#include "client/recipes/leader_election.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/errors.h"

namespace bellwether::client {

void LeaderElection::CurrentLeader(CoordClient& client, const std::string& path,
                                   Callback<std::pair<std::string, Zxid>> done) {
  const auto place = [](const std::string& name) {
    return name.size() < 10 ? name : name.substr(name.size() - 10);
  };
  client.List(path, false, {}, [&client, path, place, done = std::move(done)](
                                   absl::StatusOr<ListResult> line) mutable {
    if (!line.ok()) return done(line.status());
    if (line->names.empty()) {
      return done(absl::NotFoundError(absl::StrCat("election ", path, ": there is no candidate")));
    }
    const std::string first = *std::min_element(
        line->names.begin(), line->names.end(),
        [&](const std::string& a, const std::string& b) { return place(a) < place(b); });
    client.Get(absl::StrCat(path, "/", first), {},
               [&client, path, done = std::move(done)](absl::StatusOr<GetResult> znode) mutable {
                 // It resigned since the list was made.
                 if (ReasonOf(znode.status()) == "no_node") {
                   return CurrentLeader(client, path, std::move(done));
                 }
                 if (!znode.ok()) return done(znode.status());
                 done(std::pair(znode->data.value_or(""), znode->stat.czxid));
               });
  });
}

}  // namespace bellwether::client
