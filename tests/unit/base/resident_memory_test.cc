#include "base/resident_memory.h"

#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>

#include "gtest/gtest.h"

namespace bellwether::base {
namespace {

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

// KiB of a field of /proc/self/status.
int64_t ResidentKib(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field + ":")) return std::stoll(line.substr(field.size() + 1));
  }
  return -1;
}

TEST(ResidentMemory, WhatOnlyTheStartNeededIsGivenBack) {
  const int64_t before = ResidentKib("RssFile");
  ReleaseUnusedCode();
  EXPECT_LT(ResidentKib("RssFile"), before);
}

#endif

// What the program was given at its start (its constants, its relocated data, its code) is there.
TEST(ResidentMemory, AllGoesOn) {
  static const char* const kWords[] = {"one", "two", "three"};
  std::string before;
  for (const char* word : kWords) before += word;
  for (int i = 0; i < 3; ++i) ReleaseUnusedCode();
  std::string after;
  for (const char* word : kWords) after += word;
  EXPECT_EQ(after, before);
  EXPECT_THROW(std::stoi("x"), std::invalid_argument);  // unwinding reads tables of the libraries
}

}  // namespace
}  // namespace bellwether::base
