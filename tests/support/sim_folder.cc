#include "tests/support/sim_folder.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace bellwether {

class SimFolder::OpenedFile : public base::File {
 public:
  OpenedFile(SimFolder& folder, std::string path, std::shared_ptr<Node> node)
      : folder_(folder), path_(std::move(path)), node_(std::move(node)) {}

  absl::Status Append(std::string_view bytes) override {
    const absl::Status alive = folder_.BeginCall();
    if (!alive.ok()) {
      if (folder_.failed_calls_ == 1) AppendPart(bytes, folder_.random_.Below(bytes.size() + 1));
      return alive;
    }
    const uint64_t room = *folder_.FreeBytes();
    AppendPart(bytes, room);
    if (bytes.size() <= room) return absl::OkStatus();
    return absl::ResourceExhaustedError("cannot write '" + path_ + "': No space left on device");
  }

  absl::Status ReadAt(uint64_t offset, size_t bytes_max, std::string& out) override {
    out = offset < node_->content.size() ? node_->content.substr(offset, bytes_max) : "";
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Size() override { return node_->content.size(); }

  absl::Status Truncate(uint64_t bytes) override {
    RETURN_IF_ERROR(folder_.BeginCall());
    CHECK(bytes <= node_->content.size());
    node_->content.resize(bytes);
    node_->synced = std::min<size_t>(node_->synced, bytes);
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    RETURN_IF_ERROR(folder_.BeginCall());
    node_->synced = node_->content.size();
    return absl::OkStatus();
  }

  const std::string& path() const override { return path_; }

 private:
  void AppendPart(std::string_view bytes, uint64_t bytes_max) {
    node_->content.append(bytes.substr(0, bytes_max));
  }

  SimFolder& folder_;
  const std::string path_;
  const std::shared_ptr<Node> node_;  // lives on when its name is gone
};

// --- Faults

void SimFolder::Crash() {
  const size_t kept = random_.Below(unsynced_.size() + 1);
  for (size_t i = 0; i < kept; ++i) Apply(unsynced_[i], synced_names_);
  unsynced_.clear();
  names_ = synced_names_;
  for (auto& [name, node] : names_) {
    const size_t unsynced = node->content.size() - node->synced;
    const size_t left = node->synced + random_.Below(unsynced + 1);
    node->content.resize(left);
    if (left > node->synced && random_.Below(2) == 0) node->content.back() ^= 0x5a;
    node->synced = left;
  }
  calls_left_ = UINT64_MAX;
  failed_calls_ = 0;
}

void SimFolder::Wipe() {
  names_.clear();
  synced_names_.clear();
  unsynced_.clear();
}

void SimFolder::Damage(const std::string& name, uint64_t offset) {
  std::string& content = names_.at(name)->content;
  CHECK(offset < content.size());
  content[offset] ^= 1;
}

absl::Status SimFolder::BeginCall() {
  if (calls_left_ == 0) {
    ++failed_calls_;
    return absl::InternalError("the process is dead");
  }
  if (calls_left_ != UINT64_MAX) --calls_left_;
  ++calls_;
  return absl::OkStatus();
}

// --- The folder

void SimFolder::Apply(const Change& change, Names& names) {
  names.erase(change.from);
  if (!change.to.empty()) names[change.to] = change.node;
}

void SimFolder::Make(Change change) {
  Apply(change, names_);
  unsynced_.push_back(std::move(change));
}

absl::StatusOr<std::unique_ptr<base::File>> SimFolder::Open(const std::string& name, Mode mode) {
  if (mode == Mode::kCreate) {
    RETURN_IF_ERROR(BeginCall());
    Make({"", name, std::make_shared<Node>()});
  }
  if (mode == Mode::kRead) RETURN_IF_ERROR(read_error_);
  const auto found = names_.find(name);
  if (found == names_.end()) return absl::NotFoundError("there is no '" + Path(name) + "'");
  return std::make_unique<OpenedFile>(*this, Path(name), found->second);
}

absl::Status SimFolder::Rename(const std::string& from, const std::string& to) {
  RETURN_IF_ERROR(BeginCall());
  const auto found = names_.find(from);
  if (found == names_.end()) return absl::NotFoundError("there is no '" + Path(from) + "'");
  Make({from, to, found->second});
  return absl::OkStatus();
}

absl::Status SimFolder::Remove(const std::string& name) {
  RETURN_IF_ERROR(BeginCall());
  if (names_.contains(name)) Make({name, "", nullptr});
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> SimFolder::List() {
  std::vector<std::string> names;
  for (const auto& [name, node] : names_) names.push_back(name);
  return names;
}

absl::Status SimFolder::Sync() {
  RETURN_IF_ERROR(BeginCall());
  synced_names_ = names_;
  unsynced_.clear();
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> SimFolder::FreeBytes() {
  uint64_t used = 0;
  for (const auto& [name, node] : names_) used += node->content.size();
  return capacity_ - std::min(capacity_, used);
}

}  // namespace bellwether
