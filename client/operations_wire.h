#pragma once

#include "bellwether/coord/v1/coord.pb.h"
#include "client/operations.h"

// Between the messages of operations.proto and the values of operations.h.
namespace bellwether::client {

coord::v1::TopOrder ToWire(TopOrder by);
TopResult FromWire(coord::v1::TopResponse response);
SessionPage FromWire(coord::v1::SessionsResponse response);

}  // namespace bellwether::client
