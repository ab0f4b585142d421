#include "cli/export_format.h"

#include <utility>

#include "absl/status/status.h"
#include "base/status.h"
#include "cli/acl_text.h"
#include "cli/output.h"
#include "cli/znode_output.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::cli {
namespace {

using client::CreateMode;
using Json = nlohmann::ordered_json;

constexpr char kKind[] = "bellwether-export";

struct ModeName {
  CreateMode mode;
  std::string_view name;
};
constexpr ModeName kModes[] = {{CreateMode::kPersistent, "persistent"},
                               {CreateMode::kEphemeral, "ephemeral"},
                               {CreateMode::kContainer, "container"},
                               {CreateMode::kPersistentWithTtl, "ttl"}};

std::string_view NameOf(CreateMode mode) {
  for (const ModeName& each : kModes) {
    if (each.mode == mode) return each.name;
  }
  return "persistent";
}

struct Writer {
  Json operator()(const ExportHeader& header) const {
    return {{"format", kExportFormat},
            {"kind", kKind},
            {"ensemble_id", header.ensemble_id},
            {"zxid", header.zxid.value()},
            {"path", header.path}};
  }
  Json operator()(const ExportedZnode& znode) const {
    Json json = {{"path", znode.path}};
    AddBytes(json, "value", znode.data);
    json["stat"] = JsonOf(znode.stat);
    json["mode"] = NameOf(znode.access.mode);
    json["ttl_ms"] = znode.access.mode == CreateMode::kPersistentWithTtl
                         ? Json(znode.access.ttl_ms)
                         : Json(nullptr);
    json["acl"] = JsonOf(znode.access.acl);
    return json;
  }
  Json operator()(const ExportedQuota& quota) const {
    return {{"quota", quota.path}, {"limits", quota.limits}};
  }
  Json operator()(const ExportEnd& end) const {
    return {{"end", true},
            {"znodes", end.znodes},
            {"bytes", end.bytes},
            {"quotas", end.quotas}};
  }
};

// A line's fields; what is missing or of another type is zero or nothing, and ok() is false.
class Fields {
 public:
  explicit Fields(const Json& json) : json_(json) { ok_ = json.is_object(); }

  bool Has(const char* name) const { return json_.is_object() && json_.contains(name); }
  bool IsNull(const char* name) const { return !Has(name) || json_[name].is_null(); }

  std::string Text(const char* name) {
    const Json* const field = Find(name);
    if (field == nullptr || !field->is_string()) return Wrong<std::string>();
    return field->get<std::string>();
  }
  template <typename Integer>
  Integer Number(const char* name) {
    const Json* const field = Find(name);
    if (field == nullptr || !field->is_number_integer()) return Wrong<Integer>();
    const auto value = field->get<int64_t>();
    if (value != static_cast<int64_t>(static_cast<Integer>(value))) return Wrong<Integer>();
    return static_cast<Integer>(value);
  }
  const Json& Part(const char* name) {
    static const Json* const none = new Json();
    const Json* const field = Find(name);
    if (field == nullptr) ok_ = false;
    return field == nullptr ? *none : *field;
  }
  void Require(bool holds) { ok_ = ok_ && holds; }

  bool ok() const { return ok_; }

 private:
  const Json* Find(const char* name) const { return Has(name) ? &json_[name] : nullptr; }
  template <typename T>
  T Wrong() {
    ok_ = false;
    return T();
  }

  const Json& json_;
  bool ok_;
};

client::Data ReadData(Fields& fields) {
  if (!fields.IsNull("value")) return fields.Text("value");
  if (fields.IsNull("value_base64")) return std::nullopt;
  std::optional<std::string> bytes = FromBase64(fields.Text("value_base64"));
  fields.Require(bytes.has_value());
  return bytes;
}

client::Stat ReadStat(const Json& json, bool& ok) {
  Fields fields(json);
  client::Stat stat;
  stat.czxid = client::Zxid(fields.Number<int64_t>("czxid"));
  stat.mzxid = client::Zxid(fields.Number<int64_t>("mzxid"));
  stat.pzxid = client::Zxid(fields.Number<int64_t>("pzxid"));
  stat.ctime_ms = fields.Number<int64_t>("ctime_ms");
  stat.mtime_ms = fields.Number<int64_t>("mtime_ms");
  stat.version = fields.Number<int32_t>("version");
  stat.cversion = fields.Number<int32_t>("cversion");
  stat.aversion = fields.Number<int32_t>("aversion");
  stat.num_children = fields.Number<int32_t>("num_children");
  ok = ok && fields.ok();
  return stat;
}

client::ZnodeAccess ReadAccess(Fields& fields) {
  client::ZnodeAccess access;
  const std::string mode = fields.Text("mode");
  bool known = false;
  for (const ModeName& each : kModes) {
    if (each.name != mode) continue;
    access.mode = each.mode;
    known = true;
  }
  if (access.mode == CreateMode::kPersistentWithTtl) {
    access.ttl_ms = fields.Number<int64_t>("ttl_ms");
  }
  const Json& acl = fields.Part("acl");
  fields.Require(known && acl.is_array());
  if (!fields.ok()) return access;
  for (const Json& entry : acl) {
    Fields of_entry(entry);
    const auto permissions = ParsePermissions(of_entry.Text("permissions"));
    access.acl.push_back(
        {permissions.value_or(0), of_entry.Text("scheme"), of_entry.Text("id")});
    fields.Require(permissions.ok() && of_entry.ok());
  }
  return access;
}

absl::StatusOr<ExportLine> ReadHeader(Fields& fields) {
  const int format = fields.Number<int>("format");
  if (fields.ok() && format != kExportFormat) {
    return absl::UnimplementedError(fmt::format(
        "the export is of format {}, this build knows {}; use a newer `bell`", format,
        kExportFormat));
  }
  fields.Require(fields.Text("kind") == kKind);
  return ExportHeader{fields.Text("ensemble_id"),
                      client::Zxid(fields.Number<int64_t>("zxid")), fields.Text("path")};
}

}  // namespace

std::string ToLine(const ExportLine& line) {
  return std::visit(Writer(), line)
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

absl::StatusOr<ExportLine> ParseExportLine(std::string_view line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  Fields fields(json);
  absl::StatusOr<ExportLine> read = absl::DataLossError("the line is none of an export");
  if (fields.Has("format")) {
    read = ReadHeader(fields);
  } else if (fields.Has("path")) {
    ExportedZnode znode;
    znode.path = fields.Text("path");
    znode.data = ReadData(fields);
    bool ok = true;
    znode.stat = ReadStat(fields.Part("stat"), ok);
    fields.Require(ok);
    znode.access = ReadAccess(fields);
    read = std::move(znode);
  } else if (fields.Has("quota")) {
    read = ExportedQuota{fields.Text("quota"), fields.Text("limits")};
  } else if (fields.Has("end")) {
    read = ExportEnd{fields.Number<uint64_t>("znodes"), fields.Number<uint64_t>("bytes"),
                     fields.Number<uint64_t>("quotas")};
  }
  if (fields.ok() || absl::IsUnimplemented(read.status())) return read;
  return absl::DataLossError("the line is none of an export");
}

}  // namespace bellwether::cli
