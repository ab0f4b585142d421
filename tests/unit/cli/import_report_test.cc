#include "cli/import_report.h"

#include <string>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

using Effect = client::ImportOutcome::Effect;

nlohmann::ordered_json FieldsOf(const ImportReport& report) {
  nlohmann::ordered_json json;
  report.AddTo(json);
  return json;
}

TEST(ImportReport, CountsBySubtree) {
  ImportReport report("/into");
  report.Read("/into", 1);
  report.Read("/into/a", 2);
  report.Read("/into/a/b", 3);
  report.Done("/into", Effect::kCreated);
  report.Done("/into/a", Effect::kReplaced);
  report.Done("/into/a/b", Effect::kUnchanged);
  for (const char* path : {"/into", "/into/a", "/into/a/b", "/into/a/others", "/into/new"}) {
    report.Found(path);
  }
  report.CheckFound();
  const auto json = FieldsOf(report);
  EXPECT_TRUE(json["complete"]);
  EXPECT_EQ(json["znodes"], 3);
  EXPECT_EQ(json["bytes"], 6);
  EXPECT_EQ(json["created"], 1);
  EXPECT_EQ(json["replaced"], 1);
  EXPECT_EQ(json["unchanged"], 1);
  EXPECT_EQ(json["subtrees"].dump(), R"([{"path":"/into/a","read":2,"copied":2,"found":3}])");
}

TEST(ImportReport, EphemeralsAreNothingThatIsMissing) {
  ImportReport report("/");
  report.LeaveOut("/e", "ephemeral", "why");
  EXPECT_TRUE(report.complete());
  report.LeaveOut("/a", "conflict", "why");
  EXPECT_FALSE(report.complete());
  EXPECT_EQ(FieldsOf(report)["left_out_by_reason"].dump(), R"({"conflict":1,"ephemeral":1})");
}

TEST(ImportReport, TellsWhatIsNotThereAfterwards) {
  ImportReport report("/");
  report.Done("/a", Effect::kCreated);
  report.Done("/a/b", Effect::kCreated);
  report.Found("/a");
  report.CheckFound();
  EXPECT_FALSE(report.complete());
  EXPECT_EQ(FieldsOf(report)["left_out"][0]["reason"], "missing");
}

TEST(ImportReport, KeepsABoundedNumberOfPaths) {
  ImportReport report("/");
  for (size_t i = 0; i < ImportReport::kLeftOutShownMax + 5; ++i) {
    const std::string path = "/" + std::to_string(i);
    report.Read(path, 0);
    report.LeaveOut(path, "conflict", "why");
  }
  const auto json = FieldsOf(report);
  EXPECT_EQ(json["left_out"].size(), ImportReport::kLeftOutShownMax);
  EXPECT_EQ(json["left_out_by_reason"]["conflict"], ImportReport::kLeftOutShownMax + 5);
  EXPECT_EQ(json["subtrees"].size(), ImportReport::kSubtreesMax);
  EXPECT_TRUE(json["subtrees_cut"]);
}

}  // namespace
}  // namespace bellwether::cli
