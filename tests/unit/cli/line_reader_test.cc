#include "cli/line_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/scratch_folder.h"

namespace bellwether::cli {
namespace {

// All lines of `input`, and how it ended.
struct Lines {
  std::vector<std::string> lines;
  absl::Status end;
};

Lines ReadLines(const std::string& input, size_t line_bytes_max = LineReader::kLineBytesMax) {
  const ScratchFolder folder;
  const std::string path = folder / "input";
  std::ofstream(path, std::ios::binary) << input;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      fdopen(open(path.c_str(), O_RDONLY | O_CLOEXEC), "r"), std::fclose);
  LineReader reader(file.get(), line_bytes_max);
  Lines result;
  while (true) {
    const auto line = reader.Next();
    result.end = line.status();
    if (!line.ok() || !line->has_value()) return result;
    result.lines.emplace_back(**line);
  }
}

using Strings = std::vector<std::string>;

TEST(LineReader, GivesLinesOfAnyBytes) {
  EXPECT_EQ(ReadLines("").lines, Strings{});
  EXPECT_EQ(ReadLines("a\n\nb\r\n").lines, (Strings{"a", "", "b\r"}));
  EXPECT_EQ(ReadLines("a\nlast").lines, (Strings{"a", "last"}));
  EXPECT_EQ(ReadLines(std::string("\0\xff\n", 3)).lines, (Strings{std::string("\0\xff", 2)}));
}

TEST(LineReader, JoinsWhatSeveralReadsBring) {
  const Strings lines = {std::string(200'000, 'a'), "b", std::string(100'000, 'c')};
  EXPECT_EQ(ReadLines(lines[0] + "\n" + lines[1] + "\n" + lines[2]).lines, lines);
}

TEST(LineReader, RefusesALineBeyondItsBound) {
  EXPECT_EQ(ReadLines("12345\n67890", 5).lines, (Strings{"12345", "67890"}));
  const Lines long_first = ReadLines("a\n123456\nb\n", 5);
  EXPECT_EQ(long_first.lines, Strings{"a"});
  EXPECT_EQ(long_first.end.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadLines("123456", 5).end.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadLines(std::string(200'000, 'x'), 100'000).end.code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bellwether::cli
