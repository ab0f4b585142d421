#include "base/record/record_batch.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/random.h"
#include "base/status.h"
#include "gtest/gtest.h"

namespace bellwether::record {
namespace {

// A record that owns its bytes.
struct OwnedRecord {
  int64_t timestamp_ms = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;

  friend bool operator==(const OwnedRecord&, const OwnedRecord&) = default;
};

std::optional<std::string_view> View(const std::optional<std::string>& text) {
  return text ? std::optional<std::string_view>(*text) : std::nullopt;
}

std::optional<std::string> Copy(const std::optional<std::string_view>& text) {
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

absl::Status Append(BatchBuilder& builder, const OwnedRecord& owned) {
  std::vector<Header> headers;
  for (const auto& [key, value] : owned.headers) headers.push_back({key, View(value)});
  return builder.Append({.timestamp_ms = owned.timestamp_ms,
                         .key = View(owned.key),
                         .value = View(owned.value),
                         .headers = headers});
}

std::string Build(const std::vector<OwnedRecord>& records,
                  Compression compression = Compression::kNone) {
  BatchBuilder builder({.compression = compression});
  for (const OwnedRecord& record : records) EXPECT_TRUE(Append(builder, record).ok());
  return *builder.Finish();
}

// Reads to the end; offsets are checked to count up from the base offset.
absl::StatusOr<std::vector<OwnedRecord>> ReadAll(std::string_view batch) {
  ASSIGN_OR_RETURN(RecordReader reader, RecordReader::Open(batch));
  std::vector<OwnedRecord> records;
  Record record;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, reader.Next(record));
    if (!more) return records;
    EXPECT_EQ(record.offset, reader.header().base_offset + static_cast<int64_t>(records.size()));
    OwnedRecord& owned = records.emplace_back();
    owned = {record.timestamp_ms, Copy(record.key), Copy(record.value), {}};
    for (const Header& header : record.headers) {
      owned.headers.emplace_back(std::string(header.key), Copy(header.value));
    }
  }
}

// Makes the CRC of a changed batch right again.
void FixCrc(std::string& batch) {
  std::string crc;
  base::Encoder(crc).Fixed32(base::Crc32c(std::string_view(batch).substr(21)));
  batch.replace(17, 4, crc);
}

std::vector<OwnedRecord> RandomRecords(base::Random& random) {
  std::vector<OwnedRecord> records(1 + random.Below(20));
  const auto bytes = [&]() -> std::optional<std::string> {
    if (random.Chance(0.2)) return std::nullopt;
    return std::string(random.Below(200), static_cast<char>('a' + random.Below(26)));
  };
  for (OwnedRecord& record : records) {
    record.timestamp_ms = random.Chance(0.1) ? kNoTimestamp : random.Between(0, 1LL << 41);
    record.key = bytes();
    record.value = bytes();
    for (uint64_t i = random.Below(3); i > 0; --i) record.headers.emplace_back("name", bytes());
  }
  return records;
}

const std::vector<OwnedRecord> kTwoRecords = {
    {1700000000000, "key", "value", {{"h", "1"}, {"n", std::nullopt}}},
    {1699999999995, std::nullopt, std::nullopt, {}}};

// Made by an independent encoder from the format's description.
constexpr char kTwoRecordsHex[] =
    "00000000000000000000004effffffff02ff95cf1f0000000000010000018bcfe568000000018bcfe56800"
    "ffffffffffffffffffffffffffff000000022a000000066b65790a76616c75650402680231026e01"
    "0c000902010100";

TEST(BatchBuilder, WritesKafkasBytes) {
  EXPECT_EQ(absl::BytesToHexString(Build(kTwoRecords)), kTwoRecordsHex);
}

TEST(BatchBuilder, PredictsItsSizeAndStartsAnew) {
  BatchBuilder builder({});
  EXPECT_TRUE(builder.empty());
  ASSERT_TRUE(Append(builder, kTwoRecords[0]).ok());
  ASSERT_TRUE(Append(builder, kTwoRecords[1]).ok());
  EXPECT_EQ(builder.count(), 2);
  const size_t predicted = builder.size_bytes();
  EXPECT_EQ(builder.Finish()->size(), predicted);
  EXPECT_TRUE(builder.empty());
  ASSERT_TRUE(Append(builder, kTwoRecords[0]).ok());
  EXPECT_EQ(*ReadAll(*builder.Finish()), std::vector<OwnedRecord>{kTwoRecords[0]});
}

TEST(BatchBuilder, TellsAFullBatchFromARecordThatNeverFits) {
  BatchBuilder builder({.bytes_max = 1000});
  const OwnedRecord half = {1, std::nullopt, std::string(500, 'x'), {}};
  const OwnedRecord huge = {1, std::nullopt, std::string(1000, 'x'), {}};
  EXPECT_EQ(Append(builder, huge).code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(Append(builder, half).ok());
  const size_t size_before = builder.size_bytes();
  EXPECT_EQ(Append(builder, half).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Append(builder, huge).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(builder.size_bytes(), size_before);
  EXPECT_LE(builder.Finish()->size(), 1000u);
  EXPECT_TRUE(Append(builder, half).ok());
}

TEST(BatchBuilder, RefusesNegativeTimestamps) {
  BatchBuilder builder({});
  EXPECT_EQ(Append(builder, {-2, "k", "v", {}}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Append(builder, {kNoTimestamp, "k", "v", {}}).ok());
}

TEST(BatchBuilder, LeavesRecordsThatDontShrinkUncompressed) {
  base::Random random(1);
  std::string noise;
  for (int i = 0; i < 1000; ++i) noise.push_back(static_cast<char>(random.Next()));
  const std::string batch = Build({{1, std::nullopt, noise, {}}}, Compression::kZstd);
  EXPECT_EQ(ParseBatchHeader(batch)->compression(), Compression::kNone);
  EXPECT_EQ(*(*ReadAll(batch))[0].value, noise);
}

TEST(RecordReader, ReadsBackWhatWasBuiltWithEveryCodec) {
  base::Random random(42);
  for (int i = 0; i < 300; ++i) {
    const std::vector<OwnedRecord> records = RandomRecords(random);
    for (const Compression compression :
         {Compression::kNone, Compression::kLz4, Compression::kZstd}) {
      const std::string batch = Build(records, compression);
      const auto header = ValidateBatch(batch);
      ASSERT_TRUE(header.ok()) << header.status();
      EXPECT_EQ(header->record_count, static_cast<int32_t>(records.size()));
      EXPECT_TRUE(ValidateRecords(batch).ok());
      const auto read = ReadAll(batch);
      ASSERT_TRUE(read.ok()) << read.status();
      EXPECT_EQ(*read, records);
    }
  }
}

TEST(RecordReader, BoundsDecompression) {
  const std::string batch =
      Build({{1, std::nullopt, std::string(900000, 'x'), {}}}, Compression::kZstd);
  EXPECT_EQ(RecordReader::Open(batch, {.bytes_max = 100000}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ValidateBatch, AcceptsPatchedBatches) {
  std::string batch = Build(kTwoRecords);
  PatchBatch(batch, 123456789012345, 7);
  const auto header = ValidateBatch(batch);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->base_offset, 123456789012345);
  EXPECT_EQ(header->last_offset(), 123456789012346);
  EXPECT_EQ(header->leader_epoch, 7);
}

TEST(ValidateBatch, FindsEveryFlippedBitOutsideThePatchedFields) {
  const std::string batch = Build(kTwoRecords, Compression::kNone);
  for (size_t bit = 0; bit < batch.size() * 8; ++bit) {
    std::string damaged = batch;
    damaged[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    const size_t byte = bit / 8;
    const bool is_patched_field = byte < 8 || (byte >= 12 && byte < 16);
    EXPECT_EQ(ValidateBatch(damaged).ok(), is_patched_field) << "bit " << bit;
  }
}

TEST(ValidateBatch, FindsEveryCut) {
  const std::string batch = Build(kTwoRecords);
  for (size_t bytes = 0; bytes < batch.size(); ++bytes) {
    EXPECT_EQ(ValidateBatch(std::string_view(batch).substr(0, bytes)).status().code(),
              absl::StatusCode::kDataLoss);
  }
  EXPECT_EQ(ValidateBatch(batch + "x").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ValidateBatch, BoundsTheBytes) {
  const std::string batch = Build(kTwoRecords);
  EXPECT_TRUE(ValidateBatch(batch, batch.size()).ok());
  EXPECT_EQ(ValidateBatch(batch, batch.size() - 1).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ValidateBatch, RefusesWhatIsIntactButNotAcceptable) {
  const auto with = [](size_t at, std::string_view bytes) {
    std::string batch = Build(kTwoRecords);
    batch.replace(at, bytes.size(), bytes);
    FixCrc(batch);
    return ValidateBatch(batch).status().code();
  };
  using std::string_view_literals::operator""sv;
  EXPECT_EQ(with(16, "\x01"sv), absl::StatusCode::kInvalidArgument);              // old format
  EXPECT_EQ(with(21, "\x00\x01"sv), absl::StatusCode::kInvalidArgument);          // gzip
  EXPECT_EQ(with(21, "\x00\x02"sv), absl::StatusCode::kInvalidArgument);          // snappy
  EXPECT_EQ(with(21, "\x80\x00"sv), absl::StatusCode::kInvalidArgument);          // unknown bit
  EXPECT_EQ(with(23, "\x00\x00\x00\x02"sv), absl::StatusCode::kInvalidArgument);  // last delta
  EXPECT_EQ(with(57, "\x00\x00\x00\x00"sv), absl::StatusCode::kInvalidArgument);  // no record
  EXPECT_EQ(with(57, "\xff\xff\xff\xff"sv), absl::StatusCode::kInvalidArgument);  // count -1
  EXPECT_EQ(with(35, "\xff\xff\xff\xff\x00\x00\x00\x00"sv), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(with(8, "\x00\x00\x00\x01"sv), absl::StatusCode::kInvalidArgument);  // length
}

TEST(ValidateRecords, FindsACountBeyondTheRecords) {
  std::string batch = Build(kTwoRecords);
  batch[26] = 2;  // last offset delta
  batch[60] = 3;  // record count
  FixCrc(batch);
  ASSERT_TRUE(ValidateBatch(batch).ok());
  EXPECT_EQ(ValidateRecords(batch).code(), absl::StatusCode::kDataLoss);
}

TEST(ValidateRecords, FindsRecordsBeyondTheCount) {
  std::string batch = Build(kTwoRecords);
  batch[26] = 0;
  batch[60] = 1;
  FixCrc(batch);
  ASSERT_TRUE(ValidateBatch(batch).ok());
  EXPECT_EQ(ValidateRecords(batch).code(), absl::StatusCode::kDataLoss);
}

TEST(ValidateRecords, FindsATimestampAboveTheMaximum) {
  std::string batch = Build(kTwoRecords);
  batch.replace(35, 8, std::string(8, '\0'));
  FixCrc(batch);
  EXPECT_EQ(ValidateRecords(batch).code(), absl::StatusCode::kInvalidArgument);
}

TEST(ValidateRecords, SurvivesRandomRecords) {
  base::Random random(3);
  for (int i = 0; i < 20000; ++i) {
    std::string batch = Build(kTwoRecords);
    for (uint64_t changes = 1 + random.Below(4); changes > 0; --changes) {
      const size_t at = kBatchHeaderBytes + random.Below(batch.size() - kBatchHeaderBytes);
      batch[at] = static_cast<char>(random.Next());
    }
    FixCrc(batch);
    const absl::Status status = ValidateRecords(batch);
    EXPECT_TRUE(status.ok() || absl::IsDataLoss(status) || absl::IsInvalidArgument(status));
  }
}

TEST(TakeBatch, SplitsARow) {
  const std::string first = Build({kTwoRecords[0]});
  const std::string second = Build({kTwoRecords[1]});
  const std::string row = first + second;
  std::string_view rest = row;
  EXPECT_EQ(*TakeBatch(rest), first);
  EXPECT_EQ(*TakeBatch(rest), second);
  EXPECT_TRUE(rest.empty());
  rest = std::string_view(row).substr(0, row.size() - 1);
  ASSERT_TRUE(TakeBatch(rest).ok());
  EXPECT_EQ(TakeBatch(rest).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace bellwether::record
