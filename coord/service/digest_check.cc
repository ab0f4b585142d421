#include "coord/service/digest_check.h"

#include <algorithm>

#include "base/coding.h"
#include "fmt/format.h"

namespace bellwether::coord {
namespace {

constexpr uint8_t kStatePointFormatVersion = 1;

}  // namespace

std::string EncodeStatePoint(const StatePoint& point) {
  std::string bytes;
  base::Encoder encoder(bytes);
  encoder.Fixed8(kStatePointFormatVersion)
      .Fixed64(point.index.value())
      .Fixed64(static_cast<uint64_t>(point.zxid.value()))
      .Fixed64(point.digest);
  return bytes;
}

std::optional<StatePoint> DecodeStatePoint(std::string_view bytes) {
  base::Decoder decoder(bytes);
  if (decoder.Fixed8() != kStatePointFormatVersion) return std::nullopt;
  StatePoint point;
  point.index = LogIndex(decoder.Fixed64());
  point.zxid = tree::Zxid(static_cast<int64_t>(decoder.Fixed64()));
  point.digest = decoder.Fixed64();
  if (!decoder.Done()) return std::nullopt;
  return point;
}

void DigestCheck::Record(const StatePoint& point) {
  base::MutexLock lock(mutex_);
  // Before this entry the state was that of the point before, at whichever entry.
  if (awaited_.has_value() && awaited_->index < point.index) {
    Compare(*awaited_);
    awaited_.reset();
  }
  if (points_.size() < points_max_) {
    points_.push_back(point);
  } else {
    points_[oldest_] = point;
    oldest_ = (oldest_ + 1) % points_max_;
  }
  if (awaited_.has_value() && awaited_->index == point.index) {
    Compare(*awaited_);
    awaited_.reset();
  }
}

void DigestCheck::Expect(const StatePoint& point) {
  base::MutexLock lock(mutex_);
  if (!points_.empty() && point.index <= Newest().index) return Compare(point);
  awaited_ = point;
}

void DigestCheck::Restart(const StatePoint& point) {
  base::MutexLock lock(mutex_);
  points_.assign(1, point);
  oldest_ = 0;
  if (!awaited_.has_value() || awaited_->index > point.index) return;
  Compare(*awaited_);
  awaited_.reset();
}

const StatePoint& DigestCheck::Newest() const {
  return points_.size() < points_max_ ? points_.back()
                                      : points_[(oldest_ + points_max_ - 1) % points_max_];
}

const StatePoint& DigestCheck::At(size_t position) const {
  return points_[(oldest_ + position) % points_.size()];
}

const StatePoint* DigestCheck::Find(LogIndex index) const {
  // The first point behind `index`, by bisection; the one before it holds.
  size_t begin = 0;
  size_t end = points_.size();
  while (begin < end) {
    const size_t middle = begin + (end - begin) / 2;
    if (At(middle).index <= index) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin == 0 ? nullptr : &At(begin - 1);
}

void DigestCheck::Compare(const StatePoint& expected) {
  const StatePoint* own = Find(expected.index);
  if (own == nullptr || !status_.ok()) return;
  ++compared_;
  if (own->digest == expected.digest && own->zxid == expected.zxid) return;
  status_ = absl::DataLossError(fmt::format(
      "the state of this server differs from the leader's at log entry {}: zxid {} digest {:#018x} "
      "here, zxid {} digest {:#018x} there; find out which is right by the other servers' digests "
      "(bell cluster status), move the data folder of the wrong one away and start it again",
      expected.index, own->zxid, own->digest, expected.zxid, expected.digest));
}

absl::Status DigestCheck::status() const {
  base::MutexLock lock(mutex_);
  return status_;
}

uint64_t DigestCheck::compared() const {
  base::MutexLock lock(mutex_);
  return compared_;
}

}  // namespace bellwether::coord
