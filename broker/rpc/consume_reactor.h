#pragma once

#include <memory>

#include "base/executor.h"
#include "base/metrics.h"
#include "bellwether/broker/v1/broker.pb.h"
#include "broker/rpc/open_streams.h"
#include "broker/service/broker_service.h"
#include "broker/service/consume_stream.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"

namespace bellwether::broker {

// One Consume stream: frames of the client go to a ConsumeStream, its frames to the client, one at
// a time. Raw buffers, so that batches leave without a copy. Everything but gRPC's callbacks runs
// on `executor`. Holds itself until gRPC is done with it. Ends when the client ends its side.
class ConsumeReactor : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                       public Drainable,
                       public std::enable_shared_from_this<ConsumeReactor> {
 public:
  ConsumeReactor(BrokerService& service, base::Executor& executor, base::Metrics& metrics,
                 OpenStreams& streams);

  // Begins to read. To be called once, right after it was made.
  void Begin();
  void Drain() override;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

 private:
  // On the executor.
  void OnFrame(const v1::ConsumeRequest& frame);
  void Write(const ConsumeChunk& chunk);
  void End(grpc::Status status);

  BrokerService& service_;
  base::Executor& executor_;
  OpenStreams& streams_;
  std::shared_ptr<ConsumeReactor> self_;          // until OnDone
  const std::shared_ptr<ConsumeStream> stream_;   // shared with what it posted
  grpc::ByteBuffer request_;                      // of the read under way

  // On the executor.
  grpc::ByteBuffer response_;  // of the write under way
  bool ended_ = false;
};

}  // namespace bellwether::broker
