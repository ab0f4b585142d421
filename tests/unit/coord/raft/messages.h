#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "tests/support/raft_cluster.h"

// Messages of servers that are not there, and what one that is there answers.
namespace bellwether::coord::raft {

// What `message.to` answers `message.from` before and after its disk has written.
struct Answers {
  std::vector<Message> at_once;
  std::vector<Message> after_sync;
};

inline Answers Ask(RaftCluster& cluster, Message message) {
  const RaftCluster::Edge edge(message.to, message.from);
  const uint32_t server = message.to.value();
  while (cluster.Deliver(server, message.from.value())) {
  }
  cluster.core(server).Step(std::move(message));
  cluster.TakeReadys(server);
  auto sent = [&cluster, &edge] {
    auto found = cluster.in_flight().find(edge);
    if (found == cluster.in_flight().end()) return std::vector<Message>();
    return std::vector<Message>(found->second.begin(), found->second.end());
  };
  Answers answers;
  answers.at_once = sent();
  while (cluster.SyncOne(server)) {
  }
  answers.after_sync = sent();
  answers.after_sync.erase(answers.after_sync.begin(),
                           answers.after_sync.begin() +
                               static_cast<ptrdiff_t>(answers.at_once.size()));
  return answers;
}

inline Message Vote(uint32_t from, uint32_t to, uint64_t term, uint64_t last_index, uint64_t last_term) {
  return Message{ServerId(from), ServerId(to), Term(term),
                 VoteRequest{false, Term(term), LogIndex(last_index), Term(last_term)}};
}

inline Message PreVote(uint32_t from, uint32_t to, uint64_t term, uint64_t last_index,
                uint64_t last_term) {
  return Message{ServerId(from), ServerId(to), Term(term),
                 VoteRequest{true, Term(term + 1), LogIndex(last_index), Term(last_term)}};
}

// An append of one entry per term in `terms`.
inline Message Append(uint32_t from, uint32_t to, uint64_t term, uint64_t prev_index, uint64_t prev_term,
               const std::vector<uint64_t>& terms, uint64_t commit = 0) {
  AppendRequest request;
  request.prev_index = LogIndex(prev_index);
  request.prev_term = Term(prev_term);
  request.commit = LogIndex(commit);
  for (uint64_t entry_term : terms) {
    request.entries.push_back(std::make_shared<Entry>(
        Entry{Term(entry_term), LogIndex(++prev_index), EntryType::kCommands, "x"}));
  }
  return Message{ServerId(from), ServerId(to), Term(term), std::move(request)};
}

inline bool Granted(const std::vector<Message>& messages) {
  return messages.size() == 1 && std::get<VoteResponse>(messages[0].body).granted;
}

inline bool Refused(const std::vector<Message>& messages) {
  return messages.size() == 1 && !std::get<VoteResponse>(messages[0].body).granted;
}

inline const AppendResponse& Response(const std::vector<Message>& messages) {
  return std::get<AppendResponse>(messages.at(0).body);
}

inline std::vector<uint64_t> Terms(RaftCluster& cluster, uint32_t server) {
  std::vector<uint64_t> terms;
  for (const EntryPtr& entry : cluster.disk(server).log()) terms.push_back(entry->term.value());
  return terms;
}

}  // namespace bellwether::coord::raft
