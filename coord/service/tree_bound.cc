#include "coord/service/tree_bound.h"

#include <algorithm>
#include <type_traits>
#include <variant>

#include "fmt/format.h"

namespace bellwether::coord {
namespace {

// As measured (coord/tree/README.md), and a little for leaves that are not full: names that come in
// no order split them.
constexpr uint64_t kZnodeBytes = 128;
// A session, its places in two maps, and the first node of its ephemerals.
constexpr uint64_t kSessionBytes = 256;
// A place in the session's ephemerals, or among the znodes that may expire; the path counts as a name.
constexpr uint64_t kPathEntryBytes = 32;

struct GrowthOf {
  bool operator()(const tree::Create&) const { return true; }
  bool operator()(const tree::SetData& set) const { return set.data.size() > 0; }
  bool operator()(const tree::SetAcl&) const { return true; }
  bool operator()(const tree::Import&) const { return true; }
  bool operator()(const tree::Transaction& transaction) const {
    const auto& operations = transaction.operations;
    return std::any_of(operations.begin(), operations.end(),
                       [this](const auto& operation) { return std::visit(*this, operation); });
  }
  template <typename Other>
  bool operator()(const Other&) const {
    return false;
  }
};

}  // namespace

uint64_t EstimateTreeBytes(const tree::StateView& state) {
  return state.znode_count() * kZnodeBytes + state.name_bytes() + state.data_bytes() +
         state.acl_bytes() + (state.ephemeral_count() + state.expirable_count()) * kPathEntryBytes +
         state.session_count() * kSessionBytes + state.kept_result_bytes();
}

bool Grows(const RequestOperation& operation) { return std::visit(GrowthOf(), operation); }

TreeBound::TreeBound(uint64_t bytes_max, base::Metrics& metrics)
    : bytes_max_(bytes_max),
      refused_(metrics.AddCounter("bell_writes_refused_tree_full_total",
                                  "Writes of this server's clients refused because the tree had "
                                  "reached --tree-bytes-max.")) {
  metrics.AddGauge("bell_tree_bytes", "What the tree takes in memory, roughly.",
                   [this] { return static_cast<double>(bytes()); });
  metrics.AddGauge("bell_tree_bytes_max", "Where writes that grow it are refused; 0: nowhere.")
      .Set(static_cast<int64_t>(bytes_max));
}

std::optional<Failure> TreeBound::Refuses(const RequestOperation& operation) {
  if (bytes_max_ == 0 || bytes() < bytes_max_ || !Grows(operation)) return std::nullopt;
  refused_.Add();
  return Failure{absl::StatusCode::kResourceExhausted,
                 fmt::format("the tree takes {} bytes, and --tree-bytes-max of this server is {}; "
                             "delete znodes or their data, or raise it on all servers",
                             bytes(), bytes_max_),
                 "tree_full", base::Outcome::kRejected};
}

}  // namespace bellwether::coord
