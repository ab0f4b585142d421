#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "bellwether/broker/v1/broker.pb.h"
#include "broker/metadata/cluster.h"

// The Admin service's work, without gRPC's reactors. `done` runs once, on any thread; request and
// response live until then.
namespace bellwether::broker {

using CallDone = absl::AnyInvocable<void(absl::Status)>;

void CreateTopicCall(Cluster& cluster, const v1::CreateTopicRequest& request,
                     absl::Duration timeout, v1::CreateTopicResponse& response, CallDone done);

void DeleteTopicCall(Cluster& cluster, const v1::DeleteTopicRequest& request,
                     absl::Duration timeout, v1::DeleteTopicResponse& response, CallDone done);

void MetadataCall(Cluster& cluster, const v1::MetadataRequest& request, absl::Duration timeout,
                  v1::MetadataResponse& response, CallDone done);

}  // namespace bellwether::broker
