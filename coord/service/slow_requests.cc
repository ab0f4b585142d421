#include "coord/service/slow_requests.h"

#include <utility>

#include "base/log.h"
#include "base/utf8.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

struct SubjectReader {
  RequestSubject operator()(const GetRead& read) const { return {"get", read.path}; }
  RequestSubject operator()(const StatRead& read) const { return {"stat", read.path}; }
  RequestSubject operator()(const ListRead& read) const { return {"list", read.path}; }
  RequestSubject operator()(const SyncRead&) const { return {"sync", ""}; }
  RequestSubject operator()(const EchoRead&) const { return {"echo", ""}; }
  RequestSubject operator()(const WhoAmIRead&) const { return {"who_am_i", ""}; }
  RequestSubject operator()(const GetAclRead& read) const { return {"get_acl", read.path}; }
  RequestSubject operator()(const EphemeralsRead& read) const {
    return {"ephemerals", read.prefix};
  }
  RequestSubject operator()(const DescendantsRead& read) const {
    return {"descendants", read.path};
  }
  RequestSubject operator()(const MultiRead& read) const {
    if (read.reads.empty()) return {"multi_read", ""};
    return {"multi_read", std::visit(*this, read.reads.front()).path};
  }
  RequestSubject operator()(const SetWatches&) const { return {"set_watches", ""}; }
  RequestSubject operator()(const AddWatch& add) const { return {"add_watch", add.path}; }
  RequestSubject operator()(const RemoveWatches& remove) const {
    return {"remove_watches", remove.path};
  }
  RequestSubject operator()(const AwaitGrant& await) const { return {"await_grant", await.path}; }
  RequestSubject operator()(const Reconfigure&) const { return {"reconfigure", ""}; }
  RequestSubject operator()(const tree::Create& create) const { return {"create", create.path}; }
  RequestSubject operator()(const tree::SetData& set) const { return {"set_data", set.path}; }
  RequestSubject operator()(const tree::SetAcl& set) const { return {"set_acl", set.path}; }
  RequestSubject operator()(const tree::Delete& one) const { return {"delete", one.path}; }
  RequestSubject operator()(const tree::DeleteRecursive& all) const {
    return {"delete_recursive", all.path};
  }
  RequestSubject operator()(const tree::Check& check) const { return {"check", check.path}; }
  RequestSubject operator()(const tree::Transaction& transaction) const {
    if (transaction.operations.empty()) return {"transaction", ""};
    return {"transaction", std::visit(*this, transaction.operations.front()).path};
  }
  RequestSubject operator()(const tree::CloseSession&) const { return {"close_session", ""}; }
  RequestSubject operator()(const tree::Import& import) const {
    return {"import", import.znodes.empty() ? "" : import.znodes.front().path};
  }
  RequestSubject operator()(const tree::RaiseZxid&) const { return {"raise_zxid", ""}; }
  // Of no client.
  template <typename Other>
  RequestSubject operator()(const Other&) const {
    return {"other", ""};
  }
};

// Cut, and without what would end the line, look like another field or is no text: paths are checked
// only where they are looked up.
std::string Printable(std::string_view path) {
  if (path.empty()) return "-";
  std::string text(path.substr(0, SlowRequests::kPathBytesMax));
  if (text.size() < path.size()) {  // not within a character
    size_t end = text.size();
    while (end > 0 && (static_cast<unsigned char>(path[end]) & 0xc0) == 0x80) --end;
    text.resize(end);
  }
  const bool is_text = base::IsUtf8(text);
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte == 0x7f || byte == '"' || (byte >= 0x80 && !is_text)) c = '?';
  }
  return text;
}

std::string Milliseconds(const std::optional<absl::Duration>& duration) {
  return duration.has_value() ? fmt::to_string(absl::ToInt64Milliseconds(*duration)) : "-";
}

}  // namespace

RequestSubject SubjectOf(const RequestOperation& operation) {
  return std::visit(SubjectReader(), operation);
}

RequestSubject SubjectOf(const tree::Operation& operation) {
  return std::visit(SubjectReader(), operation);
}

SlowRequests::SlowRequests(absl::Duration threshold, base::Clock& clock, base::Metrics& metrics,
                           Sink sink)
    : threshold_(threshold == absl::ZeroDuration() ? absl::InfiniteDuration() : threshold),
      clock_(clock),
      sink_(sink != nullptr ? std::move(sink)
                            : [](const std::string& line) { LOG_WARN("{}", line); }),
      read_seconds_(metrics.AddHistogram(
          "bell_request_seconds",
          "From the receipt of a client's request to its answer; of reads answered together that of "
          "the oldest.",
          "kind=\"read\"")),
      write_seconds_(metrics.AddHistogram("bell_request_seconds", "", "kind=\"write\"")),
      slow_(metrics.AddCounter("bell_slow_requests_total",
                               "Requests that took longer than --slow-request.")),
      lines_dropped_(metrics.AddCounter("bell_slow_request_lines_dropped_total",
                                        "Those among them that the log has no line for.")) {}

void SlowRequests::Tell(SessionId session, std::string_view address, const SlowRequest& request) {
  slow_.Add();
  size_t dropped = 0;
  {
    base::MutexLock lock(mutex_);
    const absl::Duration now = clock_.Monotonic();
    if (now - second_began_ >= absl::Seconds(1)) {
      second_began_ = now;
      lines_ = 0;
    }
    if (lines_ == kLinesPerSecondMax) {
      lines_dropped_.Add();
      ++dropped_;
      return;
    }
    ++lines_;
    dropped = std::exchange(dropped_, 0);
  }
  std::string line = fmt::format(
      "slow request session={:#x} client={} kind={} path={} ms={} queue_ms={} replication_ms={} "
      "evaluate_ms={}",
      session.value(), address, request.subject.kind, Printable(request.subject.path),
      Milliseconds(request.took), Milliseconds(request.queued), Milliseconds(request.replicated),
      Milliseconds(request.evaluated));
  if (dropped > 0) line += fmt::format(" dropped={}", dropped);
  sink_(line);
}

void SlowRequests::TellUnkept(size_t requests) {
  slow_.Add(requests);
  lines_dropped_.Add(requests);
  base::MutexLock lock(mutex_);
  dropped_ += requests;
}

}  // namespace bellwether::coord
