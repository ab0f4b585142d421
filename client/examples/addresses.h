#pragma once

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace bellwether::client::examples {

// "host:port" of servers: those named by an environment variable, separated by commas, or else
// `otherwise`.
inline std::vector<std::string> AddressesIn(const char* variable, std::string otherwise) {
  const char* const named = std::getenv(variable);
  std::string rest = named == nullptr ? std::move(otherwise) : named;
  std::vector<std::string> addresses;
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    addresses.push_back(rest.substr(0, comma));
    rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
  }
  return addresses;
}

}  // namespace bellwether::client::examples
