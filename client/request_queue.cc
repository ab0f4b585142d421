#include "client/request_queue.h"

#include <iterator>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/mutant.h"
#include "base/status.h"
#include "client/errors.h"

namespace bellwether::client {
namespace {

using coord::v1::Request;
using coord::v1::Response;

// Requests sent and not answered; more would only have to be sent again when a server goes.
constexpr size_t kInFlightMax = 1024;

bool IsSequenceGap(const absl::Status& error) { return ReasonOf(error) == "sequence_gap"; }

// The server's connection or session can't go on: only attaching again helps.
bool NeedsAttach(const absl::Status& error) {
  return error.code() == absl::StatusCode::kAborted || ReasonOf(error) == "session_expired";
}

// What usually helps, by the reason of an error; empty when the server said all.
std::string_view NextStep(std::string_view reason) {
  static constexpr std::pair<std::string_view, std::string_view> kSteps[] = {
      {"no_node", "check the path, or create it first"},
      {"node_exists", "set it instead, or choose another path"},
      {"bad_version", "read it again and decide anew"},
      {"not_empty", "delete what is below it first, or delete recursively"},
      {"no_children_for_ephemerals", "create it below a persistent znode"},
      {"bad_arguments", "a path is absolute, as in /app/config, without empty or dot names"},
      {"compare_failed", "read again and decide anew"},
      {"too_large", "store less in one znode or transaction"},
  };
  for (const auto& [known, step] : kSteps) {
    if (known == reason) return step;
  }
  return {};
}

// The server's error, led by what was attempted and followed by what to do next.
absl::Status ErrorOf(const Request& request, const Response& response) {
  common::v1::Error wire = response.error();
  std::string_view why = wire.message();
  const std::string what = Describe(request);
  const std::string path(what.substr(what.find(' ') + 1));
  if (why.starts_with(path + ": ")) why.remove_prefix(path.size() + 2);
  const std::string_view next = NextStep(wire.reason());
  const std::string named = absl::StrCat(what, ": ", base::AbslView(why),
                                         next.empty() ? "" : "; ", base::AbslView(next));
  wire.set_message(named);
  absl::Status error = FromWire(wire);
  if (response.has_transaction()) {
    return WithTransactionFailure(std::move(error), {response.transaction().failed_compare(),
                                                     response.transaction().failed_operation()});
  }
  return error;
}

// Nothing was found out; asking again may.
bool MayPass(const absl::Status& error) {
  return absl::IsUnavailable(error) || absl::IsResourceExhausted(error);
}

absl::Status LostResult(const Request& request) {
  return base::UnknownOutcome(
      absl::StatusCode::kUnavailable,
      absl::StrCat(Describe(request),
                   ": the connection was lost after the ensemble took the request and before its "
                   "result arrived; read the znode to see what holds now"));
}

}  // namespace

bool IsWrite(const Request& request) {
  switch (request.operation_case()) {
    case Request::kCreate:
    case Request::kSetData:
    case Request::kDelete:
    case Request::kTransaction:
    case Request::kCloseSession:
    case Request::kSetAcl:
    case Request::kImport:
    case Request::kRaiseZxid:
      return true;
    default:
      return false;
  }
}

std::string Describe(const Request& request) {
  switch (request.operation_case()) {
    case Request::kCreate:
      return absl::StrCat("create ", request.create().path());
    case Request::kSetData:
      return absl::StrCat("set ", request.set_data().path());
    case Request::kDelete:
      return absl::StrCat("delete ", request.delete_().path());
    case Request::kTransaction:
      return "transaction";
    case Request::kCloseSession:
      return "close session";
    case Request::kSetAcl:
      return absl::StrCat("setAcl ", request.set_acl().path());
    case Request::kImport:
      return "import";
    case Request::kRaiseZxid:
      return "raise zxid";
    case Request::kGetAcl:
      return absl::StrCat("getAcl ", request.get_acl().path());
    case Request::kWhoAmI:
      return "whoami";
    case Request::kAuthenticate:
      return "authenticate";
    case Request::kGet:
      return absl::StrCat("get ", request.get().path());
    case Request::kStat:
      return absl::StrCat("stat ", request.stat().path());
    case Request::kList:
      return absl::StrCat("list ", request.list().path());
    case Request::kSync:
      return "sync";
    case Request::kAwaitGrant:
      return absl::StrCat("await ", request.await_grant().path());
    case Request::OPERATION_NOT_SET:
      break;
  }
  return "request";
}

absl::Status RequestQueue::Add(Request request, absl::Duration deadline, Answer& answer) {
  const size_t bytes = request.ByteSizeLong();
  if (outstanding_ >= outstanding_max_ || (outstanding_ > 0 && bytes_ + bytes > bytes_max_)) {
    return absl::ResourceExhaustedError(
        absl::StrCat(Describe(request), ": ", outstanding_, " requests of ", bytes_,
                     " bytes are waiting for an answer; wait for some before sending more"));
  }
  Entry entry;
  entry.is_write = IsWrite(request);
  entry.request = std::move(request);
  entry.answer = std::move(answer);
  entry.deadline = deadline;
  entry.order = next_order_++;
  entry.bytes = bytes;
  waiting_.push_back(std::move(entry));
  deadlines_.emplace(std::pair(deadline, waiting_.back().order), std::prev(waiting_.end()));
  ++outstanding_;
  bytes_ += bytes;
  return absl::OkStatus();
}

std::optional<Request> RequestQueue::TakeToSend(uint64_t generation) {
  if (!attached_ || hole_ || !held_.empty() || waiting_.empty()) return std::nullopt;
  if (in_flight_.size() >= kInFlightMax) return std::nullopt;
  // The numbers before its own are not settled yet.
  const Entry& next = waiting_.front();
  if (repeats_ > 0 && next.is_write && !next.was_applied) return std::nullopt;
  in_flight_.splice(in_flight_.end(), waiting_, waiting_.begin());
  Entry& entry = in_flight_.back();
  entry.state = State::kInFlight;
  entry.request.set_request_id(next_request_id_++);
  entry.request.set_generation(generation);
  if (entry.is_write) {
    if (!entry.was_applied) entry.request.set_sequence(next_sequence_++);
    entry.request.set_acknowledged_floor(repeats_ > 0 ? repeats_floor_ : last_consumed_ + 1);
  }
  return entry.request;
}

RequestQueue::Next RequestQueue::OnResponse(Response response) {
  if (in_flight_.empty() ||
      in_flight_.front().request.request_id() != response.request_id()) {
    return Next::kReconnect;  // not our protocol
  }
  const auto entry = in_flight_.begin();
  if (entry->was_applied) return OnRepeated(entry, std::move(response));
  if (response.has_error()) {
    const absl::Status error = ErrorOf(entry->request, response);
    return OnRefused(entry, response.zxid(), error);
  }
  if (entry->is_write) {
    last_consumed_ = entry->request.sequence();
    FailOvertaken();
  } else if (!held_.empty()) {
    Hold(entry);  // it would overtake an earlier request that is sent again
    FinishDraining();
    return Next::kContinue;
  }
  Finish(entry, std::move(response));
  return Next::kContinue;
}

RequestQueue::Next RequestQueue::OnRepeated(Entries::iterator entry, Response response) {
  absl::Status error;
  if (response.has_error()) error = ErrorOf(entry->request, response);
  const bool forgotten = ReasonOf(error) == "result_forgotten";
  if (NeedsAttach(error) && !forgotten) return Next::kReconnect;
  const bool told = error.ok() || response.zxid() != 0;
  // What is told would overtake an earlier request that is sent again.
  if (!held_.empty() || (!told && MayPass(error))) {
    Hold(entry);
    FinishDraining();
    return told ? Next::kContinue : Next::kPause;
  }
  repeats_floor_ = entry->request.sequence() + 1;
  if (!told || ReasonOf(error) == "sequence_reused") error = AsUnknown(error);
  if (error.ok()) {
    Finish(entry, std::move(response));
  } else {
    Finish(entry, error);
  }
  return Next::kContinue;
}

RequestQueue::Next RequestQueue::OnRefused(Entries::iterator entry, int64_t zxid,
                                           const absl::Status& error) {
  const bool unknown = base::OutcomeOf(error) == base::Outcome::kUnknown;
  if (IsSequenceGap(error) && hole_) {
    Hold(entry);
    FinishDraining();
    return Next::kContinue;
  }
  if (NeedsAttach(error) || (unknown && entry->is_write)) return Next::kReconnect;
  const bool consumed = entry->is_write && zxid != 0;
  if (consumed) {
    last_consumed_ = entry->request.sequence();
    FailOvertaken();
  }
  if (entry->is_write && !consumed) hole_ = true;
  if (!consumed && (unknown || absl::IsUnavailable(error))) {
    Hold(entry);
    FinishDraining();
    return Next::kPause;
  }
  Finish(entry, error);
  return Next::kContinue;
}

void RequestQueue::Hold(Entries::iterator entry) {
  if (!entry->answer) {  // reached its deadline meanwhile
    Drop(in_flight_, entry);
    return;
  }
  entry->state = State::kHeld;
  held_.splice(held_.end(), in_flight_, entry);
}

void RequestQueue::FailOvertaken() {
  std::vector<std::pair<Answer, absl::Status>> failed;
  for (Entry& entry : held_) {
    failed.emplace_back(TakeAnswer(entry),
                        absl::UnavailableError(absl::StrCat(
                            Describe(entry.request),
                            ": the server could not serve it, and a later write took effect "
                            "meanwhile; ask again")));
    bytes_ -= entry.bytes;
  }
  held_.clear();
  for (auto& [answer, status] : failed) answer(std::move(status));
}

void RequestQueue::FinishDraining() {
  if (!in_flight_.empty() || (!hole_ && held_.empty())) return;
  for (Entry& entry : held_) entry.state = State::kWaiting;
  waiting_.splice(waiting_.begin(), held_);
  hole_ = false;
  next_sequence_ = last_consumed_ + 1;
}

void RequestQueue::Finish(Entries::iterator entry, absl::StatusOr<Response> result) {
  Answer answer = TakeAnswer(*entry);
  Drop(in_flight_, entry);
  FinishDraining();
  if (answer) answer(std::move(result));
}

RequestQueue::Answer RequestQueue::TakeAnswer(Entry& entry) {
  if (!entry.answer) return nullptr;
  deadlines_.erase(std::pair(entry.deadline, entry.order));
  --outstanding_;
  return std::exchange(entry.answer, nullptr);
}

RequestQueue::Entries::iterator RequestQueue::Drop(Entries& entries, Entries::iterator entry) {
  bytes_ -= entry->bytes;
  if (entry->was_applied) --repeats_;
  return entries.erase(entry);
}

void RequestQueue::OnDisconnected() {
  for (auto entry = in_flight_.begin(); entry != in_flight_.end();) {
    entry->state = State::kInDoubt;
    entry = entry->answer ? std::next(entry) : Drop(in_flight_, entry);
  }
  held_.splice(held_.end(), in_flight_);
  attached_ = false;
  hole_ = false;
}

void RequestQueue::OnAttached(uint64_t last_sequence, bool results_kept) {
  CHECK(in_flight_.empty());
  std::vector<std::pair<Answer, absl::Status>> lost;
  for (auto entry = held_.begin(); entry != held_.end();) {
    const bool took_effect = entry->state == State::kInDoubt && entry->is_write &&
                             entry->request.sequence() <= last_sequence && !MUTANT(22);
    if (took_effect && !results_kept) {
      lost.emplace_back(TakeAnswer(*entry), LostResult(entry->request));
      entry = Drop(held_, entry);
      continue;
    }
    if (took_effect && !entry->was_applied) {
      entry->was_applied = true;
      if (repeats_++ == 0) repeats_floor_ = entry->request.sequence();
    }
    entry->state = State::kWaiting;
    ++entry;
  }
  waiting_.splice(waiting_.empty() || !MUTANT(23) ? waiting_.begin() : waiting_.end(), held_);
  attached_ = true;
  last_consumed_ = last_sequence;
  next_sequence_ = last_sequence + 1;
  next_request_id_ = 1;
  for (auto& [answer, status] : lost) answer(std::move(status));
}

bool RequestQueue::WasSent(const Entry& entry) {
  return entry.was_applied || entry.state == State::kInFlight || entry.state == State::kInDoubt;
}

void RequestQueue::ExpireDeadlines(absl::Duration now, const std::string& why) {
  std::vector<std::pair<Answer, absl::Status>> expired;
  while (!deadlines_.empty() && deadlines_.begin()->first.first <= now) {
    const auto entry = deadlines_.begin()->second;
    const bool sent = WasSent(*entry);
    const std::string what = Describe(entry->request);
    absl::Status status =
        sent && entry->is_write
            ? base::UnknownOutcome(
                  absl::StatusCode::kDeadlineExceeded,
                  absl::StrCat(what, ": sent, but not answered in time (", why,
                               "); read the znode to see whether it took effect"))
            : absl::DeadlineExceededError(absl::StrCat(
                  what, ": not answered in time (", why,
                  "); nothing happened: check the addresses and that most servers are up"));
    expired.emplace_back(TakeAnswer(*entry), std::move(status));
    if (entry->state == State::kInFlight) continue;  // its response is still to come
    Drop(entry->state == State::kWaiting ? waiting_ : held_, entry);
  }
  for (auto& [answer, status] : expired) answer(std::move(status));
}

absl::Duration RequestQueue::NextDeadline() const {
  return deadlines_.empty() ? absl::InfiniteDuration() : deadlines_.begin()->first.first;
}

void RequestQueue::FailAll(const absl::Status& status) {
  std::vector<std::pair<Answer, absl::Status>> failed;
  for (Entries* entries : {&held_, &in_flight_, &waiting_}) {
    for (Entry& entry : *entries) {
      const bool sent = WasSent(entry);
      const absl::Status named = base::Annotate(status, Describe(entry.request));
      Answer answer = TakeAnswer(entry);
      if (!answer) continue;
      failed.emplace_back(std::move(answer), sent && entry.is_write ? AsUnknown(named) : named);
    }
    entries->clear();
  }
  bytes_ = 0;
  repeats_ = 0;
  attached_ = false;
  for (auto& [answer, error] : failed) answer(std::move(error));
}

}  // namespace bellwether::client
