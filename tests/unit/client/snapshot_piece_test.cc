#include "base/crc32c.h"
#include "client/wire.h"
#include "gtest/gtest.h"

namespace bellwether::client {
namespace {

coord::v1::SaveSnapshotResponse PieceOf(const std::string& data) {
  coord::v1::SaveSnapshotResponse response;
  response.set_index(90);
  response.set_term(5);
  response.set_file_bytes(1000);
  response.set_data(data);
  response.set_crc32c(base::Crc32c(data));
  return response;
}

TEST(SnapshotPiece, IsWhatTheServerSaid) {
  const auto piece = SnapshotPieceOf(PieceOf("bytes"));
  ASSERT_TRUE(piece.ok()) << piece.status();
  EXPECT_EQ(piece->index, 90u);
  EXPECT_EQ(piece->term, 5u);
  EXPECT_EQ(piece->file_bytes, 1000u);
  EXPECT_EQ(piece->bytes, "bytes");
}

TEST(SnapshotPiece, MayBeTheEndOfTheFile) {
  const auto piece = SnapshotPieceOf(PieceOf(""));
  ASSERT_TRUE(piece.ok()) << piece.status();
  EXPECT_TRUE(piece->bytes.empty());
}

TEST(SnapshotPiece, DamageOnItsWayIsFound) {
  coord::v1::SaveSnapshotResponse response = PieceOf("bytes");
  response.set_data("bites");
  EXPECT_TRUE(absl::IsDataLoss(SnapshotPieceOf(response).status()));
}

}  // namespace
}  // namespace bellwether::client
