#include "coord/raft/byte_window.h"

#include "base/check.h"

namespace bellwether::coord::raft {

void ByteWindow::Add(LogIndex last, size_t bytes) {
  CHECK(batches_.empty() || batches_.back().last < last);
  batches_.push_back(Batch{last, bytes});
  bytes_ += bytes;
}

void ByteWindow::ReleaseThrough(LogIndex index) {
  while (!batches_.empty() && batches_.front().last <= index) {
    bytes_ -= batches_.front().bytes;
    batches_.pop_front();
  }
}

void ByteWindow::Clear() {
  batches_.clear();
  bytes_ = 0;
}

}  // namespace bellwether::coord::raft
