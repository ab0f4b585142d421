// What a ZooKeeper client sends after it connects. The first byte says in pieces of how many bytes it
// arrives: the frames are the same however they are cut. What is understood is the same after
// encoding and decoding, and takes memory in proportion to its bytes.

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "coord/zk/wire/frame.h"
#include "coord/zk/wire/records.h"
#include "tests/fuzz/target.h"
#include "tests/support/allocated_bytes.h"

namespace bellwether::coord::zk::wire {
namespace {

std::vector<std::string> FramesOf(std::string_view bytes, size_t piece_bytes) {
  FrameReader reader;
  std::vector<std::string> frames;
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, piece_bytes);
    bytes.remove_prefix(piece.size());
    reader.Append(piece);
    for (auto frame = reader.Next(); frame.has_value(); frame = reader.Next()) {
      frames.emplace_back(*frame);
      reader.set_frame_bytes_max(kFrameBytesMax);
    }
  }
  return frames;
}

void CheckHandshake(std::string_view frame) {
  const auto connect = DecodeConnectRequest(frame);
  if (!connect.has_value()) return;
  std::string bytes;
  EncodeConnectRequest(*connect, bytes);
  CHECK(DecodeConnectRequest(bytes) == connect);
}

void CheckRequest(std::string_view frame) {
  if (!DecodeRequestHeader(frame).has_value()) return;
  const uint64_t before = tests::AllocatedBytes();
  Request request;
  const ZkError outcome = DecodeRequest(frame, request);
  const uint64_t allocated = tests::AllocatedBytes() - before;
  CHECK(allocated < 32 * frame.size(), "{} bytes for a frame of {}", allocated, frame.size());
  if (outcome != ZkError::kOk) return;
  std::string bytes;
  EncodeRequest(request, bytes);
  Request again;
  CHECK(DecodeRequest(bytes, again) == ZkError::kOk);
  CHECK(again == request);
}

}  // namespace
}  // namespace bellwether::coord::zk::wire

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bellwether::coord::zk::wire;
  if (size == 0) return 0;
  const std::string_view bytes = bellwether::tests::AsText(data + 1, size - 1);
  (void)FourLetterWordOf(bytes);
  const std::vector<std::string> frames = FramesOf(bytes, std::max<size_t>(data[0], 1));
  CHECK(FramesOf(bytes, size) == frames);
  if (!frames.empty()) CheckHandshake(frames[0]);
  for (const std::string& frame : frames) CheckRequest(frame);
  return 0;
}
