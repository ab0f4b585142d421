#include "coord/service/touches.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Touches, GivesEachSessionOnce) {
  Touches touches;
  for (int i = 0; i < 10'000; ++i) touches.Add(SessionId(1 + i % 3));
  EXPECT_THAT(touches.TakeAll(), ElementsAre(SessionId(1), SessionId(2), SessionId(3)));
  EXPECT_THAT(touches.TakeAll(), IsEmpty());
}

TEST(TouchNote, RoundTrips) {
  const std::vector<SessionId> sessions = {SessionId(1), SessionId(~uint64_t{0})};
  EXPECT_EQ(DecodeTouchNote(EncodeTouchNote(sessions)), sessions);
  EXPECT_THAT(DecodeTouchNote(EncodeTouchNote({})), IsEmpty());
}

TEST(TouchNote, AMalformedOneIsEmpty) {
  const std::string note = EncodeTouchNote({SessionId(1), SessionId(2)});
  EXPECT_THAT(DecodeTouchNote(""), IsEmpty());
  EXPECT_THAT(DecodeTouchNote("\x07" + note.substr(1)), IsEmpty());
  for (size_t cut = 1; cut < 8; ++cut) {
    EXPECT_THAT(DecodeTouchNote(std::string_view(note).substr(0, note.size() - cut)), IsEmpty());
  }
}

}  // namespace
}  // namespace bellwether::coord
