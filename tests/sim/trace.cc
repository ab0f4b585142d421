#include "tests/sim/trace.h"

#include <cstdio>

namespace bellwether::sim {
namespace {

constexpr size_t kTailLines = 400;
constexpr size_t kViolationsKept = 20;

}  // namespace

void Trace::AddLine(std::string_view what) {
  std::string line =
      fmt::format("{:12.6f} {}", absl::ToDoubleSeconds(scheduler_.now()), what);
  for (const char c : line) {
    hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;  // FNV-1a
  }
  ++lines_;
  if (print_) std::puts(line.c_str());
  tail_.push_back(std::move(line));
  if (tail_.size() > kTailLines) tail_.pop_front();
}

void Violations::AddLine(std::string line) {
  trace_.Add("VIOLATION {}", line);
  if (++count_ <= kViolationsKept) first_.push_back(std::move(line));
}

}  // namespace bellwether::sim
