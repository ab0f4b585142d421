#include "coord/service/reads.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "coord/tree/path.h"

namespace bellwether::coord {
namespace {

constexpr size_t kNameOverheadBytes = 8;

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

 private:
  ListResult& result_;
  const size_t bytes_max_;
  size_t bytes_ = 0;
};

class Evaluation {
 public:
  Evaluation(const tree::StateMachine& tree, size_t page_bytes_max, Response& response)
      : tree_(tree), page_bytes_max_(page_bytes_max), response_(response) {}

  void operator()(const GetRead& read) {
    auto znode = tree_.Get(read.path);
    if (!znode.has_value()) return Missing(read.path);
    response_.result = GetResult{std::move(znode->data), znode->stat};
  }

  void operator()(const StatRead& read) {
    const auto stat = tree_.Exists(read.path);
    if (!stat.has_value()) return Missing(read.path);
    response_.result = StatResult{*stat};
  }

  void operator()(const ListRead& read) { return read.recursive ? Walk(read) : Children(read); }

  void operator()(const SyncRead&) {}

  template <typename Write>
  void operator()(const Write&) {
    CHECK(false, "a write is not evaluated as a read");
  }

 private:
  void Missing(const std::string& path) {
    response_.failure = FailureOf(
        tree::IsValidPath(path) ? tree::ResultCode::kNoNode : tree::ResultCode::kBadArguments, path);
  }

  void Children(const ListRead& read) {
    ListResult result;
    Page page(result, page_bytes_max_);
    const auto stat = tree_.ChildrenAfter(read.path, read.after, [&](std::string_view name) {
      return page.Add(std::string(name));
    });
    if (!stat.has_value()) return Missing(read.path);
    result.stat = *stat;
    response_.result = std::move(result);
  }

  void Walk(const ListRead& read) {
    const auto stat = tree_.Exists(read.path);
    if (!stat.has_value()) return Missing(read.path);
    ListResult result;
    result.stat = *stat;
    Page page(result, page_bytes_max_);
    const auto add = [&](const tree::ZnodeVisit& visit) {
      return page.Add(std::string(visit.path));
    };
    if (read.after == read.path || tree::IsBelow(read.after, read.path)) {
      tree_.SubtreeAfter(read.path, read.after, add);
    } else if (read.after.empty() || WalkOrderLess(read.after, read.path)) {
      tree_.Subtree(read.path, add);
    }
    response_.result = std::move(result);
  }

  const tree::StateMachine& tree_;
  const size_t page_bytes_max_;
  Response& response_;
};

}  // namespace

Response EvaluateRead(const tree::StateMachine& tree, const Request& request,
                      size_t page_bytes_max) {
  Response response;
  response.request_id = request.id;
  response.zxid = tree.zxid();
  std::visit(Evaluation(tree, page_bytes_max, response), request.operation);
  return response;
}

}  // namespace bellwether::coord
