#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "coord/service/requests.h"

namespace bellwether::coord {

// Sessions heard from since they were last reported to the leader. Thread-safe.
class Touches {
 public:
  void Add(SessionId session);

  // What was added since the last call, each once.
  std::vector<SessionId> TakeAll();

 private:
  base::Mutex mutex_;
  std::vector<SessionId> sessions_ ABSL_GUARDED_BY(mutex_);
};

// The note by which a server tells the leader of them.
std::string EncodeTouchNote(const std::vector<SessionId>& sessions);
// Empty for anything malformed: notes may be lost, so a bad one is as good as none.
std::vector<SessionId> DecodeTouchNote(std::string_view note);

}  // namespace bellwether::coord
