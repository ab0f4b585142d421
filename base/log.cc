#include "base/log.h"

#include <memory>

#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "spdlog/pattern_formatter.h"
#include "spdlog/sinks/stdout_sinks.h"

namespace bellwether::base {
namespace {

// {"ts":...,"level":...,"thread":...,"msg":...}: keys and values stay in the message.
class JsonFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(
        message.time.time_since_epoch());
    const nlohmann::json line = {
        {"ts_ms", millis.count()},
        {"level", std::string(spdlog::level::to_string_view(message.level).data(),
                              spdlog::level::to_string_view(message.level).size())},
        {"thread", message.thread_id},
        {"msg", std::string(message.payload.data(), message.payload.size())}};
    const std::string text =
        line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>();
  }
};

}  // namespace

absl::Status StartLogging(std::string_view level, std::string_view format) {
  const std::string name(level);
  if (name != "trace" && name != "debug" && name != "info" && name != "warn" && name != "error") {
    return absl::InvalidArgumentError(
        fmt::format("log level '{}' is not one of trace, debug, info, warn, error", level));
  }
  if (format != "text" && format != "json") {
    return absl::InvalidArgumentError(
        fmt::format("log format '{}' is not one of text, json", format));
  }
  auto logger = std::make_shared<spdlog::logger>(
      "bellwether", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  if (format == "json") {
    logger->set_formatter(std::make_unique<JsonFormatter>());
  } else {
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ [%t] %v");
  }
  logger->set_level(spdlog::level::from_str(name));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  return absl::OkStatus();
}

}  // namespace bellwether::base
