#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/log.h"
#include "fmt/format.h"
#include "gtest/gtest.h"
#include "tests/support/raft_cluster.h"

namespace bellwether::coord::raft {
namespace {

// Runs the commands of a script (tests/sim/README.md) on a RaftCluster; each answers with the lines
// that belong under it.
class Script {
 public:
  std::string Run(const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    const bool quietly = verb == "quietly";
    if (quietly) words >> verb;
    arguments_.assign(std::istream_iterator<std::string>(words), {});
    if (verb == "cluster") {
      const uint32_t spares = arguments_.size() > 1 ? Number(1) : 0;
      cluster_ = std::make_unique<RaftCluster>(Number(0), /*seed=*/1, Options(), spares);
      return "";
    }
    const std::string answer = Do(verb);
    const std::string trace = cluster_->TakeTrace();
    return quietly ? answer : answer + trace;
  }

 private:
  uint32_t Number(size_t position) const {
    return static_cast<uint32_t>(std::stoul(arguments_.at(position)));
  }

  // "1,2,3+4": voters, learners.
  static std::vector<Member> Members(const std::string& text) {
    std::vector<Member> members;
    bool voter = true;
    for (size_t at = 0; at < text.size(); ++at) {
      if (text[at] == '+') voter = false;
      if (!std::isdigit(static_cast<unsigned char>(text[at]))) continue;
      members.push_back({ServerId(static_cast<uint32_t>(text[at] - '0')), "", voter});
    }
    return members;
  }

  std::string Do(const std::string& verb) {
    RaftCluster& cluster = *cluster_;
    if (verb == "propose") {
      auto proposed = cluster.Propose(Number(0), {arguments_.begin() + 1, arguments_.end()});
      return proposed.ok() ? "" : fmt::format("refused: {}\n", proposed.status());
    }
    if (verb == "read") {
      const absl::Status asked = cluster.Read(Number(0), Number(1));
      return asked.ok() ? "" : fmt::format("refused: {}\n", asked);
    }
    if (verb == "members") {
      const absl::Status proposed = cluster.ChangeMembers(Number(0), Members(arguments_.at(1)));
      return proposed.ok() ? "" : fmt::format("refused: {}\n", proposed);
    }
    if (verb == "transfer") {
      const absl::Status begun = cluster.Transfer(Number(0), Number(1));
      return begun.ok() ? "" : fmt::format("refused: {}\n", begun);
    }
    if (verb == "partition") {
      std::vector<std::set<uint32_t>> groups(1);
      for (size_t i = 0; i < arguments_.size(); ++i) {
        if (arguments_[i] == "/") {
          groups.emplace_back();
        } else {
          groups.back().insert(Number(i));
        }
      }
      cluster.Partition(groups);
      return "";
    }
    if (verb == "state") return State();
    static const std::map<std::string, void (Script::*)()> kVerbs = {
        {"elect", &Script::Elect},     {"tick", &Script::Tick},       {"run", &Script::RunAll},
        {"cut", &Script::Cut},         {"heal", &Script::Heal},       {"hold", &Script::Hold},
        {"release", &Script::Release}, {"sync", &Script::Sync},       {"ready", &Script::Take},
        {"deliver", &Script::Deliver}, {"crash", &Script::Crash},     {"restart", &Script::Restart},
        {"wipe", &Script::Wipe},       {"fetch", &Script::Fetch},     {"snapshot", &Script::Snapshot},
    };
    auto found = kVerbs.find(verb);
    if (found == kVerbs.end()) return fmt::format("unknown command {}\n", verb);
    (this->*found->second)();
    return "";
  }

  void Elect() { cluster_->Elect(Number(0)); }
  void Tick() { cluster_->Tick(Number(0), Number(1)); }
  void RunAll() { cluster_->RunUntilQuiet(); }
  void Cut() { cluster_->Cut(Number(0), Number(1)); }
  void Heal() { cluster_->Heal(); }
  void Hold() { cluster_->HoldDisk(Number(0)); }
  void Release() { cluster_->ReleaseDisk(Number(0)); }
  void Sync() { cluster_->SyncOne(Number(0)); }
  void Take() { cluster_->TakeReadys(Number(0)); }
  void Deliver() { cluster_->Deliver(Number(0), Number(1)); }
  void Crash() { cluster_->Crash(Number(0)); }
  void Restart() { cluster_->Restart(Number(0)); }
  void Fetch() { cluster_->Fetch(Number(0)); }
  void Snapshot() { cluster_->TakeSnapshot(Number(0), Number(1)); }
  void Wipe() { cluster_->Wipe(Number(0)); }

  std::string State() {
    static constexpr const char* kRoles[] = {"follower", "pre-candidate", "candidate", "leader"};
    std::string text;
    for (uint32_t id = 1; id <= cluster_->size(); ++id) {
      if (!cluster_->IsUp(id)) {
        text += fmt::format("{} down\n", id);
        continue;
      }
      const RaftCore& core = cluster_->core(id);
      text += fmt::format("{} {} term={} leader={} last={}/{} commit={} applied={}{}\n", id,
                          kRoles[static_cast<int>(core.role())], core.term(), core.leader(),
                          core.last_index(), *core.TermAt(core.last_index()), core.commit(),
                          cluster_->applied(id).size(),
                          core.standing() == Standing::kVoter ? "" : " awaiting readmission");
      if (core.snapshot().index > LogIndex(0)) {
        text.insert(text.size() - 1,
                    fmt::format(" snapshot={} compacted={}", core.snapshot().index,
                                core.compacted_index()));
      }
    }
    return text;
  }

  std::unique_ptr<RaftCluster> cluster_;
  std::vector<std::string> arguments_;
};

// The script with every command's answer in the place of the one that it has.
std::string Replay(const std::string& text) {
  Script script;
  std::istringstream lines(text);
  std::string line;
  std::string result;
  while (std::getline(lines, line)) {
    if (line.rfind("  ", 0) == 0) continue;
    result += line + "\n";
    if (line.rfind("> ", 0) != 0) continue;
    std::istringstream answer(script.Run(line.substr(2)));
    while (std::getline(answer, line)) result += "  " + line + "\n";
  }
  return result;
}

class RaftScript : public testing::TestWithParam<std::string> {};

TEST_P(RaftScript, AnswersAsWritten) {
  const std::string path = std::string(BELLWETHER_SCRIPTS) + "/" + GetParam() + ".txt";
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  const std::string replayed = Replay(text.str());
  if (std::getenv("BELLWETHER_REWRITE_SCRIPTS") != nullptr) std::ofstream(path) << replayed;
  EXPECT_EQ(text.str(), replayed)
      << "Read the difference; if it is meant, run again with BELLWETHER_REWRITE_SCRIPTS=1";
}

std::vector<std::string> ScriptNames() {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(BELLWETHER_SCRIPTS)) {
    names.push_back(file.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Scripts, RaftScript, testing::ValuesIn(ScriptNames()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace bellwether::coord::raft
