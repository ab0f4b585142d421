// Sends records, and hears of each one where it is.

#include "client/producer.h"

#include <atomic>

#include "base/record/compression.h"
#include "client/examples/brokers.h"

using namespace bellwether::client;  // an example is short

int main() {
  const std::string topic = "examples-produced";
  examples::MakeTopicOrExit(topic, /*partitions=*/3);
  const auto producer = Producer::Create(
      {.addresses = examples::Brokers(), .compression = bellwether::record::Compression::kLz4});
  std::atomic<int> durable = 0;  // callbacks run on the producer's thread
  for (const char* const colour : {"red", "green", "blue"}) {
    examples::ExitUnlessOk(producer->Send(
        topic, {.key = colour, .value = "a colour"},
        [&durable, colour](const absl::StatusOr<RecordLocation>& location) {
          if (!location.ok()) return;  // base::OutcomeOf says whether it may be there all the same
          fmt::print("{} is in partition {}\n", colour, location->partition);
          ++durable;
        }));
  }
  producer->Flush();
  fmt::print("durable: {}\n", durable.load());
  return durable == 3 ? 0 : 1;
}
