#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/uuid.h"

// Collections whose copies share structure: a copy costs nothing that grows with one bucket or
// chunk, and a change copies that one only. The pointers inside are shared because any number of
// copies may hold the same part. Like standard containers: many may read one object, one may change.
namespace bellwether::broker {

// FNV-1a: the same order in every process, unlike absl's hash.
inline uint64_t StableHash(std::string_view text) {
  uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash ^ (hash >> 32);
}
inline uint64_t StableHash(const base::Uuid& id) { return id.high() ^ id.low(); }

// A map in buckets, each sorted by key.
template <typename Key, typename Value>
class SharedMap {
 public:
  // The value, or nullptr. Valid until this map changes or ends.
  template <typename K>
  const Value* Find(const K& key) const {
    const Bucket* bucket = BucketOf(key).get();
    if (bucket == nullptr) return nullptr;
    const auto it = LowerBound(*bucket, key);
    return it != bucket->end() && it->first == key ? &it->second : nullptr;
  }

  template <typename K>
  void Set(const K& key, Value value) {
    Bucket bucket = CopyOf(key);
    const auto it = LowerBound(bucket, key);
    if (it != bucket.end() && it->first == key) {
      bucket[it - bucket.begin()].second = std::move(value);
    } else {
      bucket.emplace(it, Key(key), std::move(value));
      ++size_;
    }
    Replace(key, std::move(bucket));
  }

  template <typename K>
  void Erase(const K& key) {
    if (Find(key) == nullptr) return;
    Bucket bucket = CopyOf(key);
    bucket.erase(LowerBound(bucket, key));
    --size_;
    Replace(key, std::move(bucket));
  }

  size_t size() const { return size_; }

  // Calls visit(key, value) for each, in an order that depends on the keys only.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (const auto& bucket : *buckets_) {
      if (bucket == nullptr) continue;
      for (const auto& [key, value] : *bucket) visit(key, value);
    }
  }

 private:
  static constexpr size_t kBuckets = 256;
  using Bucket = std::vector<std::pair<Key, Value>>;
  using Buckets = std::array<std::shared_ptr<const Bucket>, kBuckets>;

  template <typename K>
  static size_t IndexOf(const K& key) {
    return StableHash(key) % kBuckets;
  }
  template <typename K>
  const std::shared_ptr<const Bucket>& BucketOf(const K& key) const {
    return (*buckets_)[IndexOf(key)];
  }
  template <typename K>
  static typename Bucket::const_iterator LowerBound(const Bucket& bucket, const K& key) {
    return std::lower_bound(bucket.begin(), bucket.end(), key,
                            [](const auto& entry, const K& k) { return entry.first < k; });
  }
  template <typename K>
  Bucket CopyOf(const K& key) const {
    return BucketOf(key) == nullptr ? Bucket() : *BucketOf(key);
  }
  template <typename K>
  void Replace(const K& key, Bucket bucket) {
    auto buckets = std::make_shared<Buckets>(*buckets_);
    (*buckets)[IndexOf(key)] = std::make_shared<const Bucket>(std::move(bucket));
    buckets_ = std::move(buckets);
  }

  std::shared_ptr<const Buckets> buckets_ = std::make_shared<const Buckets>();
  size_t size_ = 0;
};

// A vector in chunks.
template <typename Value>
class SharedVector {
 public:
  size_t size() const { return size_; }

  // Requires: index < size().
  const Value& operator[](size_t index) const {
    return (*chunks_[index / kChunk])[index % kChunk];
  }

  void Set(size_t index, Value value) {
    auto chunk = std::make_shared<Chunk>(*chunks_[index / kChunk]);
    (*chunk)[index % kChunk] = std::move(value);
    chunks_[index / kChunk] = std::move(chunk);
  }

  void Resize(size_t size) {
    chunks_.resize((size + kChunk - 1) / kChunk);
    for (size_t i = 0; i < chunks_.size(); ++i) {
      const size_t wanted = std::min(kChunk, size - i * kChunk);
      if (chunks_[i] != nullptr && chunks_[i]->size() == wanted) continue;
      auto chunk = chunks_[i] == nullptr ? std::make_shared<Chunk>()
                                         : std::make_shared<Chunk>(*chunks_[i]);
      chunk->resize(wanted);
      chunks_[i] = std::move(chunk);
    }
    size_ = size;
  }

  // Calls visit(index, value) for each value, leaving out chunks shared with `other`.
  template <typename Visit>
  void ForEachChanged(const SharedVector& other, Visit&& visit) const {
    for (size_t c = 0; c < chunks_.size(); ++c) {
      if (c < other.chunks_.size() && other.chunks_[c] == chunks_[c]) continue;
      for (size_t i = 0; i < chunks_[c]->size(); ++i) visit(c * kChunk + i, (*chunks_[c])[i]);
    }
  }

 private:
  static constexpr size_t kChunk = 64;
  using Chunk = std::vector<Value>;

  std::vector<std::shared_ptr<const Chunk>> chunks_;
  size_t size_ = 0;
};

}  // namespace bellwether::broker
