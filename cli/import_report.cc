#include "cli/import_report.h"

#include <cstdio>
#include <utility>

#include "base/clock.h"
#include "cli/output.h"
#include "cli/zookeeper_walk.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

constexpr absl::Duration kTellInterval = absl::Seconds(1);
constexpr char kMissing[] = "missing";

absl::Duration Now() { return base::SystemClock().Monotonic(); }

}  // namespace

ImportReport::ImportReport(std::string top) : top_(top == "/" ? "/" : std::move(top) + "/") {}

ImportReport::Subtree* ImportReport::SubtreeOf(std::string_view path) {
  if (!path.starts_with(top_) || path.size() == top_.size()) return nullptr;
  const std::string_view subtree = path.substr(0, path.find('/', top_.size()));
  const auto found = subtrees_.find(subtree);
  if (found != subtrees_.end()) return &found->second;
  if (subtrees_.size() == kSubtreesMax) {
    subtrees_cut_ = true;
    return nullptr;
  }
  return &subtrees_[std::string(subtree)];
}

void ImportReport::Read(std::string_view path, size_t bytes) {
  ++read_;
  bytes_ += bytes;
  if (Subtree* const subtree = SubtreeOf(path)) ++subtree->read;
}

void ImportReport::Done(std::string_view path, client::ImportOutcome::Effect effect) {
  using Effect = client::ImportOutcome::Effect;
  (effect == Effect::kCreated ? created_ : effect == Effect::kReplaced ? replaced_ : unchanged_)++;
  if (Subtree* const subtree = SubtreeOf(path)) ++subtree->done;
}

void ImportReport::LeaveOut(const std::string& path, std::string_view reason,
                            std::string_view message) {
  ++left_out_by_reason_[std::string(reason)];
  if (left_out_.size() == kLeftOutShownMax) return;
  left_out_.push_back({path, std::string(reason), std::string(message)});
}

void ImportReport::Found(std::string_view path) {
  if (!path.starts_with(top_) || path.size() == top_.size()) return;
  const auto found = subtrees_.find(path.substr(0, path.find('/', top_.size())));
  if (found != subtrees_.end()) ++found->second.found;
}

void ImportReport::CheckFound() {
  for (const auto& [path, subtree] : subtrees_) {
    if (subtree.found >= subtree.done) continue;
    LeaveOut(path, kMissing,
             fmt::format("{} znodes were copied and {} are there; somebody deletes them",
                         subtree.done, subtree.found));
  }
}

bool ImportReport::complete() const {
  for (const auto& [reason, count] : left_out_by_reason_) {
    if (reason != ZookeeperWalk::kEphemeral) return false;
  }
  return true;
}

void ImportReport::AddTo(nlohmann::ordered_json& json) const {
  json["complete"] = complete();
  json["znodes"] = read_;
  json["bytes"] = bytes_;
  json["created"] = created_;
  json["replaced"] = replaced_;
  json["unchanged"] = unchanged_;
  json["quotas"] = quotas_;
  json["left_out_by_reason"] = nlohmann::ordered_json::object();
  for (const auto& [reason, count] : left_out_by_reason_) {
    json["left_out_by_reason"][reason] = count;
  }
  json["left_out"] = nlohmann::ordered_json::array();
  for (const LeftOut& one : left_out_) {
    json["left_out"].push_back(
        {{"path", one.path}, {"reason", one.reason}, {"message", one.message}});
  }
  json["subtrees"] = nlohmann::ordered_json::array();
  for (const auto& [path, subtree] : subtrees_) {
    json["subtrees"].push_back(
        {{"path", path}, {"read", subtree.read}, {"copied", subtree.done}, {"found", subtree.found}});
  }
  json["subtrees_cut"] = subtrees_cut_;
}

void ImportReport::PrintTables() const {
  PrintTable({{"READ", "BYTES", "CREATED", "REPLACED", "UNCHANGED", "QUOTAS"},
              {fmt::to_string(read_), fmt::to_string(bytes_), fmt::to_string(created_),
               fmt::to_string(replaced_), fmt::to_string(unchanged_), fmt::to_string(quotas_)}});
  std::vector<std::vector<std::string>> rows = {{"SUBTREE", "READ", "COPIED", "FOUND"}};
  for (const auto& [path, subtree] : subtrees_) {
    rows.push_back({path, fmt::to_string(subtree.read), fmt::to_string(subtree.done),
                    fmt::to_string(subtree.found)});
  }
  if (rows.size() > 1) PrintTable(rows);
  if (left_out_.empty()) return;
  rows = {{"LEFT OUT", "REASON", "WHY"}};
  for (const LeftOut& one : left_out_) rows.push_back({one.path, one.reason, one.message});
  PrintTable(rows);
  for (const auto& [reason, count] : left_out_by_reason_) {
    fmt::print("{}: {}\n", reason, count);
  }
}

ImportProgress::ImportProgress(std::string_view verb)
    : verb_(verb), begin_(Now()), last_(begin_) {}

absl::Duration ImportProgress::Elapsed() const { return Now() - begin_; }

void ImportProgress::Tell(uint64_t znodes, uint64_t bytes) {
  const absl::Duration now = Now();
  if (now - last_ < kTellInterval) return;
  const double rate = static_cast<double>(znodes - last_znodes_) / absl::ToDoubleSeconds(now - last_);
  fmt::print(stderr, "bell: {}: {} znodes, {:.1f} MiB, {:.0f} znodes/s\n", verb_, znodes,
             static_cast<double>(bytes) / (1 << 20), rate);
  last_ = now;
  last_znodes_ = znodes;
}

}  // namespace bellwether::cli
