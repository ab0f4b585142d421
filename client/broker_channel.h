#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bellwether/broker/v1/broker.pb.h"
#include "client/coord_channel.h"

// The seam between producer, consumer and admin client, and the network. All calls are made on one
// executor, and all callbacks run there, one at a time, never inside a call into the seam and never
// after the object they belong to was destroyed.
namespace bellwether::client {

// A Broker.Produce stream. Destruction cancels it. When it ends, base::OutcomeOf its status is
// rejected only if no frame has left this process.
class ProduceCall {
 public:
  virtual ~ProduceCall() = default;
  // Sends in order; never blocks. What is queued is bounded by the caller.
  virtual void Send(broker::v1::ProduceRequest frame) = 0;
};

// A Broker.Consume stream. Destruction cancels it.
class ConsumeCall {
 public:
  virtual ~ConsumeCall() = default;
  virtual void Send(broker::v1::ConsumeRequest frame) = 0;
};

// Opens calls to single brokers.
class BrokerConnector {
 public:
  template <typename Response>
  using Answer = absl::AnyInvocable<void(absl::StatusOr<Response>)>;

  virtual ~BrokerConnector() = default;

  virtual std::unique_ptr<ProduceCall> OpenProduce(
      const std::string& address, StreamCallbacks<broker::v1::ProduceResponse> callbacks) = 0;

  virtual std::unique_ptr<ConsumeCall> OpenConsume(
      const std::string& address, StreamCallbacks<broker::v1::ConsumeResponse> callbacks) = 0;

  // Unary calls: each answers exactly once, unless the connector goes first.
  virtual void Metadata(const std::string& address, absl::Duration timeout,
                        broker::v1::MetadataRequest request,
                        Answer<broker::v1::MetadataResponse> answer) = 0;
  virtual void ListOffsets(const std::string& address, absl::Duration timeout,
                           broker::v1::ListOffsetsRequest request,
                           Answer<broker::v1::ListOffsetsResponse> answer) = 0;
  virtual void CreateTopic(const std::string& address, absl::Duration timeout,
                           broker::v1::CreateTopicRequest request,
                           Answer<broker::v1::CreateTopicResponse> answer) = 0;
  virtual void DeleteTopic(const std::string& address, absl::Duration timeout,
                           broker::v1::DeleteTopicRequest request,
                           Answer<broker::v1::DeleteTopicResponse> answer) = 0;
  virtual void Status(const std::string& address, absl::Duration timeout,
                      broker::v1::StatusRequest request,
                      Answer<broker::v1::StatusResponse> answer) = 0;
};

}  // namespace bellwether::client
