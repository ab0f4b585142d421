#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coord/replica/transport.h"

namespace bellwether::coord {

// Commands of one Propose call and who waits for its outcome.
struct Proposal {
  std::vector<ProposedCommand> commands;
  size_t bytes = 0;  // of the commands, with an overhead each
  absl::AnyInvocable<void(absl::Status)> done;
};

// The sending half of a forward stream: at a server that doesn't lead. Numbers what it forwards to
// one leader in one term and completes it when answered; never sends anything twice. When answers
// can't come any more (the connection broke, a new term began, an answer is missing) or nobody has led
// for long, everything unanswered becomes unknown and a new stream begins. While this server merely
// doesn't hear the leader of that term the stream stands. Not thread-safe.
class ForwardSender {
 public:
  // Starts a stream. `leader` 0: none, nothing can be forwarded. Requires: nothing is unanswered.
  void Open(uint64_t stream_id, ServerId leader, Term term);

  // Everything unanswered completes as unknown because of `why`.
  void Break(std::string_view why);

  // Gives the group the next position. Requires: leader() is not 0.
  Forward Add(std::vector<Proposal> group, absl::Duration now);

  // Completes the group that is answered. False: the stream has lost something, open a new one.
  bool OnReply(ForwardReply reply);

  ServerId leader() const { return leader_; }
  Term term() const { return term_; }
  // Of what is unanswered.
  size_t bytes() const { return bytes_; }
  // When the oldest unanswered group was sent; infinite future when there is none.
  absl::Duration oldest() const;

 private:
  struct Sent {
    std::vector<Proposal> group;
    size_t bytes = 0;
    absl::Duration at;
  };

  uint64_t stream_id_ = 0;
  ServerId leader_;
  Term term_;
  uint64_t next_position_ = 1;
  size_t bytes_ = 0;
  std::deque<Sent> unanswered_;  // the last one has position next_position_ - 1
};

// The receiving half, at the leader: what the next position of every server's stream is.
class ForwardReceiver {
 public:
  // OK: this is the next of its stream, and the one after it is expected from now on. ABORTED: a
  // gap; the stream is over.
  absl::Status Accept(ServerId from, const Forward& forward);

  void Forget(ServerId from) { streams_.erase(from); }
  void Clear() { streams_.clear(); }

 private:
  struct Stream {
    uint64_t id = 0;
    uint64_t next_position = 1;
    bool broken = false;
  };
  std::map<ServerId, Stream> streams_;
};

}  // namespace bellwether::coord
