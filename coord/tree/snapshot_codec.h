#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/coding.h"
#include "base/uuid.h"
#include "coord/tree/acl.h"
#include "coord/tree/sessions.h"
#include "coord/tree/state_machine.h"
#include "coord/tree/state_view.h"
#include "coord/tree/tree_builder.h"
#include "coord/tree/types.h"

namespace bellwether::coord::tree {

// The newest format; the second byte of the first record of any. WriteSnapshot writes 1 below
// kFeatureLevelAcls, 2 below kFeatureLevelRetries, each byte for byte as releases that know no newer
// one did, and 3 from there on.
inline constexpr uint8_t kSnapshotFormatVersion = 3;

// A record ends with the first session or znode that takes it beyond this, so it has at most
// kDataBytesMax + kPathBytesMax + kAclBytesMax + 200 bytes more, which are more than the results kept
// for one session.
inline constexpr size_t kSnapshotRecordBytes = 128 << 10;

// Gives the whole state to `sink` as a row of records, each of which a SnapshotLoader takes: a
// header, the sessions, the znodes in walk order, an end. Equal states give equal bytes. Runs
// beside the state machine, on any thread, as slowly as the sink wants. Returns the sink's first
// error, at once.
absl::Status WriteSnapshot(const StateView& state,
                           absl::FunctionRef<absl::Status(std::string_view record)> sink);

// Makes a state machine of the records of a snapshot, given in their order. Believes nothing:
// whatever the bytes, it neither crashes nor allocates more than in proportion to them. Not
// thread-safe. An error is final: every later call returns it.
//
// Errors: DATA_LOSS when the records are damaged, incomplete or of no state; UNIMPLEMENTED when
// a newer release wrote them.
class SnapshotLoader {
 public:
  SnapshotLoader() = default;
  SnapshotLoader(const SnapshotLoader&) = delete;
  SnapshotLoader& operator=(const SnapshotLoader&) = delete;

  absl::Status Add(std::string_view record);

  // The state that the records were written from: all are there, and counts and digest are those
  // of the header. Call it once, after the last Add.
  absl::StatusOr<std::unique_ptr<StateMachine>> Finish();

 private:
  // What the header says.
  struct Header {
    uint8_t version = 0;
    Zxid zxid;
    int64_t time_ms = 0;
    base::Uuid ensemble_id;
    uint32_t feature_level = 0;
    uint64_t znodes = 0;
    uint64_t data_bytes = 0;
    uint64_t sessions = 0;
    uint64_t ephemerals = 0;
    uint64_t digest = 0;
  };

  absl::Status AddRecord(std::string_view record);
  absl::Status AddHeader(base::Decoder& in);
  absl::Status AddSession(base::Decoder& in);
  absl::Status AddKeptResults(SessionId id, base::Decoder& in);
  absl::Status AddZnode(base::Decoder& in);
  // False when it is damaged.
  bool TakeAccess(base::Decoder& in, AclPtr& access);
  absl::StatusOr<std::unique_ptr<StateMachine>> Build();

  absl::Status status_;
  std::optional<Header> header_;
  bool ended_ = false;
  Sessions sessions_;
  TreeBuilder tree_;
  std::vector<AclPtr> accesses_;  // that znodes to come may name
};

}  // namespace bellwether::coord::tree
