#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "coord/tree/command.h"
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
};

// One command's changes of the tree: ZooKeeper's rules and the order in which it checks them, over
// Tree and Sessions, which know none. An operation that fails changes nothing. Reports changes as
// it makes them. Lives while its command is applied.
class Edit {
 public:
  enum class Undo { kNone, kKeep };

  // `changes` is appended to. With kKeep, Rollback() can take everything back.
  Edit(const EditContext& context, Undo undo, Tree& tree, Sessions& sessions,
       std::vector<Change>& changes);

  // Z11-Z16. Requires: the context's session exists.
  OperationResult Apply(const Create& operation);
  // Z19.
  OperationResult Apply(const SetData& operation);
  // Z18.
  OperationResult Apply(const Delete& operation);

  // Deletes a znode and everything below it; `deleted` is how many. Not undone by Rollback().
  ResultCode DeleteSubtree(std::string_view path, uint32_t& deleted);

  // Deletes every znode that a session owns; returns how many. Not undone by Rollback().
  uint32_t DeleteEphemerals(SessionId session);

  // Takes back all operations and their changes, sequence numbers included (Z22).
  // Requires: Undo::kKeep.
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
  };
  struct Changed {
    std::string path;
    Tree::Content before;
  };
  using UndoEntry = std::variant<Inserted, Removed, Changed>;

  void Revert(Inserted& entry);
  void Revert(Removed& entry);
  void Revert(Changed& entry);

  // Requires: the child exists and has no children.
  void DeleteChild(std::string_view parent_path, std::string_view name);
  void Report(Change::Type type, std::string_view path, const Znode& znode);

  const EditContext context_;
  const Undo undo_;
  Tree& tree_;
  Sessions& sessions_;
  std::vector<Change>& changes_;
  const size_t changes_before_;
  std::vector<UndoEntry> undo_log_;
};

}  // namespace bellwether::coord::tree
