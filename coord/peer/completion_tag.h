#pragma once

#include <functional>
#include <memory>
#include <utility>

namespace bellwether::coord {

// What a completion queue hands back when an operation has ended. Keeps the operation's owner alive
// while it is outstanding; at most one operation per tag at a time.
class CompletionTag {
 public:
  explicit CompletionTag(std::function<void(bool ok)> done) : done_(std::move(done)) {}

  // The pointer to give to gRPC.
  void* Begin(std::shared_ptr<void> owner) {
    owner_ = std::move(owner);
    return this;
  }
  void End(bool ok) {
    const std::shared_ptr<void> owner = std::move(owner_);
    done_(ok);
  }

 private:
  const std::function<void(bool)> done_;
  std::shared_ptr<void> owner_;  // shared with whoever else refers to the owner
};

}  // namespace bellwether::coord
