#include <memory>
#include <string>
#include <vector>

#include "tests/unit/coord/service/threads_fixture.h"

namespace bellwether::coord {
namespace {

class ThreadsTest : public ThreadsFixture {
 protected:
  // Writes its own znode and reads it back, many times, pipelined.
  void Play(uint64_t player) {
    std::shared_ptr<SessionSink> sink;
    const auto connection = Attach(player, sink);
    const std::string path = "/p" + std::to_string(player);
    auto submit = [&, id = uint64_t{0}, sequence = uint64_t{0}](
                      RequestOperation operation) mutable {
      Request request;
      request.id = ++id;
      request.generation = SessionGeneration(1);
      request.operation = std::move(operation);
      if (request.is_write()) request.sequence = CommandSequence(++sequence);
      connection->Submit(std::move(request), 100);
    };
    submit(tree::Create{path});
    for (int i = 0; i < kRounds; ++i) {
      submit(tree::SetData{path, tree::SharedBytes::Copy(std::to_string(i))});
      submit(GetRead{path, false});
      if (i % 16 == 0) sink->Await(2 + 2 * static_cast<size_t>(i));
    }
    ASSERT_EQ(sink->Await(2 + 2 * kRounds), 2u + 2 * kRounds);
    for (int i = 0; i < kRounds; ++i) {
      const auto response = std::get<Response>(sink->At(3 + 2 * static_cast<size_t>(i)));
      ASSERT_EQ(std::get<GetResult>(response.result).data.view(), std::to_string(i));
    }
    submit(tree::CloseSession());
    sink->AwaitEnd();
  }

  // Opens and closes watches of everything.
  void WatchAll() {
    for (int i = 0; i < 20; ++i) {
      auto sink = std::make_shared<WatchSink>();
      WatchRequest request;
      request.filter = {.paths = {"/"}, .recursive = true};
      std::shared_ptr<Watch> watch = *service_.OpenWatch({"test"}, request, sink);
      sink->Bind(watch);
      sink->Await(5);
      service_.Status();
      metrics_.Text();
      watch->Close(std::nullopt);
      sink->AwaitEnd();
    }
  }

  static constexpr int kRounds = 100;
};

TEST_F(ThreadsTest, ClientsAndWatchesInParallelSeeWhatTheyShould) {
  {
    std::vector<base::Thread> threads;
    for (uint64_t player = 1; player <= 3; ++player) {
      threads.emplace_back("player", [this, player] { Play(player); });
    }
    threads.emplace_back("watcher", [this] { WatchAll(); });
  }
  EXPECT_EQ(service_.Status().sessions, 0u);
  service_.Stop();
}

}  // namespace
}  // namespace bellwether::coord
