#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "coord/replica/log_store.h"
#include "coord/tree/command.h"

namespace bellwether::coord {

// Who waits for a command: a process, and a number that it gave the command. Tells a server that it
// applies its own attach and not another server's of the same session, and a restarted server that
// nobody waits for the commands of its former life. Without effect on the state.
struct CommandOrigin {
  uint64_t process = 0;  // random, per process
  uint64_t token = 0;    // unique within the process

  friend bool operator==(const CommandOrigin&, const CommandOrigin&) = default;
};

// A command as it stands in the log: format version, origin, the tree's encoding.
std::string SealCommand(const CommandOrigin& origin, const tree::Command& command);

struct OpenedCommand {
  CommandOrigin origin;
  tree::Command command;
};

// Errors as tree::DecodeCommand.
absl::StatusOr<OpenedCommand> OpenCommand(std::string_view bytes);

// Whether a command as it stands in the log may store a client's data.
EntryKind KindOfCommand(std::string_view bytes);

}  // namespace bellwether::coord
