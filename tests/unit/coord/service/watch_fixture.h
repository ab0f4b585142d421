#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {

// A client of one Watch stream, like TestClient.
class TestWatcher : public StreamSink, public std::enable_shared_from_this<TestWatcher> {
 public:
  absl::Status Open(CoordService& service, WatchRequest request) {
    auto opened = service.OpenWatch({"test"}, std::move(request),
                                    std::make_shared<WeakSink>(weak_from_this()));
    if (opened.ok()) watch_ = *opened;
    return opened.status();
  }

  void OnOutput() override {
    if (reads_) TakeAll();
  }
  void OnResume() override {}
  void SetReads(bool reads) {
    reads_ = reads;
    if (reads) TakeAll();
  }
  void Close() { watch_->Close(std::nullopt); }
  Watch& watch() { return *watch_; }

  template <typename Frame>
  std::vector<Frame> All() const {
    std::vector<Frame> all;
    for (const WatchFrame& frame : frames) {
      if (const Frame* one = std::get_if<Frame>(&frame)) all.push_back(*one);
    }
    return all;
  }
  // "created /a=1", "deleted /b", ... of all changes so far.
  std::vector<std::string> Changes() const {
    std::vector<std::string> texts;
    for (const WatchChanges& set : All<WatchChanges>()) {
      for (const tree::Change* change : set.changes) texts.push_back(Text(*change));
    }
    return texts;
  }
  std::vector<std::string> StatePaths() const {
    std::vector<std::string> paths;
    for (const WatchState& state : All<WatchState>()) {
      for (const WatchZnode& znode : state.znodes) paths.push_back(znode.path);
    }
    return paths;
  }

  std::vector<WatchFrame> frames;
  TakeResult end;

 private:
  static std::string Text(const tree::Change& change) {
    static constexpr const char* kNames[] = {"created ", "changed ", "deleted ", "children "};
    std::string text = kNames[static_cast<int>(change.type)] + change.path;
    if (!change.data.is_null()) text += "=" + std::string(change.data.view());
    return text;
  }

  void TakeAll() {
    if (watch_ == nullptr) return;
    size_t before;
    do {
      before = frames.size();
      end = watch_->Take(64 << 10, frames);
    } while (frames.size() > before);
  }

  std::shared_ptr<Watch> watch_;  // shared with the service
  bool reads_ = true;
};

class WatchServiceTest : public ServiceTest {
 protected:
  explicit WatchServiceTest(ServiceOptions options = DefaultOptions()) : ServiceTest(options) {}

  void SetUp() override {
    ServiceTest::SetUp();
    writer_ = Connect();
  }

  std::shared_ptr<TestWatcher> WatchPath(std::string path, bool recursive, Zxid from = Zxid()) {
    return WatchPaths({std::move(path)}, recursive, from);
  }

  std::shared_ptr<TestWatcher> WatchPaths(std::vector<std::string> paths, bool recursive,
                                          Zxid from = Zxid(), bool prompt_progress = false) {
    WatchRequest request;
    request.filter.paths = std::move(paths);
    request.filter.recursive = recursive;
    request.from_zxid = from;
    request.prompt_progress = prompt_progress;
    auto watcher = std::make_shared<TestWatcher>();
    EXPECT_TRUE(watcher->Open(*service_, std::move(request)).ok());
    Settle();
    return watcher;
  }

  Zxid zxid() const { return service_->Status().zxid; }

  std::shared_ptr<TestClient> writer_;
};

}  // namespace bellwether::coord
