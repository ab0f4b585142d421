#include "coord/service/slow_requests.h"

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "spdlog/sinks/ostream_sink.h"
#include "spdlog/spdlog.h"
#include "tests/unit/coord/service/service_fixture.h"

namespace bellwether::coord {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

class SlowRequestsTest : public testing::Test {
 protected:
  SlowRequest Request(std::string path) const {
    SlowRequest request;
    request.subject = {"get", std::move(path)};
    request.took = absl::Milliseconds(1500);
    request.queued = absl::Milliseconds(1400);
    request.evaluated = absl::Milliseconds(100);
    return request;
  }
  void Tell(std::string path) { slow_.Tell(SessionId(0x2a), "client:1", Request(std::move(path))); }

  SimScheduler scheduler_{1};
  SimClock clock_{scheduler_};
  base::Metrics metrics_;
  std::vector<std::string> lines_;
  SlowRequests slow_{absl::Seconds(1), clock_, metrics_,
                     [this](const std::string& line) { lines_.push_back(line); }};
};

TEST_F(SlowRequestsTest, ALineSaysWhoseAndWhatAndWhereTheTimeWent) {
  Tell("/a/b");
  EXPECT_THAT(lines_, ElementsAre("slow request session=0x2a client=client:1 kind=get path=/a/b "
                                  "ms=1500 queue_ms=1400 replication_ms=- evaluate_ms=100"));
}

TEST_F(SlowRequestsTest, OnlyWhatTakesAsLongAsToldIsSlow) {
  EXPECT_TRUE(slow_.IsSlow(absl::Seconds(1)));
  EXPECT_FALSE(slow_.IsSlow(absl::Seconds(1) - absl::Nanoseconds(1)));
  const SlowRequests off(absl::ZeroDuration(), clock_, metrics_);
  EXPECT_FALSE(off.IsSlow(absl::Hours(1'000'000)));
}

TEST_F(SlowRequestsTest, WritesAFewLinesASecondAndCountsTheRest) {
  for (int i = 0; i < 25; ++i) Tell("/a");
  EXPECT_THAT(lines_, SizeIs(SlowRequests::kLinesPerSecondMax));
  scheduler_.RunFor(absl::Seconds(1));
  Tell("/b");
  Tell("/c");
  ASSERT_THAT(lines_, SizeIs(SlowRequests::kLinesPerSecondMax + 2));
  EXPECT_THAT(lines_[10], AllOf(HasSubstr("path=/b "), EndsWith(" dropped=15")));
  EXPECT_THAT(lines_[11], Not(HasSubstr("dropped")));
  EXPECT_THAT(metrics_.Text(), HasSubstr("bell_slow_requests_total 27\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("bell_slow_request_lines_dropped_total 15\n"));
}

TEST_F(SlowRequestsTest, APathIsCutAndCanNeitherEndTheLineNorAddToIt) {
  Tell("/a\nslow request b=\"c\" d\x7f");
  Tell("/" + std::string(5000, 'x'));
  Tell("/" + std::string(254, 'x') + "\xc3\xa4");  // a character across the cut
  Tell("/\xff\xfe");
  EXPECT_THAT(lines_[0], HasSubstr(" path=/a?slow?request?b=?c??d? ms="));
  EXPECT_THAT(lines_[1], HasSubstr(" path=/" + std::string(255, 'x') + " ms="));
  EXPECT_THAT(lines_[2], HasSubstr(" path=/" + std::string(254, 'x') + " ms="));
  EXPECT_THAT(lines_[3], HasSubstr(" path=/?? ms="));
}

TEST(RequestSubjects, AreAKindAndTheFirstPath) {
  const auto text = [](const RequestOperation& operation) {
    const RequestSubject subject = SubjectOf(operation);
    return std::string(subject.kind) + " " + subject.path;
  };
  EXPECT_EQ(text(GetRead{"/a"}), "get /a");
  EXPECT_EQ(text(MultiRead{{ListRead{"/l"}, GetRead{"/g"}}}), "multi_read /l");
  EXPECT_EQ(text(MultiRead{}), "multi_read ");
  EXPECT_EQ(text(tree::SetData{"/s", tree::SharedBytes::Copy("secret")}), "set_data /s");
  EXPECT_EQ(text(tree::Transaction{{}, {tree::Check{"/c"}, tree::Create{"/d"}}}),
            "transaction /c");
  EXPECT_EQ(text(tree::CloseSession{}), "close_session ");
  EXPECT_EQ(SubjectOf(tree::Operation(tree::DeleteRecursive{"/r"})).kind, "delete_recursive");
}

// What the service tells: its log, as long as the test runs.
class SlowServiceTest : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    before_ = spdlog::default_logger();
    auto logger = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_text_));
    logger->set_pattern("%v");
    spdlog::set_default_logger(std::move(logger));
  }
  void TearDown() override { spdlog::set_default_logger(before_); }

  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    std::istringstream text(log_text_.str());
    for (std::string line; std::getline(text, line);) {
      if (line.starts_with("slow request")) lines.push_back(line);
    }
    return lines;
  }

  std::ostringstream log_text_;
  std::shared_ptr<spdlog::logger> before_;  // the process's
};

TEST_F(SlowServiceTest, AWriteThatWaitsForTheLogIsTold) {
  auto client = Connect();
  client->Create("/fast");
  Settle();
  log_.Hold();
  client->Create("/slow", "secret");
  client->Get("/behind");
  scheduler_.RunFor(absl::Seconds(2));
  EXPECT_THAT(Lines(), SizeIs(0));
  log_.Release();
  Settle();
  const std::vector<std::string> lines = Lines();
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_THAT(lines[0], AllOf(HasSubstr("client=test kind=create path=/slow ms=20"),
                               HasSubstr("queue_ms=0 replication_ms=20"), Not(HasSubstr("secret"))));
  EXPECT_THAT(lines[1], AllOf(HasSubstr("kind=get path=/behind ms=20"), HasSubstr("queue_ms=20"),
                               EndsWith("replication_ms=- evaluate_ms=0")));
}

TEST_F(SlowServiceTest, ManyAtOnceAreCountedAndAFewTold) {
  auto client = Connect();
  log_.Hold();
  for (int i = 0; i < 40; ++i) client->Create("/a" + std::to_string(i));
  scheduler_.RunFor(absl::Seconds(2));
  log_.Release();
  Settle();
  EXPECT_THAT(Lines(), SizeIs(SlowRequests::kLinesPerSecondMax));
  EXPECT_THAT(metrics_.Text(), HasSubstr("bell_slow_requests_total 40\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("bell_slow_request_lines_dropped_total 30\n"));
}

TEST_F(SlowServiceTest, TimesOfReadsAndWritesAreMeasured) {
  auto client = Connect();
  client->Create("/a");
  Settle();
  client->Get("/a");
  Settle();
  EXPECT_THAT(metrics_.Text(), HasSubstr("bell_request_seconds_count{kind=\"read\"} 1\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("bell_request_seconds_count{kind=\"write\"} 1\n"));
}

}  // namespace
}  // namespace bellwether::coord
