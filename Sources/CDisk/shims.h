#include <linux/fs.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

// preadv2(2) with RWF_NOWAIT: what the page cache holds, and EAGAIN rather than a wait for the device.
// Swift's Glibc module hides preadv2; 64-bit systems take the offset in the first of its two words.
static inline ssize_t disk_read_cached(int file, void *buffer, size_t count, off_t offset) {
    struct iovec piece = {buffer, count};
    return syscall(SYS_preadv2, file, &piece, 1, offset, 0, RWF_NOWAIT);
}
