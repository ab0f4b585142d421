#include "coord/replica/forwarding.h"

#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "base/status.h"

namespace bellwether::coord {

void ForwardSender::Open(uint64_t stream_id, ServerId leader, Term term) {
  CHECK(unanswered_.empty());
  stream_id_ = stream_id;
  leader_ = leader;
  term_ = term;
  next_position_ = 1;
}

void ForwardSender::Break(std::string_view why) {
  std::deque<Sent> lost;
  lost.swap(unanswered_);
  bytes_ = 0;
  leader_ = ServerId();
  for (Sent& sent : lost) {
    for (Proposal& proposal : sent.group) {
      proposal.done(base::UnknownOutcome(absl::StatusCode::kUnavailable, why));
    }
  }
}

Forward ForwardSender::Add(std::vector<Proposal> group, absl::Duration now) {
  CHECK(leader_ != ServerId());
  Forward forward;
  forward.stream_id = stream_id_;
  forward.position = next_position_++;
  forward.term = term_;
  Sent sent;
  sent.at = now;
  for (Proposal& proposal : group) {
    sent.bytes += proposal.bytes;
    for (ProposedCommand& command : proposal.commands) {
      forward.commands.push_back(std::move(command.bytes));
      forward.principals.push_back(std::move(command.principal));
    }
    proposal.commands.clear();
  }
  sent.group = std::move(group);
  bytes_ += sent.bytes;
  unanswered_.push_back(std::move(sent));
  return forward;
}

bool ForwardSender::OnReply(ForwardReply reply) {
  if (reply.stream_id != stream_id_ || unanswered_.empty()) return true;  // of an earlier stream
  const uint64_t oldest = next_position_ - unanswered_.size();
  // Answers come in order: a jump means that one was lost, ABORTED that a forward was.
  if (reply.position != oldest || absl::IsAborted(reply.status)) return false;
  Sent sent = std::move(unanswered_.front());
  unanswered_.pop_front();
  bytes_ -= sent.bytes;
  for (Proposal& proposal : sent.group) proposal.done(reply.status);
  return true;
}

absl::Duration ForwardSender::oldest() const {
  return unanswered_.empty() ? absl::InfiniteDuration() : unanswered_.front().at;
}

absl::Status ForwardReceiver::Accept(ServerId from, const Forward& forward) {
  Stream& stream = streams_[from];
  if (stream.id != forward.stream_id) stream = Stream{.id = forward.stream_id};
  const bool is_next = !stream.broken && forward.position == stream.next_position;
  if (!is_next && !MUTANT(42)) {
    stream.broken = true;
    return absl::AbortedError("a forward before this one was lost");
  }
  ++stream.next_position;
  return absl::OkStatus();
}

}  // namespace bellwether::coord
