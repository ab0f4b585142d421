#include "coord/service/reads.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "coord/tree/path.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

constexpr size_t kItemOverheadBytes = sizeof(MultiReadResult().results[0]);

const tree::Identities& Nobody() {
  static const tree::Identities* const nobody = new tree::Identities();
  return *nobody;
}

Failure TooLarge(std::string_view what, size_t bytes_max) {
  Failure failure = FailureOf(tree::ResultCode::kTooLarge, "");
  failure.message = fmt::format(
      "{} are more than {} bytes, the limit of one answer; ask for less at a time", what, bytes_max);
  return failure;
}

Failure TooLong(const ListRead& read, const ReadLimits& limits) {
  return TooLarge(fmt::format("the names below {}", PathForMessage(read.path)),
                  limits.reply_bytes_max);
}

Failure NotOwner(std::string_view path) {
  return {absl::StatusCode::kFailedPrecondition,
          fmt::format("{}: it is no ephemeral znode of this session", PathForMessage(path)),
          "not_owner", base::Outcome::kRejected};
}

class Evaluation {
 public:
  Evaluation(const tree::StateView& state, SessionId session, const tree::Identities* who,
             const ReadLimits& limits, PackedNamesPtr known, Response& response)
      : state_(state),
        session_(session),
        who_(who),
        limits_(limits),
        known_(std::move(known)),
        response_(response) {}

  void operator()(const GetRead& read) {
    const tree::Znode* const znode = Permitted(read.path, tree::kRead);
    if (znode == nullptr) return;
    bytes_ += znode->data.size();
    response_.result = GetResult{znode->data, znode->ToStat()};
  }

  void operator()(const StatRead& read) {
    const tree::Znode* const znode = Permitted(read.path, tree::kRead);
    if (znode != nullptr) response_.result = StatResult{znode->ToStat()};
  }

  void operator()(const ListRead& read) {
    const tree::Znode* const znode = Permitted(read.path, tree::kRead);
    if (znode == nullptr) return;
    if (known_ != nullptr) {
      response_.result = ListResult{{}, false, znode->ToStat(), std::move(known_)};
      return;
    }
    Listing listing(state_, read, who(),
                    read.whole ? limits_.reply_bytes_max : limits_.page_bytes_max);
    CHECK(listing.Continue(std::numeric_limits<size_t>::max()));
    bytes_ += listing.bytes();
    if (listing.too_large()) {
      response_.failure = TooLong(read, limits_);
    } else {
      response_.result = listing.Take();
    }
  }

  void operator()(const GetAclRead& read) {
    const tree::Znode* const znode = Permitted(read.path, tree::kRead | tree::kAdmin);
    if (znode == nullptr) return;
    const tree::Acl& acl = tree::AclOf(znode->access());
    response_.result =
        GetAclResult{Allowed(znode->access(), tree::kAdmin) ? acl : tree::MaskedAcl(acl),
                     znode->ToStat()};
  }

  void operator()(const WhoAmIRead&) {
    response_.result = WhoAmIResult{who()};
  }

  void operator()(const EphemeralsRead& read) {
    EphemeralsResult result;
    const tree::Session* const session = state_.sessions().Find(session_);
    size_t bytes = 0;
    auto next = session == nullptr ? tree::PathSet::Iterator()
                                   : session->ephemerals.LowerBound(read.prefix);
    for (; next != tree::PathSet::Iterator() && next->key.view().starts_with(read.prefix); ++next) {
      bytes += sizeof(std::string) + next->key.view().size();
      if (bytes > limits_.reply_bytes_max) {
        response_.failure =
            TooLarge("the paths of the session's ephemerals", limits_.reply_bytes_max);
        return;
      }
      result.paths.emplace_back(next->key.view());
    }
    response_.result = std::move(result);
  }

  void operator()(const DescendantsRead& read) {
    if (Permitted(read.path, tree::kRead) == nullptr) return;
    response_.result = CountResult{state_.DescendantCount(read.path).value_or(0)};
  }

  void operator()(const AwaitGrant& await) {
    const std::optional<tree::PathParts> parts = tree::SplitPath(await.path);
    if (Permitted(std::string(parts.has_value() ? parts->parent : ""), tree::kRead) == nullptr) {
      return;
    }
    const tree::Znode* const znode = state_.FindZnode(await.path);
    if (znode == nullptr) {
      response_.failure = FailureOf(tree::ResultCode::kNoNode, await.path);
    } else if (session_ == SessionId(0) || znode->ToStat().ephemeral_owner != session_) {
      response_.failure = NotOwner(await.path);
    } else {
      response_.result = AwaitGrantResult{znode->ToStat().czxid};
    }
  }

  void operator()(const MultiRead& read) {
    MultiReadResult result;
    size_t left = limits_.multi_read_bytes_max;
    for (const auto& each : read.reads) {
      Response one;
      const ReadLimits limits{std::min(left, limits_.page_bytes_max), left, left};
      Evaluation evaluation(state_, session_, who_, limits, nullptr, one);
      std::visit(evaluation, each);
      const size_t failure = one.failure.has_value() ? one.failure->message.size() : 0;
      const size_t bytes = kItemOverheadBytes + evaluation.bytes_ + failure;
      if (bytes > left) {
        response_.failure =
            TooLarge("what the znodes hold together", limits_.multi_read_bytes_max);
        return;
      }
      left -= bytes;
      if (one.failure.has_value()) {
        result.results.emplace_back(*std::move(one.failure));
      } else if (auto* get = std::get_if<GetResult>(&one.result)) {
        result.results.emplace_back(std::move(*get));
      } else {
        result.results.emplace_back(std::get<ListResult>(std::move(one.result)));
      }
    }
    response_.result = std::move(result);
  }

  void operator()(const SyncRead&) {}
  void operator()(const EchoRead&) {}
  void operator()(const SetWatches&) {}
  void operator()(const AddWatch&) {}
  void operator()(const RemoveWatches&) {}

  template <typename Write>
  void operator()(const Write&) {
    CHECK(false, "a write is not evaluated as a read");
  }

 private:
  bool Allowed(const tree::AclPtr& access, uint32_t any_of) const {
    if (!access) return true;
    return tree::Allows(access, any_of, who());
  }
  const tree::Identities& who() const { return who_ == nullptr ? Nobody() : *who_; }

  // The znode if there is one and one of the permissions is given; else null, and it is answered.
  const tree::Znode* Permitted(const std::string& path, uint32_t any_of) {
    const tree::Znode* const znode = state_.FindZnode(path);
    if (znode == nullptr) {
      response_.failure = FailureOf(tree::IsValidPath(path) ? tree::ResultCode::kNoNode
                                                            : tree::ResultCode::kBadArguments,
                                    path);
      return nullptr;
    }
    if (Allowed(znode->access(), any_of) || MUTANT(66)) return znode;
    response_.failure = FailureOf(tree::ResultCode::kNoAuth, path);
    return nullptr;
  }

  const tree::StateView& state_;
  const SessionId session_;
  const tree::Identities* const who_;  // null: nobody
  const ReadLimits& limits_;
  PackedNamesPtr known_;  // of the list that is read; else null
  Response& response_;
  size_t bytes_ = 0;  // of names and data in the answer
};

// Of each operation: see ReadCost.
struct Costs {
  const tree::StateView& state;
  const SessionId session;
  const tree::Identities* who;  // null: nobody

  size_t operator()(const ListRead& read) const {
    const tree::Znode* const znode = Readable(read.path);
    if (znode == nullptr || znode->num_children() == 0) return 1;
    return read.recursive ? kUnknownReadCost : 1 + znode->num_children();
  }
  size_t operator()(const DescendantsRead& read) const {
    const tree::Znode* const znode = Readable(read.path);
    const bool is_known = znode == nullptr || znode->num_children() == 0 || read.path == "/";
    return is_known ? 1 : kUnknownReadCost;
  }
  size_t operator()(const EphemeralsRead&) const {
    const tree::Session* const found = state.sessions().Find(session);
    return found == nullptr ? 1 : 1 + found->ephemerals.size();
  }
  // Of all who stand in line, at worst.
  size_t operator()(const AwaitGrant& await) const {
    const std::optional<tree::PathParts> parts = tree::SplitPath(await.path);
    const tree::Znode* const lock = parts.has_value() ? state.FindZnode(parts->parent) : nullptr;
    return lock == nullptr ? 1 : 1 + lock->num_children();
  }
  size_t operator()(const MultiRead& read) const {
    size_t cost = 1;
    for (const auto& each : read.reads) cost += std::visit(*this, each);
    return cost;
  }
  size_t operator()(const SetWatches& request) const {
    return 1 + request.data.size() + request.exist.size() + request.child.size() +
           request.persistent.size() + request.recursive.size();
  }
  template <typename Other>
  size_t operator()(const Other&) const {
    return 1;
  }

 private:
  // Null when there is none, or it fails at once for another reason.
  const tree::Znode* Readable(const std::string& path) const {
    const tree::Znode* const znode = state.FindZnode(path);
    if (znode == nullptr || !znode->access()) return znode;
    return tree::Allows(znode->access(), tree::kRead, who == nullptr ? Nobody() : *who) ? znode
                                                                                     : nullptr;
  }
};

}  // namespace

Response EvaluateRead(const tree::StateView& state, SessionId session, const Request& request,
                      const ReadLimits& limits, PackedNamesPtr known) {
  Response response;
  response.request_id = request.id;
  response.zxid = state.zxid();
  std::visit(Evaluation(state, session, request.identities.get(), limits, std::move(known), response),
             request.operation);
  return response;
}

size_t ReadCost(const tree::StateView& state, SessionId session, const Request& request) {
  return std::visit(Costs{state, session, request.identities.get()}, request.operation);
}

LongRead::LongRead(tree::StateView state, SessionId session, const Request& request,
                   const ReadLimits& limits, ChildLists* lists, Finished finished)
    : state_(std::move(state)),
      session_(session),
      request_(request),
      limits_(limits),
      lists_(lists),
      finished_(std::move(finished)) {
  const tree::Identities& who = request.identities == nullptr ? Nobody() : *request_.identities;
  const auto* list = std::get_if<ListRead>(&request_.operation);
  if (list == nullptr) return;
  listing_.emplace(state_, *list, who, list->whole ? limits_.reply_bytes_max : limits_.page_bytes_max);
}

std::optional<Response> LongRead::Continue(size_t visits_max) {
  std::optional<Response> response = Evaluate(visits_max);
  if (response.has_value() && finished_) finished_(state_, *response);
  return response;
}

std::optional<Response> LongRead::Evaluate(size_t visits_max) {
  Response response;
  response.request_id = request_.id;
  response.zxid = state_.zxid();
  if (const auto* list = std::get_if<ListRead>(&request_.operation)) {
    if (!List(*list, visits_max, response)) return std::nullopt;
    return response;
  }
  if (const auto* descendants = std::get_if<DescendantsRead>(&request_.operation)) {
    if (!Count(descendants->path, visits_max)) return std::nullopt;
    response.result = CountResult{counted_};
    return response;
  }
  return EvaluateRead(state_, session_, request_, limits_);
}

// True when it is answered. Another one may have made the same list meanwhile.
bool LongRead::List(const ListRead& read, size_t visits_max, Response& response) {
  PackedNamesPtr known = lists_ == nullptr ? nullptr : lists_->Find(read, state_);
  if (known != nullptr) {
    response.result = ListResult{{}, false, state_.FindZnode(read.path)->ToStat(), std::move(known)};
    return true;
  }
  if (!listing_->Continue(visits_max)) return false;
  if (listing_->too_large()) {
    response.failure = TooLong(read, limits_);
    return true;
  }
  response.result = listing_->Take();
  if (lists_ != nullptr) lists_->Share(read, state_, response);
  return true;
}

// True when all below were counted.
bool LongRead::Count(const std::string& path, size_t visits_max) {
  bool paused = false;
  std::string last;
  const auto count = [&](const tree::ZnodeVisit& visit) {
    ++counted_;
    paused = --visits_max == 0;
    if (paused) last = visit.path;
    return !paused;
  };
  state_.SubtreeAfter(path, counted_after_.empty() ? path : counted_after_, count);
  counted_after_ = std::move(last);
  return !paused;
}

}  // namespace bellwether::coord
