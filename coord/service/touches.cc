#include "coord/service/touches.h"

#include <algorithm>

#include "base/coding.h"

namespace bellwether::coord {
namespace {

constexpr uint8_t kTouchNoteFormatVersion = 1;

void SortUnique(std::vector<SessionId>& sessions) {
  std::sort(sessions.begin(), sessions.end());
  sessions.erase(std::unique(sessions.begin(), sessions.end()), sessions.end());
}

}  // namespace

void Touches::Add(SessionId session) {
  base::MutexLock lock(mutex_);
  sessions_.push_back(session);
  // Busy sessions touch with every request: folding at powers of two bounds the list by the number
  // of sessions without a hash per request.
  const size_t size = sessions_.size();
  if (size >= 1024 && (size & (size - 1)) == 0) SortUnique(sessions_);
}

std::vector<SessionId> Touches::TakeAll() {
  std::vector<SessionId> taken;
  {
    base::MutexLock lock(mutex_);
    taken.swap(sessions_);
  }
  SortUnique(taken);
  return taken;
}

std::string EncodeTouchNote(const std::vector<SessionId>& sessions) {
  std::string note;
  base::Encoder encoder(note);
  encoder.Fixed8(kTouchNoteFormatVersion);
  for (SessionId session : sessions) encoder.Fixed64(session.value());
  return note;
}

std::vector<SessionId> DecodeTouchNote(std::string_view note) {
  base::Decoder decoder(note);
  if (decoder.Fixed8() != kTouchNoteFormatVersion) return {};
  std::vector<SessionId> sessions;
  while (decoder.remaining() >= 8) sessions.emplace_back(decoder.Fixed64());
  return decoder.Done() ? sessions : std::vector<SessionId>();
}

}  // namespace bellwether::coord
