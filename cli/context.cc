#include "cli/context.h"

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "base/parse.h"
#include "base/status.h"
#include "cli/acl_text.h"
#include "cli/flags.h"
#include "cli/stored_cluster.h"
#include "client/admin.h"
#include "client/coord.h"
#include "fmt/format.h"

namespace bellwether::cli {
namespace {

constexpr char kDefaultCoord[] = "127.0.0.1:2191";

absl::StatusOr<std::vector<std::string>> Addresses(const std::string& text,
                                                   std::string_view source) {
  auto parsed = base::ParseHostPorts(text);
  if (!parsed.ok()) return base::Annotate(parsed.status(), source);
  std::vector<std::string> addresses;
  for (const base::HostPort& address : *parsed) addresses.push_back(address.ToString());
  return addresses;
}

const char* Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr || *value == '\0' ? nullptr : value;
}

// Addresses of the brokers that are registered.
absl::StatusOr<std::vector<std::string>> RegisteredBrokers(client::Coord& coord,
                                                           absl::Duration timeout) {
  ASSIGN_OR_RETURN(const auto brokers, ReadRegisteredBrokers(coord, timeout));
  std::vector<std::string> addresses;
  for (const client::BrokerInfo& broker : brokers) {
    if (!broker.grpc.empty()) addresses.push_back(broker.grpc);
  }
  if (addresses.empty()) {
    return absl::UnavailableError(
        "no broker is registered in coord; start one, or name one with --broker");
  }
  return addresses;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> Context::CoordAddresses() const {
  if (!coord_flag_.empty()) return Addresses(coord_flag_, "--coord");
  if (const char* const value = Environment("BELL_COORD")) return Addresses(value, "BELL_COORD");
  return std::vector<std::string>{kDefaultCoord};
}

absl::StatusOr<std::vector<std::string>> Context::BrokerAddresses() const {
  if (!broker_flag_.empty()) return Addresses(broker_flag_, "--broker");
  if (const char* const value = Environment("BELL_BROKER")) return Addresses(value, "BELL_BROKER");
  ASSIGN_OR_RETURN(const std::unique_ptr<client::Coord> coord, ConnectCoordReadOnly());
  return RegisteredBrokers(*coord, RequestTimeout());
}

absl::StatusOr<client::CoordOptions> Context::MakeCoordOptions(
    std::vector<std::string> addresses) const {
  client::CoordOptions options;
  options.addresses = std::move(addresses);
  options.request_timeout = RequestTimeout();
  for (const std::string& text : auth_flags_) {
    auto credential = ParseCredential(text);
    if (!credential.ok()) return base::Annotate(credential.status(), "--auth");
    options.credentials.push_back(*std::move(credential));
  }
  return options;
}

absl::StatusOr<std::unique_ptr<client::Coord>> Context::ConnectCoord() const {
  ASSIGN_OR_RETURN(std::vector<std::string> addresses, CoordAddresses());
  ASSIGN_OR_RETURN(client::CoordOptions options, MakeCoordOptions(std::move(addresses)));
  return client::Coord::Connect(std::move(options));
}

absl::StatusOr<std::unique_ptr<client::Coord>> Context::ConnectCoordAt(
    const std::string& servers) const {
  ASSIGN_OR_RETURN(std::vector<std::string> addresses, Addresses(servers, servers));
  ASSIGN_OR_RETURN(client::CoordOptions options, MakeCoordOptions(std::move(addresses)));
  return client::Coord::Connect(std::move(options));
}

absl::StatusOr<std::unique_ptr<client::Coord>> Context::ConnectCoordReadOnly() const {
  ASSIGN_OR_RETURN(std::vector<std::string> addresses, CoordAddresses());
  ASSIGN_OR_RETURN(client::CoordOptions options, MakeCoordOptions(std::move(addresses)));
  options.read_only = true;
  return client::Coord::Connect(std::move(options));
}

absl::StatusOr<std::unique_ptr<client::Admin>> Context::ConnectAdmin() const {
  client::Admin::Options options;
  ASSIGN_OR_RETURN(options.addresses, BrokerAddresses());
  options.timeout = RequestTimeout();
  return client::Admin::Create(std::move(options));
}

void AddGlobalFlags(CLI::App& app, Context& context) {
  app.add_option("--coord", context.coord_flag_, "servers of the ensemble")->type_name("H:P[,H:P]");
  app.add_option("--broker", context.broker_flag_, "brokers; default: found through coord")
      ->type_name("H:P[,H:P]");
  app.add_option("--auth", context.auth_flags_, "who to be for the ACLs of coord; repeatable")
      ->type_name("digest:USER:PASSWORD")
      ->allow_extra_args(false);
  app.add_option_function<std::string>(
         "-o,--output",
         [&context](const std::string& format) { context.json = format == "json"; },
         "output: table (for people) or json")
      ->type_name("table|json")
      ->check(CLI::IsMember({"table", "json"}));
  AddDuration(app, "--timeout", "of each request, 10s unless the command says otherwise",
              context.timeout);
}

}  // namespace bellwether::cli
