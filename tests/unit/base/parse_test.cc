#include "base/parse.h"

#include <limits>

#include "gtest/gtest.h"

namespace bellwether::base {
namespace {

TEST(Parse, Durations) {
  EXPECT_EQ(*ParseDuration("500ms"), absl::Milliseconds(500));
  EXPECT_EQ(*ParseDuration("10s"), absl::Seconds(10));
  EXPECT_EQ(*ParseDuration("1h30m"), absl::Minutes(90));
  EXPECT_EQ(*ParseDuration("0"), absl::ZeroDuration());
}

TEST(Parse, RefusesOtherDurations) {
  for (const char* text : {"", "10", "s", "-1s", "10 s", "10x", "inf", "9999999999999999999h", "1s2"}) {
    EXPECT_EQ(ParseDuration(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(Parse, Sizes) {
  EXPECT_EQ(*ParseSize("4096"), 4096);
  EXPECT_EQ(*ParseSize("64KiB"), 64 << 10);
  EXPECT_EQ(*ParseSize("2GiB"), 2ULL << 30);
  EXPECT_EQ(*ParseSize("5MB"), 5000000);
  EXPECT_EQ(*ParseSize("0"), 0);
}

TEST(Parse, RefusesOtherSizes) {
  for (const char* text : {"", "KiB", "-1", "1.5MiB", "1 MiB", "1Mib", "18446744073709551616",
                           "9999999999TiB"}) {
    EXPECT_EQ(ParseSize(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(Parse, IntegersWithinTheirRange) {
  EXPECT_EQ(*ParseInteger("7", 1, 7), 7);
  EXPECT_EQ(*ParseInteger("-1", -1, 7), -1);
  EXPECT_EQ(*ParseInteger("-9223372036854775808", std::numeric_limits<int64_t>::min(), 0),
            std::numeric_limits<int64_t>::min());
  for (const char* text : {"", "0", "8", "7x", " 7", "7 ", "+7", "0x7", "9223372036854775808"}) {
    EXPECT_EQ(ParseInteger(text, 1, 7).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(Parse, ErrorsNameTheValueAndTheRange) {
  EXPECT_EQ(ParseInteger("x", 1, 254).status().message(),
            "'x' is not a whole number from 1 to 254");
}

TEST(Parse, Addresses) {
  EXPECT_EQ(*ParseHostPort("127.0.0.1:2191"), (HostPort{.host = "127.0.0.1", .port = 2191}));
  EXPECT_EQ(*ParseHostPort("[::1]:0"), (HostPort{.host = "::1", .port = 0}));
  EXPECT_EQ(ParseHostPort("[::1]:80")->ToString(), "[::1]:80");
  EXPECT_EQ(ParseHostPort("host:80")->ToString(), "host:80");
}

TEST(Parse, RefusesOtherAddresses) {
  for (const char* text : {"", ":80", "host", "host:", "host:65536", "host:-1", "host: 80", "::1:80",
                           "ho st:80", "a/b:80", "host:80,"}) {
    EXPECT_EQ(ParseHostPort(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(Parse, AHostHasABoundAndSoHasTheError) {
  EXPECT_TRUE(ParseHostPort(std::string(255, 'h') + ":80").ok());
  for (size_t bytes : {256, 1 << 20}) {
    const absl::Status refused = ParseHostPort(std::string(bytes, 'h') + ":80").status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_LT(refused.message().size(), 400u);
  }
}

TEST(Parse, AddressLists) {
  const auto addresses = ParseHostPorts("a:1,b:2");
  ASSERT_EQ(addresses->size(), 2);
  EXPECT_EQ(addresses->at(1).ToString(), "b:2");
  EXPECT_FALSE(ParseHostPorts("a:1,").ok());
  EXPECT_FALSE(ParseHostPorts("").ok());
}

// Any other address needs --allow-plaintext: a host name must not pass for a loopback address.
TEST(Parse, TellsLoopbackAddresses) {
  for (const char* text : {"127.0.0.1:1", "127.8.9.10:1", "localhost:1", "[::1]:1"}) {
    EXPECT_TRUE(ParseHostPort(text)->IsLoopback()) << text;
  }
  for (const char* text : {"127.example.com:1", "0.0.0.0:1", "10.0.0.1:1", "[::]:1", "localhost.x:1"}) {
    EXPECT_FALSE(ParseHostPort(text)->IsLoopback()) << text;
  }
}

TEST(Parse, TellsAddressesThatStandForAll) {
  for (const char* text : {"0.0.0.0:1", "0.0.0.0:0", "[::]:1"}) {
    EXPECT_TRUE(ParseHostPort(text)->IsAny()) << text;
  }
  for (const char* text : {"127.0.0.1:1", "10.0.0.0:1", "0.0.0.0.example.com:1", "[::1]:1"}) {
    EXPECT_FALSE(ParseHostPort(text)->IsAny()) << text;
  }
}

}  // namespace
}  // namespace bellwether::base
