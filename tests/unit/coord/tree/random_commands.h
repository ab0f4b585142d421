#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "coord/tree/command.h"
#include "tests/unit/coord/tree/reference_model.h"

namespace bellwether::coord::tree {

// Commands over few sessions and few paths, so that they meet: mostly the next command of a live
// session, sometimes a stale or unknown one, or one that was sent before. Sooner or later the feature
// level rises to that of ACLs, and then to that of kept results.
class RandomCommands {
 public:
  explicit RandomCommands(uint64_t seed) : random_(seed) {}

  Command Next(const ReferenceModel& model) {
    Command command;
    const uint64_t kind = random_.Below(100);
    if (model.level < kFeatureLevelAcls && random_.Chance(0.02)) {
      command.operation = SetFeatureLevel{kFeatureLevelAcls};
    } else if (model.level == kFeatureLevelAcls && random_.Chance(0.02)) {
      command.operation = SetFeatureLevel{kFeatureLevelRetries};
    } else if (random_.Chance(0.05)) {
      command.operation = DeleteExpired{AnyExpirable(model)};
    } else if (model.clients.size() < 2 || kind < 3) {
      // Few nonces: some creations are retries.
      command.operation =
          CreateSession{base::Uuid(1, 1 + random_.Below(6)), PasswordOf(random_.Below(2)),
                        random_.Between(1, 3) * 1000, static_cast<uint8_t>(random_.Between(1, 3))};
    } else if (kind < 7) {
      const uint64_t id = AnySession(model);
      const auto client = model.clients.find(id);
      const bool wrong = client == model.clients.end() || random_.Chance(0.3);
      command.operation = AttachSession{
          SessionId(id), wrong ? PasswordOf(9) : client->second.password, random_.Between(1, 9)};
    } else if (kind < 10) {
      const uint64_t id = AnySession(model);
      const auto client = model.clients.find(id);
      const uint64_t generation = client == model.clients.end() ? 1 : client->second.generation;
      command.operation =
          ExpireSession{SessionId(id), SessionGeneration(generation - random_.Below(2))};
    } else {
      Address(model, command);
      command.operation = SessionOperation(model, kind);
      if (model.level >= kFeatureLevelAcls) command.identities = AnyIdentities();
      if (random_.Chance(0.1)) SendAgain(model, command);
    }
    return command;
  }

  // Goes back now and then.
  int64_t NextTime() {
    time_ms_ += random_.Between(-5, 20);
    return time_ms_;
  }

 private:
  static SessionPassword PasswordOf(uint64_t fill) {
    SessionPassword password;
    password.fill(static_cast<uint8_t>(fill));
    return password;
  }

  uint64_t AnySession(const ReferenceModel& model) {
    if (random_.Chance(0.05)) return random_.Below(5);
    auto client = model.clients.begin();
    std::advance(client, random_.Below(model.clients.size()));
    return client->first;
  }

  void Address(const ReferenceModel& model, Command& command) {
    const uint64_t id = AnySession(model);
    command.session = SessionId(id);
    const auto client = model.clients.find(id);
    if (client == model.clients.end()) return;
    command.generation = SessionGeneration(client->second.generation);
    command.sequence = CommandSequence(client->second.last_sequence + 1);
    if (random_.Chance(0.03)) command.generation = command.generation - 1;
    if (random_.Chance(0.03)) command.sequence = command.sequence + random_.Below(3) - 1;
    if (random_.Chance(0.2)) return;  // none of its results is wanted
    const uint64_t sequence = command.sequence.value();
    command.acknowledged_floor = CommandSequence(sequence + 1 - std::min(sequence, random_.Below(6)));
  }

  // Mostly what was sent under that number.
  void SendAgain(const ReferenceModel& model, Command& command) {
    const auto client = model.clients.find(command.session.value());
    if (client == model.clients.end() || client->second.kept.empty()) return;
    const auto& kept = client->second.kept;
    const auto which = std::next(kept.begin(), static_cast<ptrdiff_t>(random_.Below(kept.size())));
    command.sequence = CommandSequence(which->first);
    if (random_.Chance(0.1)) return;
    command.operation = which->second.operation;
    if (random_.Chance(0.1)) command.sequence = command.sequence - 1;
  }

  Operation SessionOperation(const ReferenceModel& model, uint64_t kind) {
    if (kind < 11) return CloseSession{};
    if (kind < 14) return DeleteRecursive{AnyPath()};
    if (kind < 35) return AnyTransaction(model);
    if (kind < 65) return AnyCreate();
    if (kind < 75) return AnySetData();
    if (kind < 80) return SetAcl{AnyPath(), AnyAcl(), AnyExpectedVersion()};
    return AnyDelete();
  }

  std::string AnyPath() {
    std::string path;
    for (int64_t depth = random_.Between(random_.Chance(0.05) ? 0 : 1, 3); depth > 0; --depth) {
      constexpr const char* kNames[] = {"/a", "/b-longer-than-fifteen-bytes", "/a-"};
      path += kNames[random_.Below(3)];
    }
    return path.empty() ? "/" : path;
  }

  SharedBytes AnyData() {
    if (random_.Chance(0.2)) return {};
    const char fill = static_cast<char>('a' + random_.Below(3));
    return SharedBytes::Copy(std::string(random_.Below(20), fill));
  }

  Create AnyCreate() {
    Create create{AnyPath(), AnyData(), static_cast<CreateMode>(random_.Below(4))};
    if (random_.Chance(0.2)) create.mode = static_cast<CreateMode>(4 + random_.Below(3));
    const bool has_ttl = create.mode >= CreateMode::kPersistentWithTtl;
    if (has_ttl != random_.Chance(0.03)) create.ttl_ms = random_.Between(1, 30);
    if (random_.Chance(0.2)) create.acl = AnyAcl();
    return create;
  }

  // Mostly one that leaves something to others.
  Acl AnyAcl() {
    Acl acl;
    if (random_.Chance(0.7)) {
      const uint32_t permissions = random_.Chance(0.5) ? kAllPermissions : kRead | kCreate;
      acl.push_back({permissions, "world", "anyone"});
    }
    for (uint64_t i = random_.Below(3); i > 0; --i) {
      const auto permissions = static_cast<uint32_t>(1 + random_.Below(kAllPermissions));
      acl.push_back({permissions, "digest", random_.Chance(0.5) ? "one:hash" : "two:hash"});
    }
    if (random_.Chance(0.2)) acl.push_back({kAllPermissions, "auth", ""});
    if (random_.Chance(0.05)) acl.push_back({kAllPermissions, "none", ""});
    return acl;
  }

  Identities AnyIdentities() {
    Identities identities = {{"ip", "10.0.0.1"}};
    if (random_.Chance(0.4)) identities.push_back({"digest", "one:hash"});
    if (random_.Chance(0.4)) identities.push_back({"digest", "two:hash"});
    if (random_.Chance(0.1)) identities.push_back({"super", ""});
    return identities;
  }

  // Mostly a znode that may expire, if there is one.
  std::string AnyExpirable(const ReferenceModel& model) {
    std::vector<std::string> paths;
    for (const auto& [path, node] : model.nodes) {
      if (node.ttl.has_value()) paths.push_back(path);
    }
    if (paths.empty() || random_.Chance(0.2)) return AnyPath();
    return paths[random_.Below(paths.size())];
  }

  SetData AnySetData() { return {AnyPath(), AnyData(), AnyExpectedVersion()}; }
  Delete AnyDelete() { return {AnyPath(), AnyExpectedVersion()}; }
  int32_t AnyExpectedVersion() { return static_cast<int32_t>(random_.Between(-1, 1)); }

  Transaction AnyTransaction(const ReferenceModel& model) {
    Transaction transaction;
    for (uint64_t i = random_.Below(3); i > 0; --i) {
      transaction.compares.push_back(AnyCompare(model));
    }
    for (uint64_t i = random_.Below(6); i > 0; --i) {
      switch (random_.Below(model.level < kFeatureLevelAcls ? 3 : 4)) {
        case 0:
          transaction.operations.push_back(AnyCreate());
          break;
        case 1:
          transaction.operations.push_back(AnySetData());
          break;
        case 3:
          transaction.operations.push_back(Check{AnyPath(), AnyExpectedVersion()});
          break;
        default:
          transaction.operations.push_back(AnyDelete());
      }
    }
    return transaction;
  }

  // Mostly one that holds, if the znode exists.
  Compare AnyCompare(const ReferenceModel& model) {
    Compare compare{AnyPath(), static_cast<Compare::Field>(random_.Below(5)),
                    random_.Between(0, 1)};
    const auto node = model.nodes.find(compare.path);
    if (node == model.nodes.end() || random_.Chance(0.1)) return compare;
    const Stat& stat = node->second.stat;
    const int64_t values[] = {stat.version, stat.czxid.value(), stat.mzxid.value(), 1,
                              static_cast<int64_t>(stat.ephemeral_owner.value())};
    compare.value = values[static_cast<size_t>(compare.field)];
    return compare;
  }

  base::Random random_;
  int64_t time_ms_ = 1000;
};

}  // namespace bellwether::coord::tree
