// DIR/vote, and the record of the same form in the log's database: once as it comes, and once with a
// sum that is right.

#include "base/check.h"
#include "coord/storage/log_format.h"
#include "tests/fuzz/target.h"

namespace bellwether::coord {
namespace {

void CheckRecord(std::string_view record) {
  const auto body = DecodeRecord(record);
  if (body.ok()) CHECK(EncodeRecord(*body) == record);
  const auto hard_state = DecodeHardState(record);
  if (hard_state.ok()) CHECK(EncodeHardState(*hard_state) == record);
}

}  // namespace
}  // namespace bellwether::coord

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view record = bellwether::tests::AsText(data, size);
  bellwether::coord::CheckRecord(record);
  constexpr size_t kSealBytes = 5;
  if (size < kSealBytes) return 0;
  bellwether::coord::CheckRecord(
      bellwether::tests::Sealed(data[0], "", record.substr(kSealBytes)));
  return 0;
}
