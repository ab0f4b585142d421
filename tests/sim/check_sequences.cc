#include "tests/sim/check_sequences.h"

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace bellwether::sim {
namespace {

constexpr size_t kDigits = 10;

bool IsSequential(const coord::tree::Create& create) {
  using Mode = coord::tree::CreateMode;
  return create.mode == Mode::kPersistentSequential || create.mode == Mode::kEphemeralSequential;
}

}  // namespace

void CheckSequences(const Model& model, Violations& violations) {
  // By parent and when that was created. The numbers have all digits, so they sort as text.
  std::map<std::pair<std::string_view, Zxid>, std::string_view> newest;
  for (const Model::Applied& applied : model.commands()) {
    const auto* create = std::get_if<coord::tree::Create>(&applied.command.command.operation);
    if (create == nullptr || !IsSequential(*create)) continue;
    if (applied.result.code != coord::tree::ResultCode::kOk || applied.result.repeated) continue;
    const std::string_view path = applied.result.path;
    const std::string_view parent = ParentOf(path);
    const Model::Snapshot* const before = model.At(parent, applied.zxid - 1);
    if (before == nullptr || path.size() != create->path.size() + kDigits) {
      violations.Add("sequence", "{} was created at zxid {} for {}", path, applied.zxid,
                     create->path);
      continue;
    }
    const std::string_view number = path.substr(path.size() - kDigits);
    std::string_view& last = newest[{parent, before->stat.czxid}];
    if (number <= last) {
      violations.Add("sequence", "{} was created at zxid {}, its parent has given {} before", path,
                     applied.zxid, last);
    }
    last = number;
  }
}

}  // namespace bellwether::sim
