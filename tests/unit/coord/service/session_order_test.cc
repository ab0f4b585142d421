#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {
namespace {

// Many clients with random pipelines of writes and reads over znodes of their own and a shared one,
// a log that stalls at random, executors that interleave in every way. Each client must see its own
// history exactly; of the shared znode, only versions that never go back, and the event of a watch
// before any newer version (thesis section 6.3).
class SessionOrderTest : public ServiceTest, public testing::WithParamInterface<uint64_t> {
 protected:
  struct Expected {
    bool write = false;
    bool shared = false;
    std::string value;  // of the own znode, when it is a read of it
  };
  struct Player {
    std::shared_ptr<TestClient> client;
    std::string path;
    std::string value;
    std::vector<Expected> expected;  // by request, in order
  };

  SessionOrderTest() : ServiceTest(DefaultOptions(), GetParam()) {}

  void Act(Player& player, uint64_t step) {
    Expected expected;
    switch (scheduler_.random().Below(6)) {
      case 0:
      case 1:
        player.value = std::to_string(step);
        player.client->Set(player.path, player.value);
        expected.write = true;
        break;
      case 2:
        player.client->Set("/shared", std::to_string(step));
        expected.write = true;
        break;
      case 3:
        player.client->Get("/shared", true);
        expected.shared = true;
        break;
      default:
        player.client->Get(player.path);
        expected.value = player.value;
    }
    player.expected.push_back(expected);
  }

  static void Check(const Player& player) {
    size_t next = 0;
    int32_t shared_version = -1;
    bool watched = false;
    int32_t watched_version = 0;
    Zxid last_zxid;
    for (const ServerFrame& frame : player.client->frames) {
      if (std::holds_alternative<WatchEvent>(frame)) watched = false;
      const auto* response = std::get_if<Response>(&frame);
      if (response == nullptr) continue;
      ASSERT_LT(next, player.expected.size());
      const Expected& expected = player.expected[next++];
      ASSERT_EQ(response->request_id, next) << "answered out of order";
      ASSERT_FALSE(response->failure.has_value()) << response->failure->message;
      ASSERT_GE(response->zxid, last_zxid);
      last_zxid = response->zxid;
      if (expected.write) continue;
      const auto& read = std::get<GetResult>(response->result);
      if (!expected.shared) {
        ASSERT_EQ(read.data.view(), expected.value);
        continue;
      }
      ASSERT_GE(read.stat.version, shared_version);
      if (watched) {
        ASSERT_EQ(read.stat.version, watched_version) << "a reply before the event";
      }
      shared_version = watched_version = read.stat.version;
      watched = true;
    }
    ASSERT_EQ(next, player.expected.size()) << "not everything was answered";
  }
};

TEST_P(SessionOrderTest, EachClientSeesItsOwnHistory) {
  auto setup = Connect();
  setup->Create("/shared", "0");
  std::vector<Player> players(4);
  for (size_t i = 0; i < players.size(); ++i) {
    players[i].path = "/own" + std::to_string(i);
    setup->Create(players[i].path, "");
    players[i].client = Connect();
  }
  Settle();
  for (uint64_t step = 1; step <= 400; ++step) {
    Act(players[scheduler_.random().Below(players.size())], step);
    if (scheduler_.random().Chance(0.1)) log_.Hold();
    if (scheduler_.random().Chance(0.2)) log_.Release();
    if (scheduler_.random().Chance(0.5)) {
      scheduler_.RunFor(absl::Microseconds(scheduler_.random().Below(80)));
    }
  }
  log_.Release();
  Settle();
  for (const Player& player : players) Check(player);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SessionOrderTest, testing::Range(uint64_t{1}, uint64_t{31}));

}  // namespace
}  // namespace bellwether::coord
