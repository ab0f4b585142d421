#include "cli/export_format.h"

#include <string>
#include <variant>

#include "gtest/gtest.h"

namespace bellwether::cli {
namespace {

ExportedZnode ExampleZnode() {
  ExportedZnode znode;
  znode.path = "/a";
  znode.data = "text";
  znode.stat.czxid = client::Zxid(7);
  znode.stat.ctime_ms = 1;
  znode.stat.mtime_ms = 2;
  znode.stat.version = 3;
  znode.stat.cversion = -1;
  znode.stat.aversion = 4;
  znode.stat.num_children = 5;
  znode.access.acl = {{31, "world", "anyone"}, {1, "digest", "bob:hash="}};
  return znode;
}

ExportedZnode ReadBack(const ExportedZnode& znode) {
  const auto read = ParseExportLine(ToLine(znode));
  EXPECT_TRUE(read.ok()) << read.status();
  return std::get<ExportedZnode>(*read);
}

TEST(ExportFormat, IsFixed) {
  EXPECT_EQ(ToLine(ExportHeader{"uuid", client::Zxid(41), "/"}),
            R"({"format":1,"kind":"bellwether-export","ensemble_id":"uuid","zxid":41,"path":"/"})");
  EXPECT_EQ(ToLine(ExampleZnode()),
            R"({"path":"/a","value":"text","value_base64":null,"stat":{"czxid":7,"mzxid":0,)"
            R"("pzxid":0,"ctime_ms":1,"mtime_ms":2,"version":3,"cversion":-1,"aversion":4,)"
            R"("ephemeral_owner":"0x0","data_length":0,"num_children":5},"mode":"persistent",)"
            R"("ttl_ms":null,"acl":[{"scheme":"world","id":"anyone","permissions":"cdrwa"},)"
            R"({"scheme":"digest","id":"bob:hash=","permissions":"r"}]})");
  EXPECT_EQ(ToLine(ExportedQuota{"/a", "count=3"}), R"({"quota":"/a","limits":"count=3"})");
  EXPECT_EQ(ToLine(ExportEnd{3, 4, 1}), R"({"end":true,"znodes":3,"bytes":4,"quotas":1})");
}

TEST(ExportFormat, ZnodesComeBack) {
  ExportedZnode znode = ExampleZnode();
  EXPECT_EQ(ReadBack(znode).stat.cversion, -1);
  EXPECT_EQ(ReadBack(znode).stat.num_children, 5);
  EXPECT_EQ(ReadBack(znode).access.acl, znode.access.acl);
  for (const client::Data& data :
       {client::Data(), client::Data(""), client::Data("größer"), client::Data(std::string("\0\xff\xfe", 3))}) {
    znode.data = data;
    EXPECT_EQ(ReadBack(znode).data, data);
  }
  znode.access.mode = client::CreateMode::kPersistentWithTtl;
  znode.access.ttl_ms = 5000;
  EXPECT_EQ(ReadBack(znode).access.ttl_ms, 5000);
  for (const auto mode : {client::CreateMode::kEphemeral, client::CreateMode::kContainer}) {
    znode.access.mode = mode;
    EXPECT_EQ(ReadBack(znode).access.mode, mode);
  }
}

TEST(ExportFormat, OtherLinesComeBack) {
  const auto header = ParseExportLine(ToLine(ExportHeader{"uuid", client::Zxid(41), "/x"}));
  EXPECT_EQ(std::get<ExportHeader>(*header).zxid, client::Zxid(41));
  EXPECT_EQ(std::get<ExportHeader>(*header).path, "/x");
  const auto quota = ParseExportLine(ToLine(ExportedQuota{"/a", "count=3"}));
  EXPECT_EQ(std::get<ExportedQuota>(*quota).limits, "count=3");
  const auto end = ParseExportLine(ToLine(ExportEnd{3, 4, 1}));
  EXPECT_EQ(std::get<ExportEnd>(*end).bytes, 4u);
}

TEST(ExportFormat, RefusesOtherTexts) {
  const std::string whole = ToLine(ExampleZnode());
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(ParseExportLine(whole.substr(0, size)).ok()) << size;
  }
  for (const char* line :
       {"[]", "{}", "7", R"({"end":true})", R"({"quota":1,"limits":""})", R"({"path":"/a"})",
        R"({"format":"1"})", R"({"format":1,"kind":"x","ensemble_id":"","zxid":1,"path":"/"})",
        R"({"end":true,"znodes":-1.5,"bytes":0,"quotas":0})"}) {
    EXPECT_EQ(ParseExportLine(line).status().code(), absl::StatusCode::kDataLoss) << line;
  }
  EXPECT_EQ(ParseExportLine(R"({"format":2})").status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace bellwether::cli
