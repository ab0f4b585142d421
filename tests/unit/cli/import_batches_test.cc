#include "cli/import_batches.h"

#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bellwether::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

client::ImportedZnode Znode(std::string_view path, size_t bytes = 0) {
  client::ImportedZnode znode;
  znode.path = std::string(path);
  znode.data = std::string(bytes, 'x');
  return znode;
}

client::ImportedZnode Container(std::string_view path, size_t bytes = 0) {
  client::ImportedZnode znode = Znode(path, bytes);
  znode.mode = client::CreateMode::kContainer;
  return znode;
}

// The batches that are ready, as their paths.
std::vector<std::vector<std::string>> Taken(ImportBatches& batches) {
  std::vector<std::vector<std::string>> taken;
  while (batches.ready()) {
    std::vector<std::string>& paths = taken.emplace_back();
    for (const client::ImportedZnode& znode : batches.Take()) paths.push_back(znode.path);
  }
  return taken;
}

std::vector<std::vector<std::string>> TheRest(ImportBatches& batches) {
  batches.Finish();
  return Taken(batches);
}

TEST(ImportBatches, KeepTheOrder) {
  ImportBatches batches;
  batches.Add(Znode("/"), 2);
  batches.Add(Znode("/b"), 0);
  batches.Add(Znode("/a"), 0);
  EXPECT_THAT(Taken(batches), IsEmpty());
  EXPECT_THAT(TheRest(batches), ElementsAre(ElementsAre("/", "/b", "/a")));
  EXPECT_THAT(TheRest(batches), IsEmpty());
}

TEST(ImportBatches, AreOfBoundedSizeAndNumber) {
  ImportBatches batches;
  batches.Add(Znode("/a", ImportBatches::kBatchBytesMax / 2), 0);
  batches.Add(Znode("/b", ImportBatches::kBatchBytesMax / 2), 0);
  EXPECT_THAT(Taken(batches), ElementsAre(ElementsAre("/a")));
  batches.Add(Znode("/c", ImportBatches::kBatchBytesMax), 0);
  EXPECT_THAT(Taken(batches), ElementsAre(ElementsAre("/b"), ElementsAre("/c")));
  for (size_t i = 0; i < ImportBatches::kBatchZnodesMax; ++i) batches.Add(Znode("/n"), 0);
  EXPECT_EQ(Taken(batches).size(), 1u);
  for (size_t i = 1; i < ImportBatches::kBatchZnodesMax; ++i) batches.Add(Znode("/n"), 0);
  batches.Add(Container("/d"), 1);
  batches.Add(Znode("/d/e"), 0);
  EXPECT_EQ(Taken(batches).at(0).size(), ImportBatches::kBatchZnodesMax - 1);
}

// It would expire while it has no child.
TEST(ImportBatches, AContainerGoesWithItsFirstChild) {
  ImportBatches batches;
  batches.Add(Container("/c"), 2);
  batches.Add(Znode("/other", ImportBatches::kBatchBytesMax), 0);
  EXPECT_THAT(Taken(batches), ElementsAre(ElementsAre("/other")));
  batches.Add(Znode("/fill", ImportBatches::kBatchBytesMax - 200), 0);
  batches.Add(Znode("/c/a", 300), 0);
  EXPECT_THAT(Taken(batches), ElementsAre(ElementsAre("/fill")));
  batches.Add(Znode("/c/b"), 0);
  EXPECT_THAT(TheRest(batches), ElementsAre(ElementsAre("/c", "/c/a", "/c/b")));
}

TEST(ImportBatches, ContainersInsideOfOthersGoTogether) {
  ImportBatches batches;
  batches.Add(Container("/c"), 1);
  batches.Add(Container("/c/d"), 1);
  batches.Add(Container("/c/d/e"), 1);
  batches.Add(Znode("/c/d/e/f"), 0);
  EXPECT_THAT(TheRest(batches), ElementsAre(ElementsAre("/c", "/c/d", "/c/d/e", "/c/d/e/f")));
}

TEST(ImportBatches, AChildlessContainerWaitsForNothing) {
  ImportBatches batches;
  batches.Add(Container("/c"), 0);
  batches.Add(Container("/d"), 2);
  batches.Add(Container("/d/e"), 1);
  batches.Skip("/d/e/ephemeral");  // so that /d has a child
  batches.Skip("/d/other");
  EXPECT_THAT(TheRest(batches), ElementsAre(ElementsAre("/c", "/d", "/d/e")));
}

TEST(ImportBatches, AContainerOfWhichNoChildComesGoesWithoutOne) {
  ImportBatches batches;
  batches.Add(Container("/c"), 2);
  batches.Skip("/c/a");
  batches.Add(Znode("/x"), 0);
  batches.Skip("/c/b");
  batches.Add(Znode("/y"), 0);
  batches.Add(Container("/unfinished"), 1);
  batches.Add(Container("/unfinished/inner"), 1);
  EXPECT_THAT(TheRest(batches),
              ElementsAre(ElementsAre("/x", "/c", "/y", "/unfinished", "/unfinished/inner")));
}

TEST(ImportBatches, WhatNoRequestCouldCarryGoesApart) {
  ImportBatches batches;
  batches.Add(Container("/c", 1 << 20), 1);
  batches.Add(Container("/c/d", 1 << 20), 1);
  batches.Add(Container("/c/d/e", 1 << 20), 1);
  batches.Add(Znode("/c/d/e/f", 1 << 20), 0);
  EXPECT_THAT(TheRest(batches), ElementsAre(ElementsAre("/c", "/c/d"),
                                            ElementsAre("/c/d/e", "/c/d/e/f")));
}

}  // namespace
}  // namespace bellwether::cli
