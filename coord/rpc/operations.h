#pragma once

#include <optional>

#include "bellwether/coord/v1/coord.pb.h"
#include "coord/service/coord_service.h"

// Between the messages of operations.proto and what the service says to operators.
namespace bellwether::coord {

// nullopt for one that this server doesn't know.
std::optional<TopOrder> FromProto(v1::TopOrder by);

void ToProto(TopReport&& report, uint32_t server_id, v1::TopResponse& out);

void ToProto(SessionPage&& page, uint32_t server_id, v1::SessionsResponse& out);

}  // namespace bellwether::coord
