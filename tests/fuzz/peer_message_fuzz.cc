// What comes from another server: a PeerBatch of frames. Whatever is understood must come out of its
// own encoding as it went in.

#include <utility>

#include "base/check.h"
#include "bellwether/coord/v1/peer.pb.h"
#include "coord/peer/convert.h"
#include "tests/fuzz/target.h"

namespace bellwether::coord {
namespace {

std::string Bytes(PeerMessage message) {
  v1::PeerFrame frame;
  ToFrame(std::move(message), frame);
  return frame.SerializeAsString();
}

void CheckFrame(v1::PeerFrame& frame) {
  auto message = FromFrame(frame);
  if (!message.ok()) return;
  const std::string first = Bytes(*std::move(message));
  v1::PeerFrame again;
  CHECK(again.ParseFromString(first));
  auto understood = FromFrame(again);
  CHECK(understood.ok(), "{}", understood.status().ToString());
  CHECK(Bytes(*std::move(understood)) == first);
}

}  // namespace
}  // namespace bellwether::coord

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bellwether::coord::v1::PeerBatch batch;
  if (!batch.ParseFromArray(data, static_cast<int>(size))) return 0;
  for (auto& frame : *batch.mutable_frames()) bellwether::coord::CheckFrame(frame);
  return 0;
}
