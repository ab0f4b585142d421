#pragma once

namespace bellwether::base {

// Tells the allocator to keep little of what is freed, without asking the system for every page anew:
// large blocks go back at once, and free memory at the end of a thread's heap beyond some MiB. Call it
// first in main.
void KeepLittleFreeMemory();

// Lets the system have the pages of the program and its libraries that nobody writes to: code and
// constants, of which most were only needed to start. They are in their files, and what is used again
// comes back with the first touch, from the page cache as long as it is there. May be called at any
// time, on any thread; takes well below a millisecond. Does nothing under a sanitizer.
void ReleaseUnusedCode();

}  // namespace bellwether::base
