#include "broker/log/log_store.h"

#include <filesystem>

#include "base/status.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace bellwether::broker {
namespace {

using LogStoreTest = LogTest;

TEST_F(LogStoreTest, ReadsBackWhatWasAppended) {
  Open();
  const auto log = Create(0);
  for (int i = 0; i < 10; ++i) AppendValue(*log, std::to_string(i));
  EXPECT_EQ(log->offsets().log_start, Offset(0));
  EXPECT_EQ(log->offsets().high_watermark, Offset(10));
  EXPECT_EQ(log->offsets().log_end, Offset(10));
  const std::vector<std::string> values = Values(*log, Offset(0));
  EXPECT_EQ(values, (std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}));
  EXPECT_EQ(Values(*log, Offset(8)), (std::vector<std::string>{"8", "9"}));
}

TEST_F(LogStoreTest, KeepsEverythingAcrossReopening) {
  Open();
  auto log = Create(3, {.retention_ms = 1000, .retention_bytes = 77});
  AppendValue(*log, "first");
  ASSERT_TRUE(Append(*log, MakeBatch({{1, "a"}, {2, "b"}}), 4).ok());
  log.reset();
  Open();
  ASSERT_EQ(store_->Partitions().size(), 1u);
  log = store_->Find(Id(3));
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->config(), (PartitionConfig{.retention_ms = 1000, .retention_bytes = 77}));
  EXPECT_EQ(Values(*log, Offset(0)), (std::vector<std::string>{"first", "a", "b"}));
  ASSERT_EQ(log->epochs().size(), 2u);
  EXPECT_EQ(log->epochs()[1].epoch, LeaderEpoch(4));
  EXPECT_EQ(log->epochs()[1].start_offset, Offset(1));
  EXPECT_EQ(Append(*log, MakeBatch({{3, "c"}}), 3).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Append(*log, MakeBatch({{3, "c"}}), 4)->base_offset, Offset(3));
}

}  // namespace
}  // namespace bellwether::broker
