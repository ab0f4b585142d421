#include "base/options/option_table.h"

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

namespace bellwether::base {
namespace {

class OptionTableTest : public testing::Test {
 protected:
  OptionTableTest() : table_("bell-test", "A test.") {
    table_.AddText("data-dir", "DIR", "where", "/default", OptionTable::Into(data_dir_));
    table_.AddText("id", "N", "which", "", [this](const std::string& text) {
      if (text == "0") return absl::InvalidArgumentError("'0' is no id");
      id_ = text;
      return absl::OkStatus();
    });
    table_.AddList("peer", "N=H:P", "peers", [this](const std::string& text) {
      peers_.push_back(text);
      return absl::OkStatus();
    });
    table_.AddSwitch("allow-plaintext", "allow", allow_);
  }

  absl::StatusOr<OptionTable::Parsed> Parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "bell-test");
    return table_.Parse(static_cast<int>(arguments.size()), arguments.data());
  }

  std::string File(const std::string& content) {
    const std::string path = testing::TempDir() + "/" +
                             testing::UnitTest::GetInstance()->current_test_info()->name() +
                             ".toml";
    std::ofstream(path) << content;
    return path;
  }

  OptionTable table_;
  std::string data_dir_;
  std::string id_;
  std::vector<std::string> peers_;
  bool allow_ = false;
};

TEST_F(OptionTableTest, UsesDefaultsWhenNothingIsGiven) {
  ASSERT_TRUE(Parse({}).ok());
  EXPECT_EQ(data_dir_, "/default");
  EXPECT_EQ(id_, "");
  EXPECT_FALSE(allow_);
}

TEST_F(OptionTableTest, AMissingFileIsNamed) {
  const auto parsed = Parse({"--config", "/no/such.toml"});
  EXPECT_TRUE(absl::IsInvalidArgument(parsed.status()));
  EXPECT_NE(parsed.status().message().find("/no/such.toml"), std::string::npos);
}

TEST_F(OptionTableTest, OneOfRefusesOtherWords) {
  std::string level;
  table_.AddText("level", "LEVEL", "how much", "info", OptionTable::OneOf(level, {"info", "warn"}));
  ASSERT_TRUE(Parse({"--level", "warn"}).ok());
  EXPECT_EQ(level, "warn");
  EXPECT_EQ(Parse({"--level", "loud"}).status().message(),
            "--level: 'loud' is not one of info, warn");
}

TEST_F(OptionTableTest, FlagBeatsFileBeatsDefault) {
  const std::string file = File("id = 7\ndata-dir = \"/from-file\"\npeer = [\"1=a:1\", \"2=b:2\"]\n");
  ASSERT_TRUE(Parse({"--config", file.c_str(), "--data-dir", "/from-flag"}).ok());
  EXPECT_EQ(data_dir_, "/from-flag");
  EXPECT_EQ(id_, "7");
  EXPECT_EQ(peers_, (std::vector<std::string>{"1=a:1", "2=b:2"}));
}

TEST_F(OptionTableTest, ListFlagRepeats) {
  ASSERT_TRUE(Parse({"--peer", "1=a:1", "--peer", "2=b:2", "--allow-plaintext"}).ok());
  EXPECT_EQ(peers_.size(), 2u);
  EXPECT_TRUE(allow_);
}

TEST_F(OptionTableTest, UnknownFlagNamesTheNearest) {
  const auto parsed = Parse({"--data-dirr", "/x"});
  EXPECT_EQ(parsed.status().message(), "unknown argument '--data-dirr'; did you mean --data-dir?");
}

TEST_F(OptionTableTest, FlagGivenTwiceIsRefused) {
  EXPECT_EQ(Parse({"--id", "1", "--id", "2"}).status().message(), "--id is given twice");
}

TEST_F(OptionTableTest, UnknownKeyNamesFileLineAndNearest) {
  const std::string file = File("id = 1\ndata-dri = \"/x\"\n");
  EXPECT_EQ(Parse({"--config", file.c_str()}).status().message(),
            file + ":2: data-dri: unknown key; did you mean data-dir?");
}

TEST_F(OptionTableTest, WrongTypeNamesFileAndLine) {
  const std::string file = File("peer = \"1=a:1\"\n");
  EXPECT_EQ(Parse({"--config", file.c_str()}).status().message(),
            file + ":1: peer: must be an array of strings");
}

TEST_F(OptionTableTest, DuplicateKeyNamesTheLine) {
  const std::string file = File("id = 1\nid = 2\n");
  const auto parsed = Parse({"--config", file.c_str()});
  ASSERT_FALSE(parsed.ok());
  EXPECT_TRUE(std::string(parsed.status().message()).starts_with(file + ":2: "));
}

TEST_F(OptionTableTest, MissingFileIsNamed) {
  const auto parsed = Parse({"--config", "/does/not/exist.toml"});
  ASSERT_FALSE(parsed.ok());
  EXPECT_NE(std::string(parsed.status().message()).find("/does/not/exist.toml"),
            std::string::npos);
}

TEST_F(OptionTableTest, BadValueNamesWhereItCameFrom) {
  EXPECT_EQ(Parse({"--id", "0"}).status().message(), "--id: '0' is no id");
}

TEST_F(OptionTableTest, PrintedConfigurationReadsBack) {
  const auto printed = Parse({"--print-config", "--id", "3", "--peer", "1=a:1"});
  ASSERT_TRUE(printed.ok());
  ASSERT_EQ(printed->action, OptionTable::Action::kPrintConfig);
  const std::string file = File(printed->output);
  OptionTable again("bell-test", "A test.");
  std::string data_dir, id, peers;
  bool allow = true;
  again.AddText("data-dir", "DIR", "where", "", OptionTable::Into(data_dir));
  again.AddText("id", "N", "which", "", OptionTable::Into(id));
  again.AddList("peer", "N", "peers", OptionTable::Into(peers));
  again.AddSwitch("allow-plaintext", "allow", allow);
  const char* arguments[] = {"bell-test", "--config", file.c_str()};
  ASSERT_TRUE(again.Parse(3, arguments).ok());
  EXPECT_EQ(data_dir, "/default");
  EXPECT_EQ(id, "3");
  EXPECT_EQ(peers, "1=a:1");
  EXPECT_FALSE(allow);
}

TEST_F(OptionTableTest, HelpAndVersionExit) {
  const auto version = Parse({"--version"});
  ASSERT_TRUE(version.ok());
  EXPECT_EQ(version->action, OptionTable::Action::kExit);
  EXPECT_TRUE(version->output.starts_with("bell-test 0.1.0 (git "));
}

}  // namespace
}  // namespace bellwether::base
