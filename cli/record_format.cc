#include "cli/record_format.h"

#include "fmt/format.h"

namespace bellwether::cli {

absl::StatusOr<RecordFormat> RecordFormat::Parse(std::string_view format, std::string null_text) {
  RecordFormat result;
  result.null_text_ = std::move(null_text);
  result.parts_.emplace_back();
  const auto literal = [&result]() -> std::string& {
    if (result.parts_.back().directive != 0) result.parts_.emplace_back();
    return result.parts_.back().text;
  };
  for (size_t i = 0; i < format.size(); ++i) {
    const char c = format[i];
    if (c != '%' && c != '\\') {
      literal() += c;
      continue;
    }
    const char next = i + 1 < format.size() ? format[i + 1] : '\0';
    ++i;
    if (c == '%' && next != '\0' && std::string_view("tpokvTh").find(next) != std::string::npos) {
      result.parts_.push_back({next, ""});
    } else if (c == '%' && next == '%') {
      literal() += '%';
    } else if (c == '\\' && next == 'n') {
      literal() += '\n';
    } else if (c == '\\' && next == 't') {
      literal() += '\t';
    } else if (c == '\\' && next == '0') {
      literal() += '\0';
    } else if (c == '\\' && next == '\\') {
      literal() += '\\';
    } else {
      return absl::InvalidArgumentError(fmt::format(
          "--format has '{}{}' at {}; there are %t %p %o %k %v %T %h %% \\n \\t \\0 \\\\", c,
          next == '\0' ? "" : std::string(1, next), i));
    }
  }
  return result;
}

void RecordFormat::AppendBytes(std::string& out, std::optional<std::string_view> bytes) const {
  out += bytes.has_value() ? *bytes : std::string_view(null_text_);
}

void RecordFormat::AppendHeaders(std::string& out, const record::Record& record) const {
  for (size_t i = 0; i < record.headers.size(); ++i) {
    if (i > 0) out += ',';
    out += record.headers[i].key;
    out += '=';
    AppendBytes(out, record.headers[i].value);
  }
}

std::string RecordFormat::Format(std::string_view topic, int32_t partition,
                                 const record::Record& record) const {
  std::string out;
  for (const Part& part : parts_) {
    switch (part.directive) {
      case 't':
        out += topic;
        break;
      case 'p':
        out += std::to_string(partition);
        break;
      case 'o':
        out += std::to_string(record.offset);
        break;
      case 'k':
        AppendBytes(out, record.key);
        break;
      case 'v':
        AppendBytes(out, record.value);
        break;
      case 'T':
        out += std::to_string(record.timestamp_ms);
        break;
      case 'h':
        AppendHeaders(out, record);
        break;
      default:
        out += part.text;
    }
  }
  return out;
}

}  // namespace bellwether::cli
