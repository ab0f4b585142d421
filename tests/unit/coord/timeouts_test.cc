#include "coord/timeouts.h"

#include <cstdlib>

#include "base/clock.h"
#include "gtest/gtest.h"

namespace bellwether::coord {
namespace {

// In a process of its own, since the environment is read once.
double TimeScaleWith(const char* value) {
  setenv("BELL_TIME_SCALE", value, 1);
  return base::TimeScale();
}

template <typename Options>
Options Scaled(double scale, Options options = {}) {
  ScaleTimeouts(scale, options);
  return options;
}

TEST(TimeoutsTest, TheScaleComesFromTheEnvironment) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(std::_Exit(TimeScaleWith("4") == 4 ? 0 : 1), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(std::_Exit(TimeScaleWith("0.5") == 1 ? 0 : 1), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(std::_Exit(TimeScaleWith("long") == 1 ? 0 : 1), testing::ExitedWithCode(0), "");
}

TEST(TimeoutsTest, EveryTimeoutOfTheServiceIsMultiplied) {
  const ServiceOptions options = Scaled<ServiceOptions>(4);
  EXPECT_EQ(options.attach_timeout, absl::Seconds(40));
  EXPECT_EQ(options.applied_wait_max, absl::Seconds(20));
  EXPECT_EQ(options.finalize_wait_max, absl::Seconds(20));
  EXPECT_EQ(options.tick_max, absl::Milliseconds(400));
}

TEST(TimeoutsTest, EveryTimeoutOfTheReplicaIsMultiplied) {
  const ReplicaOptions options = Scaled<ReplicaOptions>(4);
  EXPECT_EQ(options.tick, absl::Milliseconds(40));
  EXPECT_EQ(options.heartbeat, absl::Milliseconds(200));
  EXPECT_EQ(options.election_timeout, absl::Milliseconds(600));
  EXPECT_EQ(options.snapshot_fetch.answer_timeout, absl::Seconds(4));
  EXPECT_EQ(options.fetch_silent_max, absl::Seconds(60));
  EXPECT_EQ(options.save_catch_up_max, absl::Seconds(20));
  EXPECT_EQ(options.save_silent_max, absl::Seconds(8));
  EXPECT_EQ(options.save_held_back_max, absl::Seconds(80));
}

TEST(TimeoutsTest, EveryTimeoutBetweenServersIsMultiplied) {
  const PeerTransportOptions options = Scaled<PeerTransportOptions>(4);
  EXPECT_EQ(options.probe_after, absl::Seconds(12));
  EXPECT_EQ(options.hello_timeout, absl::Seconds(20));
  EXPECT_EQ(options.connect_timeout, absl::Seconds(4));
  EXPECT_EQ(options.keepalive_timeout, absl::Seconds(20));
}

TEST(TimeoutsTest, EveryTimeoutOfTheFrontendIsMultiplied) {
  EXPECT_EQ(Scaled<GrpcServerOptions>(4).take_piece_max, absl::Seconds(120));
}

TEST(TimeoutsTest, EveryTimeoutOfZooKeepersClientsIsMultiplied) {
  const zk::SocketTimeouts timeouts = Scaled<zk::ServerOptions>(4).timeouts;
  EXPECT_EQ(timeouts.handshake, absl::Seconds(40));
  EXPECT_EQ(timeouts.stall, absl::Minutes(8));
  EXPECT_EQ(timeouts.linger, absl::Seconds(8));
}

TEST(TimeoutsTest, WhatIsNoTimeoutStaysAsItIs) {
  const ServiceOptions service = Scaled<ServiceOptions>(4);
  EXPECT_EQ(service.touch_interval, ServiceOptions().touch_interval);
  EXPECT_EQ(service.session_timeout_default_ms, ServiceOptions().session_timeout_default_ms);
  const PeerTransportOptions peers = Scaled<PeerTransportOptions>(4);
  EXPECT_EQ(peers.redial_first, PeerTransportOptions().redial_first);
  EXPECT_EQ(peers.redial_last, PeerTransportOptions().redial_last);
}

}  // namespace
}  // namespace bellwether::coord
