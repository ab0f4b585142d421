#include "coord/service/reads.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/mutant.h"
#include "coord/tree/path.h"
#include "coord/tree/system_znodes.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

constexpr size_t kNameOverheadBytes = 8;
constexpr size_t kItemOverheadBytes = 88;  // a Stat and what is around it
// Sorts behind every name: no UTF-8 has this byte.
constexpr std::string_view kBehindAllNames = "/\xff";

// The order of a walk: a znode before what is below it, that before its next sibling. So '/' sorts
// before every other byte.
bool WalkOrderLess(std::string_view a, std::string_view b) {
  const auto rank = [](char c) { return c == '/' ? 0 : 1 + static_cast<unsigned char>(c); };
  return std::lexicographical_compare(
      a.begin(), a.end(), b.begin(), b.end(),
      [&rank](char x, char y) { return rank(x) < rank(y); });
}

// A page of names under construction.
class Page {
 public:
  Page(ListResult& result, size_t bytes_max) : result_(result), bytes_max_(bytes_max) {}

  // False, and `more` is set, when the page is full.
  bool Add(std::string name) {
    bytes_ += kNameOverheadBytes + name.size();
    if (bytes_ > bytes_max_ && !result_.names.empty()) {
      result_.more = true;
      return false;
    }
    result_.names.push_back(std::move(name));
    return true;
  }

  size_t bytes() const { return bytes_; }

 private:
  ListResult& result_;
  const size_t bytes_max_;
  size_t bytes_ = 0;
};

class Evaluation {
 public:
  Evaluation(const tree::StateView& state, SessionId session, const tree::Identities* who,
             const ReadLimits& limits, Response& response)
      : state_(state), session_(session), who_(who), limits_(limits), response_(response) {}

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
    ListResult result;
    result.stat = znode->ToStat();
    Page page(result, read.whole ? limits_.reply_bytes_max : limits_.page_bytes_max);
    if (read.recursive) {
      Walk(read, page);
    } else {
      const bool leaves_out = LeavesSystemOut(read);
      state_.ChildrenAfter(read.path, read.after, [&](std::string_view name) {
        return (leaves_out && name == tree::kSystemPath.substr(1)) || page.Add(std::string(name));
      });
    }
    bytes_ += page.bytes();
    if (read.whole && (result.more || page.bytes() > limits_.reply_bytes_max)) {
      return TooLarge(fmt::format("the names below {}", read.path));
    }
    response_.result = std::move(result);
  }

  void operator()(const GetAclRead& read) {
    const tree::Znode* const znode = Permitted(read.path, tree::kRead | tree::kAdmin);
    if (znode == nullptr) return;
    const tree::Acl& acl = tree::AclOf(znode->access);
    response_.result =
        GetAclResult{Allowed(znode->access, tree::kAdmin) ? acl : tree::MaskedAcl(acl),
                     znode->ToStat()};
  }

  void operator()(const WhoAmIRead&) {
    response_.result = WhoAmIResult{who_ == nullptr ? Nobody() : *who_};
  }

  void operator()(const EphemeralsRead& read) {
    EphemeralsResult result;
    size_t bytes = 0;
    for (std::string& path : state_.Ephemerals(session_)) {
      if (path.compare(0, read.prefix.size(), read.prefix) != 0) continue;
      bytes += kNameOverheadBytes + path.size();
      result.paths.push_back(std::move(path));
    }
    if (bytes > limits_.reply_bytes_max) return TooLarge("the paths of the session's ephemerals");
    response_.result = std::move(result);
  }

  void operator()(const DescendantsRead& read) {
    if (Permitted(read.path, tree::kRead) == nullptr) return;
    response_.result = CountResult{state_.DescendantCount(read.path).value_or(0)};
  }

  void operator()(const MultiRead& read) {
    MultiReadResult result;
    size_t bytes = 0;
    for (const auto& each : read.reads) {
      Response one;
      Evaluation evaluation(state_, session_, who_, limits_, one);
      std::visit(evaluation, each);
      bytes += kItemOverheadBytes + evaluation.bytes_;
      if (bytes > limits_.reply_bytes_max) return TooLarge("what the znodes hold together");
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
    return tree::Allows(access, any_of, who_ == nullptr ? Nobody() : *who_);
  }
  static const tree::Identities& Nobody() {
    static const tree::Identities nobody;
    return nobody;
  }

  // The znode if there is one and one of the permissions is given; else null, and it is answered.
  const tree::Znode* Permitted(const std::string& path, uint32_t any_of) {
    const tree::Znode* const znode = state_.FindZnode(path);
    if (znode == nullptr) {
      response_.failure = FailureOf(tree::IsValidPath(path) ? tree::ResultCode::kNoNode
                                                            : tree::ResultCode::kBadArguments,
                                    path);
      return nullptr;
    }
    if (Allowed(znode->access, any_of) || MUTANT(66)) return znode;
    response_.failure = FailureOf(tree::ResultCode::kNoAuth, path);
    return nullptr;
  }

  void TooLarge(std::string_view what) {
    response_.failure = FailureOf(tree::ResultCode::kTooLarge, "");
    response_.failure->message =
        fmt::format("{} are more than {} bytes, the limit of one answer; ask for less at a time",
                    what, limits_.reply_bytes_max);
  }

  static bool LeavesSystemOut(const ListRead& read) {
    return read.path == "/" && !read.system_znodes;
  }

  // A walk through what is permitted: the names below a znode are its own to tell.
  void Walk(const ListRead& read, Page& page) const {
    std::string after = read.after;
    if (after == read.path || tree::IsBelow(after, read.path)) {
      after = SkipForbidden(std::move(after), read.path.size());
    } else if (!after.empty() && !WalkOrderLess(after, read.path)) {
      return;
    } else {
      after.clear();
    }
    const bool leaves_out = LeavesSystemOut(read);
    if (leaves_out && (after == tree::kSystemPath || tree::IsBelow(after, tree::kSystemPath))) {
      after = std::string(tree::kSystemPath) + std::string(kBehindAllNames);
    }
    std::optional<std::string> forbidden;
    do {
      forbidden.reset();
      const auto add = [&](const tree::ZnodeVisit& visit) {
        if (leaves_out && visit.path == tree::kSystemPath) {
          forbidden = visit.path;
          return false;
        }
        if (!page.Add(std::string(visit.path))) return false;
        if (visit.znode.num_children() == 0 || Allowed(visit.znode.access, tree::kRead)) return true;
        forbidden = visit.path;
        return false;
      };
      if (after.empty()) {
        state_.Subtree(read.path, add);
      } else {
        state_.SubtreeAfter(read.path, after, add);
      }
      if (forbidden.has_value()) after = *forbidden + std::string(kBehindAllNames);
    } while (forbidden.has_value());
  }

  // Where to go on after `after`, which is the walk's top, `top_bytes` long, or below it: behind
  // what is below the first forbidden znode on the way to it.
  std::string SkipForbidden(std::string after, size_t top_bytes) const {
    for (size_t end = top_bytes; end != std::string::npos;) {
      end = after.find('/', end + 1);
      const std::string_view path = std::string_view(after).substr(0, end);
      const tree::Znode* const znode = state_.FindZnode(path);
      if (znode == nullptr || Allowed(znode->access, tree::kRead)) continue;
      return std::string(path) + std::string(kBehindAllNames);
    }
    return after;
  }

  const tree::StateView& state_;
  const SessionId session_;
  const tree::Identities* const who_;  // null: nobody
  const ReadLimits& limits_;
  Response& response_;
  size_t bytes_ = 0;  // of names and data in the answer
};

}  // namespace

Response EvaluateRead(const tree::StateView& state, SessionId session, const Request& request,
                      const ReadLimits& limits) {
  Response response;
  response.request_id = request.id;
  response.zxid = state.zxid();
  std::visit(Evaluation(state, session, request.identities.get(), limits, response),
             request.operation);
  return response;
}

bool TakesLong(const RequestOperation& operation) {
  if (const auto* list = std::get_if<ListRead>(&operation)) return list->whole && !list->watch;
  return std::holds_alternative<MultiRead>(operation) ||
         std::holds_alternative<DescendantsRead>(operation) ||
         std::holds_alternative<EphemeralsRead>(operation);
}

}  // namespace bellwether::coord
