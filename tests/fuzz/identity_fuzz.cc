// DIR/identity.json.

#include "base/check.h"
#include "base/data_dir.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bellwether::base;
  const auto identity =
      ParseIdentity("identity.json", std::string(bellwether::tests::AsText(data, size)));
  if (!identity.ok()) return 0;
  const auto again = ParseIdentity("identity.json", FormatIdentity(*identity));
  CHECK(again.ok(), "{}", again.status().ToString());
  CHECK(*again == *identity);
  return 0;
}
