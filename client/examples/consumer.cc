// Reads a topic from its beginning to what its end was when it began.

#include "client/consumer.h"

#include "base/record/record_batch.h"
#include "client/examples/brokers.h"
#include "client/producer.h"

using namespace bellwether::client;  // an example is short
using bellwether::record::Record;
using bellwether::record::RecordReader;

int main() {
  const std::string topic = "examples-consumed";
  examples::MakeTopicOrExit(topic, /*partitions=*/1);
  const auto producer = Producer::Create({.addresses = examples::Brokers()});
  for (const char* const word : {"one", "two", "three"}) {
    examples::ExitUnlessOk(producer->Send(topic, {.value = word}, [](const auto&) {}));
  }
  producer->Flush();

  const auto consumer = Consumer::Open({.addresses = examples::Brokers(), .topic = topic});
  examples::ExitUnlessOk(consumer.status());
  std::string last;
  while ((*consumer)->Position(0) < (*consumer)->EndAtOpen(0)) {
    const auto polled = (*consumer)->Poll(absl::Seconds(10));
    examples::ExitUnlessOk(polled.status());
    if (!polled->has_value()) return 1;  // nothing came in time
    const ConsumedBatch& batch = **polled;
    auto reader = RecordReader::Open(batch.bytes);
    examples::ExitUnlessOk(reader.status());
    Record record;
    while (reader->Next(record).value_or(false)) {
      if (record.offset < batch.first_offset.value()) continue;  // before what was asked for
      last = record.value.value_or("");
      fmt::print("{}: {}\n", record.offset, last);
    }
  }
  return last == "three" ? 0 : 1;
}
