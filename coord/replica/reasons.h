#pragma once

namespace bellwether::coord {

// The reason of RESOURCE_EXHAUSTED when a server has too much to do: it passes, while a full disk stays
// full until somebody makes room.
inline constexpr char kReasonBusy[] = "busy";

}  // namespace bellwether::coord
