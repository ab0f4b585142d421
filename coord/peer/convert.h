#pragma once

#include "absl/status/statusor.h"
#include "coord/replica/transport.h"

namespace bellwether::coord::v1 {
class PeerFrame;
}

namespace bellwether::coord {

inline constexpr uint32_t kPeerProtocolVersion = 1;

// Fills an empty frame.
void ToFrame(PeerMessage message, v1::PeerFrame& frame);

// From bytes that nobody vouches for; takes the payloads out of `frame`. Errors: INVALID_ARGUMENT
// that names the field, UNIMPLEMENTED for a Hello of another protocol version.
absl::StatusOr<PeerMessage> FromFrame(v1::PeerFrame& frame);

}  // namespace bellwether::coord
