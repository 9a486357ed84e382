// CRC32C guards every byte of the commit log, on the way in and on each read, so it must run at memory speed.
#include "CPlatform.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u // Castagnoli, reflected

static uint32_t tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void fill_tables(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ POLYNOMIAL : crc >> 1;
        tables[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++)
        for (int slice = 1; slice < 8; slice++)
            tables[slice][byte] = (tables[slice - 1][byte] >> 8) ^ tables[0][tables[slice - 1][byte] & 0xff];
}

uint32_t cplatform_crc32c_portable(uint32_t crc, const void *bytes, size_t length) {
    pthread_once(&tables_once, fill_tables);
    const uint8_t *next = bytes;
    crc = ~crc;
    while (length >= 8) {
        // Assembled byte by byte, so that it holds on big-endian machines too.
        uint32_t low = crc ^ ((uint32_t)next[0] | (uint32_t)next[1] << 8 | (uint32_t)next[2] << 16 | (uint32_t)next[3] << 24);
        crc = tables[7][low & 0xff] ^ tables[6][(low >> 8) & 0xff] ^ tables[5][(low >> 16) & 0xff] ^ tables[4][low >> 24]
            ^ tables[3][next[4]] ^ tables[2][next[5]] ^ tables[1][next[6]] ^ tables[0][next[7]];
        next += 8;
        length -= 8;
    }
    while (length-- > 0) crc = (crc >> 8) ^ tables[0][(crc ^ *next++) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2")))
static uint32_t crc32c_hardware(uint32_t crc, const uint8_t *next, size_t length) {
    uint64_t wide = (uint32_t)~crc;
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, next, 8);
        wide = _mm_crc32_u64(wide, word);
        next += 8;
        length -= 8;
    }
    uint32_t narrow = (uint32_t)wide;
    while (length-- > 0) narrow = _mm_crc32_u8(narrow, *next++);
    return ~narrow;
}

static int has_hardware(void) { return __builtin_cpu_supports("sse4.2"); }
#define HAS_CRC32C_HARDWARE 1

#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif

__attribute__((target("crc")))
static uint32_t crc32c_hardware(uint32_t crc, const uint8_t *next, size_t length) {
    crc = ~crc;
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, next, 8);
        crc = __crc32cd(crc, word);
        next += 8;
        length -= 8;
    }
    while (length-- > 0) crc = __crc32cb(crc, *next++);
    return ~crc;
}

static int has_hardware(void) { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
#define HAS_CRC32C_HARDWARE 1
#endif

#ifdef HAS_CRC32C_HARDWARE
static int use_hardware;
static pthread_once_t hardware_once = PTHREAD_ONCE_INIT;
static void find_hardware(void) { use_hardware = has_hardware(); }
#endif

uint32_t cplatform_crc32c(uint32_t crc, const void *bytes, size_t length) {
#ifdef HAS_CRC32C_HARDWARE
    pthread_once(&hardware_once, find_hardware);
    if (use_hardware) return crc32c_hardware(crc, bytes, length);
#endif
    return cplatform_crc32c_portable(crc, bytes, length);
}
