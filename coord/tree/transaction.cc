#include "coord/tree/transaction.h"

#include <utility>

namespace bellwether::coord::tree {

bool CompareHolds(const Compare& compare, const Tree& tree) {
  const Znode* const znode = tree.Find(compare.path);
  if (compare.field == Compare::Field::kExists) {
    return compare.value == (znode == nullptr ? 0 : 1);
  }
  if (znode == nullptr) return false;
  switch (compare.field) {
    case Compare::Field::kVersion:
      return compare.value == znode->version();
    case Compare::Field::kCzxid:
      return compare.value == znode->czxid().value();
    case Compare::Field::kMzxid:
      return compare.value == znode->mzxid().value();
    case Compare::Field::kEphemeralOwner:
      return static_cast<uint64_t>(compare.value) == znode->ephemeral_owner().value();
    case Compare::Field::kExists:
      break;
  }
  return false;
}

void ApplyTransaction(const Transaction& transaction, const Tree& tree, Edit& edit,
                      Result& result) {
  if (transaction.compares.size() + transaction.operations.size() > kTransactionItemsMax) {
    result.code = ResultCode::kTooLarge;
    return;
  }
  for (size_t i = 0; i < transaction.compares.size(); ++i) {
    if (!edit.MayRead(transaction.compares[i].path)) {
      result.code = ResultCode::kNoAuth;
      return;
    }
    if (CompareHolds(transaction.compares[i], tree)) continue;
    result.code = ResultCode::kCompareFailed;
    result.failed_index = static_cast<uint32_t>(i);
    return;
  }
  result.operations.reserve(transaction.operations.size());
  for (const TransactionOperation& operation : transaction.operations) {
    OperationResult done =
        std::visit([&edit](const auto& change) { return edit.Apply(change); }, operation);
    result.code = done.code;
    result.operations.push_back(std::move(done));
    if (result.code != ResultCode::kOk) break;
  }
  if (result.code == ResultCode::kOk) return;

  edit.Rollback();
  result.failed_index = static_cast<uint32_t>(result.operations.size() - 1);
  for (uint32_t i = 0; i < *result.failed_index; ++i) {
    result.operations[i] = OperationResult();
    result.operations[i].code = ResultCode::kRolledBack;
  }
  OperationResult not_attempted;
  not_attempted.code = ResultCode::kNotAttempted;
  result.operations.resize(transaction.operations.size(), not_attempted);
}

}  // namespace bellwether::coord::tree
