#include "coord/service/ensemble_config.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/parse.h"
#include "coord/tree/system_znodes.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

constexpr std::string_view kServerKey = "server.";
constexpr std::string_view kParticipant = "participant";
constexpr std::string_view kObserver = "observer";

// Takes what is behind the last colon off `text`.
std::string_view TakeLastPart(std::string_view& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::exchange(text, {});
  const std::string_view part = text.substr(colon + 1);
  text = text.substr(0, colon);
  return part;
}

std::optional<ConfigServer> ServerOfLine(std::string_view line) {
  const size_t equals = line.find('=');
  if (!line.starts_with(kServerKey) || equals == std::string_view::npos) return std::nullopt;
  const auto id = base::ParseInteger(
      line.substr(kServerKey.size(), equals - kServerKey.size()), 1,
      std::numeric_limits<uint32_t>::max());
  if (!id.ok()) return std::nullopt;
  std::string_view server = line.substr(equals + 1);
  ConfigServer made;
  made.id = static_cast<uint32_t>(*id);
  if (const size_t semicolon = server.find(';'); semicolon != std::string_view::npos) {
    made.zk = std::string(server.substr(semicolon + 1));
    server = server.substr(0, semicolon);
  }
  made.voter = TakeLastPart(server) == kParticipant;
  TakeLastPart(server);
  made.address = std::string(server);
  return made;
}

}  // namespace

std::string ConfigLineOf(const ConfigServer& server) {
  const auto address = base::ParseHostPort(server.address);
  const uint16_t port = address.ok() ? address->port : 0;
  const int other = port < std::numeric_limits<uint16_t>::max() ? port + 1 : port - 1;
  return fmt::format("{}{}={}:{}:{}{}{}\n", kServerKey, server.id, server.address, other,
                     server.voter ? kParticipant : kObserver, server.zk.empty() ? "" : ";",
                     server.zk);
}

std::vector<ConfigServer> ServersOfConfig(std::string_view config) {
  std::vector<ConfigServer> servers;
  std::string_view left = tree::MembersOfConfig(config);
  while (!left.empty()) {
    const size_t end = std::min(left.find('\n'), left.size());
    if (auto server = ServerOfLine(left.substr(0, end))) servers.push_back(*std::move(server));
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return servers;
}

std::optional<std::string> ConfigMembersOf(const ReplicaStatus& replica, std::string_view config) {
  if (replica.changing || replica.servers.empty()) return std::nullopt;
  if (replica.servers.size() == 1 && replica.servers.front().address.address.empty()) return "";
  const std::vector<ConfigServer> said = ServersOfConfig(config);
  std::string lines;
  for (const ReplicaStatus::Peer& peer : replica.servers) {
    if (!peer.member) continue;
    if (peer.address.address.empty()) return std::nullopt;
    ConfigServer server{peer.address.id.value(), peer.address.address, peer.voter, peer.zk};
    if (!peer.connected && server.zk.empty()) {
      const auto same = std::find_if(said.begin(), said.end(), [&](const ConfigServer& each) {
        return each.id == server.id && each.address == server.address;
      });
      if (same != said.end()) server.zk = same->zk;
    }
    lines += ConfigLineOf(server);
  }
  return lines;
}

bool ConfigSays(std::string_view config, const std::vector<MemberInfo>& members) {
  const std::vector<ConfigServer> servers = ServersOfConfig(config);
  return std::equal(servers.begin(), servers.end(), members.begin(), members.end(),
                    [](const ConfigServer& server, const MemberInfo& member) {
                      return server.id == member.id.value() && server.address == member.address &&
                             server.voter == member.voter;
                    });
}

}  // namespace bellwether::coord
