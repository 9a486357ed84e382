// The few calls that Swift cannot make or cannot make fast: hardware CRC32C, Linux file calls that Glibc's
// module does not export, thread names. Nothing in here allocates or keeps state.
#ifndef CPLATFORM_H
#define CPLATFORM_H

#include <stddef.h>
#include <stdint.h>

// CRC32C (Castagnoli) of `length` bytes, continuing `crc` (0 to begin). Instructions of SSE4.2 or ARMv8 where
// the processor has them, tables elsewhere.
uint32_t cplatform_crc32c(uint32_t crc, const void *bytes, size_t length);
// The same by tables only; the tests compare the two.
uint32_t cplatform_crc32c_portable(uint32_t crc, const void *bytes, size_t length);

// fallocate(2), mode 0. Returns 0 or an errno.
int cplatform_allocate(int fd, uint64_t length);

// Names the calling thread (at most 15 bytes), for `top -H` and debuggers.
void cplatform_name_thread(const char *name);

// Blocks every signal in the calling thread: signals belong to the main thread, and no file call sees EINTR.
void cplatform_block_signals(void);

#endif
