#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/uuid.h"
#include "coord/replica/transport.h"

namespace bellwether::coord {

// Decides how a server whose folder is empty takes part: as a voter of a new ensemble, or as one
// that lost what an existing ensemble counts on. Pure; owned by the driver until it has decided.
//
// A server forms as a voter once (a) every other server has said to this folder that its own folder
// promised nothing, and (b) has heard the same of this one. (a) says that no ensemble existed when
// this folder was made, so nothing promised was wiped. (b) says that the others can still form when
// this server has. What was heard is durable before it is told, so it outlives restarts, and is
// wiped together with the log: an emptied folder starts again without it, meets a member that it
// never heard empty, and awaits readmission.
// A folder that begins with a restored state forms in the same way; that the others begin with the
// same state, and that it meets no member that it never heard so, is checked before
// (hello_check.h).
class Formation {
 public:
  enum class Verdict { kWait, kVoter, kAwaitReadmission };

  // `servers` are all configured ones, `self` among them.
  Formation(ServerId self, std::vector<ServerId> servers);

  // What Encode gave before a restart. DATA_LOSS when it is not that.
  absl::Status Restore(std::string_view remembered);
  std::string Encode() const;
  // What a folder remembers into which a state was restored. Requires: not nil.
  static std::string EncodeRestored(base::Uuid restore_id);

  // Nil: not restored.
  base::Uuid restore_id() const { return restore_id_; }

  // What a server that has formed as a voter remembers: who it formed the ensemble with.
  std::string EncodeFormed() const;
  // The others of the ensemble that a folder was formed with; nullopt for bytes of anything else.
  static std::optional<std::vector<ServerId>> FormedWith(std::string_view remembered);

  // Returns true when there is more to remember.
  bool OnHello(const Hello& hello);

  Verdict verdict() const;

  // Of the other servers, those that said that their folder promised nothing.
  std::vector<ServerId> heard_empty() const;

  // Why the verdict is kWait, for people.
  std::string WaitingFor() const;

 private:
  const ServerId self_;
  base::Uuid restore_id_;
  std::set<ServerId> others_;
  std::set<ServerId> heard_empty_;
  std::set<ServerId> confirmed_;  // have heard that this folder was empty, or need not
  bool met_member_ = false;       // that was never heard empty
};

}  // namespace bellwether::coord
