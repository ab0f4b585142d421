// The verbs of ShellSession about who may do what, and how much.
#include <utility>
#include <vector>

#include "base/parse.h"
#include "base/status.h"
#include "cli/acl_text.h"
#include "cli/output.h"
#include "cli/quota.h"
#include "cli/shell_session.h"
#include "cli/znode_output.h"
#include "fmt/format.h"

namespace bellwether::cli {

absl::Status ShellSession::AddAuth(const VerbArguments& arguments) {
  return coord_->Authenticate({arguments.positional[0], arguments.positional[1]});
}

absl::Status ShellSession::WhoAmI(const VerbArguments&) {
  ASSIGN_OR_RETURN(const std::vector<client::Identity> identities, coord_->WhoAmI());
  for (const client::Identity& identity : identities) {
    fmt::print("{}: {}\n", identity.scheme, identity.id);
  }
  return absl::OkStatus();
}

absl::Status ShellSession::GetAcl(const VerbArguments& arguments) {
  ASSIGN_OR_RETURN(const client::AclResult got, coord_->GetAcl(arguments.positional[0]));
  for (const client::AclEntry& entry : got.acl) fmt::print("{}\n", AclEntryText(entry));
  if (arguments.Has('s')) PrintTable(RowsOf(got.stat));
  return absl::OkStatus();
}

absl::Status ShellSession::SetAcl(const VerbArguments& arguments) {
  ASSIGN_OR_RETURN(const int32_t version, VersionOf(arguments));
  ASSIGN_OR_RETURN(const client::Acl acl, ParseAcl(arguments.positional[1]));
  std::vector<std::string> paths = {arguments.positional[0]};
  if (arguments.Has('R')) {
    ASSIGN_OR_RETURN(client::ListResult listed, coord_->List(paths[0], /*recursive=*/true));
    paths = std::move(listed.names);
  }
  for (const std::string& path : paths) {
    ASSIGN_OR_RETURN(const client::SetResult set, coord_->SetAcl(path, acl, version));
    if (arguments.Has('s')) PrintTable(RowsOf(set.stat));
  }
  return absl::OkStatus();
}

absl::Status ShellSession::SetQuota(const VerbArguments& arguments) {
  QuotaLimits limits;
  for (const auto& [flag, text] : arguments.flags) {
    ASSIGN_OR_RETURN(const int64_t value, base::ParseInteger(text, 0, INT64_MAX));
    (flag == 'n'   ? limits.count
     : flag == 'b' ? limits.bytes
     : flag == 'N' ? limits.count_hard
                   : limits.bytes_hard) = value;
  }
  if (arguments.flags.empty()) {
    return absl::InvalidArgumentError("setquota: no limit is given; use -n, -b, -N or -B");
  }
  return cli::SetQuota(*coord_, arguments.positional[0], limits);
}

absl::Status ShellSession::ListQuota(const VerbArguments& arguments) {
  ASSIGN_OR_RETURN(const QuotaTexts texts, ReadQuota(*coord_, arguments.positional[0]));
  PrintTable({{"limits", texts.limits}, {"usage", texts.usage}});
  return absl::OkStatus();
}

absl::Status ShellSession::DelQuota(const VerbArguments& arguments) {
  const std::string& path = arguments.positional[0];
  if (arguments.flags.empty()) return DeleteQuota(*coord_, path);
  RETURN_IF_ERROR(ReadQuota(*coord_, path).status());
  constexpr int64_t kUnlimited = -1;
  QuotaLimits limits;
  if (arguments.Has('n')) limits.count = kUnlimited;
  if (arguments.Has('b')) limits.bytes = kUnlimited;
  if (arguments.Has('N')) limits.count_hard = kUnlimited;
  if (arguments.Has('B')) limits.bytes_hard = kUnlimited;
  return cli::SetQuota(*coord_, path, limits);
}

}  // namespace bellwether::cli
