#include "coord/tree/result_codec.h"

#include <limits>

#include "base/coding.h"

// The encoding: hash of the operation (8 bytes), code (1), zxid (signed), path (string), Stat,
// number of deleted znodes (varint), position that failed plus one, or 0 (varint), number of
// operations (varint), and of each its code, path and Stat. A Stat is a byte that says whether it is
// there, and its fields in their order, signed, the owner as 8 bytes.

namespace bellwether::coord::tree {
namespace {

using base::Decoder;
using base::Encoder;

constexpr auto kLastCode = static_cast<uint8_t>(ResultCode::kSequenceReused);

void PutStat(const std::optional<Stat>& stat, Encoder& out) {
  out.Fixed8(stat.has_value() ? 1 : 0);
  if (!stat.has_value()) return;
  out.Signed(stat->czxid.value())
      .Signed(stat->mzxid.value())
      .Signed(stat->pzxid.value())
      .Signed(stat->ctime_ms)
      .Signed(stat->mtime_ms)
      .Signed(stat->version)
      .Signed(stat->cversion)
      .Signed(stat->aversion)
      .Signed(stat->data_length)
      .Signed(stat->num_children)
      .Fixed64(stat->ephemeral_owner.value());
}

// Reads one result. After the first error everything it returns is meaningless but harmless.
class ResultReader {
 public:
  explicit ResultReader(std::string_view bytes) : in_(bytes) {}

  KeptResult Read() {
    KeptResult kept;
    kept.operation_hash = in_.Fixed64();
    Result& result = kept.result;
    result.code = ReadCode();
    result.zxid = Zxid(in_.Signed());
    result.path = std::string(in_.String());
    result.stat = ReadStat();
    result.deleted_znodes = ReadUint32();
    const uint32_t failed = ReadUint32();
    if (failed > 0) result.failed_index = failed - 1;
    // The list grows as its items are read: a false count ends with the bytes.
    const uint64_t operations = in_.Varint();
    for (uint64_t i = 0; i < operations && ok(); ++i) {
      OperationResult& one = result.operations.emplace_back();
      one.code = ReadCode();
      one.path = std::string(in_.String());
      one.stat = ReadStat();
    }
    return kept;
  }

  bool Done() const { return in_.Done() && fits_; }

 private:
  bool ok() const { return in_.ok() && fits_; }

  ResultCode ReadCode() {
    const uint8_t code = in_.Fixed8();
    if (code > kLastCode) fits_ = false;
    return static_cast<ResultCode>(code);
  }

  uint32_t ReadUint32() {
    const uint64_t value = in_.Varint();
    if (value > std::numeric_limits<uint32_t>::max()) fits_ = false;
    return static_cast<uint32_t>(value);
  }

  int32_t ReadInt32() {
    const int64_t value = in_.Signed();
    if (value != static_cast<int32_t>(value)) fits_ = false;
    return static_cast<int32_t>(value);
  }

  std::optional<Stat> ReadStat() {
    const uint8_t present = in_.Fixed8();
    if (present > 1) fits_ = false;
    if (present != 1) return std::nullopt;
    Stat stat;
    stat.czxid = Zxid(in_.Signed());
    stat.mzxid = Zxid(in_.Signed());
    stat.pzxid = Zxid(in_.Signed());
    stat.ctime_ms = in_.Signed();
    stat.mtime_ms = in_.Signed();
    stat.version = ReadInt32();
    stat.cversion = ReadInt32();
    stat.aversion = ReadInt32();
    stat.data_length = ReadInt32();
    stat.num_children = ReadInt32();
    stat.ephemeral_owner = SessionId(in_.Fixed64());
    return stat;
  }

  Decoder in_;
  bool fits_ = true;
};

}  // namespace

void EncodeKeptResult(uint64_t operation_hash, const Result& result, std::string& bytes) {
  Encoder out(bytes);
  out.Fixed64(operation_hash)
      .Fixed8(static_cast<uint8_t>(result.code))
      .Signed(result.zxid.value())
      .String(result.path);
  PutStat(result.stat, out);
  out.Varint(result.deleted_znodes)
      .Varint(result.failed_index.has_value() ? uint64_t{*result.failed_index} + 1 : 0)
      .Varint(result.operations.size());
  for (const OperationResult& one : result.operations) {
    out.Fixed8(static_cast<uint8_t>(one.code)).String(one.path);
    PutStat(one.stat, out);
  }
}

std::optional<KeptResult> DecodeKeptResult(std::string_view bytes) {
  ResultReader reader(bytes);
  KeptResult kept = reader.Read();
  if (!reader.Done()) return std::nullopt;
  return kept;
}

}  // namespace bellwether::coord::tree
