#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/uuid.h"
#include "coord/tree/acl.h"
#include "coord/tree/result.h"
#include "coord/tree/sessions.h"
#include "coord/tree/shared_bytes.h"
#include "coord/tree/tree.h"
#include "coord/tree/types.h"

namespace bellwether::coord::tree {

// The replicated state as one command left it: znodes, sessions, zxid. A value that is copied in
// O(1), however large the state; copies share what they have in common with each other and with
// the state machine. Each copy may be read and dropped on a thread of its own, without a lock,
// while the state machine goes on. A view that is kept keeps the memory of what has changed since.
class StateView {
 public:
  StateView() = default;  // nothing but the root, before the first command
  StateView(Tree tree, Sessions sessions, Zxid zxid, int64_t time_ms, base::Uuid ensemble_id,
            uint32_t feature_level = kFeatureLevelFirst)
      : tree_(std::move(tree)),
        sessions_(std::move(sessions)),
        zxid_(zxid),
        time_ms_(time_ms),
        ensemble_id_(ensemble_id),
        feature_level_(feature_level) {}

  // Reads. None validates its path: a malformed one names no znode (Z48).
  struct ZnodeView {
    Stat stat;
    SharedBytes data;
  };
  struct ChildrenView {
    Stat stat;
    std::vector<std::string> names;  // sorted by bytes
  };
  std::optional<ZnodeView> Get(std::string_view path) const;
  std::optional<Stat> Exists(std::string_view path) const;
  std::optional<ChildrenView> Children(std::string_view path) const;
  // How many znodes are below it. Takes time in proportion, but none for "/".
  std::optional<uint64_t> DescendantCount(std::string_view path) const;
  // Null when there is none; good as long as this view is neither changed nor dropped.
  const Znode* FindZnode(std::string_view path) const { return tree_.Find(path); }
  // Who may do what with a znode, for Allows; null, which is open, also when there is none.
  AclPtr AccessOf(std::string_view path) const;
  struct AclView {
    Acl acl;  // an open znode's is {31, "world", "anyone"}
    Stat stat;
  };
  std::optional<AclView> GetAcl(std::string_view path) const;
  // Visits the znode and everything below it: a parent before its children, siblings by the bytes
  // of their names; ends early when the visitor returns false. False when there is no such znode.
  bool Subtree(std::string_view path, absl::FunctionRef<bool(const ZnodeVisit&)> visitor) const;

  // The same in parts, for pages: what is behind `after`, which need not exist (any more), without
  // a walk to it. Children take the name of a child, empty for all, and visit names; Subtree takes
  // a path that is `path` or below it.
  std::optional<Stat> ChildrenAfter(std::string_view path, std::string_view after,
                                    absl::FunctionRef<bool(std::string_view name)> visitor) const;
  bool SubtreeAfter(std::string_view path, std::string_view after,
                    absl::FunctionRef<bool(const ZnodeVisit&)> visitor) const;

  // The TTL in ms of a znode that may expire, 0 for a container; nullopt for any other path.
  std::optional<int64_t> TtlOf(std::string_view path) const { return tree_.TtlOf(path); }
  // Some of the containers and znodes with a TTL whose time has come (see DeleteExpired), by the
  // bytes of their paths: those among the next `visits_max` that may expire behind `after`, at most
  // `paths_max`, both at least 1; no more of them once their paths have `path_bytes_max`, as a look at
  // one takes time in proportion to its path. Goes on behind `resume_after`, which is empty when there
  // are no more.
  struct ExpiredPage {
    std::vector<std::string> paths;
    std::string resume_after;
  };
  ExpiredPage ExpirableAfter(
      std::string_view after, size_t paths_max, size_t visits_max, int64_t now_ms,
      size_t path_bytes_max = std::numeric_limits<size_t>::max()) const;

  // Sessions.
  struct SessionView {
    SessionGeneration generation;
    CommandSequence last_sequence;
    int64_t timeout_ms = 0;
    size_t ephemerals = 0;  // znodes it owns
    size_t kept_results = 0;  // of its newest commands
  };
  std::optional<SessionView> FindSession(SessionId session) const;
  std::vector<SessionId> SessionIds() const;  // sorted
  // Paths of the znodes it owns, sorted by bytes; empty for an unknown session.
  std::vector<std::string> Ephemerals(SessionId session) const;
  // All that is kept of them, passwords included.
  const Sessions& sessions() const { return sessions_; }

  Zxid zxid() const { return zxid_; }                // of the last applied command
  int64_t last_time_ms() const { return time_ms_; }  // of the last applied command
  base::Uuid ensemble_id() const { return ensemble_id_; }  // nil until it was set
  uint32_t feature_level() const { return feature_level_; }  // see SetFeatureLevel
  size_t znode_count() const { return tree_.znode_count(); }  // the root included
  size_t data_bytes() const { return tree_.data_bytes(); }    // of all znodes
  size_t acl_bytes() const { return tree_.acl_bytes(); }      // of all znodes, none shared
  size_t name_bytes() const { return tree_.name_bytes(); }    // see Tree
  size_t expirable_count() const { return tree_.expirables().size(); }  // containers, TTLs
  size_t session_count() const { return sessions_.count(); }
  size_t ephemeral_count() const { return sessions_.ephemeral_count(); }
  size_t kept_results() const { return sessions_.kept_results(); }  // of all sessions
  size_t kept_result_bytes() const { return sessions_.kept_bytes(); }

  // A hash of everything above, kept up to date with each command. Equal states have equal digests
  // on every machine; different ones differ but for chance.
  uint64_t digest() const;
  // The same computed from nothing: for tests and checks, as slow as the state is large.
  uint64_t RecomputeDigest() const;

 protected:
  Tree tree_;
  Sessions sessions_;
  Zxid zxid_;
  int64_t time_ms_ = 0;
  base::Uuid ensemble_id_;
  uint32_t feature_level_ = kFeatureLevelFirst;

 private:
  uint64_t DigestOf(uint64_t tree_digest, uint64_t sessions_digest) const;
};

}  // namespace bellwether::coord::tree
