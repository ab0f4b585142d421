#include "base/resident_memory.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace bellwether::base {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kHasSanitizer = true;
#else
constexpr bool kHasSanitizer = false;
#endif

constexpr int kMappedBytesMin = 1 << 20;
constexpr int kKeptAtEndBytes = 1 << 20;

// Whether its code was relocated in place: then memory is not what the file holds.
bool HasRelocatedText(const dl_phdr_info& object) {
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = object.dlpi_phdr[i];
    if (header.p_type != PT_DYNAMIC) continue;
    const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(object.dlpi_addr + header.p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag == DT_TEXTREL) return true;
      if (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0) return true;
    }
  }
  return false;
}

// Segments that may be written to are left alone, also where that has ended (RELRO): what is in them
// is in no file.
int ReleaseSegments(dl_phdr_info* object, size_t, void* page_bytes_of) {
  const auto page_bytes = *static_cast<const uintptr_t*>(page_bytes_of);
  if (HasRelocatedText(*object)) return 0;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = object->dlpi_phdr[i];
    if (header.p_type != PT_LOAD || (header.p_flags & PF_W) != 0) continue;
    const uintptr_t begin = (object->dlpi_addr + header.p_vaddr) / page_bytes * page_bytes;
    // The page of the segment's end may be another's too.
    const uintptr_t end =
        (object->dlpi_addr + header.p_vaddr + header.p_memsz) / page_bytes * page_bytes;
    // Fails where pages are locked into memory: then they stay.
    if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void KeepLittleFreeMemory() {
  if (kHasSanitizer) return;
  mallopt(M_MMAP_THRESHOLD, kMappedBytesMin);
  mallopt(M_TRIM_THRESHOLD, kKeptAtEndBytes);
}

void ReleaseUnusedCode() {
  if (kHasSanitizer) return;
  uintptr_t page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  dl_iterate_phdr(ReleaseSegments, &page_bytes);
}

}  // namespace bellwether::base
