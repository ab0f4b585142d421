#pragma once

namespace bellwether::base {

// Tells the allocator to keep little of what is freed, without asking the system for every page anew:
// large blocks go back at once, and free memory at the end of a thread's heap beyond some MiB. Call it
// first in main.
void KeepLittleFreeMemory();

// Lets the system have what the process needed to start and does not use now: pages of programs and
// libraries that nobody writes to, which are in their files, and free memory of the allocator. What
// is used again comes back with the first touch, from the page cache as long as it is there. May be
// called at any time, on any thread. Does nothing under a sanitizer.
void ReleaseUnusedMemory();

}  // namespace bellwether::base
