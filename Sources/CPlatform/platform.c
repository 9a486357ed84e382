// Linux calls that Swift's Glibc module leaves out.
#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

int cplatform_allocate(int fd, uint64_t length) {
    int result;
    do {
        result = fallocate(fd, 0, 0, (off_t)length);
    } while (result != 0 && errno == EINTR);
    if (result == 0) return 0;
    if (errno != EOPNOTSUPP) return errno;
    // A file system without extents (tmpfs of old, NFS): glibc writes a byte into each block.
    return posix_fallocate(fd, 0, (off_t)length);
}

void cplatform_name_thread(const char *name) {
    char bounded[16] = {0};
    strncpy(bounded, name, sizeof bounded - 1);
    pthread_setname_np(pthread_self(), bounded);
}

void cplatform_block_signals(void) {
    sigset_t all;
    sigfillset(&all);
    // Faults of the program itself stay deliverable; blocking them would be undefined.
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGTRAP);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
}
