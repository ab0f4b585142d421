#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "broker/metadata/cluster_view.h"
#include "client/coord_types.h"

namespace bellwether::broker {

// Turns what a recursive watch delivers into ClusterViews. Content that can't be read is noted in
// the view and otherwise treated as untouchable; paths that mean nothing to brokers are skipped.
// Pure; not thread-safe.
class ViewBuilder {
 public:
  // Takes one batch of changes. True when it changed the view.
  bool Apply(const client::WatchBatch& batch);

  // Of the last batch.
  Zxid zxid() const { return view_.zxid(); }

  // The view as of the last batch. Equal to the previous one's parts where nothing changed.
  std::shared_ptr<const ClusterView> Build() const {
    return std::make_shared<const ClusterView>(view_);
  }

 private:
  // Each takes one znode that was created or changed, or is gone (`deleted`).
  void ApplyBroker(const client::WatchChange& change, std::string_view id, bool deleted);
  void ApplyTopic(const client::WatchChange& change, std::string_view name, bool deleted);
  void ApplyAssignment(const client::WatchChange& change, Topic& topic);
  void ApplyState(const client::WatchChange& change, std::string_view name, int32_t partition,
                  bool deleted);
  void ApplyConfigs(const client::WatchChange& change, std::string_view name, bool deleted);
  void ApplyController(const client::WatchChange& change, bool deleted);
  void ApplyControllerEpoch(const client::WatchChange& change, bool deleted);
  void ApplyDeletion(const client::WatchChange& change, std::string_view id, bool deleted);

  // Notes whether `path` could be read.
  void Note(const std::string& path, const absl::Status& status);

  ClusterView view_;
};

}  // namespace bellwether::broker
