#include "tests/bench/zk_load_requests.h"

#include <utility>

#include "base/check.h"
#include "coord/zk/wire/frame.h"
#include "fmt/format.h"

namespace bellwether::bench {
namespace {

namespace wire = coord::zk::wire;

constexpr size_t kXidAt = 4;  // behind the frame's length
constexpr size_t kLengthBytes = 4;  // of text, data, a count
constexpr size_t kStatBytes = 68;

wire::Acl OpenAcl() { return {{31, "world", "anyone"}}; }

wire::CreateRequest CreateOf(std::string_view path, std::string_view data) {
  return {.path = path, .data = data, .acl = OpenAcl()};
}

}  // namespace

std::string NumberedPath(std::string_view prefix, uint64_t number) {
  return fmt::format("{}{:0{}}", prefix, number, kNumberDigits);
}

RequestTemplate::RequestTemplate(const wire::Request& request, std::string_view numbered_prefix,
                                 size_t reply_body_bytes)
    : reply_body_bytes_(reply_body_bytes) {
  const size_t begin = wire::BeginFrame(frame_);
  wire::EncodeRequest(request, frame_);
  CHECK(wire::EndFrame(frame_, begin));
  if (!numbered_prefix.empty()) {
    digits_at_ = frame_.find(numbered_prefix) + numbered_prefix.size();
    CHECK(digits_at_ + kNumberDigits <= frame_.size());
  }
}

void RequestTemplate::Append(int32_t xid, uint64_t number, std::string& out) const {
  const size_t begin = out.size();
  out += frame_;
  char* const frame = out.data() + begin;
  const auto bits = static_cast<uint32_t>(xid);
  for (size_t i = 0; i < sizeof bits; ++i) frame[kXidAt + i] = static_cast<char>(bits >> (24 - 8 * i));
  if (digits_at_ == 0) return;
  for (size_t i = kNumberDigits; i > 0; --i, number /= 10) {
    frame[digits_at_ + i - 1] = static_cast<char>('0' + number % 10);
  }
}

RequestTemplate CreateTemplate(std::string_view numbered, std::string_view data) {
  const std::string path = NumberedPath(numbered, 0);
  return {{.opcode = wire::Opcode::kCreate, .body = CreateOf(path, data)},
          numbered,
          kLengthBytes + path.size()};
}

RequestTemplate SetTemplate(std::string_view numbered, std::string_view data) {
  const std::string path = NumberedPath(numbered, 0);
  return {{.opcode = wire::Opcode::kSetData,
           .body = wire::SetDataRequest{.path = path, .data = data}},
          numbered,
          kStatBytes};
}

RequestTemplate GetTemplate(std::string_view numbered, size_t data_bytes) {
  const std::string path = NumberedPath(numbered, 0);
  return {{.opcode = wire::Opcode::kGetData, .body = wire::ReadRequest{.path = path}},
          numbered,
          kLengthBytes + data_bytes + kStatBytes};
}

RequestTemplate ChildrenTemplate(std::string_view path, size_t children, size_t name_prefix_bytes) {
  return {{.opcode = wire::Opcode::kGetChildren, .body = wire::ReadRequest{.path = path}},
          {},
          kLengthBytes + children * (kLengthBytes + name_prefix_bytes + kNumberDigits)};
}

RequestTemplate PlainTemplate(wire::Opcode opcode, wire::RequestBody body) {
  return {{.opcode = opcode, .body = std::move(body)}, {}, 0};
}

RequestTemplate PlainCreate(std::string_view path, std::string_view data) {
  return PlainTemplate(wire::Opcode::kCreate, CreateOf(path, data));
}

RequestTemplate CreateManyTemplate(std::string_view numbered, uint64_t begin, uint64_t end,
                                   std::string_view data) {
  std::vector<std::string> paths;
  wire::MultiRequest multi;
  for (uint64_t number = begin; number < end; ++number) {
    paths.push_back(NumberedPath(numbered, number));
  }
  for (const std::string& path : paths) {
    multi.operations.push_back({wire::Opcode::kCreate, CreateOf(path, data)});
  }
  return PlainTemplate(wire::Opcode::kMulti, std::move(multi));
}

}  // namespace bellwether::bench
