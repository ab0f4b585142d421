#include <iterator>
#include <utility>

#include "base/check.h"
#include "coord/tree/system_znodes.h"
#include "tests/sim/model.h"
#include "tests/sim/zk_client.h"
#include "tests/sim/zk_users.h"

// What a ZkClient asks for.
namespace bellwether::sim {
namespace {

namespace wire = coord::zk::wire;
using coord::tree::kConfigPath;
using wire::CreateFlags;

const char* const kZkPersistentPaths[] = {"/z",   "/z/a",   "/z/b", "/z/a/c",
                                        "/z/p", "/z/p/x", "/a",   "/d"};
const char* const kZkEphemeralPaths[] = {"/z/e", "/z/a/e", "/e"};
const char* const kContainerPaths[] = {"/z/k", "/z/k", "/z/k/a", "/z/k/b"};
const char* const kTtlPaths[] = {"/z/t", "/z/b/t"};

template <size_t N>
std::string AnyOf(base::Random& random, const char* const (&paths)[N]) {
  return paths[random.Below(N)];
}

// Where an ACL may keep others out without keeping everybody from everything.
bool MayHaveAcl(std::string_view path) {
  return path.starts_with("/z/") && !path.starts_with("/z/k");
}

// Digest ids, and what stands for the caller's own.
const std::string& DigestOf(uint64_t user) {
  static const auto* const digests =
      new std::vector<std::string>{IdentityOfUser(0).id, IdentityOfUser(1).id};
  return digests->at(user);
}

}  // namespace

void ZkClient::Think() {
  const double share = static_cast<double>(random_.Below(1000)) / 1000;
  executor_.RunAfter(options_.think_time * 2 * share, [this] {
    if (over_ || finishing_) return;
    const auto may_ask = [this] {
      return link_ != nullptr && (attached_ || pipelines_) && pending_.size() < outstanding_max_;
    };
    // Several at once, so that some wait behind others at the server.
    const uint64_t times = random_.Chance(0.2) ? random_.Between(2, 5) : 1;
    for (uint64_t i = 0; may_ask() && i < times; ++i) IssueOne();
    Think();
  });
}

void ZkClient::IssueOne() {
  const uint64_t choice = random_.Below(1000);
  if (choice < 220) return Create();
  if (choice < 390) return Set();
  if (choice < 480) return Delete();
  if (choice < 560) return Multi();
  if (choice < 620) return SetAcl();
  if (choice < 660) return Sync();
  if (choice < 690) return ChangeWatches();
  if (choice < 694) return MakeQuota();
  if (choice < 700 && attached_) return SendAuth(random_.Below(2));
  if (choice < 704 && attached_) return Leave();
  if (choice < 706) {
    return Send(NewOperation(Opcode::kCloseSession, ""), wire::EmptyRequest{});
  }
  if (choice < 716) return ReconfigureInVain();
  Read();
}

ZkOperation& ZkClient::NewOperation(Opcode opcode, std::string path) {
  ZkOperation& operation = deps_.history.zk_operations.emplace_back();
  operation.client = serial_;
  operation.number = ++last_number_;
  operation.connection = connection_->number;
  operation.xid = ++last_xid_;
  operation.opcode = opcode;
  operation.path = std::move(path);
  operation.identities = identities_;
  operation.floor = Newest();
  return operation;
}

std::string ZkClient::NewTag(ZkOperation& operation) {
  operation.tag = fmt::format("z{}#{}", serial_, operation.number);
  return operation.tag;
}

void ZkClient::Send(ZkOperation& operation, wire::RequestBody body) {
  std::string bytes;
  const size_t begin = wire::BeginFrame(bytes);
  wire::EncodeRequest({operation.xid, operation.opcode, std::move(body)}, bytes);
  CHECK(wire::EndFrame(bytes, begin));
  pending_.push_back(&operation);
  sent_ = deps_.scheduler.now();
  link_->Send(std::move(bytes), &operation);
}

std::string ZkClient::AnyPath() {
  const uint64_t choice = random_.Below(20);
  if (choice < 2 && !sequential_paths_.empty()) {
    return sequential_paths_[random_.Below(sequential_paths_.size())];
  }
  if (choice < 5) return AnyOf(random_, kZkEphemeralPaths);
  if (choice < 7) return AnyOf(random_, kContainerPaths);
  if (choice < 9) return AnyOf(random_, kTtlPaths);
  return AnyOf(random_, kZkPersistentPaths);
}

int32_t ZkClient::GuessVersion() { return random_.Chance(0.6) ? -1 : last_version_; }

// Readable by all, unless the path is private.
wire::Acl ZkClient::AnyAcl(std::string_view path) {
  constexpr int32_t kAll = coord::tree::kAllPermissions;
  const wire::AclEntry own{kAll, "digest", DigestOf(user_)};
  const wire::AclEntry others{coord::tree::kRead, "digest", DigestOf(OtherUser())};
  const bool is_private = IsWithin(path, kPrivatePath);
  constexpr int32_t kRead = coord::tree::kRead;
  constexpr int32_t kCreate = coord::tree::kCreate;
  const wire::AclEntry all{is_private ? kCreate : kRead, "world", "anyone"};
  switch (MayHaveAcl(path) ? random_.Below(8) : 7) {
    case 0:
      return {own, all};
    case 1:
      return {all, others, own};
    case 2:
      return {{kAll, "auth", ""}, all};
    case 3:
      return {{kAll, "ip", "10.0.0.0/30"}, all};
    default:
      return {{kAll, "world", "anyone"}};
  }
}

wire::CreateRequest ZkClient::AnyCreate(std::string_view path, std::string_view tag) {
  wire::CreateRequest request;
  request.path = path;
  request.data = tag;
  request.acl = AnyAcl(path);
  return request;
}

void ZkClient::Create() {
  ZkOperation& operation = NewOperation(Opcode::kCreate2, AnyOf(random_, kZkPersistentPaths));
  auto flags = CreateFlags::kPersistent;
  int64_t ttl_ms = 0;
  const uint64_t choice = random_.Below(20);
  if (choice < 4) {
    operation.path = AnyOf(random_, kZkEphemeralPaths);
    flags = CreateFlags::kEphemeral;
  } else if (choice < 7) {
    operation.path = random_.Chance(0.5) ? "/z/a/q-" : "/z/k/q-";
    flags = random_.Chance(0.5) ? CreateFlags::kPersistentSequential
                                : CreateFlags::kEphemeralSequential;
  } else if (choice < 9) {
    operation.opcode = Opcode::kCreateContainer;
    operation.path = kContainerPaths[0];
    flags = CreateFlags::kContainer;
  } else if (choice < 11) {
    operation.path = AnyOf(random_, kContainerPaths);
  } else if (choice < 14) {
    operation.opcode = Opcode::kCreateTtl;
    operation.path = AnyOf(random_, kTtlPaths);
    flags = CreateFlags::kPersistentWithTtl;
    ttl_ms = random_.Between(20, 1'500);
  } else if (random_.Chance(0.4)) {
    operation.opcode = Opcode::kCreate;
  }
  const std::string tag = NewTag(operation);
  wire::CreateRequest request = AnyCreate(operation.path, tag);
  request.flags = static_cast<int32_t>(flags);
  request.ttl_ms = ttl_ms;
  Send(operation, std::move(request));
}

void ZkClient::Set() {
  const bool renews = random_.Chance(0.3);  // a TTL
  ZkOperation& operation =
      NewOperation(Opcode::kSetData, renews ? AnyOf(random_, kTtlPaths) : AnyPath());
  const std::string tag = NewTag(operation);
  Send(operation, wire::SetDataRequest{operation.path, tag, GuessVersion()});
}

void ZkClient::Delete() {
  ZkOperation& operation = NewOperation(Opcode::kDelete, AnyPath());
  Send(operation, wire::DeleteRequest{operation.path, GuessVersion()});
}

void ZkClient::SetAcl() {
  std::string path = AnyPath();
  while (!MayHaveAcl(path)) path = AnyPath();
  ZkOperation& operation = NewOperation(Opcode::kSetAcl, std::move(path));
  const std::string id = NewTag(operation) + ":none";
  wire::Acl acl = AnyAcl(operation.path);
  acl.push_back({coord::tree::kRead, "digest", id});
  Send(operation, wire::SetAclRequest{operation.path, std::move(acl), -1});
}

void ZkClient::Multi() {
  ZkOperation& operation = NewOperation(Opcode::kMulti, AnyPath());
  const std::string tag = NewTag(operation);
  std::vector<std::string> paths(random_.Between(1, 5));
  for (std::string& path : paths) path = AnyPath();
  wire::MultiRequest request;
  for (const std::string& path : paths) {
    const uint64_t choice = random_.Below(10);
    if (choice < 3) {
      request.operations.push_back({Opcode::kCreate, AnyCreate(path, tag)});
    } else if (choice < 6) {
      request.operations.push_back({Opcode::kSetData, wire::SetDataRequest{path, tag, -1}});
    } else if (choice < 8) {
      request.operations.push_back({Opcode::kDelete, wire::DeleteRequest{path, -1}});
    } else {
      request.operations.push_back(
          {Opcode::kCheck, wire::CheckVersionRequest{path, GuessVersion()}});
    }
  }
  // By the last one it is known, whatever the others are.
  request.operations.push_back(
      {Opcode::kSetData, wire::SetDataRequest{operation.path, tag, GuessVersion()}});
  Send(operation, std::move(request));
}

void ZkClient::Read() {
  const uint64_t choice = random_.Below(20);
  const Opcode opcode = choice < 7    ? Opcode::kGetData
                        : choice < 12 ? Opcode::kExists
                        : choice < 17 ? Opcode::kGetChildren2
                        : choice < 19 ? Opcode::kGetAcl
                                      : Opcode::kGetAllChildrenNumber;
  ZkOperation& operation = NewOperation(opcode, AnyPath());
  if (opcode == Opcode::kGetAcl || opcode == Opcode::kGetAllChildrenNumber) {
    return Send(operation, wire::PathRequest{operation.path});
  }
  if (opcode == Opcode::kGetData && random_.Chance(0.05)) operation.path = kConfigPath;
  operation.watch = random_.Chance(0.4);
  Send(operation, wire::ReadRequest{operation.path, operation.watch});
}

void ZkClient::Sync() {
  ZkOperation& operation = NewOperation(Opcode::kSync, "/");
  Send(operation, wire::SyncRequest{operation.path});
}

void ZkClient::ChangeWatches() {
  if (random_.Chance(0.5)) {
    ZkOperation& operation = NewOperation(Opcode::kAddWatch, random_.Chance(0.3) ? "/" : AnyPath());
    operation.recursive = random_.Chance(0.5);
    const auto mode = operation.recursive ? wire::AddWatchMode::kPersistentRecursive
                                          : wire::AddWatchMode::kPersistent;
    return Send(operation, wire::AddWatchRequest{operation.path, static_cast<int32_t>(mode)});
  }
  const Opcode opcode = random_.Chance(0.7) ? Opcode::kRemoveWatches : Opcode::kCheckWatches;
  ZkOperation& operation = NewOperation(opcode, random_.Chance(0.3) ? "/" : AnyPath());
  operation.watcher_type = static_cast<wire::WatcherType>(random_.Between(1, 5));
  const auto type = static_cast<int32_t>(operation.watcher_type);
  Send(operation, wire::WatchesRequest{operation.path, type});
}

// Limits first, so that nothing is left uncounted; neither is ever deleted.
void ZkClient::MakeQuota() {
  const std::string quota = "/zookeeper/quota" + std::string(kQuotaedPath);
  const std::string limits = quota + "/zookeeper_limits";
  const std::string usage = quota + "/zookeeper_stats";
  ZkOperation& operation = NewOperation(Opcode::kMulti, limits);
  wire::MultiRequest request;
  const wire::Acl open = {{coord::tree::kAllPermissions, "world", "anyone"}};
  const std::string text = fmt::format("count=12,bytes=200=;byteHardLimit={};countHardLimit={}",
                                       kQuotaedBytesMax, kQuotaedCountMax);
  for (const auto& [path, data] : {std::pair<std::string_view, std::string_view>{quota, ""},
                                   {limits, text},
                                   {usage, "count=0,bytes=0"}}) {
    request.operations.push_back({Opcode::kCreate, wire::CreateRequest{path, data, open, 0, 0}});
  }
  Send(operation, std::move(request));
}

// ---- The end ----

void ZkClient::Finish() {
  executor_.Post([this] {
    if (over_ || finishing_) return;
    finishing_ = true;
    IssueLast();
  });
}

void ZkClient::IssueLast() {
  if (over_ || last_answered_) return;
  const bool under_way = last_read_ != nullptr &&
                         (last_read_->outcome == ZkOperation::Outcome::kPending);
  if (!under_way && link_ != nullptr && attached_) {
    ZkOperation& write = NewOperation(Opcode::kSetData, "/");
    const std::string tag = NewTag(write);
    Send(write, wire::SetDataRequest{write.path, tag, -1});
    ZkOperation& read = NewOperation(Opcode::kGetData, "/");
    Send(read, wire::ReadRequest{read.path, false});
    last_write_ = &write;
    last_read_ = &read;
  }
  executor_.RunAfter(absl::Milliseconds(100) * options_.time_scale, [this] { IssueLast(); });
}

}  // namespace bellwether::sim
