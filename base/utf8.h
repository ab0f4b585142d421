#pragma once

#include <string_view>

namespace bellwether::base {

// Whether the bytes are UTF-8 as RFC 3629 has it: no overlong forms, surrogates or values above
// U+10FFFF.
bool IsUtf8(std::string_view bytes);

}  // namespace bellwether::base
