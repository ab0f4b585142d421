#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bellwether::coord::zk::wire {

// The largest body of a frame that a server takes: ZooKeeper's default of jute.maxbuffer (Z47), and
// much less from somebody who has not begun a session.
inline constexpr size_t kFrameBytesMax = 0xfffff;
inline constexpr size_t kHandshakeFrameBytesMax = 64 << 10;

// Cuts a connection's bytes into frames (i32 length, body). Keeps what was appended and not yet
// taken, so the caller bounds that by appending no more while frames wait; memory grows with the
// bytes that arrived, never by a length that was only announced, and is given back after a large
// frame. Not thread-safe.
class FrameReader {
 public:
  explicit FrameReader(size_t frame_bytes_max = kHandshakeFrameBytesMax)
      : frame_bytes_max_(frame_bytes_max) {}

  // Once the handshake is there: kFrameBytesMax.
  void set_frame_bytes_max(size_t bytes) { frame_bytes_max_ = bytes; }

  // Takes bytes as they came; ignores them after bad(). Views that Next and unread gave are gone.
  void Append(std::string_view bytes);

  // The body of the next frame, good until the next call of Append or Next; nullopt when it is not
  // all there, or bad() is true.
  std::optional<std::string_view> Next();

  // True when a frame announced a negative length or one above the maximum: nothing behind it can
  // be read, and the connection ends without a reply (Z47).
  bool bad() const { return bad_; }

  // Bytes appended and not yet taken; before the first frame see FourLetterWordOf.
  std::string_view unread() const { return std::string_view(buffer_).substr(taken_); }

 private:
  void ReleaseMemory();

  size_t frame_bytes_max_;
  std::string buffer_;
  size_t taken_ = 0;  // of the buffer's front
  bool bad_ = false;
};

// The first four bytes of a connection when they are lower-case letters: a monitoring command in
// the place of a handshake (Z56), since as a length they are above every maximum. nullopt when they
// are not, or fewer are there.
std::optional<std::string_view> FourLetterWordOf(std::string_view first_bytes);

// Appends an empty length to `out`; returns what EndFrame needs.
size_t BeginFrame(std::string& out);
// Sets the length of the frame whose body was appended since BeginFrame. False when it is above
// 2^31 - 1 bytes, which no length can say: then the frame is taken away again.
[[nodiscard]] bool EndFrame(std::string& out, size_t begin);

}  // namespace bellwether::coord::zk::wire
