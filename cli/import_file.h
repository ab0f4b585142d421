#pragma once

#include <string>

#include "cli/context.h"
#include "cli/import_options.h"

namespace bellwether::cli {

// `bell import FILE`: reads what `bell export` wrote, "-" for stdin, line by line.
CommandResult ImportFile(const Context& context, const std::string& file,
                         const ImportOptions& options);

}  // namespace bellwether::cli
