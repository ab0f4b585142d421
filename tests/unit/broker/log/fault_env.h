#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "rocksdb/env.h"
#include "rocksdb/file_system.h"

namespace bellwether::broker {

// The operating system's files, with every sync of a log or data file counted and, on demand,
// failing: the file keeps what was written, as a kernel that lost a page would claim.
class FaultFileSystem : public rocksdb::FileSystemWrapper {
 public:
  FaultFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}

  const char* Name() const override { return "FaultFileSystem"; }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    const rocksdb::IOStatus status = target()->NewWritableFile(path, options, &file, debug);
    if (status.ok()) *result = std::make_unique<CountingFile>(std::move(file), *this);
    return status;
  }

  int syncs() const { return syncs_; }
  void FailSyncs(bool fail) { fail_ = fail; }

 private:
  class CountingFile : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    CountingFile(std::unique_ptr<rocksdb::FSWritableFile> file, FaultFileSystem& owner)
        : FSWritableFileOwnerWrapper(std::move(file)), owner_(owner) {}
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
      return owner_.Count(FSWritableFileOwnerWrapper::Sync(options, debug));
    }
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options,
                            rocksdb::IODebugContext* debug) override {
      return owner_.Count(FSWritableFileOwnerWrapper::Fsync(options, debug));
    }

   private:
    FaultFileSystem& owner_;
  };

  rocksdb::IOStatus Count(rocksdb::IOStatus status) {
    ++syncs_;
    return fail_ ? rocksdb::IOStatus::IOError("sync failed on purpose") : status;
  }

  std::atomic<int> syncs_ = 0;
  std::atomic<bool> fail_ = false;
};

}  // namespace bellwether::broker
