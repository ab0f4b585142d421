#pragma once

#include <string>
#include <string_view>

namespace bellwether::base {

// "0.1.0".
std::string_view Version();

// The commit it was built from, as in "3eb6939"; "unknown" without one.
std::string_view Revision();

// "bell 0.1.0 (git 3eb6939, release)".
std::string VersionString(std::string_view program);

}  // namespace bellwether::base
