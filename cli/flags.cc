#include "cli/flags.h"

#include <CLI/CLI.hpp>

#include "base/parse.h"

namespace bellwether::cli {
namespace {

// Adds an option whose text `parse` turns into the value.
template <typename Parse, typename Value>
CLI::Option* Add(CLI::App& app, const std::string& name, const std::string& help,
                 const std::string& type, Parse parse, Value& value) {
  return app
      .add_option_function<std::string>(
          name,
          [name, parse, &value](const std::string& text) {
            const auto parsed = parse(text);
            if (!parsed.ok()) {
              // CLI11's own way to report a bad value; caught where it parses.
              throw CLI::ValidationError(name, std::string(parsed.status().message()));
            }
            value = *parsed;
          },
          help)
      ->type_name(type);
}

}  // namespace

CLI::Option* AddDuration(CLI::App& app, const std::string& name, const std::string& help,
                         std::optional<absl::Duration>& value) {
  return Add(app, name, help, "DURATION",
             [](const std::string& text) { return base::ParseDuration(text); }, value);
}

CLI::Option* AddSize(CLI::App& app, const std::string& name, const std::string& help,
                     uint64_t& value) {
  return Add(app, name, help, "SIZE",
             [](const std::string& text) { return base::ParseSize(text); }, value);
}

CLI::Option* AddInteger(CLI::App& app, const std::string& name, const std::string& help,
                        int64_t first, int64_t last, std::optional<int64_t>& value) {
  return Add(app, name, help, "N",
             [first, last](const std::string& text) {
               return base::ParseInteger(text, first, last);
             },
             value);
}

}  // namespace bellwether::cli
