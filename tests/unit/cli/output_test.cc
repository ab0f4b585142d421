#include "cli/output.h"

#include "base/status.h"
#include "client/errors.h"
#include "cli/znode_output.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

TEST(ExitCodeOf, FollowsTheInterfaceSheet) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), 1);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), 2);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), 3);
  EXPECT_EQ(ExitCodeOf(absl::AlreadyExistsError("")), 4);
  EXPECT_EQ(ExitCodeOf(absl::FailedPreconditionError("")), 4);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), 5);
  EXPECT_EQ(ExitCodeOf(absl::DeadlineExceededError("")), 5);
  EXPECT_EQ(ExitCodeOf(absl::PermissionDeniedError("")), 7);
}

TEST(ExitCodeOf, AnUnknownOutcomeIsSixWhateverTheCode) {
  EXPECT_EQ(ExitCodeOf(base::UnknownOutcome(absl::StatusCode::kDeadlineExceeded, "")), 6);
  EXPECT_EQ(ExitCodeOf(client::AsUnknown(absl::NotFoundError(""))), 6);
}

std::string BytesAsJson(std::optional<std::string_view> bytes) {
  nlohmann::ordered_json json;
  AddBytes(json, "value", bytes);
  return json.dump();
}

TEST(FromBase64, IsTheInverse) {
  for (const std::string bytes : {"", "a", "ab", "abc", "\xff\xfe\xfd\xfc", "longer text"}) {
    EXPECT_EQ(FromBase64(Base64(bytes)), bytes);
  }
  for (const char* text : {"a", "ab", "abc", "ab=c", "====", "a===", "YQ==YQ==", "Y!==", "YQ= "}) {
    EXPECT_EQ(FromBase64(text), std::nullopt) << text;
  }
}

TEST(AddBytes, GivesTextOrBase64OrNeither) {
  EXPECT_EQ(BytesAsJson("h\xc3\xa9"), "{\"value\":\"h\xc3\xa9\",\"value_base64\":null}");
  EXPECT_EQ(BytesAsJson(""), R"({"value":"","value_base64":null})");
  EXPECT_EQ(BytesAsJson("\xff\x01"), R"({"value":null,"value_base64":"/wE="})");
  EXPECT_EQ(BytesAsJson("\xc0\x80"), R"({"value":null,"value_base64":"wIA="})");  // overlong
  EXPECT_EQ(BytesAsJson(std::nullopt), R"({"value":null,"value_base64":null})");
}

TEST(JsonOf, NamesEveryFieldOfAStatInOrder) {
  client::Stat stat;
  stat.czxid = client::Zxid(7);
  stat.ephemeral_owner = client::SessionId(0x1f);
  stat.data_length = 5;
  EXPECT_EQ(JsonOf(stat).dump(),
            R"({"czxid":7,"mzxid":0,"pzxid":0,"ctime_ms":0,"mtime_ms":0,"version":0,)"
            R"("cversion":0,"aversion":0,"ephemeral_owner":"0x1f","data_length":5,)"
            R"("num_children":0})");
}

TEST(PrintChange, IsOneJsonObjectPerLine) {
  client::WatchChange change;
  change.type = client::WatchEventType::kChanged;
  change.path = "/a";
  change.data = "x";
  change.stat.version = 2;
  ::testing::internal::CaptureStdout();
  PrintChange(change, client::Zxid(42), /*resync=*/false, /*json=*/true);
  change.type = client::WatchEventType::kDeleted;
  change.data.reset();
  PrintChange(change, client::Zxid(43), /*resync=*/true, /*json=*/true);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(),
            "{\"type\":\"changed\",\"path\":\"/a\",\"zxid\":42,\"version\":2,\"value\":\"x\","
            "\"value_base64\":null}\n"
            "{\"type\":\"resync\",\"path\":\"/a\",\"zxid\":43,\"version\":null,\"value\":null,"
            "\"value_base64\":null}\n");
}

}  // namespace
}  // namespace bellwether::cli
