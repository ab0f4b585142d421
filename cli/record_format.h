#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/record/record_batch.h"

namespace bellwether::cli {

// How `bell consume` prints a record: text with %t topic, %p partition, %o offset, %k key,
// %v value, %T timestamp in ms, %h headers as k=v,k=v, %% and the escapes \n \t \0 \\.
class RecordFormat {
 public:
  // `null_text` stands for a null key or value. INVALID_ARGUMENT names what isn't known.
  static absl::StatusOr<RecordFormat> Parse(std::string_view format, std::string null_text);

  std::string Format(std::string_view topic, int32_t partition,
                     const record::Record& record) const;

 private:
  struct Part {
    char directive = 0;  // 0: literal text
    std::string text;
  };

  void AppendBytes(std::string& out, std::optional<std::string_view> bytes) const;
  void AppendHeaders(std::string& out, const record::Record& record) const;

  std::vector<Part> parts_;
  std::string null_text_;
};

}  // namespace bellwether::cli
