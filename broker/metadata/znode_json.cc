#include "broker/metadata/znode_json.h"

#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "base/status.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace bellwether::broker {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr size_t kReplicasMax = 100;

template <typename AnyJson>
std::string Dump(const AnyJson& json) {
  return json.dump(-1, ' ', false, AnyJson::error_handler_t::replace);
}

absl::Status BadField(std::string_view field, std::string_view wanted) {
  return absl::InvalidArgumentError(fmt::format("field '{}' is not {}", field, wanted));
}

// Reads the fields of one JSON object. The first that is missing or of the wrong type fails the
// whole; reads after it give defaults.
class ObjectReader {
 public:
  explicit ObjectReader(std::string_view text)
      : owned_(Json::parse(text, nullptr, /*allow_exceptions=*/false)), json_(owned_) {
    if (!json_.is_object()) status_ = absl::InvalidArgumentError("not a JSON object");
  }
  explicit ObjectReader(const Json& json) : json_(json) {
    if (!json_.is_object()) status_ = absl::InvalidArgumentError("not a JSON object");
  }

  const absl::Status& status() const { return status_; }
  const Json& json() const { return json_; }

  int64_t Integer(const char* field, int64_t first, int64_t last) {
    const Json* value = Find(field);
    if (value != nullptr && value->is_number_integer() &&
        !(value->is_number_unsigned() &&
          value->get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()})) {
      const int64_t number = value->get<int64_t>();
      if (number >= first && number <= last) return number;
    }
    Fail(BadField(field, fmt::format("a whole number from {} to {}", first, last)));
    return 0;
  }

  std::string String(const char* field) {
    const Json* value = Find(field);
    if (value != nullptr && value->is_string()) return value->get<std::string>();
    Fail(BadField(field, "a string"));
    return {};
  }

  // A string, or "" when it is null or missing.
  std::string OptionalString(const char* field) {
    const Json* value = Find(field);
    return value == nullptr || value->is_null() ? std::string() : String(field);
  }

  base::Uuid Id(const char* field) {
    const Json* value = Find(field);
    if (value != nullptr && value->is_string()) {
      if (const auto id = base::Uuid::Parse(value->get_ref<const std::string&>())) return *id;
    }
    Fail(BadField(field, "a UUID"));
    return {};
  }

  // An array or object; a null Json when it isn't.
  const Json& Array(const char* field) { return Container(field, Json::value_t::array, "a list"); }
  const Json& Object(const char* field) {
    return Container(field, Json::value_t::object, "an object");
  }

  void Fail(absl::Status status) {
    if (status_.ok()) status_ = std::move(status);
  }

  // The fields not in `known`, as a JSON object; empty when there are none.
  std::string Others(std::initializer_list<const char*> known) const {
    if (!json_.is_object()) return {};
    Json others = json_;
    for (const char* field : known) others.erase(field);
    return others.empty() ? std::string() : Dump(others);
  }

 private:
  const Json* Find(const char* field) const {
    if (!json_.is_object()) return nullptr;
    const auto it = json_.find(field);
    return it == json_.end() ? nullptr : &*it;
  }
  const Json& Container(const char* field, Json::value_t type, std::string_view wanted) {
    static const Json kNull;
    const Json* value = Find(field);
    if (value != nullptr && value->type() == type) return *value;
    Fail(BadField(field, wanted));
    return kNull;
  }

  const Json owned_;   // when read from text
  const Json& json_;
  absl::Status status_;
};

// Adds the fields of `unknown_fields` that `json` doesn't have.
void AddUnknown(OrderedJson& json, const std::string& unknown_fields) {
  if (unknown_fields.empty()) return;
  const OrderedJson others = OrderedJson::parse(unknown_fields, nullptr, false);
  if (!others.is_object()) return;
  for (const auto& [name, value] : others.items()) {
    if (!json.contains(name)) json[name] = value;
  }
}

constexpr int64_t kIdMax = std::numeric_limits<int32_t>::max();
constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();

absl::StatusOr<BrokerId> BrokerIdOf(const Json& value, std::string_view field) {
  if (value.is_number_integer()) {
    const int64_t number = value.get<int64_t>();
    if (number >= 0 && number <= kIdMax) return BrokerId(static_cast<int32_t>(number));
  }
  return BadField(field, "a list of broker ids");
}

absl::StatusOr<std::vector<BrokerId>> BrokerIdsOf(const Json& list, std::string_view field) {
  if (!list.is_array() || list.size() > kReplicasMax) return BadField(field, "a list of broker ids");
  std::vector<BrokerId> ids;
  for (const Json& value : list) {
    ASSIGN_OR_RETURN(const BrokerId id, BrokerIdOf(value, field));
    ids.push_back(id);
  }
  return ids;
}

}  // namespace

std::string EncodeBroker(const Broker& broker) {
  OrderedJson json = {{"version", kVersion},
                      {"host", broker.host},
                      {"port", -1},  // Kafka's listener; none
                      {"grpc", broker.grpc}};
  json["rack"] = broker.rack.empty() ? OrderedJson(nullptr) : OrderedJson(broker.rack);
  json["started_ms"] = broker.started_ms;
  json["folder_id"] = broker.folder_id.ToString();
  json["pid"] = broker.pid;
  return Dump(json);
}

absl::StatusOr<Broker> DecodeBroker(std::string_view text, const client::Stat& stat, BrokerId id) {
  ObjectReader reader(text);
  Broker broker;
  broker.id = id;
  broker.epoch = BrokerEpoch(stat.czxid.value());
  broker.session_id = stat.ephemeral_owner;
  broker.host = reader.String("host");
  broker.grpc = reader.String("grpc");
  broker.rack = reader.OptionalString("rack");
  broker.started_ms = reader.Integer("started_ms", 0, kInt64Max);
  broker.folder_id = reader.Id("folder_id");
  broker.pid = reader.Integer("pid", 0, kInt64Max);
  RETURN_IF_ERROR(reader.status());
  return broker;
}

std::string EncodeAssignment(const TopicAssignment& assignment) {
  OrderedJson partitions = OrderedJson::object();
  for (size_t p = 0; p < assignment.replicas.size(); ++p) {
    OrderedJson ids = OrderedJson::array();
    for (const BrokerId id : assignment.replicas[p]) ids.push_back(id.value());
    partitions[fmt::to_string(p)] = std::move(ids);
  }
  const OrderedJson json = {{"version", kVersion},
                            {"topic_id", assignment.topic_id.ToString()},
                            {"partitions", std::move(partitions)}};
  return Dump(json);
}

absl::StatusOr<TopicAssignment> DecodeAssignment(std::string_view text) {
  ObjectReader reader(text);
  TopicAssignment assignment;
  assignment.topic_id = reader.Id("topic_id");
  const Json& partitions = reader.Object("partitions");
  RETURN_IF_ERROR(reader.status());
  const size_t count = partitions.size();
  if (count == 0 || count > size_t{kPartitionsMax}) {
    return BadField("partitions", fmt::format("1 to {} partitions", kPartitionsMax));
  }
  assignment.replicas.resize(count);
  for (const auto& [key, list] : partitions.items()) {
    size_t number = 0;
    if (!absl::SimpleAtoi(key, &number) || number >= count || fmt::to_string(number) != key) {
      return BadField("partitions", fmt::format("numbered 0 to {}: '{}'", count - 1, key));
    }
    ASSIGN_OR_RETURN(assignment.replicas[number], BrokerIdsOf(list, "partitions"));
    if (assignment.replicas[number].empty()) {
      return BadField("partitions", fmt::format("a broker for partition {}", number));
    }
  }
  return assignment;
}

std::string EncodePartitionState(const PartitionState& state) {
  OrderedJson isr = OrderedJson::array();
  for (const IsrMember& member : state.isr) {
    isr.push_back({{"broker", member.broker.value()},
                   {"epoch", member.epoch.value()},
                   {"folder", member.folder_id.ToString()}});
  }
  OrderedJson json = {{"version", kVersion},
                      {"controller_epoch", state.controller_epoch},
                      {"leader", state.leader.value()},
                      {"leader_epoch", state.leader_epoch.value()},
                      {"isr", std::move(isr)}};
  AddUnknown(json, state.unknown_fields);
  return Dump(json);
}

absl::StatusOr<PartitionState> DecodePartitionState(std::string_view text, const client::Stat& stat) {
  ObjectReader reader(text);
  PartitionState state;
  state.controller_epoch = reader.Integer("controller_epoch", 0, kInt64Max);
  state.leader = BrokerId(static_cast<int32_t>(reader.Integer("leader", -1, kIdMax)));
  state.leader_epoch =
      LeaderEpoch(static_cast<int32_t>(reader.Integer("leader_epoch", 0, kIdMax)));
  const Json& isr = reader.Array("isr");
  RETURN_IF_ERROR(reader.status());
  if (isr.size() > kReplicasMax) return BadField("isr", "a list of replicas");
  for (const Json& entry : isr) {
    ObjectReader member(entry);
    IsrMember decoded;
    decoded.broker = BrokerId(static_cast<int32_t>(member.Integer("broker", 0, kIdMax)));
    decoded.epoch = BrokerEpoch(member.Integer("epoch", 0, kInt64Max));
    decoded.folder_id = member.Id("folder");
    if (!member.status().ok()) return base::Annotate(member.status(), "isr");
    state.isr.push_back(decoded);
  }
  state.unknown_fields =
      reader.Others({"version", "controller_epoch", "leader", "leader_epoch", "isr"});
  state.mzxid = stat.mzxid;
  return state;
}

std::string EncodeConfigs(const ClusterView::Configs& configs) {
  OrderedJson values = OrderedJson::object();
  for (const auto& [name, value] : configs) values[name] = value;
  return Dump(OrderedJson{{"version", kVersion}, {"config", std::move(values)}});
}

absl::StatusOr<ClusterView::Configs> DecodeConfigs(std::string_view text) {
  ObjectReader reader(text);
  const Json& values = reader.Object("config");
  RETURN_IF_ERROR(reader.status());
  ClusterView::Configs configs;
  for (const auto& [name, value] : values.items()) {
    if (!value.is_string()) return BadField(name, "a string");
    configs[name] = value.get<std::string>();
  }
  return configs;
}

std::string EncodeDeletionRecord(const DeletionRecord& record) {
  OrderedJson pending = OrderedJson::array();
  for (const BrokerId id : record.pending) pending.push_back(id.value());
  OrderedJson json = {{"version", kVersion},
                      {"topic", record.name},
                      {"topic_id", record.topic_id.ToString()},
                      {"brokers", std::move(pending)}};
  AddUnknown(json, record.unknown_fields);
  return Dump(json);
}

absl::StatusOr<DeletionRecord> DecodeDeletionRecord(std::string_view text, const client::Stat& stat, base::Uuid topic_id) {
  ObjectReader reader(text);
  DeletionRecord record;
  record.name = reader.String("topic");
  record.topic_id = reader.Id("topic_id");
  const Json& pending = reader.Array("brokers");
  RETURN_IF_ERROR(reader.status());
  if (record.topic_id != topic_id) return BadField("topic_id", "that of the path");
  ASSIGN_OR_RETURN(const std::vector<BrokerId> ids, BrokerIdsOf(pending, "brokers"));
  record.pending.insert(ids.begin(), ids.end());
  record.unknown_fields = reader.Others({"version", "topic", "topic_id", "brokers"});
  record.mzxid = stat.mzxid;
  return record;
}

std::string EncodeController(BrokerId id, int64_t started_ms) {
  return Dump(OrderedJson{{"version", kVersion},
                          {"brokerid", id.value()},
                          {"timestamp", fmt::to_string(started_ms)}});
}

absl::StatusOr<BrokerId> DecodeController(std::string_view text) {
  ObjectReader reader(text);
  const int64_t id = reader.Integer("brokerid", 0, kIdMax);
  RETURN_IF_ERROR(reader.status());
  return BrokerId(static_cast<int32_t>(id));
}

}  // namespace bellwether::broker
