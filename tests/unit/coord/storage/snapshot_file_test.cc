#include "coord/storage/snapshot_file.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/scratch_folder.h"

namespace bellwether::coord {
namespace {

using raft::LogIndex;
using raft::Member;
using raft::Membership;
using raft::ServerId;
using raft::SnapshotMeta;
using raft::Term;
using ::testing::HasSubstr;

// A file of a test, in memory.
class StringFile : public base::File {
 public:
  explicit StringFile(std::string& content) : content_(content) {}
  absl::Status Append(std::string_view bytes) override {
    content_.append(bytes);
    return absl::OkStatus();
  }
  absl::Status ReadAt(uint64_t offset, size_t bytes_max, std::string& out) override {
    out = content_.substr(std::min<size_t>(offset, content_.size()), bytes_max);
    return absl::OkStatus();
  }
  absl::StatusOr<uint64_t> Size() override { return content_.size(); }
  absl::Status Truncate(uint64_t) override { return absl::OkStatus(); }
  absl::Status Sync() override { return absl::OkStatus(); }
  const std::string& path() const override { return path_; }

 private:
  std::string& content_;
  const std::string path_ = "FILE";
};

SnapshotMeta Meta() {
  return {LogIndex(70), Term(4), Membership{{{ServerId(1), "a:1", true}}, {}}};
}

std::string Write(const std::vector<std::string>& records) {
  std::string content;
  StringFile file(content);
  SnapshotFileWriter writer(file);
  EXPECT_TRUE(writer.WriteHeader(Meta()).ok());
  for (const std::string& record : records) EXPECT_TRUE(writer.Append(record).ok());
  EXPECT_TRUE(writer.WriteEnd().ok());
  EXPECT_EQ(writer.file_bytes(), content.size());
  return content;
}

absl::StatusOr<std::vector<std::string>> Read(std::string content) {
  ASSIGN_OR_RETURN(const auto reader,
                   SnapshotFileReader::Open(std::make_unique<StringFile>(content)));
  EXPECT_EQ(reader->meta(), Meta());
  std::vector<std::string> records;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<std::string_view> record, reader->Next());
    if (!record.has_value()) return records;
    records.emplace_back(*record);
  }
}

// A file of pieces made by hand, each with the sum it should have.
class Pieces {
 public:
  Pieces& Add(std::string_view piece) {
    content_.append(piece);
    sum_ = base::Crc32c(piece, sum_);
    base::Encoder(content_).Fixed32(sum_);
    return *this;
  }
  Pieces& Header() {
    const std::string whole = Write({});
    return Add(std::string_view(whole).substr(0, whole.size() - 17 - 4 - 4));
  }
  Pieces& Chunk(uint32_t records, uint32_t raw_bytes, uint32_t packed_bytes) {
    std::string chunk;
    base::Encoder(chunk).Fixed8(1).Fixed32(records).Fixed32(raw_bytes).Fixed32(packed_bytes).Raw(
        std::string(std::min<uint32_t>(packed_bytes, 100), 'x'));
    return Add(chunk);
  }
  Pieces& End(uint64_t chunks, uint64_t records) {
    std::string end;
    base::Encoder(end).Fixed8(2).Fixed64(chunks).Fixed64(records);
    return Add(end);
  }
  std::string content() const { return content_; }

 private:
  std::string content_;
  uint32_t sum_ = 0;
};

void ExpectDamaged(const std::string& content, const std::string& why) {
  const auto records = Read(content);
  ASSERT_TRUE(absl::IsDataLoss(records.status())) << records.status();
  EXPECT_THAT(std::string(records.status().message()), HasSubstr(why));
  EXPECT_THAT(std::string(records.status().message()), HasSubstr("'FILE'"));
}

TEST(SnapshotFile, GivesBackWhatWasWritten) {
  std::vector<std::string> records = {"one", "", std::string(kSnapshotRecordBytesMax, 'b'), "x"};
  for (int i = 0; i < 5000; ++i) records.push_back(std::string(i % 700, 'a' + i % 26));
  const std::string content = Write(records);
  EXPECT_EQ(*Read(content), records);
  EXPECT_LT(content.size(), 1u << 20) << "it is not packed";
}

TEST(SnapshotFile, HoldsNoRecordsAtAll) { EXPECT_TRUE(Read(Write({}))->empty()); }

TEST(SnapshotFile, RefusesARecordThatIsTooLong) {
  std::string content;
  StringFile file(content);
  SnapshotFileWriter writer(file);
  EXPECT_TRUE(
      absl::IsInvalidArgument(writer.Append(std::string(kSnapshotRecordBytesMax + 1, 'x'))));
}

TEST(SnapshotFile, EveryChangedBitIsFound) {
  const std::string content = Write({"some", "records", "of a state"});
  for (size_t bit = 0; bit < content.size() * 8; ++bit) {
    std::string changed = content;
    changed[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_FALSE(Read(changed).ok()) << "bit " << bit;
  }
}

TEST(SnapshotFile, EveryCutIsFound) {
  const std::string content = Write({"some", "records", "of a state"});
  for (size_t bytes = 0; bytes < content.size(); ++bytes) {
    EXPECT_TRUE(absl::IsDataLoss(Read(content.substr(0, bytes)).status())) << bytes << " bytes";
  }
}

TEST(SnapshotFile, ChunksLeftOutRepeatedOrSwappedAreFound) {
  const std::string a = Write({"a"});
  const std::string header = Pieces().Header().content();
  const size_t end_bytes = 17 + 4;
  const std::string chunk = a.substr(header.size(), a.size() - header.size() - end_bytes);
  const std::string end = a.substr(a.size() - end_bytes);
  ASSERT_EQ(header + chunk + end, a);
  ExpectDamaged(header + end, "checksum");
  ExpectDamaged(header + chunk + chunk + end, "checksum");
  ExpectDamaged(a + "x", "something follows its end");
}

TEST(SnapshotFile, DeclaredLengthsAreBoundedBeforeAllocating) {
  ExpectDamaged(Pieces().Header().Chunk(1, 1 << 30, 10).content(), "too long");
  ExpectDamaged(Pieces().Header().Chunk(1, 10, 1 << 30).content(), "too long");
  ExpectDamaged(Pieces().Header().Chunk(1, 10, 8 << 20).content(), "cut short");
}

TEST(SnapshotFile, NonsenseWithRightSumsIsFound) {
  ExpectDamaged(Pieces().Header().Chunk(1, 10, 10).End(1, 1).content(), "can't be unpacked");
  ExpectDamaged(Pieces().Header().End(1, 0).content(), "other counts");
  ExpectDamaged(Pieces().Header().End(0, 1).content(), "other counts");
  ExpectDamaged(Pieces().Header().Add(std::string(13, '\7')).content(), "unknown piece");
  ExpectDamaged("something else entirely", "no snapshot file");
}

TEST(SnapshotFile, LaterFormatIsNotDamage) {
  std::string content = Write({"a"});
  content[8] = 2;
  const auto records = Read(content);
  ASSERT_TRUE(absl::IsUnimplemented(records.status())) << records.status();
  EXPECT_THAT(std::string(records.status().message()), HasSubstr("format 2"));
}

TEST(SnapshotFile, SumsAreCheckedWithoutUnpacking) {
  std::string content = Write({"some", "records"});
  auto reader = SnapshotFileReader::Open(std::make_unique<StringFile>(content));
  ASSERT_TRUE(reader.ok());
  EXPECT_TRUE(*(*reader)->SkipPiece());
  EXPECT_EQ((*reader)->whole_bytes(), content.size() - 17 - 4);
  EXPECT_FALSE(*(*reader)->SkipPiece());
  EXPECT_EQ((*reader)->whole_bytes(), content.size());
}

TEST(SnapshotFile, VerifyNamesAFileThatIsNotThere) {
  const ScratchFolder folder;
  const auto info = VerifySnapshotFile(folder / "none");
  ASSERT_TRUE(absl::IsNotFound(info.status()));
  EXPECT_THAT(std::string(info.status().message()), HasSubstr(folder / "none"));
}

}  // namespace
}  // namespace bellwether::coord
