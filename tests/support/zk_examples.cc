#include "tests/support/zk_examples.h"

#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "base/check.h"

namespace bellwether::tests {

using namespace coord::zk::wire;

namespace {

const Buffer kNull;

Acl WorldMayAll() { return {{31, "world", "anyone"}}; }

std::vector<ZkRequestExample> Writes() {
  return {
      {"create",
       Bytes("00000001 00000001 00000002 '/a' 00000001 'x'"
             "00000001 0000001f 00000005 'world' 00000006 'anyone' 00000003"),
       {1, Opcode::kCreate, CreateRequest{"/a", "x", WorldMayAll(), 3}}},
      {"create_null",
       Bytes("00000002 00000001 00000002 '/a' ffffffff 00000000 00000000"),
       {2, Opcode::kCreate, CreateRequest{"/a", kNull, {}, 0}}},
      {"create2",
       Bytes("00000003 0000000f 00000002 '/b' 00000000"
             "00000002 00000001 00000004 'auth' 00000000 00000002 00000002 'ip' 00000003 '::1'"
             "00000001"),
       {3, Opcode::kCreate2,
        CreateRequest{"/b", "", {{1, "auth", ""}, {2, "ip", "::1"}}, 1}}},
      {"create_container",
       Bytes("00000004 00000013 00000002 '/c' ffffffff 00000000 00000004"),
       {4, Opcode::kCreateContainer, CreateRequest{"/c", kNull, {}, 4}}},
      {"create_ttl",
       Bytes("00000005 00000015 00000002 '/t' 00000001 'x' 00000000 00000005 00000000000003e8"),
       {5, Opcode::kCreateTtl, CreateRequest{"/t", "x", {}, 5, 1000}}},
      {"delete",
       Bytes("00000006 00000002 00000002 '/a' ffffffff"),
       {6, Opcode::kDelete, DeleteRequest{"/a", -1}}},
      {"set_data",
       Bytes("00000007 00000005 00000002 '/a' 00000002 '12' 00000004"),
       {7, Opcode::kSetData, SetDataRequest{"/a", "12", 4}}},
      {"set_data_empty",
       Bytes("00000008 00000005 00000002 '/a' 00000000 ffffffff"),
       {8, Opcode::kSetData, SetDataRequest{"/a", "", -1}}},
      {"set_data_null",
       Bytes("00000009 00000005 00000002 '/a' ffffffff ffffffff"),
       {9, Opcode::kSetData, SetDataRequest{"/a", kNull, -1}}},
      {"set_acl",
       Bytes("0000000a 00000007 00000002 '/a'"
             "00000001 0000001f 00000005 'world' 00000006 'anyone' 00000002"),
       {10, Opcode::kSetAcl, SetAclRequest{"/a", WorldMayAll(), 2}}},
      {"reconfig",
       Bytes("0000000b 00000010 ffffffff 00000001 '3' 00000000 ffffffffffffffff"),
       {11, Opcode::kReconfig, ReconfigRequest{kNull, "3", "", -1}}},
  };
}

MultiRequest Transaction() {
  return {{{Opcode::kCreate, CreateRequest{"/a", "x", WorldMayAll(), 2}},
           {Opcode::kCreateContainer, CreateRequest{"/c", kNull, {}, 4}},
           {Opcode::kCreateTtl, CreateRequest{"/t", "", {}, 6, 7}},
           {Opcode::kDelete, DeleteRequest{"/b", 1}},
           {Opcode::kSetData, SetDataRequest{"/s", kNull, -1}},
           {Opcode::kCheck, CheckVersionRequest{"/k", 5}}}};
}

std::vector<ZkRequestExample> Multis() {
  return {
      {"multi",
       Bytes("0000000c 0000000e"
             "00000001 00 ffffffff 00000002 '/a' 00000001 'x'"
             "00000001 0000001f 00000005 'world' 00000006 'anyone' 00000002"
             "00000013 00 ffffffff 00000002 '/c' ffffffff 00000000 00000004"
             "00000015 00 ffffffff 00000002 '/t' 00000000 00000000 00000006 0000000000000007"
             "00000002 00 ffffffff 00000002 '/b' 00000001"
             "00000005 00 ffffffff 00000002 '/s' ffffffff ffffffff"
             "0000000d 00 ffffffff 00000002 '/k' 00000005"
             "ffffffff 01 ffffffff"),
       {12, Opcode::kMulti, Transaction()}},
      {"multi_empty",
       Bytes("0000000d 0000000e ffffffff 01 ffffffff"),
       {13, Opcode::kMulti, MultiRequest{}}},
      {"multi_read",
       Bytes("0000000e 00000016"
             "00000004 00 ffffffff 00000002 '/a' 00"
             "00000008 00 ffffffff 00000001 '/' 00"
             "ffffffff 01 ffffffff"),
       {14, Opcode::kMultiRead,
        MultiRequest{{{Opcode::kGetData, ReadRequest{"/a"}},
                      {Opcode::kGetChildren, ReadRequest{"/"}}}}}},
  };
}

std::vector<ZkRequestExample> Reads() {
  return {
      {"exists",
       Bytes("0000000f 00000003 00000002 '/a' 01"),
       {15, Opcode::kExists, ReadRequest{"/a", true}}},
      {"get_data",
       Bytes("00000010 00000004 00000002 '/a' 00"),
       {16, Opcode::kGetData, ReadRequest{"/a", false}}},
      {"get_children",
       Bytes("00000011 00000008 00000001 '/' 01"),
       {17, Opcode::kGetChildren, ReadRequest{"/", true}}},
      {"get_children2",
       Bytes("00000012 0000000c 00000001 '/' 00"),
       {18, Opcode::kGetChildren2, ReadRequest{"/", false}}},
      {"get_acl",
       Bytes("00000013 00000006 00000002 '/a'"),
       {19, Opcode::kGetAcl, PathRequest{"/a"}}},
      {"get_ephemerals",
       Bytes("00000014 00000067 00000002 '/e'"),
       {20, Opcode::kGetEphemerals, GetEphemeralsRequest{"/e"}}},
      {"get_all_children_number",
       Bytes("00000015 00000068 00000002 '/a'"),
       {21, Opcode::kGetAllChildrenNumber, PathRequest{"/a"}}},
      {"who_am_i", Bytes("00000016 0000006b"), {22, Opcode::kWhoAmI, EmptyRequest{}}},
      {"sync",
       Bytes("00000017 00000009 00000002 '/a'"),
       {23, Opcode::kSync, SyncRequest{"/a"}}},
      {"sync_null",
       Bytes("00000018 00000009 ffffffff"),
       {24, Opcode::kSync, SyncRequest{kNull}}},
  };
}

std::vector<ZkRequestExample> WatchesAndSessions() {
  return {
      {"check_watches",
       Bytes("00000019 00000011 00000002 '/a' 00000002"),
       {25, Opcode::kCheckWatches, WatchesRequest{"/a", 2}}},
      {"remove_watches",
       Bytes("0000001a 00000012 00000002 '/a' 00000003"),
       {26, Opcode::kRemoveWatches, WatchesRequest{"/a", 3}}},
      {"add_watch",
       Bytes("0000001b 0000006a 00000002 '/a' 00000001"),
       {27, Opcode::kAddWatch, AddWatchRequest{"/a", 1}}},
      {"set_watches",
       Bytes("fffffff8 00000065 0000000100000002"
             "00000002 00000002 '/d' 00000002 '/f' 00000001 00000002 '/e' 00000000"),
       {-8, Opcode::kSetWatches,
        SetWatchesRequest{(int64_t{1} << 32) + 2, {"/d", "/f"}, {"/e"}, {}, {}, {}}}},
      {"set_watches2",
       Bytes("fffffff8 00000069 ffffffffffffffff 00000000 00000000"
             "00000001 00000002 '/c' 00000001 00000002 '/p' 00000001 00000001 '/'"),
       {-8, Opcode::kSetWatches2, SetWatchesRequest{-1, {}, {}, {"/c"}, {"/p"}, {"/"}}}},
      {"ping", Bytes("fffffffe 0000000b"), {-2, Opcode::kPing, EmptyRequest{}}},
      {"auth",
       Bytes("fffffffc 00000064 00000000 00000006 'digest' 00000003 'u:p'"),
       {-4, Opcode::kAuth, AuthRequest{0, "digest", "u:p"}}},
      {"sasl",
       Bytes("0000001c 00000066 00000003 00'ab'"),
       {28, Opcode::kSasl, SaslRequest{std::string_view("\0ab", 3)}}},
      {"close_session",
       Bytes("0000001d fffffff5"),
       {29, Opcode::kCloseSession, EmptyRequest{}}},
  };
}

std::string HexBytes(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != ' ') digits.push_back(c);
  }
  std::string bytes = absl::HexStringToBytes(digits);
  CHECK(2 * bytes.size() == digits.size());
  return bytes;
}

ZkReplyExample ReplyOf(std::string name, Opcode opcode, std::string_view body, ReplyBody reply) {
  return {std::move(name), Bytes("00000001 0000000200000003 00000000") + Bytes(body), opcode,
          Reply{{1, (int64_t{2} << 32) + 3, ZkError::kOk}, std::move(reply)}};
}

std::string WithStat(std::string_view text) { return std::string(text).append(kZkStatExample); }

std::vector<ZkReplyExample> MultiReplies() {
  const Stat stat = ZkStatExample();
  const std::string written = "00000001 00 00000000 00000002 '/a'"
                              "0000000f 00 00000000 00000002 '/c'" + WithStat("") +
                              "00000002 00 00000000"
                              "00000005 00 00000000" + WithStat("") +
                              "0000000d 00 00000000"
                              "ffffffff 01 ffffffff";
  const std::string read = "00000004 00 00000000 00000001 'x'" + WithStat("") +
                           "00000008 00 00000000 00000001 00000001 'c'"
                           "ffffffff 00 ffffff9b ffffff9b"
                           "ffffffff 01 ffffffff";
  return {
      ReplyOf("multi", Opcode::kMulti, written,
              MultiReply{{{Opcode::kCreate, PathReply{"/a"}},
                          {Opcode::kCreate2, CreateReply{"/c", stat}},
                          {Opcode::kDelete, EmptyReply{}},
                          {Opcode::kSetData, StatReply{stat}},
                          {Opcode::kCheck, EmptyReply{}}}}),
      ReplyOf("multi_failed", Opcode::kMulti,
              "ffffffff 00 00000000 00000000"
              "ffffffff 00 ffffff99 ffffff99"
              "ffffffff 00 fffffffe fffffffe"
              "ffffffff 01 ffffffff",
              MultiReply{{{Opcode::kError, ErrorReply{ZkError::kOk}},
                          {Opcode::kError, ErrorReply{ZkError::kBadVersion}},
                          {Opcode::kError, ErrorReply{ZkError::kRuntimeInconsistency}}}}),
      ReplyOf("multi_read", Opcode::kMultiRead, read,
              MultiReply{{{Opcode::kGetData, DataReply{"x", stat}},
                          {Opcode::kGetChildren, NamesReply{{"c"}}},
                          {Opcode::kError, ErrorReply{ZkError::kNoNode}}}}),
  };
}

}  // namespace

std::string Bytes(std::string_view text) {
  std::string bytes;
  bool quoted = false;
  while (true) {
    const size_t quote = text.find('\'');
    const std::string_view part = text.substr(0, quote);
    bytes += quoted ? std::string(part) : HexBytes(part);
    if (quote == std::string_view::npos) return bytes;
    text.remove_prefix(quote + 1);
    quoted = !quoted;
  }
}

Stat ZkStatExample() { return {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}; }

std::vector<ZkRequestExample> ZkRequestExamples() {
  std::vector<ZkRequestExample> all;
  for (const auto& part : {Writes(), Multis(), Reads(), WatchesAndSessions()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

std::vector<ZkReplyExample> ZkReplyExamples() {
  const Stat stat = ZkStatExample();
  std::vector<ZkReplyExample> all = {
      ReplyOf("create", Opcode::kCreate, "00000002 '/a'", PathReply{"/a"}),
      ReplyOf("create2", Opcode::kCreate2, WithStat("00000002 '/a'"), CreateReply{"/a", stat}),
      ReplyOf("create_container", Opcode::kCreateContainer, WithStat("00000002 '/c'"),
              CreateReply{"/c", stat}),
      ReplyOf("create_ttl", Opcode::kCreateTtl, WithStat("00000002 '/t'"),
              CreateReply{"/t", stat}),
      ReplyOf("delete", Opcode::kDelete, "", EmptyReply{}),
      ReplyOf("exists", Opcode::kExists, WithStat(""), StatReply{stat}),
      ReplyOf("get_data", Opcode::kGetData, WithStat("00000001 'x'"), DataReply{"x", stat}),
      ReplyOf("get_data_empty", Opcode::kGetData, WithStat("00000000"), DataReply{"", stat}),
      ReplyOf("get_data_null", Opcode::kGetData, WithStat("ffffffff"), DataReply{kNull, stat}),
      ReplyOf("set_data", Opcode::kSetData, WithStat(""), StatReply{stat}),
      ReplyOf("get_acl", Opcode::kGetAcl,
              WithStat("00000001 0000001f 00000005 'world' 00000006 'anyone'"),
              AclReply{WorldMayAll(), stat}),
      ReplyOf("set_acl", Opcode::kSetAcl, WithStat(""), StatReply{stat}),
      ReplyOf("get_children", Opcode::kGetChildren, "00000002 00000001 'a' 00000002 'bc'",
              NamesReply{{"a", "bc"}}),
      ReplyOf("get_children2", Opcode::kGetChildren2, WithStat("00000001 00000001 'a'"),
              NamesStatReply{{"a"}, stat}),
      ReplyOf("sync", Opcode::kSync, "00000002 '/a'", PathReply{"/a"}),
      ReplyOf("reconfig", Opcode::kReconfig, WithStat("00000001 'c'"), DataReply{"c", stat}),
      ReplyOf("remove_watches", Opcode::kRemoveWatches, "", EmptyReply{}),
      ReplyOf("sasl", Opcode::kSasl, "00000001 't'", TokenReply{"t"}),
      ReplyOf("get_ephemerals", Opcode::kGetEphemerals, "00000001 00000002 '/e'",
              NamesReply{{"/e"}}),
      ReplyOf("get_all_children_number", Opcode::kGetAllChildrenNumber, "00000007",
              CountReply{7}),
      ReplyOf("add_watch", Opcode::kAddWatch, "00000000", ErrorReply{}),
      ReplyOf("who_am_i", Opcode::kWhoAmI, "00000001 00000002 'ip' 00000003 '::1'",
              WhoAmIReply{{{"ip", "::1"}}}),
      {"no_node", Bytes("00000005 0000000000000009 ffffff9b"), Opcode::kGetData,
       Reply{{5, 9, ZkError::kNoNode}, EmptyReply{}}},
      {"ping", Bytes("fffffffe 0000000000000009 00000000"), Opcode::kPing,
       Reply{{-2, 9, ZkError::kOk}, EmptyReply{}}},
      {"event",
       Bytes("ffffffff 000000000000000c 00000000 00000003 00000003 00000002 '/a'"),
       Opcode::kNotification,
       Reply{{-1, 12, ZkError::kOk}, WatcherEvent{3, kSyncConnected, "/a"}}},
  };
  for (ZkReplyExample& multi : MultiReplies()) all.push_back(std::move(multi));
  return all;
}

}  // namespace bellwether::tests
