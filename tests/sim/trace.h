#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "tests/support/sim_executor.h"

namespace bellwether::sim {

// What happened in a world, one line each with its virtual time. Keeps the newest lines and a hash
// of all, so that two runs can be compared; prints all when told to.
class Trace {
 public:
  Trace(SimScheduler& scheduler, bool print) : scheduler_(scheduler), print_(print) {}

  template <typename... Args>
  void Add(fmt::format_string<Args...> format, Args&&... args) {
    AddLine(fmt::format(format, std::forward<Args>(args)...));
  }
  void AddLine(std::string_view what);

  uint64_t hash() const { return hash_; }
  uint64_t lines() const { return lines_; }
  const std::deque<std::string>& tail() const { return tail_; }

 private:
  SimScheduler& scheduler_;
  const bool print_;
  uint64_t hash_ = 0xcbf29ce484222325;
  uint64_t lines_ = 0;
  std::deque<std::string> tail_;
};

// What checkers found wrong. The first is what matters: what follows may be its consequence.
class Violations {
 public:
  explicit Violations(Trace& trace) : trace_(trace) {}

  // `rule`: which property, as in "election safety".
  template <typename... Args>
  void Add(std::string_view rule, fmt::format_string<Args...> format, Args&&... args) {
    AddLine(fmt::format("{}: {}", rule, fmt::format(format, std::forward<Args>(args)...)));
  }

  uint64_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  const std::vector<std::string>& first() const { return first_; }

 private:
  void AddLine(std::string line);

  Trace& trace_;
  uint64_t count_ = 0;
  std::vector<std::string> first_;
};

}  // namespace bellwether::sim
