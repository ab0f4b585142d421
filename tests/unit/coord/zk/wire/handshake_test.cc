#include <optional>
#include <string>
#include <string_view>

#include "coord/zk/wire/records.h"
#include "gtest/gtest.h"
#include "tests/support/zk_examples.h"

namespace bellwether::coord::zk::wire {
namespace {

using tests::Bytes;

constexpr std::string_view kRequest =
    "00000000 0000000000000005 00007530 0123456789abcdef 00000010 '0123456789abcdef'";
constexpr std::string_view kResponse =
    "00000000 00007530 0123456789abcdef 00000010 '0123456789abcdef'";

ConnectRequest RequestExample(std::optional<bool> read_only) {
  return {0, 5, 30'000, 0x0123456789abcdef, "0123456789abcdef", read_only};
}

ConnectResponse ResponseExample(std::optional<bool> read_only) {
  return {0, 30'000, 0x0123456789abcdef, "0123456789abcdef", read_only};
}

std::string Encoded(const ConnectRequest& request) {
  std::string bytes;
  EncodeConnectRequest(request, bytes);
  return bytes;
}

std::string Encoded(const ConnectResponse& response) {
  std::string bytes;
  EncodeConnectResponse(response, bytes);
  return bytes;
}

TEST(Handshake, RequestIsOfTheFormatWithAndWithoutReadOnly) {
  const std::string old = Bytes(kRequest);
  EXPECT_EQ(old.size(), 44);
  EXPECT_EQ(Encoded(RequestExample(std::nullopt)), old);
  EXPECT_EQ(DecodeConnectRequest(old), RequestExample(std::nullopt));
  for (const bool read_only : {false, true}) {
    const std::string bytes = old + Bytes(read_only ? "01" : "00");
    EXPECT_EQ(Encoded(RequestExample(read_only)), bytes);
    EXPECT_EQ(DecodeConnectRequest(bytes), RequestExample(read_only));
  }
}

TEST(Handshake, ResponseIsOfTheFormatWithAndWithoutReadOnly) {
  const std::string old = Bytes(kResponse);
  EXPECT_EQ(old.size(), 36);
  EXPECT_EQ(Encoded(ResponseExample(std::nullopt)), old);
  EXPECT_EQ(DecodeConnectResponse(old), ResponseExample(std::nullopt));
  EXPECT_EQ(Encoded(ResponseExample(false)), old + Bytes("00"));
  EXPECT_EQ(DecodeConnectResponse(old + Bytes("01")), ResponseExample(true));
}

TEST(Handshake, RequestMayHaveNoPasswordOrANullOne) {
  for (const char* password : {"00000000", "ffffffff"}) {
    const std::string bytes =
        Bytes(std::string("00000000 0000000000000000 00002710 0000000000000000") + password);
    EXPECT_EQ(DecodeConnectRequest(bytes), (ConnectRequest{0, 0, 10'000, 0, "", std::nullopt}));
  }
}

TEST(Handshake, WhatFollowsReadOnlyIsIgnored) {
  EXPECT_EQ(DecodeConnectRequest(Bytes(kRequest) + Bytes("01 'more'")), RequestExample(true));
}

TEST(Handshake, EveryTruncationIsNone) {
  const std::string request = Bytes(kRequest);
  for (size_t bytes = 0; bytes < request.size(); ++bytes) {
    EXPECT_EQ(DecodeConnectRequest(request.substr(0, bytes)), std::nullopt) << bytes;
  }
  const std::string response = Bytes(kResponse);
  for (size_t bytes = 0; bytes < response.size(); ++bytes) {
    EXPECT_EQ(DecodeConnectResponse(response.substr(0, bytes)), std::nullopt) << bytes;
  }
}

}  // namespace
}  // namespace bellwether::coord::zk::wire
