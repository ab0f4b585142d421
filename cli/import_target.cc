#include "cli/import_target.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "base/utf8.h"
#include "client/errors.h"
#include "coord/tree/types.h"
#include "fmt/format.h"

namespace bellwether::cli {
namespace {

using Effect = client::ImportOutcome::Effect;

constexpr int kFailuresMax = 5;

// What no request could carry.
absl::Status CheckSendable(const client::ImportedZnode& znode) {
  if (!base::IsUtf8(znode.path)) {
    return base::ErrorWithReason(absl::StatusCode::kInvalidArgument, "bad_path",
                                 "its path is not UTF-8");
  }
  const size_t data_bytes = znode.data.has_value() ? znode.data->size() : 0;
  if (data_bytes > coord::tree::kDataBytesMax || znode.path.size() > coord::tree::kPathBytesMax ||
      ImportBatches::BytesOf(znode) - data_bytes > 4 * coord::tree::kAclBytesMax) {
    return base::ErrorWithReason(absl::StatusCode::kInvalidArgument, "too_large",
                                 "its data, path or ACL is larger than a znode may have");
  }
  for (const client::AclEntry& entry : znode.acl.value_or(client::Acl())) {
    if (base::IsUtf8(entry.scheme) && base::IsUtf8(entry.id)) continue;
    return base::ErrorWithReason(absl::StatusCode::kInvalidArgument, "invalid_acl",
                                 "its ACL is not UTF-8");
  }
  return absl::OkStatus();
}

// As reports say it.
std::string_view ReasonWord(std::string_view reason) {
  if (reason == "node_exists") return "conflict";
  if (reason == "no_node") return "no_parent";
  if (reason == "no_auth") return "not_permitted";
  return reason;
}

std::string_view MessageOf(std::string_view reason, const absl::Status& error) {
  if (reason == "conflict") {
    return "the target has another znode there, which was left; give --overwrite to replace it";
  }
  if (reason == "no_parent") return "its parent is not there";
  if (reason == "not_permitted") {
    return "an ACL of the target does not permit it; give --auth of who may";
  }
  return base::StdView(error.message());
}

// Nobody knows what became of it, or nothing did; the same again may do.
bool MayBeSentAgain(const absl::Status& status) {
  return base::OutcomeOf(status) == base::Outcome::kUnknown || absl::IsUnavailable(status) ||
         absl::IsDeadlineExceeded(status);
}

}  // namespace

void ImportTarget::Answers::Give(uint64_t id, absl::StatusOr<client::ImportResult> answer) {
  {
    base::MutexLock lock(mutex);
    given.emplace_back(id, std::move(answer));
  }
  wake();
}

ImportTarget::ImportTarget(client::Coord& coord, Options options, ImportReport& report,
                           std::function<void()> wake)
    : coord_(coord),
      options_(options),
      report_(report),
      answers_(std::make_shared<Answers>()) {
  answers_->wake = std::move(wake);
}

ImportTarget::~ImportTarget() = default;

void ImportTarget::Add(client::ImportedZnode znode, size_t children) {
  const absl::Status sendable = CheckSendable(znode);
  if (!sendable.ok()) {
    report_.LeaveOut(znode.path, client::ReasonOf(sendable), base::StdView(sendable.message()));
    return Skip(znode.path);
  }
  next_.Add(std::move(znode), children);
  SendReady();
}

void ImportTarget::Skip(std::string_view path) {
  next_.Skip(path);
  SendReady();
}

void ImportTarget::SendReady() {
  while (next_.ready()) {
    Batch& batch = batches_.emplace_back();
    batch.znodes = std::make_shared<const ImportBatches::Znodes>(next_.Take());
    Send(batch);
  }
}

void ImportTarget::Send(Batch& batch) {
  batch.id = ++last_id_;
  batch.answer.reset();
  if (options_.dry_run) return Look(batch);
  coord_.Run([this, &batch](client::CoordClient& client) {
    client.Import(*batch.znodes, options_.overwrite, {},
                  [answers = answers_, id = batch.id](
                      absl::StatusOr<client::ImportResult> answer) {
                    answers->Give(id, std::move(answer));
                  });
  });
}

// What an import would do as far as can be told without it.
struct ImportTarget::Looks {
  uint64_t id = 0;
  std::shared_ptr<Answers> answers;
  client::ImportResult result;
  absl::Status failure;
  size_t missing = 0;  // answers
};

void ImportTarget::Look(const Batch& batch) {
  auto looks = std::make_shared<Looks>();
  looks->id = batch.id;
  looks->answers = answers_;
  looks->missing = batch.znodes->size();
  looks->result.outcomes.resize(looks->missing);
  coord_.Run([&](client::CoordClient& client) {
    for (size_t i = 0; i < batch.znodes->size(); ++i) {
      client.GetStat((*batch.znodes)[i].path, {},
                     [looks, i](absl::StatusOr<client::StatResult> found) {
                       client::ImportOutcome& outcome = looks->result.outcomes[i];
                       outcome.effect = found.ok() ? Effect::kUnchanged : Effect::kCreated;
                       if (!found.ok() && !absl::IsNotFound(found.status())) {
                         looks->failure = found.status();
                       }
                       if (--looks->missing > 0) return;
                       if (!looks->failure.ok()) {
                         return looks->answers->Give(looks->id, looks->failure);
                       }
                       looks->answers->Give(looks->id, std::move(looks->result));
                     });
    }
  });
}

void ImportTarget::Report(const Batch& batch) {
  const client::ImportResult& result = **batch.answer;
  for (size_t i = 0; i < batch.znodes->size(); ++i) {
    const std::string& path = (*batch.znodes)[i].path;
    const client::ImportOutcome& outcome = result.outcomes[i];
    if (outcome.effect != Effect::kNone) {
      report_.Done(path, outcome.effect);
      continue;
    }
    const std::string reason(ReasonWord(client::ReasonOf(outcome.error)));
    report_.LeaveOut(path, reason.empty() ? "failed" : reason, MessageOf(reason, outcome.error));
  }
}

absl::Status ImportTarget::Poll() {
  {
    base::MutexLock lock(answers_->mutex);
    for (auto& [id, answer] : answers_->given) {
      for (Batch& batch : batches_) {
        if (batch.id == id) batch.answer = std::move(answer);
      }
    }
    answers_->given.clear();
  }
  while (!batches_.empty() && batches_.front().answer.has_value()) {
    const auto& answer = *batches_.front().answer;
    if (answer.ok() && answer->outcomes.size() != batches_.front().znodes->size()) {
      return absl::InternalError("the target answered for other znodes than were sent");
    }
    if (!answer.ok()) {
      if (!MayBeSentAgain(answer.status()) || failures_ == kFailuresMax) return answer.status();
      const bool all_answered =
          std::all_of(batches_.begin(), batches_.end(),
                      [](const Batch& batch) { return batch.answer.has_value(); });
      if (!all_answered) return absl::OkStatus();
      ++failures_;
      for (Batch& batch : batches_) Send(batch);
      return absl::OkStatus();
    }
    failures_ = 0;
    Report(batches_.front());
    batches_.pop_front();
  }
  return absl::OkStatus();
}

bool ImportTarget::Finish() {
  next_.Finish();
  SendReady();
  return batches_.empty();
}

}  // namespace bellwether::cli
