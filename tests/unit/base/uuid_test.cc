#include "base/uuid.h"

#include "gtest/gtest.h"

namespace bellwether::base {
namespace {

TEST(Uuid, TextAndBytesReadBack) {
  const Uuid id(0x0123456789abcdef, 0xfedcba9876543210);
  EXPECT_EQ(id.ToString(), "01234567-89ab-cdef-fedc-ba9876543210");
  EXPECT_EQ(Uuid::Parse(id.ToString()), id);
  EXPECT_EQ(Uuid::FromBytes(id.Bytes()), id);
}

TEST(Uuid, GeneratedOnesAreVersion4AndDiffer) {
  const Uuid id = Uuid::Generate();
  EXPECT_EQ(id.ToString()[14], '4');
  EXPECT_NE(std::string_view("89ab").find(id.ToString()[19]), std::string_view::npos);
  EXPECT_NE(id, Uuid::Generate());
}

TEST(Uuid, RefusesOtherText) {
  for (const char* text :
       {"", "01234567", "01234567-89ab-cdef-fedc-ba987654321", "01234567-89AB-cdef-fedc-ba9876543210",
        "01234567x89ab-cdef-fedc-ba9876543210", "0123456789ab-cdef-fedc-ba98-76543210",
        "g1234567-89ab-cdef-fedc-ba9876543210", "01234567-89ab-cdef-fedc-ba98765432100"}) {
    EXPECT_EQ(Uuid::Parse(text), std::nullopt) << text;
  }
}

TEST(Uuid, RefusesOtherLengths) {
  EXPECT_EQ(Uuid::FromBytes(std::string(15, 'x')), std::nullopt);
  EXPECT_EQ(Uuid::FromBytes(std::string(17, 'x')), std::nullopt);
}

TEST(Uuid, OnlyAllZeroIsNil) {
  EXPECT_TRUE(Uuid().IsNil());
  EXPECT_FALSE(Uuid(0, 1).IsNil());
  EXPECT_FALSE(Uuid::FromRandom(0, 0).IsNil());
}

}  // namespace
}  // namespace bellwether::base
