// A four-letter word and what clients leave for its answer to say: paths, sessions, addresses. The
// answer grows with those, and takes memory in proportion to them. A list of words is a list or is
// refused.

#include <string>

#include "base/check.h"
#include "coord/zk/four_letter_words.h"
#include "tests/fuzz/target.h"
#include "tests/support/allocated_bytes.h"

namespace bellwether::coord::zk {
namespace {

// Of an answer with nothing of clients in it, and of each thing of theirs beyond its bytes.
constexpr size_t kAnswerBytes = 4 << 10;
constexpr size_t kItemBytes = 512;

struct Reports {
  ServerReport server;
  ClientsReport clients;
  size_t items = 0;
  size_t bytes = 0;  // of strings
};

Reports Read(base::Decoder& input) {
  Reports reports;
  const auto take = [&] {
    ++reports.items;
    std::string text(input.String());
    reports.bytes += text.size();
    return text;
  };
  const uint8_t state = input.Fixed8();
  reports.server.serves = (state & 1) != 0;
  reports.server.read_only = (state & 2) != 0;
  reports.server.observes = (state & 4) != 0;
  reports.server.left_out = (state & 8) != 0;
  reports.server.peer_port = state;
  reports.server.mode = "follower";
  while (input.ok()) {
    const uint8_t kind = input.Fixed8();
    const SessionId session(input.Varint());
    if (kind % 4 == 0) {
      reports.server.watch_list.emplace_back(session, take());
    } else if (kind % 4 == 1) {
      auto& told = reports.server.session_list.emplace_back();
      told.session = session;
      for (int more = kind >> 6; more > 0; --more) told.ephemerals.push_back(take());
      ++reports.items;
    } else if (kind % 4 == 2) {
      ConnectionInfo& client = reports.clients.clients.emplace_back();
      client.address = take();
      client.session = session;
      client.last_xid = input.Signed();
      client.last_zxid = Zxid(input.Signed());
      client.traffic.latency.Add(absl::Nanoseconds(input.Signed()));
    } else {
      reports.server.membership += take();
    }
  }
  return reports;
}

void CheckAnswer(std::string_view word, const Reports& reports) {
  const uint64_t before = tests::AllocatedBytes();
  const std::string answer = AnswerTo(word, reports.server, reports.clients);
  const uint64_t allocated = tests::AllocatedBytes() - before;
  const size_t bound = kAnswerBytes + reports.items * kItemBytes + 4 * reports.bytes;
  CHECK(answer.size() <= bound, "{} bytes of {} items of {} bytes", answer.size(), reports.items,
        reports.bytes);
  CHECK(allocated <= 8 * bound, "{} bytes allocated for {} items of {} bytes", allocated,
        reports.items, reports.bytes);
}

}  // namespace
}  // namespace bellwether::coord::zk

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bellwether::coord::zk;
  bellwether::base::Decoder input(bellwether::tests::AsText(data, size));
  const std::string_view words = input.String();
  const std::string_view word = input.Raw(4);
  if (!input.ok()) return 0;
  const auto list = WordList::Parse(words);
  if (list.ok()) CHECK(list->Allows("srvr"));
  if (list.ok() && list->Allows(word)) CHECK(IsFourLetterWord(word));
  CheckAnswer(word, Read(input));
  return 0;
}
