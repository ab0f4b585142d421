#pragma once

#include <cstdint>

#include "base/strong_id.h"
#include "client/coord_types.h"

namespace bellwether::broker {

// A broker process's configured number, 0 to 2147483647; kNoBroker stands for "nobody".
using BrokerId = base::StrongId<struct BrokerIdTag, int32_t>;
inline constexpr BrokerId kNoBroker{-1};

// Which incarnation of a broker: the czxid of its registration. 0 is none.
using BrokerEpoch = base::StrongId<struct BrokerEpochTag, int64_t>;

// Order of changes in coord. 0 is before all.
using Zxid = client::Zxid;

// Grows with each new leader of a partition, from 0. The same type as the partition logs use.
using LeaderEpoch = base::StrongId<struct LeaderEpochTag, int32_t>;

}  // namespace bellwether::broker
