#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "base/clock.h"
#include "coord/service/coord_service.h"
#include "coord/zk/four_letter_words.h"

namespace bellwether::coord::zk {

// What does not change while a server runs, and how to look at what is not the service's.
struct ReportSettings {
  base::Clock& clock;
  uint32_t server_id = 0;
  std::string data_dir;
  std::string log_dir;
  size_t connections_per_address_max = 0;
  int64_t session_timeout_min_ms = 0;
  int64_t session_timeout_max_ms = 0;
  absl::Duration started;  // monotonic
};

// The version of ZooKeeper whose rules the server follows, and its own.
std::string VersionForZooKeeperClients();

// What four-letter words say of this server, as far as `word` needs it. Looks at disks and /proc.
// Thread-safe.
ServerReport ReportOf(const CoordService& service, const ReportSettings& settings,
                      std::string_view word);

}  // namespace bellwether::coord::zk
