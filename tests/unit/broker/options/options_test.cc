#include "broker/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bellwether::broker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

absl::StatusOr<ParsedBrokerOptions> Parse(std::vector<const char*> flags) {
  flags.insert(flags.begin(), "bell-broker");
  return ParseBrokerOptions(static_cast<int>(flags.size()), flags.data());
}

std::string ErrorOf(std::vector<const char*> flags) {
  const auto parsed = Parse(std::move(flags));
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(parsed.status().message());
}

TEST(BrokerOptions, DefaultsAreThoseOfTheInterface) {
  const auto parsed = Parse({"--id", "3", "--data-dir", "/x"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const BrokerServerOptions& options = parsed->options;
  EXPECT_EQ(options.id, BrokerId(3));
  EXPECT_EQ(options.listen.ToString(), "127.0.0.1:9192");
  EXPECT_EQ(options.listen_admin->ToString(), "127.0.0.1:9190");
  EXPECT_EQ(options.session_timeout, absl::Seconds(6));
  EXPECT_THAT(options.coord, ElementsAre("127.0.0.1:2191"));
  EXPECT_FALSE(options.slice.has_value());
}

TEST(BrokerOptions, TakesWhatIsGiven) {
  const auto parsed = Parse({"--id", "0", "--data-dir", "/x", "--coord", "a:1,b:2",
                             "--listen-admin", "off", "--slice", "1s", "--rack", "r1"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->options.coord, ElementsAre("a:1", "b:2"));
  EXPECT_FALSE(parsed->options.listen_admin.has_value());
  EXPECT_EQ(parsed->options.slice, absl::Seconds(1));
  EXPECT_EQ(parsed->options.rack, "r1");
}

TEST(BrokerOptions, ErrorsNameTheFlag) {
  EXPECT_THAT(ErrorOf({"--data-dir", "/x"}), HasSubstr("--id"));
  EXPECT_THAT(ErrorOf({"--id", "1"}), HasSubstr("--data-dir"));
  EXPECT_THAT(ErrorOf({"--id", "-1", "--data-dir", "/x"}), HasSubstr("--id"));
  EXPECT_THAT(ErrorOf({"--id", "1", "--data-dir", "/x", "--session-timeout", "10ms"}),
              HasSubstr("--session-timeout"));
}

TEST(BrokerOptions, OtherThanLoopbackNeedsConsent) {
  EXPECT_THAT(ErrorOf({"--id", "1", "--data-dir", "/x", "--listen", "10.0.0.1:9192"}),
              HasSubstr("--allow-plaintext"));
  EXPECT_TRUE(Parse({"--id", "1", "--data-dir", "/x", "--listen", "10.0.0.1:9192",
                     "--allow-plaintext"})
                  .ok());
  for (const char* any : {"0.0.0.0:9192", "[::]:9192"}) {
    EXPECT_THAT(
        ErrorOf({"--id", "1", "--data-dir", "/x", "--listen", any, "--allow-plaintext"}),
        HasSubstr("--advertise"));
  }
  EXPECT_THAT(ErrorOf({"--id", "1", "--data-dir", "/x", "--advertise", "h:0"}),
              HasSubstr("--advertise"));
}

}  // namespace
}  // namespace bellwether::broker
