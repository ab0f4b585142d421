#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "broker/log/database.h"
#include "broker/log/keys.h"

namespace bellwether::broker {

// One column family of data: batches of all partitions of a retention class, appended during one
// period. Shared by its chain, the directories of partitions and readers; the files of a dropped
// slice go with the last of them. The mutable fields are owned by the committer.
class Slice {
 public:
  Slice(const SliceRecord& record, std::shared_ptr<Database> database,
        rocksdb::ColumnFamilyHandle* family)
      : id(record.id),
        retention_class(record.retention_class),
        created_ms(record.created_ms),
        opened_ms(record.opened_ms),
        family_(family),
        database_(std::move(database)) {}
  ~Slice() { database_->DestroyHandle(family_); }
  Slice(const Slice&) = delete;
  Slice& operator=(const Slice&) = delete;

  rocksdb::ColumnFamilyHandle* family() const { return family_; }
  SliceRecord Record() const {
    return {.id = id,
            .retention_class = retention_class,
            .created_ms = created_ms,
            .opened_ms = opened_ms};
  }

  const SliceId id;
  const int retention_class;
  const int64_t created_ms;

  int64_t opened_ms;     // first append, since 1970; 0: none yet
  uint64_t bytes = 0;    // of all batches ever appended to it
  int live_entries = 0;  // partitions with a directory entry for it

 private:
  rocksdb::ColumnFamilyHandle* const family_;
  const std::shared_ptr<Database> database_;  // shared: see Database
};

using SliceRef = std::shared_ptr<Slice>;

}  // namespace bellwether::broker
