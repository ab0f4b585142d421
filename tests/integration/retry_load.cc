// retry_load: writes to an ensemble whose leaders somebody kills, and says afterwards whether each write
// took effect once.
//   retry_load HOST:PORT[,HOST:PORT]     of a new ensemble
// Writes from the line "ready" until stdin ends; then it reads everything back, and prints one line of
// JSON: {"acked":9,"unknown":0,"rejected":0,"wrong":["..."]}. Or, when it could not be read:
// {"error":"..."}.

#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/log.h"
#include "base/status.h"
#include "base/thread.h"
#include "client/coord.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "tests/integration/chaos_load.h"

namespace bellwether::tests {
namespace {

using client::CreateMode;

constexpr int kWriters = 8;
constexpr size_t kExamplesMax = 10;

std::string CounterOf(int writer) { return fmt::format("/retries/counter-{}", writer); }
std::string RowOf(int writer) { return fmt::format("/retries/row-{}", writer); }

// What one writer was told. Writes one after another, each of a number of its own.
class Writer {
 public:
  Writer(std::vector<std::string> addresses, int number, Ending& ending)
      : addresses_(std::move(addresses)), number_(number), ending_(ending) {}

  void Run() {
    while (Connect()) {
      ++last_;
      switch (last_ % 3) {
        case 0:
          Create();
          break;
        case 1:
          Set();
          break;
        default:
          Commit();
      }
    }
    if (coord_ != nullptr) coord_->CloseSession().IgnoreError();
  }

  struct Told {
    uint64_t acked = 0;
    uint64_t unknown = 0;
    uint64_t rejected = 0;
  };
  const Told& told() const { return told_; }

  // Appends what is wrong with what is there.
  absl::Status Check(client::Coord& coord, std::vector<std::string>& wrong) const {
    ASSIGN_OR_RETURN(const auto counter, coord.Get(CounterOf(number_)));
    const auto version = static_cast<uint64_t>(counter.stat.version);
    if (version < sets_acked_ || version > sets_acked_ + sets_unknown_) {
      wrong.push_back(fmt::format("{} was set {} times; {} were acknowledged, {} are unknown",
                                  CounterOf(number_), version, sets_acked_, sets_unknown_));
    }
    ASSIGN_OR_RETURN(const auto row, coord.List(RowOf(number_)));
    std::map<std::string, std::vector<std::string>> paths;  // by data: that of one write
    for (const std::string& name : row.names) {
      const std::string path = RowOf(number_) + "/" + name;
      ASSIGN_OR_RETURN(const auto znode, coord.Get(path));
      paths[znode.data.value_or("")].push_back(path);
    }
    for (const auto& [data, there] : paths) {
      if (there.size() > 1) wrong.push_back(fmt::format("{} is there: {}", data, fmt::join(there, " ")));
      if (!created_.contains(data) && !created_unknown_.contains(data)) {
        wrong.push_back(fmt::format("{} at {} was rejected", data, there.front()));
      }
    }
    for (const auto& [data, path] : created_) {
      const auto found = paths.find(data);
      if (found == paths.end() || found->second.front() != path) {
        wrong.push_back(fmt::format("{} was acknowledged at {}, and is not there", data, path));
      }
    }
    return absl::OkStatus();
  }

 private:
  // False when the run has ended.
  bool Connect() {
    while (coord_ == nullptr || coord_->state() == client::SessionState::kExpired) {
      auto connected = client::Coord::Connect({.addresses = addresses_});
      if (connected.ok()) {
        coord_ = *std::move(connected);
      } else if (!ending_.Pause(absl::Milliseconds(20))) {
        return false;
      }
    }
    return ending_.Pause(absl::ZeroDuration());
  }

  std::string Tag() const { return fmt::format("{}#{}", number_, last_); }

  void Create() {
    const auto created =
        coord_->Create(RowOf(number_) + "/n-", Tag(), CreateMode::kPersistentSequential);
    Note(created.status());
    NoteCreated(created.status(), created.ok() ? created->path : "");
  }

  void Set() {
    const absl::Status set = coord_->Set(CounterOf(number_), Tag()).status();
    Note(set);
    NoteSet(set);
  }

  void Commit() {
    client::Transaction transaction;
    transaction.operations.push_back(client::SetOperation{CounterOf(number_), Tag()});
    transaction.operations.push_back(client::CreateOperation{
        RowOf(number_) + "/n-", Tag(), CreateMode::kPersistentSequential});
    const auto done = coord_->Commit(std::move(transaction));
    Note(done.status());
    NoteSet(done.status());
    NoteCreated(done.status(),
                done.ok() ? std::get<client::CreateResult>(done->results.back()).path : "");
  }

  static bool IsUnknown(const absl::Status& status) {
    return base::OutcomeOf(status) == base::Outcome::kUnknown;
  }

  void Note(const absl::Status& status) {
    ++(status.ok() ? told_.acked : IsUnknown(status) ? told_.unknown : told_.rejected);
  }

  void NoteSet(const absl::Status& status) {
    if (status.ok()) ++sets_acked_;
    if (!status.ok() && IsUnknown(status)) ++sets_unknown_;
  }

  void NoteCreated(const absl::Status& status, const std::string& path) {
    if (status.ok()) created_[Tag()] = path;
    if (!status.ok() && IsUnknown(status)) created_unknown_[Tag()] = "";
  }

  const std::vector<std::string> addresses_;
  const int number_;
  Ending& ending_;
  std::unique_ptr<client::Coord> coord_;
  uint64_t last_ = 0;
  Told told_;
  uint64_t sets_acked_ = 0;
  uint64_t sets_unknown_ = 0;
  std::map<std::string, std::string> created_;  // paths, by data
  std::map<std::string, std::string> created_unknown_;
};

absl::Status Prepare(const std::vector<std::string>& addresses) {
  ASSIGN_OR_RETURN(const auto coord, client::Coord::Connect({.addresses = addresses}));
  RETURN_IF_ERROR(coord->Create("/retries", std::nullopt).status());
  for (int writer = 0; writer < kWriters; ++writer) {
    RETURN_IF_ERROR(coord->Create(CounterOf(writer), "").status());
    RETURN_IF_ERROR(coord->Create(RowOf(writer), std::nullopt).status());
  }
  return coord->CloseSession();
}

using Writers = std::vector<std::unique_ptr<Writer>>;

absl::StatusOr<nlohmann::ordered_json> Verdict(const std::vector<std::string>& addresses,
                                               const Writers& writers) {
  ASSIGN_OR_RETURN(const auto coord, client::Coord::Connect({.addresses = addresses}));
  Writer::Told told;
  std::vector<std::string> wrong;
  for (const auto& writer : writers) {
    RETURN_IF_ERROR(writer->Check(*coord, wrong));
    told.acked += writer->told().acked;
    told.unknown += writer->told().unknown;
    told.rejected += writer->told().rejected;
  }
  RETURN_IF_ERROR(coord->CloseSession());
  if (wrong.size() > kExamplesMax) wrong.resize(kExamplesMax);
  return nlohmann::ordered_json{{"acked", told.acked},
                                {"unknown", told.unknown},
                                {"rejected", told.rejected},
                                {"wrong", wrong}};
}

int Main(const std::vector<std::string>& addresses) {
  if (const absl::Status made = Prepare(addresses); !made.ok()) {
    fmt::print(stderr, "retry_load: error: {}\n", base::StdView(made.message()));
    return 1;
  }
  Ending ending;
  Writers writers;
  std::vector<std::unique_ptr<base::Thread>> threads;
  for (int number = 0; number < kWriters; ++number) {
    writers.push_back(std::make_unique<Writer>(addresses, number, ending));
    threads.push_back(std::make_unique<base::Thread>(
        "writer", [writer = writers.back().get()] { writer->Run(); }));
  }
  fmt::print("ready\n");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
  }
  ending.Set();
  for (const auto& thread : threads) thread->Join();
  const auto verdict = Verdict(addresses, writers);
  const nlohmann::ordered_json said =
      verdict.ok() ? *verdict
                   : nlohmann::ordered_json{{"error", std::string(verdict.status().message())}};
  fmt::print("{}\n", said.dump());
  return 0;
}

}  // namespace
}  // namespace bellwether::tests

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: retry_load HOST:PORT[,HOST:PORT]\n");
    return 2;
  }
  bellwether::base::StartLogging("error", "text").IgnoreError();
  return bellwether::tests::Main(absl::StrSplit(argv[1], ','));
}
