#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "coord/tree/acl.h"
#include "coord/tree/command.h"
#include "coord/tree/quotas.h"
#include "coord/tree/result.h"
#include "coord/tree/sessions.h"
#include "coord/tree/tree.h"
#include "coord/tree/types.h"

namespace bellwether::coord::tree {

// Whose command it is, and what it stamps on what it changes.
struct EditContext {
  SessionId session;  // owner of the ephemerals it creates
  Zxid zxid;
  int64_t time_ms = 0;
  uint32_t feature_level = kFeatureLevelFirst;  // below kFeatureLevelAcls none of what came with it
  const Identities& identities;                 // what ACLs are checked with; outlives the edit
};

// One command's changes of the tree: ZooKeeper's rules and the order in which it checks them, over
// Tree and Sessions, which know none. An operation that fails changes nothing. Reports changes as
// it makes them, but for those of ACLs, which no watch tells (Z1), and of the usage of quotas
// (Z54). Lives while its command is applied.
class Edit {
 public:
  enum class Undo { kNone, kKeep };

  // `changes` is appended to. With kKeep, Rollback() can take everything back.
  Edit(const EditContext& context, Undo undo, Tree& tree, Sessions& sessions,
       std::vector<Change>& changes);
  Edit(const Edit&) = delete;
  Edit& operator=(const Edit&) = delete;

  // Z11-Z17. Requires: the context's session exists.
  OperationResult Apply(const Create& operation);
  // Z19.
  OperationResult Apply(const SetData& operation);
  // Z1, Z19. Not undone by Rollback(), since no transaction has one (Z23).
  OperationResult Apply(const SetAcl& operation);
  // Z18.
  OperationResult Apply(const Delete& operation);
  // Z20.
  OperationResult Apply(const Check& operation);

  // A znode of an Import. Checks, in this order: path and mode, sizes, the ACL, that there is the
  // parent, kCreate on it, that there is no such znode, that the parent is no ephemeral, and quotas,
  // as a create does (Z13). Of the parent it changes what a creation does but for the counter: that
  // was imported with the parent, and is raised only where it would be lower than the children are
  // many, so that sequence numbers never name one that was imported. The result has the path of a
  // znode that was created.
  //
  // One that exists and is as given, whatever its zxids and ctime, is kAlreadySet, but its counter
  // is raised to what is given. With `overwrite` another one gets data, ACL, versions and mtime,
  // which needs kWrite and kAdmin on it; so does the root without it, while nobody has changed its
  // data or ACL. An ephemeral, and one of another mode or TTL, stays kNodeExists. Not undone by
  // Rollback(), since no transaction has one.
  OperationResult Apply(const ImportedZnode& znode, bool overwrite);

  // Whether ACLs let the context's identities read a znode, or there is none.
  bool MayRead(std::string_view path) const;

  // Deletes a znode and everything below it; `deleted` is how many. Of "/": everything below it
  // but the system znodes and what is below them. kNoAuth, without effect, when a parent of any of
  // these does not permit it. Not undone by Rollback().
  ResultCode DeleteSubtree(std::string_view path, uint32_t& deleted);

  // Deletes every znode that a session owns; returns how many. Not undone by Rollback().
  uint32_t DeleteEphemerals(SessionId session);

  // Z17, whatever ACLs say.
  ResultCode DeleteExpired(std::string_view path);

  // Likewise; the result has the znode's Stat. Not undone by Rollback().
  OperationResult SetConfig(const SetEnsembleConfig& operation);

  // See system_znodes.h. Not undone by Rollback().
  void AddSystemZnodes();

  // Takes back all operations and their changes, sequence numbers, TTLs and the usage of quotas
  // included (Z22). Requires: Undo::kKeep.
  void Rollback();

 private:
  // Where a znode was put in or taken out. Places are paths: an address would be that of a znode
  // which a later operation may have replaced by a copy.
  struct Place {
    std::string parent_path;
    std::string name;
    Tree::ParentFields before;
  };
  struct Inserted {
    Place place;
  };
  struct Removed {
    Place place;
    CowPtr<Znode> znode;
    std::optional<int64_t> ttl_ms;
  };
  struct Changed {
    std::string path;
    Tree::Content before;
  };
  using UndoEntry = std::variant<Inserted, Removed, Changed>;

  void Revert(Inserted& entry);
  void Revert(Removed& entry);
  void Revert(Changed& entry);

  // What a creation that passed its checks makes.
  struct NewZnode {
    std::string path;
    Acl acl;
    SharedBytes data;
  };
  // The order of Z13; fills `created` in.
  ResultCode CheckCreate(const Create& operation, NewZnode& created);
  // Of Apply(ImportedZnode): what only looks at the znode given; gives the ACL to be kept.
  ResultCode CheckImported(const ImportedZnode& given, std::optional<Acl>& acl) const;
  OperationResult ImportExisting(const ImportedZnode& given, std::optional<Acl> acl,
                                 const Znode& znode, bool overwrite);
  OperationResult ImportNew(const ImportedZnode& given, std::optional<Acl> acl,
                            const Znode& parent);
  // Makes a znode's counter at least that.
  void RaiseCreateCounter(std::string_view path, int32_t counter);
  // The last of these checks; puts the first usage of a quota into `created`.
  ResultCode CheckQuotaOfNew(NewZnode& created);

  bool AtLevelOfAcls() const { return context_.feature_level >= kFeatureLevelAcls; }
  size_t acl_entries_max() const { return AclEntriesMax(context_.feature_level); }
  bool May(const Znode& znode, uint32_t permission) const {
    return Allows(znode.access(), permission, context_.identities);
  }
  // By the state before the command, as ZooKeeper decides (Z54).
  bool ExceedsItsQuota(std::string_view path, const Usage& change) const;
  // Adds a change of a znode to the usage of its quota.
  void AddToQuotaOf(std::string_view path, const Usage& change);
  void AddToQuota(std::string_view quota, const Usage& change);

  // What goes with the path: the path itself, or the root's children.
  std::vector<std::string> BranchesOf(std::string_view path) const;
  // kTooLarge or kNoAuth; `count` is how many znodes they are.
  ResultCode CheckBranches(const std::vector<std::string>& branches, uint32_t& count) const;
  // Takes a branch out of everything but the tree; adds to `usage`, by quota, what it was.
  void ReportBranch(const std::string& branch, std::map<std::string, Usage>& usage);
  void RemoveBranch(const std::string& branch);

  // Requires: the child exists and has no children.
  void DeleteChild(std::string_view parent_path, std::string_view name);
  // The content as it is, for undo.
  void KeepContent(std::string_view path, const Znode& znode);
  void Report(Change::Type type, std::string_view path, const Znode& znode);

  const EditContext context_;
  const Undo undo_;
  Tree& tree_;
  Sessions& sessions_;
  std::vector<Change>& changes_;
  const size_t changes_before_;
  std::vector<UndoEntry> undo_log_;
  const bool has_quotas_;              // when the edit began
  const std::optional<Tree> tree_before_;  // of a transaction, if there were quotas
  size_t countable_;                       // znodes, for quotas that this edit begins
};

}  // namespace bellwether::coord::tree
