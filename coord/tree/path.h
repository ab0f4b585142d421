#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bellwether::coord::tree {

// True for a path that a znode may have (Z48): "/" or "/a/b", UTF-8, no empty, "." or ".."
// component, none of the characters ZooKeeper forbids, at most kPathBytesMax bytes.
bool IsValidPath(std::string_view path);

// True for a name that a znode may have.
bool IsValidName(std::string_view name);

struct PathParts {
  std::string_view parent;  // "/" for a child of the root
  std::string_view name;    // behind the last '/', may be empty
};

// Splits at the last '/'. nullopt when there is none, or when a NUL is in the path: the first check
// of a create and a delete (Z13, Z18). "/" is its own parent, with an empty name.
std::optional<PathParts> SplitPath(std::string_view path);

// True when a path begins with that of `top` and goes on below it.
bool IsBelow(std::string_view path, std::string_view top);

// The path of a child.
std::string ChildPath(std::string_view parent, std::string_view name);

// What a sequential znode's name ends with: ten digits, zero-padded (Z11).
std::string SequenceSuffix(int32_t counter);

// The counter after a creation: wraps to the smallest number after the largest (Z11).
int32_t NextCounter(int32_t counter);

// The version after a change of the data: as NextCounter, but never kAnyVersion, which would match
// every znode.
int32_t NextVersion(int32_t version);

}  // namespace bellwether::coord::tree
