#include "coord/zk/reconfig.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/parse.h"
#include "base/status.h"
#include "fmt/format.h"

namespace bellwether::coord::zk {
namespace {

// More can't be in an ensemble, nor leave it.
constexpr size_t kServersMax = tree::kServerIdMax;

Failure BadServer(std::string_view text, std::string_view why) {
  Failure failure = FailureOf(tree::ResultCode::kBadArguments, "");
  failure.message = fmt::format("reconfig: \"{}\" {}", text, why);
  return failure;
}

Failure TooMany() {
  return BadServer("...", fmt::format("has more than {} servers", kServersMax));
}

Failure BadId(std::string_view text) {
  return FailureOf(base::ErrorWithReason(absl::StatusCode::kInvalidArgument, kReasonBadId,
                                         fmt::format("reconfig: \"{}\" is no id", text)));
}

std::string_view Trimmed(std::string_view text) {
  const auto is_space = [](char byte) { return std::isspace(static_cast<unsigned char>(byte)); };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// The parts between separators, trimmed; empty ones are none.
std::vector<std::string_view> Parts(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(separators), text.size());
    const std::string_view part = Trimmed(text.substr(0, end));
    if (!part.empty()) parts.push_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::optional<uint32_t> IdOf(std::string_view text) {
  const auto id = base::ParseInteger(text, 0, std::numeric_limits<uint32_t>::max());
  if (!id.ok()) return std::nullopt;
  return static_cast<uint32_t>(*id);
}

bool IsPort(std::string_view text) {
  return base::ParseInteger(text, 0, std::numeric_limits<uint16_t>::max()).ok();
}

// "participant" and "observer", in any case.
std::optional<bool> VoterOf(std::string_view role) {
  std::string lower(Trimmed(role));
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char byte) { return static_cast<char>(std::tolower(byte)); });
  if (lower == "participant") return true;
  if (lower == "observer") return false;
  return std::nullopt;
}

// What names and addresses of hosts are made of: nothing else comes into a line of the configuration.
bool IsHost(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char byte) {
    return std::isalnum(byte) || std::string_view(".-_:%[]").find(byte) != std::string_view::npos;
  });
}

// "HOST:PORT:PORT" or "HOST:PORT:PORT:ROLE", the host perhaps in brackets. False: it is none.
bool ReadAddress(std::string_view text, Reconfigure::Server& server) {
  const size_t host_end = text.starts_with('[') ? text.find(']') : 0;
  if (host_end == std::string_view::npos) return false;
  const size_t colon = text.find(':', host_end);
  if (colon == std::string_view::npos || !IsHost(text.substr(0, colon))) return false;
  const std::vector<std::string_view> parts = Parts(text.substr(colon + 1), ":");
  if (parts.size() < 2 || parts.size() > 3 || !IsPort(parts[1])) return false;
  const auto address =
      base::ParseHostPort(fmt::format("{}:{}", Trimmed(text.substr(0, colon)), parts[0]));
  if (!address.ok() || address->port == 0) return false;
  server.address = address->ToString();
  if (parts.size() == 2) return true;
  const std::optional<bool> voter = VoterOf(parts[2]);
  server.voter = voter.value_or(true);
  return voter.has_value();
}

bool IsClients(std::string_view text) {
  return IsPort(Trimmed(text)) || base::ParseHostPort(Trimmed(text)).ok();
}

// Adds the server of "server.3=..." to those that join; or says what is wrong with it.
std::optional<Failure> AddServer(std::string_view text, bool needs_clients, Reconfigure& made) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || text.find('=', equals + 1) != std::string_view::npos) {
    return BadServer(text, "is not ID=SERVER");
  }
  std::string_view key = Trimmed(text.substr(0, equals));
  key.remove_prefix(key.rfind('.') + 1);  // npos + 1 is 0
  const std::optional<uint32_t> id = IdOf(key);
  if (!id.has_value()) return BadId(key);
  Reconfigure::Server server;
  server.id = *id;
  const std::string_view given = Trimmed(text.substr(equals + 1));
  const size_t semicolon = given.find(';');
  if (semicolon == std::string_view::npos && needs_clients) {
    return BadServer(text, "has no port for clients");
  }
  if (semicolon != std::string_view::npos && !IsClients(given.substr(semicolon + 1))) {
    return BadServer(text, "has no such port for clients");
  }
  if (!ReadAddress(given.substr(0, semicolon), server)) {
    return BadServer(text, "is not HOST:PORT:PORT[:ROLE]");
  }
  made.joining.push_back(std::move(server));
  return std::nullopt;
}

std::optional<Failure> ReadMembers(std::string_view text, Reconfigure& made) {
  made.replaces_all = true;
  const std::vector<std::string_view> lines = Parts(text, ",\n\r");
  if (lines.size() > kServersMax + 1) return TooMany();
  for (const std::string_view line : lines) {
    if (line.starts_with("version=")) continue;
    if (!line.starts_with("server.")) return BadServer(line, "is no server");
    if (auto failure = AddServer(line, /*needs_clients=*/false, made)) return failure;
  }
  return std::nullopt;
}

std::optional<Failure> ReadLists(const wire::ReconfigRequest& request, Reconfigure& made) {
  if (request.new_members.has_value()) return ReadMembers(*request.new_members, made);
  const std::vector<std::string_view> leaving_ids = Parts(request.leaving.value_or(""), ",");
  const std::vector<std::string_view> joining = Parts(request.joining.value_or(""), ",");
  if (std::max(leaving_ids.size(), joining.size()) > kServersMax) return TooMany();
  for (const std::string_view id : leaving_ids) {
    const std::optional<uint32_t> leaving = IdOf(id);
    if (!leaving.has_value()) return BadId(id);
    made.leaving.push_back(*leaving);
  }
  for (const std::string_view server : joining) {
    if (auto failure = AddServer(server, /*needs_clients=*/true, made)) return failure;
  }
  return std::nullopt;
}

}  // namespace

Reconfigure TranslateReconfig(const wire::ReconfigRequest& request) {
  Reconfigure made;
  made.config_version = request.config_id;
  made.malformed = ReadLists(request, made);
  return made;
}

}  // namespace bellwether::coord::zk
