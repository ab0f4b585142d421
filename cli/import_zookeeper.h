#pragma once

#include <string>
#include <vector>

#include "base/parse.h"
#include "cli/context.h"
#include "cli/import_options.h"
#include "cli/zookeeper_connection.h"

namespace bellwether::cli {

struct ZookeeperSource {
  std::vector<base::HostPort> addresses;  // of one ensemble; the next is tried when one is lost
  std::vector<ZookeeperConnection::Credential> credentials;
  std::string data_folder;  // see ZookeeperKinds::ReadFolder; empty: none
};

// `bell import zookeeper`: reads the source's znodes while earlier ones are on their way into the
// target, and never has more of them than those.
CommandResult ImportZookeeper(const Context& context, const ZookeeperSource& source,
                              const ImportOptions& options);

}  // namespace bellwether::cli
