#include "coord/replica/instruments.h"

#include <string>

#include "fmt/format.h"

namespace bellwether::coord {

Instruments::Instruments(base::Metrics& metrics)
    : term(metrics.AddGauge("bell_raft_term", "Current term.")),
      is_leader(metrics.AddGauge("bell_raft_is_leader", "1 while this server leads.")),
      commit_index(metrics.AddGauge("bell_raft_commit_index", "Last entry known committed.")),
      applied_index(metrics.AddGauge("bell_raft_applied_index", "Last entry applied.")),
      last_index(metrics.AddGauge("bell_raft_last_index", "Last entry of the log.")),
      commit_lag(metrics.AddGauge("bell_raft_commit_lag_entries",
                                  "Entries of the log that are not known committed.")),
      apply_lag(metrics.AddGauge("bell_raft_apply_lag_entries",
                                 "Entries known committed that are not applied.")),
      elections_started(metrics.AddCounter("bell_raft_elections_started_total",
                                           "Terms in which this server stood for leader.")),
      elections_won(metrics.AddCounter("bell_raft_elections_won_total",
                                       "Terms in which this server became the leader.")),
      leader_changes(metrics.AddCounter("bell_raft_leader_changes_total",
                                        "Leaders that this server has seen begin.")),
      handovers(metrics.AddCounter("bell_raft_handovers_total",
                                   "Times that this leader asked another server to lead.")),
      proposals(
          metrics.AddCounter("bell_raft_proposals_total", "Proposals made at this server.")),
      proposals_refused(metrics.AddCounter("bell_raft_proposals_refused_total",
                                           "Proposals refused: no leader, or over a limit.")),
      forwards_broken(metrics.AddCounter(
          "bell_raft_forward_streams_broken_total",
          "Forward streams ended early: connection, leader or message lost.")),
      appends_refused_disk(metrics.AddCounter(
          "bell_raft_appends_refused_disk_total",
          "Entries from the leader not taken because the disk is nearly full.")),
      commit_seconds(metrics.AddHistogram(
          "bell_raft_commit_seconds",
          "At the leader, from appending commands to their commit; sampled.")),
      apply_seconds(metrics.AddHistogram(
          "bell_raft_apply_seconds", "From learning of a commit to having applied it; sampled.")),
      snapshots_taken(
          metrics.AddCounter("bell_snapshots_taken_total", "Snapshots of the own state written.")),
      snapshots_installed(metrics.AddCounter("bell_snapshots_installed_total",
                                             "Snapshots of other servers installed.")),
      snapshots_damaged(
          metrics.AddCounter("bell_snapshots_damaged_total",
                             "Snapshots found damaged, and set aside, when somebody wanted them.")),
      snapshot_seconds(
          metrics.AddHistogram("bell_snapshot_seconds", "From taking a snapshot to having it.")),
      snapshot_index(
          metrics.AddGauge("bell_snapshot_index", "Last log entry in the newest snapshot.")),
      snapshot_bytes(metrics.AddGauge("bell_snapshot_bytes", "File size of the newest snapshot.")),
      snapshot_received_bytes(metrics.AddGauge(
          "bell_snapshot_received_bytes",
          "Received so far of the snapshot being fetched from another server; 0: none is.")) {}

void IndexTimer::Begin(raft::LogIndex index, absl::Duration now) {
  if (!begun_.has_value()) begun_ = Begun{index, now};
}

std::optional<absl::Duration> IndexTimer::End(raft::LogIndex index, absl::Duration now) {
  if (!begun_.has_value() || index < begun_->index) return std::nullopt;
  const absl::Duration took = now - begun_->at;
  begun_.reset();
  return took;
}

void SnapshotProgress::OnSent(raft::ServerId to, raft::LogIndex index, uint64_t sent,
                              uint64_t total, absl::Duration now) {
  Follower& follower = followers_[to];
  if (follower.sent == nullptr) {
    const std::string peer = fmt::format("peer=\"{}\"", to);
    follower.sent = &metrics_.AddGauge(
        "bell_snapshot_sent_bytes",
        "How far a follower has fetched a snapshot of this server; 0: it fetches none.", peer);
    follower.total = &metrics_.AddGauge("bell_snapshot_total_bytes",
                                        "Size of the snapshot that a follower fetches; 0: it "
                                        "fetches none, or one that is no longer the newest.",
                                        peer);
  }
  if (follower.index != index || total > 0) follower.total->Set(static_cast<int64_t>(total));
  follower.sent->Set(static_cast<int64_t>(sent));
  follower.index = index;
  follower.last = now;
}

void SnapshotProgress::Follower::End() {
  if (index == raft::LogIndex()) return;
  index = raft::LogIndex();
  sent->Set(0);
  total->Set(0);
}

void SnapshotProgress::End(raft::ServerId to) {
  if (const auto found = followers_.find(to); found != followers_.end()) found->second.End();
}

void SnapshotProgress::EndBefore(absl::Duration then) {
  for (auto& [server, follower] : followers_) {
    if (follower.last < then) follower.End();
  }
}

void SnapshotProgress::Clear() {
  for (auto& [server, follower] : followers_) follower.End();
}

void AppendTimer::OnSent(raft::ServerId to, raft::LogIndex last, absl::Duration now) {
  Follower& follower = followers_[to];
  if (follower.seconds == nullptr) {
    follower.seconds = &metrics_.AddHistogram(
        "bell_raft_append_seconds",
        "From sending entries to a follower to its word that they are durable; sampled.",
        fmt::format("peer=\"{}\"", to));
  }
  follower.timer.Begin(last, now);
}

void AppendTimer::OnAccepted(raft::ServerId from, raft::LogIndex match, absl::Duration now) {
  const auto found = followers_.find(from);
  if (found == followers_.end()) return;
  if (const auto took = found->second.timer.End(match, now)) found->second.seconds->Observe(*took);
}

void AppendTimer::Clear() {
  for (auto& [server, follower] : followers_) follower.timer.Clear();
}

}  // namespace bellwether::coord
