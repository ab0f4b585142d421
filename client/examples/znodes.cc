// Writes, reads and conditionally changes znodes.

#include "client/errors.h"
#include "client/examples/connect.h"

using namespace bellwether::client;  // an example is short

int main() {
  const auto coord = examples::ConnectOrExit();
  const auto created = coord->Create("/example-", "one", CreateMode::kPersistentSequential);
  if (!created.ok()) return 1;
  const std::string path = created->path;

  // A change only if nobody else changed the znode since: the second one comes too late.
  const auto first = coord->Set(path, "two", created->stat.version);
  const auto second = coord->Set(path, "three", created->stat.version);
  fmt::print("first change: {}, second change: {}\n", first.ok() ? "done" : "refused",
             ReasonOf(second.status()));

  // All or nothing.
  Transaction transaction;
  transaction.compares.push_back({path, /*exists=*/true, /*version=*/1});
  transaction.operations.push_back(CreateOperation{path + "/child", "x"});
  transaction.operations.push_back(SetOperation{path, "four"});
  const auto committed = coord->Commit(std::move(transaction));

  const auto got = coord->Get(path);
  const bool right = first.ok() && committed.ok() && got.ok() && got->data == "four";
  fmt::print("data after the transaction: {}\n", got.ok() ? got->data.value_or("") : "?");
  const auto deleted = coord->Delete(path, kAnyVersion, /*recursive=*/true);
  return right && deleted.ok() && coord->CloseSession().ok() ? 0 : 1;
}
