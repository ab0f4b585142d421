#include "coord/service/writes.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

using tree::ResultCode;

// Payload bytes of an operation; the largest data of one znode in it.
struct Sizes {
  size_t total = 0;
  size_t data_max = 0;

  void Add(size_t path, size_t data) {
    total += path + data;
    data_max = std::max(data_max, data);
  }
  void operator()(const tree::Create& create) {
    Add(create.path.size(), create.data.size());
    if (create.acl.has_value()) total += tree::AclBytes(*create.acl);
  }
  void operator()(const tree::SetData& set) { Add(set.path.size(), set.data.size()); }
  void operator()(const tree::SetAcl& set) { Add(set.path.size() + tree::AclBytes(set.acl), 0); }
  void operator()(const tree::Check& check) { Add(check.path.size(), 0); }
  void operator()(const tree::Delete& operation) { Add(operation.path.size(), 0); }
  void operator()(const tree::DeleteRecursive& operation) { Add(operation.path.size(), 0); }
  void operator()(const tree::Transaction& transaction) {
    for (const tree::Compare& compare : transaction.compares) Add(compare.path.size() + 16, 0);
    for (const auto& operation : transaction.operations) {
      std::visit(*this, operation);
      total += 16;
    }
  }
  void operator()(const tree::Import& import) {
    for (const tree::ImportedZnode& znode : import.znodes) {
      Add(znode.path.size() + 64, znode.data.size());
      if (znode.acl.has_value()) total += tree::AclBytes(*znode.acl);
    }
  }
  template <typename Other>
  void operator()(const Other&) {}
};

Sizes SizesOf(const Request& request) {
  Sizes sizes;
  std::visit([&sizes](const auto& operation) { sizes(operation); }, request.operation);
  if (request.identities == nullptr) return sizes;
  for (const tree::Identity& identity : *request.identities) {
    sizes.total += identity.scheme.size() + identity.id.size();
  }
  return sizes;
}

Failure TooLarge(std::string message) {
  Failure failure = FailureOf(ResultCode::kTooLarge, "");
  failure.message = std::move(message);
  return failure;
}

struct PathOf {
  std::string_view operator()(const tree::Create& create) const { return create.path; }
  std::string_view operator()(const tree::SetData& set) const { return set.path; }
  std::string_view operator()(const tree::SetAcl& set) const { return set.path; }
  std::string_view operator()(const tree::Check& check) const { return check.path; }
  std::string_view operator()(const tree::Delete& operation) const { return operation.path; }
  std::string_view operator()(const tree::DeleteRecursive& operation) const {
    return operation.path;
  }
  template <typename Other>
  std::string_view operator()(const Other&) const {
    return {};
  }
};

TransactionResult MakeTransactionResult(const tree::Transaction& transaction,
                                        tree::Result& result) {
  TransactionResult made;
  if (result.code == ResultCode::kCompareFailed) {
    made.failed_compare = static_cast<int32_t>(result.failed_index.value_or(0));
    return made;
  }
  if (result.code != ResultCode::kOk) {
    if (result.failed_index.has_value()) {
      made.failed_operation = static_cast<int32_t>(*result.failed_index);
    }
    return made;
  }
  CHECK(result.operations.size() == transaction.operations.size());
  for (size_t i = 0; i < result.operations.size(); ++i) {
    tree::OperationResult& one = result.operations[i];
    if (std::holds_alternative<tree::Create>(transaction.operations[i])) {
      made.results.emplace_back(CreateResult{std::move(one.path), one.stat.value_or(tree::Stat())});
    } else if (std::holds_alternative<tree::SetData>(transaction.operations[i])) {
      made.results.emplace_back(SetDataResult{one.stat.value_or(tree::Stat())});
    } else if (std::holds_alternative<tree::Check>(transaction.operations[i])) {
      made.results.emplace_back(CheckResult());
    } else {
      made.results.emplace_back(DeleteResult{1});
    }
  }
  return made;
}

ImportResult MakeImportResult(const tree::Import& import, const tree::Result& result) {
  using Effect = ImportResult::Effect;
  ImportResult made;
  CHECK(result.operations.size() == import.znodes.size());
  for (size_t i = 0; i < import.znodes.size(); ++i) {
    const tree::OperationResult& one = result.operations[i];
    if (one.code == ResultCode::kOk) {
      made.outcomes.emplace_back(one.path.empty() ? Effect::kReplaced : Effect::kCreated);
    } else if (one.code == ResultCode::kAlreadySet) {
      made.outcomes.emplace_back(Effect::kUnchanged);
    } else {
      made.outcomes.emplace_back(FailureOf(one.code, import.znodes[i].path));
    }
  }
  return made;
}

// The path that a failure is about.
std::string_view FailedPath(const tree::Command& command, const tree::Result& result) {
  const auto* transaction = std::get_if<tree::Transaction>(&command.operation);
  if (transaction == nullptr) return std::visit(PathOf(), command.operation);
  if (!result.failed_index.has_value()) return {};
  const size_t i = *result.failed_index;
  if (result.code == ResultCode::kCompareFailed) {
    return i < transaction->compares.size() ? std::string_view(transaction->compares[i].path)
                                            : std::string_view();
  }
  if (i >= transaction->operations.size()) return {};
  return std::visit(PathOf(), transaction->operations[i]);
}

}  // namespace

size_t WriteBytes(const Request& request) { return SizesOf(request).total; }

std::optional<Failure> CheckWrite(const Request& request, size_t request_bytes_max) {
  const Sizes sizes = SizesOf(request);
  if (sizes.data_max > tree::kDataBytesMax) {
    return TooLarge(fmt::format("the data of a znode is {} bytes, at most {} are allowed",
                                sizes.data_max, tree::kDataBytesMax));
  }
  if (sizes.total > request_bytes_max) {
    return TooLarge(fmt::format("the request is {} bytes, at most {} are allowed", sizes.total,
                                request_bytes_max));
  }
  if (const auto* import = std::get_if<tree::Import>(&request.operation)) {
    if (import->znodes.size() <= tree::kTransactionItemsMax) return std::nullopt;
    return TooLarge(fmt::format("the import has {} znodes, at most {} are allowed",
                                import->znodes.size(), tree::kTransactionItemsMax));
  }
  const auto* transaction = std::get_if<tree::Transaction>(&request.operation);
  if (transaction == nullptr) return std::nullopt;
  const size_t items = transaction->compares.size() + transaction->operations.size();
  if (items <= tree::kTransactionItemsMax) return std::nullopt;
  return TooLarge(
      fmt::format("the transaction has {} compares and operations, at most {} are allowed", items,
                  tree::kTransactionItemsMax));
}

uint32_t FeatureLevelOf(const RequestOperation& operation) {
  return std::visit([](const auto& each) { return tree::FeatureLevelOf(each); }, operation);
}

tree::Command MakeCommand(SessionId session, Request request) {
  tree::Command command;
  command.session = session;
  command.generation = request.generation;
  command.sequence = request.sequence;
  command.acknowledged_floor = request.acknowledged_floor;
  // A session may always be closed: no ACL is asked.
  if (request.identities != nullptr &&
      !std::holds_alternative<tree::CloseSession>(request.operation)) {
    command.identities = *request.identities;
  }
  std::visit(
      [&command](auto&& operation) {
        using Operation = std::decay_t<decltype(operation)>;
        if constexpr (std::is_constructible_v<tree::Operation, Operation>) {
          command.operation = std::forward<decltype(operation)>(operation);
        } else {
          CHECK(false, "a read is not a command");
        }
      },
      std::move(request.operation));
  return command;
}

Response MakeWriteResponse(const tree::Command& command, tree::Result result) {
  Response response;
  response.zxid = result.zxid;
  const bool is_raise = std::holds_alternative<tree::RaiseZxid>(command.operation);
  // A zxid that is high enough is what was asked for.
  if (is_raise && result.code == ResultCode::kAlreadySet) return response;
  if (result.code != ResultCode::kOk) {
    response.failure = FailureOf(result.code, FailedPath(command, result));
  }
  if (const auto* transaction = std::get_if<tree::Transaction>(&command.operation)) {
    response.result = MakeTransactionResult(*transaction, result);
  } else if (response.failure.has_value()) {
    return response;
  } else if (std::holds_alternative<tree::Create>(command.operation)) {
    response.result =
        CreateResult{std::move(result.path), result.stat.value_or(tree::Stat())};
  } else if (std::holds_alternative<tree::SetData>(command.operation)) {
    response.result = SetDataResult{result.stat.value_or(tree::Stat())};
  } else if (std::holds_alternative<tree::SetAcl>(command.operation)) {
    response.result = SetAclResult{result.stat.value_or(tree::Stat())};
  } else if (const auto* import = std::get_if<tree::Import>(&command.operation)) {
    response.result = MakeImportResult(*import, result);
  } else if (!is_raise && !std::holds_alternative<tree::CloseSession>(command.operation)) {
    response.result = DeleteResult{result.deleted_znodes};
  }
  return response;
}

}  // namespace bellwether::coord
