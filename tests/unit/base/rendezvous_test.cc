#include "base/rendezvous.h"

#include <string>

#include "base/thread.h"
#include "gtest/gtest.h"

namespace bellwether::base {
namespace {

TEST(Rendezvous, HandsAValueToAnotherThread) {
  const auto meeting = Rendezvous<std::string>::Make();
  Thread giver("giver", [meeting] { meeting->Set("value"); });
  EXPECT_EQ(meeting->Wait(), "value");
}

TEST(Rendezvous, TheFirstValueCounts) {
  const auto meeting = Rendezvous<int>::Make();
  meeting->Set(1);
  meeting->Set(2);
  EXPECT_EQ(meeting->Wait(), 1);
}

}  // namespace
}  // namespace bellwether::base
