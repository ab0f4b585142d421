// A line of `bell export`, as `bell import` reads it. What is understood is the same after writing and
// reading.

#include <string>

#include "base/check.h"
#include "cli/export_format.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bellwether::cli;
  const auto line = ParseExportLine(bellwether::tests::AsText(data, size));
  if (!line.ok()) return 0;
  const std::string written = ToLine(*line);
  CHECK(written.find('\n') == std::string::npos);
  const auto again = ParseExportLine(written);
  CHECK(again.ok(), "{}", written);
  CHECK(ToLine(*again) == written, "{}", written);
  return 0;
}
