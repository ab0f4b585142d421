#include "coord/zk/wire/frame.h"

#include <algorithm>
#include <limits>

#include "base/coding.h"

namespace bellwether::coord::zk::wire {
namespace {

constexpr size_t kLengthBytes = 4;
// Of an idle connection's buffer.
constexpr size_t kKeptBytesMax = 512;

}  // namespace

void FrameReader::Append(std::string_view bytes) {
  if (bad_) return;
  buffer_.erase(0, taken_);
  taken_ = 0;
  buffer_.append(bytes);
}

std::optional<std::string_view> FrameReader::Next() {
  base::Decoder input(unread());
  const uint32_t length = input.Fixed32();
  if (length > frame_bytes_max_) {  // so is a negative one
    bad_ = true;
    taken_ = buffer_.size();
    ReleaseMemory();
    return std::nullopt;
  }
  const std::string_view body = input.Raw(length);
  if (!input.ok()) {
    ReleaseMemory();
    return std::nullopt;
  }
  taken_ += kLengthBytes + length;
  return body;
}

void FrameReader::ReleaseMemory() {
  if (buffer_.capacity() <= kKeptBytesMax || unread().size() > kKeptBytesMax / 2) return;
  std::string(unread()).swap(buffer_);  // an assignment would keep the capacity
  taken_ = 0;
}

std::optional<std::string_view> FourLetterWordOf(std::string_view first_bytes) {
  constexpr size_t kLetters = 4;
  const std::string_view word = first_bytes.substr(0, kLetters);
  const auto is_letter = [](char byte) { return byte >= 'a' && byte <= 'z'; };
  if (word.size() < kLetters || !std::all_of(word.begin(), word.end(), is_letter)) {
    return std::nullopt;
  }
  return word;
}

size_t BeginFrame(std::string& out) {
  const size_t begin = out.size();
  out.append(kLengthBytes, '\0');
  return begin;
}

bool EndFrame(std::string& out, size_t begin) {
  const size_t body_bytes = out.size() - begin - kLengthBytes;
  if (body_bytes > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    out.resize(begin);
    return false;
  }
  std::string length;
  base::Encoder(length).Fixed32(static_cast<uint32_t>(body_bytes));
  out.replace(begin, kLengthBytes, length);
  return true;
}

}  // namespace bellwether::coord::zk::wire
