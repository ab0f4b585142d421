#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "rocksdb/env.h"
#include "rocksdb/file_system.h"

namespace bellwether {

// The operating system's files under a RocksDB, with every sync of a log or data file counted and,
// on demand, failing: the file keeps what was written, as a kernel that lost a page would claim.
class FaultFileSystem : public rocksdb::FileSystemWrapper {
 public:
  // `ending`: of the names of the files whose syncs can fail.
  explicit FaultFileSystem(std::string ending = "")
      : FileSystemWrapper(rocksdb::FileSystem::Default()), ending_(std::move(ending)) {}

  const char* Name() const override { return "FaultFileSystem"; }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    const rocksdb::IOStatus status = target()->NewWritableFile(path, options, &file, debug);
    if (!status.ok()) return status;
    *result = std::make_unique<CountingFile>(std::move(file), *this, path.ends_with(ending_));
    return status;
  }

  int syncs() const { return syncs_; }
  void FailSyncs(bool fail) { fail_ = fail; }

 private:
  class CountingFile : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    CountingFile(std::unique_ptr<rocksdb::FSWritableFile> file, FaultFileSystem& owner,
                 bool can_fail)
        : FSWritableFileOwnerWrapper(std::move(file)), owner_(owner), can_fail_(can_fail) {}
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
      return owner_.Count(FSWritableFileOwnerWrapper::Sync(options, debug), can_fail_);
    }
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options,
                            rocksdb::IODebugContext* debug) override {
      return owner_.Count(FSWritableFileOwnerWrapper::Fsync(options, debug), can_fail_);
    }

   private:
    FaultFileSystem& owner_;
    const bool can_fail_;
  };

  rocksdb::IOStatus Count(rocksdb::IOStatus status, bool can_fail) {
    ++syncs_;
    return can_fail && fail_ ? rocksdb::IOStatus::IOError("sync failed on purpose") : status;
  }

  const std::string ending_;
  std::atomic<int> syncs_ = 0;
  std::atomic<bool> fail_ = false;
};

}  // namespace bellwether
