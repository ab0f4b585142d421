#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "coord/zk/wire/records.h"
#include "gtest/gtest.h"
#include "tests/support/allocated_bytes.h"
#include "tests/support/zk_examples.h"

namespace bellwether::coord::zk::wire {
namespace {

using tests::Bytes;

constexpr size_t kHeaderBytes = 8;

std::string Encoded(const Request& request) {
  std::string bytes;
  EncodeRequest(request, bytes);
  return bytes;
}

ZkError OutcomeOf(std::string_view bytes) {
  Request request;
  return DecodeRequest(bytes, request);
}

// The bytes of a transaction with one operation.
std::string MultiOf(std::string_view opcode, std::string_view operation) {
  return Bytes("00000001") + Bytes(opcode) + Bytes(operation) + Bytes("ffffffff 01 ffffffff");
}

TEST(Request, IsOfThePublishedFormat) {
  for (const auto& [name, bytes, request] : tests::ZkRequestExamples()) {
    EXPECT_EQ(Encoded(request), bytes) << name;
    Request decoded;
    EXPECT_EQ(DecodeRequest(bytes, decoded), ZkError::kOk) << name;
    EXPECT_EQ(decoded, request) << name;
    EXPECT_EQ(DecodeRequestHeader(bytes),
              (RequestHeader{request.xid, static_cast<int32_t>(request.opcode)}))
        << name;
  }
}

TEST(Request, ThereIsAnExampleOfEveryOpcode) {
  std::set<int32_t> shown;
  for (const auto& example : tests::ZkRequestExamples()) {
    shown.insert(static_cast<int32_t>(example.request.opcode));
  }
  for (int32_t opcode = -20; opcode <= 120; ++opcode) {
    EXPECT_EQ(shown.contains(opcode), IsRequestable(opcode)) << opcode;
  }
}

TEST(Request, EveryTruncationIsAMarshallingError) {
  for (const auto& example : tests::ZkRequestExamples()) {
    for (size_t bytes = 0; bytes < example.bytes.size(); ++bytes) {
      const std::string cut = example.bytes.substr(0, bytes);
      if (bytes < kHeaderBytes) {
        EXPECT_EQ(DecodeRequestHeader(cut), std::nullopt) << example.name << " cut at " << bytes;
      } else {
        EXPECT_EQ(OutcomeOf(cut), ZkError::kMarshallingError)
            << example.name << " cut at " << bytes;
      }
    }
  }
}

TEST(Request, BytesBehindTheBodyAreIgnored) {
  for (const auto& [name, bytes, request] : tests::ZkRequestExamples()) {
    const std::string longer = bytes + Bytes("ffffffff 'behind'");
    Request decoded;
    EXPECT_EQ(DecodeRequest(longer, decoded), ZkError::kOk) << name;
    EXPECT_EQ(decoded, request) << name;
  }
}

// Z47.
TEST(Request, UnknownOpcodesAreUnimplementedWhateverFollows) {
  for (const char* opcode : {"00000000", "ffffffff", "0000000a", "0000000d", "00000014", "00000017",
                             "000001f4", "fffffff6", "80000000"}) {
    const std::string bytes = Bytes("00000009") + Bytes(opcode) + Bytes("7fffffff");
    Request request;
    EXPECT_EQ(DecodeRequest(bytes, request), ZkError::kUnimplemented) << opcode;
    EXPECT_EQ(request.xid, 9);
  }
}

// Z21.
TEST(Request, NullAndEmptyDataDiffer) {
  for (const char* length : {"ffffffff", "00000000"}) {
    const std::string bytes =
        Bytes("00000001 00000005 00000002 '/a'") + Bytes(length) + Bytes("ffffffff");
    Request request;
    ASSERT_EQ(DecodeRequest(bytes, request), ZkError::kOk);
    EXPECT_EQ(std::get<SetDataRequest>(request.body).data.has_value(),
              std::string_view(length) == "00000000");
    EXPECT_EQ(Encoded(request), bytes);
  }
}

// Where ZooKeeper calls a method of the path it fails with -5; elsewhere it finds the path wrong.
TEST(Request, ANullPathIsAMarshallingErrorWhereItIsZooKeepers) {
  for (const char* opcode : {"00000001", "00000002", "00000003", "00000004", "00000006", "00000008",
                             "0000000c", "0000000f", "00000013", "00000015", "00000068"}) {
    const std::string bytes =
        Bytes("00000001") + Bytes(opcode) + Bytes("ffffffff") + std::string(20, '\0');
    EXPECT_EQ(OutcomeOf(bytes), ZkError::kMarshallingError) << opcode;
  }
  for (const char* opcode : {"00000005", "00000007", "00000009", "00000011", "00000012", "00000067",
                             "0000006a"}) {
    const std::string bytes =
        Bytes("00000001") + Bytes(opcode) + Bytes("ffffffff") + std::string(20, '\0');
    EXPECT_EQ(OutcomeOf(bytes), ZkError::kOk) << opcode;
  }
}

// Z49, Z60: a missing list and missing texts in it are empty ones.
TEST(Request, AnAbsentAclIsEmpty) {
  const std::string absent = Bytes("00000001 00000007 00000002 '/a' ffffffff 00000000");
  const std::string nulls = Bytes("00000001 00000007 00000002 '/a' 00000001 00000001 ffffffff"
                                  "ffffffff 00000000");
  Request request;
  ASSERT_EQ(DecodeRequest(absent, request), ZkError::kOk);
  EXPECT_EQ(std::get<SetAclRequest>(request.body).acl, Acl{});
  ASSERT_EQ(DecodeRequest(nulls, request), ZkError::kOk);
  EXPECT_EQ(std::get<SetAclRequest>(request.body).acl, (Acl{{1, "", ""}}));
}

// Z23: a create in a transaction is what its flags say; so the result of a create2 has no Stat.
TEST(Request, ACreateInAMultiHasTheOpcodeOfItsFlags) {
  const struct {
    const char* opcode;
    const char* flags;
    Opcode meant;
  } cases[] = {{"0000000f", "00000003", Opcode::kCreate},
               {"00000013", "00000000", Opcode::kCreate},
               {"00000001", "00000004", Opcode::kCreateContainer},
               {"00000001", "00000007", Opcode::kCreate}};
  for (const auto& [opcode, flags, meant] : cases) {
    const std::string bytes = MultiOf(
        "0000000e", std::string(opcode) + "00 ffffffff 00000002 '/a' ffffffff 00000000" + flags);
    Request request;
    ASSERT_EQ(DecodeRequest(bytes, request), ZkError::kOk);
    EXPECT_EQ(std::get<MultiRequest>(request.body).operations.at(0).opcode, meant);
  }
}

TEST(Request, ATtlOfAMultiCountsOnlyWithItsFlags) {
  const std::string create = "00 ffffffff 00000002 '/a' ffffffff 00000000";
  EXPECT_EQ(OutcomeOf(MultiOf("0000000e", "00000001" + create + "00000005")),
            ZkError::kMarshallingError);
  const std::string bytes =
      MultiOf("0000000e", "00000015" + create + "00000002 0000000000000007");
  Request request;
  ASSERT_EQ(DecodeRequest(bytes, request), ZkError::kOk);
  const MultiOperation& operation = std::get<MultiRequest>(request.body).operations.at(0);
  EXPECT_EQ(operation.opcode, Opcode::kCreate);
  EXPECT_EQ(std::get<CreateRequest>(operation.body).ttl_ms, 0);
}

TEST(Request, AReadInAMultiReadSetsNoWatch) {
  const std::string bytes = MultiOf("00000016", "00000004 00 ffffffff 00000002 '/a' 01");
  Request request;
  ASSERT_EQ(DecodeRequest(bytes, request), ZkError::kOk);
  const MultiOperation& operation = std::get<MultiRequest>(request.body).operations.at(0);
  EXPECT_EQ(std::get<ReadRequest>(operation.body), (ReadRequest{"/a", false}));
}

// Z23, Z24.
TEST(Request, AMultiTakesNoOtherOperations) {
  const std::string path = "00 ffffffff 00000002 '/a' 00000000 00000000";
  for (const char* opcode : {"00000000", "00000003", "00000004", "00000007", "00000008", "00000009",
                             "0000000e", "00000014", "ffffffff", "7fffffff"}) {
    EXPECT_EQ(OutcomeOf(MultiOf("0000000e", opcode + path)), ZkError::kMarshallingError) << opcode;
  }
  for (const char* opcode : {"00000001", "00000002", "00000003", "00000005", "0000000c", "0000000d",
                             "00000016"}) {
    EXPECT_EQ(OutcomeOf(MultiOf("00000016", opcode + path)), ZkError::kMarshallingError) << opcode;
  }
}

TEST(Request, AHostileCountTakesNoMemory) {
  const std::string filling(200, '\0');
  for (const char* begin : {
           "00000001 00000001 00000002 '/a' 00000000 7fffffff",         // entries of an ACL
           "00000001 00000001 00000002 '/a' 7fffffff",                  // bytes of data
           "00000001 00000007 00000002 '/a' 0fffffff",                  // entries of an ACL
           "00000001 00000004 7fffffff",                                // bytes of a path
           "fffffff8 00000065 0000000000000000 7fffffff",               // watches
           "fffffff8 00000069 0000000000000000 00000000 00000000 00000000 00000000 7fffffff",
           "fffffffc 00000064 00000000 7fffffff",                       // bytes of a scheme
           "00000001 0000000e 00000001 00 ffffffff 00000000 00000000 7fffffff"}) {
    const std::string bytes = Bytes(begin) + filling;
    const uint64_t before = tests::AllocatedBytes();
    EXPECT_EQ(OutcomeOf(bytes), ZkError::kMarshallingError) << begin;
    EXPECT_LT(tests::AllocatedBytes() - before, 32 * bytes.size()) << begin;
  }
}

TEST(Request, AMultiIsBoundedByItsBytes) {
  constexpr size_t kOperations = 66'000;  // a vector of a little more than 2^16 is the worst
  std::string bytes = Bytes("00000001 00000016");
  const std::string smallest = Bytes("00000004 00 ffffffff 00000000 00");
  for (size_t i = 0; i < kOperations; ++i) bytes += smallest;
  bytes += Bytes("ffffffff 01 ffffffff");
  const uint64_t before = tests::AllocatedBytes();
  Request request;
  EXPECT_EQ(DecodeRequest(bytes, request), ZkError::kOk);
  EXPECT_LT(tests::AllocatedBytes() - before, 32 * bytes.size());
  EXPECT_EQ(std::get<MultiRequest>(request.body).operations.size(), kOperations);
}

}  // namespace
}  // namespace bellwether::coord::zk::wire
