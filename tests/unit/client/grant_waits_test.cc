#include "client/grant_waits.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class GrantWaitsTest : public ::testing::Test {
 protected:
  void Listen(const std::string& path) {
    waits_.Add(path, [this](const GrantEvent& event) {
      heard_.push_back(event.path);
      if (drops_all_) waits_.FireConnectionLost();
    });
  }
  void Tell(const std::string& path, GrantEventType type) {
    waits_.Fire({type, path, Zxid(1), Zxid(2)});
  }

  GrantWaits waits_;
  std::vector<std::string> heard_;
  bool drops_all_ = false;
};

TEST_F(GrantWaitsTest, TellsWhoListensUntilTheZnodeIsGone) {
  Listen("/a");
  Listen("/b");
  Tell("/a", GrantEventType::kGranted);
  Tell("/a", GrantEventType::kGone);
  Tell("/a", GrantEventType::kGone);
  Tell("/c", GrantEventType::kGranted);
  EXPECT_THAT(heard_, ElementsAre("/a", "/a"));
}

TEST_F(GrantWaitsTest, ALostConnectionEndsAll) {
  Listen("/a");
  Listen("/b");
  waits_.FireConnectionLost();
  EXPECT_THAT(heard_, ElementsAre("/a", "/b"));
  heard_.clear();
  waits_.FireConnectionLost();
  Tell("/a", GrantEventType::kGranted);
  EXPECT_THAT(heard_, IsEmpty());
}

TEST_F(GrantWaitsTest, AListenerMayLoseTheConnection) {
  Listen("/a");
  drops_all_ = true;
  Tell("/a", GrantEventType::kGranted);
  EXPECT_THAT(heard_, ElementsAre("/a", "/a"));
}

}  // namespace
}  // namespace bellwether::client
