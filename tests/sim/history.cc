#include "tests/sim/history.h"

#include <algorithm>

#include "fmt/format.h"

namespace bellwether::sim {
namespace {

const char* KindName(Operation::Kind kind) {
  switch (kind) {
    case Operation::Kind::kCreate:
      return "create";
    case Operation::Kind::kSet:
      return "set";
    case Operation::Kind::kDelete:
      return "delete";
    case Operation::Kind::kTransaction:
      return "transaction";
    case Operation::Kind::kImport:
      return "import";
    case Operation::Kind::kRaiseZxid:
      return "raise zxid";
    case Operation::Kind::kGet:
      return "get";
    case Operation::Kind::kStat:
      return "stat";
    case Operation::Kind::kList:
      return "list";
    case Operation::Kind::kSync:
      return "sync";
  }
  return "unknown";
}

}  // namespace

std::string Describe(const Operation& operation) {
  return fmt::format("client {} #{} {}{}{} {}", operation.client, operation.number,
                     operation.stale_ok ? "stale " : "", operation.recursive ? "recursive " : "",
                     KindName(operation.kind), operation.path);
}

uint64_t History::Count(Operation::Outcome outcome) const {
  return static_cast<uint64_t>(
      std::count_if(operations.begin(), operations.end(),
                    [outcome](const Operation& op) { return op.outcome == outcome; }));
}

}  // namespace bellwether::sim
