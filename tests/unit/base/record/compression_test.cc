#include "base/record/compression.h"

#include <string>

#include "base/random.h"
#include "gtest/gtest.h"

namespace bellwether::record {
namespace {

constexpr Compression kAll[] = {Compression::kNone, Compression::kLz4, Compression::kZstd};

std::string Sample(size_t bytes) {
  base::Random random(bytes);
  std::string text;
  while (text.size() < bytes) text += std::to_string(random.Below(1000)) + " green bottles ";
  text.resize(bytes);
  return text;
}

std::string Compressed(Compression compression, std::string_view input) {
  std::string out;
  EXPECT_TRUE(Compress(compression, kZstdLevelDefault, input, out).ok());
  return out;
}

TEST(Compression, NamesRoundTrip) {
  for (const Compression compression : kAll) {
    EXPECT_EQ(*ParseCompression(CompressionName(compression)), compression);
  }
  EXPECT_EQ(ParseCompression("gzip").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Compression, RoundTripsAllSizesAndAppends) {
  for (const Compression compression : kAll) {
    for (const size_t bytes : {0, 1, 100, 65535, 65536, 65537, 1 << 20}) {
      const std::string input = Sample(bytes);
      std::string out = "before";
      const std::string compressed = Compressed(compression, input);
      ASSERT_TRUE(Decompress(compression, compressed, {}, out).ok());
      EXPECT_EQ(out, "before" + input) << CompressionName(compression) << " " << bytes;
    }
  }
}

TEST(Compression, MakesTextSmaller) {
  const std::string input = Sample(1 << 16);
  EXPECT_LT(Compressed(Compression::kLz4, input).size(), input.size() / 2);
  EXPECT_LT(Compressed(Compression::kZstd, input).size(), input.size() / 3);
}

TEST(Compression, RefusesZstdLevelsThatNeedMuchMemory) {
  std::string out;
  EXPECT_EQ(Compress(Compression::kZstd, 0, "x", out).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Compress(Compression::kZstd, kZstdLevelMax + 1, "x", out).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Compress(Compression::kZstd, kZstdLevelMax, "x", out).ok());
}

TEST(Compression, ReportsEveryCutAsDamage) {
  for (const Compression compression : {Compression::kLz4, Compression::kZstd}) {
    const std::string compressed = Compressed(compression, Sample(300));
    for (size_t bytes = 0; bytes < compressed.size(); ++bytes) {
      std::string out;
      EXPECT_EQ(Decompress(compression, std::string_view(compressed).substr(0, bytes), {}, out)
                    .code(),
                absl::StatusCode::kDataLoss)
          << CompressionName(compression) << " cut to " << bytes;
    }
  }
}

TEST(Compression, ReportsTrailingBytesAsDamage) {
  for (const Compression compression : {Compression::kLz4, Compression::kZstd}) {
    std::string out;
    EXPECT_EQ(Decompress(compression, Compressed(compression, "hello") + "x", {}, out).code(),
              absl::StatusCode::kDataLoss);
  }
}

TEST(Compression, StopsABombAtTheByteLimit) {
  const std::string zeros(size_t{8} << 20, '\0');
  const DecompressLimits limits = {
      .bytes_max = 1 << 20, .ratio_max = 1 << 20, .ratio_floor_bytes = 1 << 20};
  for (const Compression compression : kAll) {
    std::string out;
    EXPECT_EQ(Decompress(compression, Compressed(compression, zeros), limits, out).code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_LE(out.capacity(), size_t{4} << 20) << CompressionName(compression);
  }
}

TEST(Compression, StopsABombAtTheRatioLimit) {
  const std::string zeros(size_t{8} << 20, '\0');
  const DecompressLimits limits = {.ratio_max = 10, .ratio_floor_bytes = 1 << 20};
  std::string out;
  EXPECT_EQ(
      Decompress(Compression::kZstd, Compressed(Compression::kZstd, zeros), limits, out).code(),
      absl::StatusCode::kInvalidArgument);
  EXPECT_LE(out.capacity(), size_t{4} << 20);
}

TEST(Compression, AcceptsOutputThatExactlyMeetsTheLimit) {
  const std::string input = Sample(1 << 20);
  const DecompressLimits limits = {.bytes_max = input.size()};
  for (const Compression compression : kAll) {
    std::string out;
    EXPECT_TRUE(Decompress(compression, Compressed(compression, input), limits, out).ok());
    EXPECT_EQ(out.size(), input.size());
  }
}

TEST(Compression, SurvivesRandomDamage) {
  base::Random random(7);
  for (const Compression compression : {Compression::kLz4, Compression::kZstd}) {
    const std::string compressed = Compressed(compression, Sample(2000));
    for (int i = 0; i < 2000; ++i) {
      std::string damaged = compressed;
      damaged[random.Below(damaged.size())] ^= static_cast<char>(1 << random.Below(8));
      std::string out;
      const absl::Status status = Decompress(compression, damaged, {}, out);
      EXPECT_LE(out.size(), size_t{4} << 20) << status;
    }
  }
}

}  // namespace
}  // namespace bellwether::record
