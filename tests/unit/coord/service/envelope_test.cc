#include "coord/service/envelope.h"

#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

tree::Command SomeCommand() {
  tree::Command command;
  command.session = tree::SessionId(3);
  command.sequence = tree::CommandSequence(4);
  command.operation = tree::Create{"/a", tree::SharedBytes::Copy("x")};
  return command;
}

TEST(Envelope, RoundTrips) {
  const CommandOrigin origin{~uint64_t{0}, 300};
  const auto opened = OpenCommand(SealCommand(origin, SomeCommand()));
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->origin, origin);
  EXPECT_EQ(opened->command, SomeCommand());
}

TEST(Envelope, RefusesEveryTruncation) {
  const std::string sealed = SealCommand({1, 2}, SomeCommand());
  for (size_t bytes = 0; bytes < sealed.size(); ++bytes) {
    EXPECT_EQ(OpenCommand(std::string_view(sealed).substr(0, bytes)).status().code(),
              absl::StatusCode::kDataLoss)
        << bytes;
  }
}

TEST(Envelope, TellsALaterFormatFromDamage) {
  std::string sealed = SealCommand({1, 2}, SomeCommand());
  sealed[0] = 2;
  EXPECT_EQ(OpenCommand(sealed).status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace bellwether::coord
