#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "client/coord_client.h"

namespace bellwether::client {

// The live members of a group: the children of one znode, each the ephemeral znode of a member,
// its data saying how to reach it. Kept up to date by one resumable watch. Owned by whoever uses it;
// on the client's executor; must not outlive the client. Memory: names and data of all members.
class Discovery {
 public:
  using Members = std::map<std::string, std::string>;  // name -> data

  struct Callbacks {
    // Called with all members once they are known, and again after every change.
    absl::AnyInvocable<void(const Members&)> on_change;
    // The watch can't go on; the last callback.
    absl::AnyInvocable<void(const absl::Status&)> on_end;
  };

  Discovery(CoordClient& client, std::string path, Callbacks callbacks);

  const Members& members() const { return members_; }

  // Makes this client's session a member, creating the group's znode when it isn't there. It is one
  // until the session ends. Errors: ALREADY_EXISTS while the name is taken, perhaps by an earlier
  // session of the same program that has not timed out.
  static void Join(CoordClient& client, const std::string& path, const std::string& name,
                   std::string data, Callback<CreateResult> done);

 private:
  void OnBatch(const WatchBatch& batch);

  const std::string prefix_;
  Callbacks callbacks_;
  Members members_;
  bool changed_ = true;  // since on_change was called
  std::unique_ptr<CoordWatch> watch_;
};

}  // namespace bellwether::client
