#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "client/coord_types.h"

namespace bellwether::cli {

// Puts znodes that are to be imported together into batches, in the order in which they came, parents
// before their children. A container or a znode with a TTL could expire before its children come, so it
// waits for the first of them and goes with it, in one batch. Pure, not thread-safe.
class ImportBatches {
 public:
  using Znodes = std::vector<client::ImportedZnode>;
  static constexpr size_t kBatchBytesMax = 1 << 20;  // or a single one, or what goes together
  static constexpr size_t kBatchZnodesMax = 1000;

  // `children`: for how many, at most, Add or Skip is still to be called.
  void Add(client::ImportedZnode znode, size_t children);
  // A child that does not come.
  void Skip(std::string_view path);
  // Nothing comes any more: all that is left becomes ready.
  void Finish();

  // Batches that are full, or the last one; each once.
  bool ready() const { return !ready_.empty(); }
  Znodes Take();

  static size_t BytesOf(const client::ImportedZnode& znode);

 private:
  // Waits for its first child.
  struct Held {
    client::ImportedZnode znode;
    size_t children = 0;
  };

  // Appends the held one and all above it that are held to the group, the topmost first.
  void Release(std::string path, Znodes& group);
  void Append(Znodes group);
  void EndBatch();

  std::map<std::string, Held, std::less<>> held_;
  Znodes next_;
  size_t next_bytes_ = 0;
  std::deque<Znodes> ready_;
};

}  // namespace bellwether::cli
