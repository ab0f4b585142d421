#pragma once

#include <cstdint>

namespace bellwether::coord::zk::wire {

// What a request asks for, as its number on the wire.
enum class Opcode : int32_t {
  kError = -1,         // never requested: ends a transaction, marks a result that is an error
  kNotification = 0,   // never requested
  kCreate = 1,
  kDelete = 2,
  kExists = 3,
  kGetData = 4,
  kSetData = 5,
  kGetAcl = 6,
  kSetAcl = 7,
  kGetChildren = 8,
  kSync = 9,
  kPing = 11,
  kGetChildren2 = 12,
  kCheck = 13,  // inside of kMulti only
  kMulti = 14,
  kCreate2 = 15,
  kReconfig = 16,
  kCheckWatches = 17,
  kRemoveWatches = 18,
  kCreateContainer = 19,
  kDeleteContainer = 20,  // ZooKeeper's own; refused when a client sends it (Z47)
  kCreateTtl = 21,
  kMultiRead = 22,
  kAuth = 100,
  kSetWatches = 101,
  kSasl = 102,
  kGetEphemerals = 103,
  kGetAllChildrenNumber = 104,
  kSetWatches2 = 105,
  kAddWatch = 106,
  kWhoAmI = 107,
  kCreateSession = -10,  // ZooKeeper's own; refused when a client sends it (Z47)
  kCloseSession = -11,
};

// True when a client may send `number` as the opcode of a request. Others get kUnimplemented and
// their connection ends (Z47): numbers of no meaning, kCheck outside of a transaction, and those
// that ZooKeeper's servers use among themselves.
bool IsRequestable(int32_t number);

// The outcome of a request, as its number on the wire.
enum class ZkError : int32_t {
  kOk = 0,
  kSystemError = -1,
  kRuntimeInconsistency = -2,
  kDataInconsistency = -3,
  kConnectionLoss = -4,
  kMarshallingError = -5,
  kUnimplemented = -6,
  kOperationTimeout = -7,
  kBadArguments = -8,
  kUnknownSession = -12,
  kNewConfigNoQuorum = -13,
  kReconfigInProgress = -14,
  kApiError = -100,
  kNoNode = -101,
  kNoAuth = -102,
  kBadVersion = -103,
  kNoChildrenForEphemerals = -108,
  kNodeExists = -110,
  kNotEmpty = -111,
  kSessionExpired = -112,
  kInvalidCallback = -113,
  kInvalidAcl = -114,
  kAuthFailed = -115,
  kSessionMoved = -118,
  kNotReadOnly = -119,
  kEphemeralOnLocalSession = -120,
  kNoWatcher = -121,
  kRequestTimeout = -122,
  kReconfigDisabled = -123,
  kSessionClosedRequireAuth = -124,
  kQuotaExceeded = -125,
  kThrottledOp = -127,
};

// Request ids that do not follow the order of a connection's requests (Z46).
inline constexpr int32_t kNotificationXid = -1;
inline constexpr int32_t kPingXid = -2;
inline constexpr int32_t kAuthXid = -4;
inline constexpr int32_t kSetWatchesXid = -8;

// Of a create request (Z15).
enum class CreateFlags : int32_t {
  kPersistent = 0,
  kEphemeral = 1,
  kPersistentSequential = 2,
  kEphemeralSequential = 3,
  kContainer = 4,
  kPersistentWithTtl = 5,
  kPersistentSequentialWithTtl = 6,
};

// Of a watcher event (Z34).
enum class EventType : int32_t {
  kNodeCreated = 1,
  kNodeDeleted = 2,
  kNodeDataChanged = 3,
  kNodeChildrenChanged = 4,
};

// Of a watcher event: the only state that a server sends (Z34).
inline constexpr int32_t kSyncConnected = 3;

// Of an addWatch request (Z33).
enum class AddWatchMode : int32_t { kPersistent = 0, kPersistentRecursive = 1 };

// Of a removeWatches or checkWatches request (Z33).
enum class WatcherType : int32_t {
  kChildren = 1,
  kData = 2,
  kAny = 3,
  kPersistent = 4,
  kPersistentRecursive = 5,
};

}  // namespace bellwether::coord::zk::wire
