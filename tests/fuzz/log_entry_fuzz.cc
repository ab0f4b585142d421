// A key and a value of the log's database: once as they come, and once with a sum that is right. The
// first byte is the length of the key.

#include "base/check.h"
#include "coord/storage/log_format.h"
#include "tests/fuzz/target.h"

namespace bellwether::coord {
namespace {

void CheckEntry(std::string_view key, std::string_view value) {
  const auto entry = DecodeEntry(key, value);
  if (!entry.ok()) return;
  CHECK(EncodeEntryKey(entry->index) == key);
  CHECK(EncodeEntryValue(key, *entry) == value);
}

}  // namespace
}  // namespace bellwether::coord

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view rest = bellwether::tests::AsText(data + 1, size - 1);
  const std::string_view key = rest.substr(0, data[0]);
  const std::string_view value = rest.substr(key.size());
  bellwether::coord::CheckEntry(key, value);
  constexpr size_t kSealBytes = 5;
  if (value.size() < kSealBytes) return 0;
  bellwether::coord::CheckEntry(
      key, bellwether::tests::Sealed(data[1 + key.size()], key, value.substr(kSealBytes)));
  return 0;
}
