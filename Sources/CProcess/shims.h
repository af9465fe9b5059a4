// The C library's process-wide settings that Swift cannot reach.
#ifndef VORTEX_CPROCESS_SHIMS_H
#define VORTEX_CPROCESS_SHIMS_H
#include <malloc.h>
#include <stdio.h>

// Chunks go back to the system when they are freed, and threads share two arenas: without this a
// burst of uploads leaves its memory behind. The buffers of responses (256 KiB) stay, since mapping
// and clearing them anew costs as much as filling them. Standard output is written line by line.
// Call it before any thread is started.
static inline void process_prepare(void) {
    mallopt(M_MMAP_THRESHOLD, 512 << 10);
    mallopt(M_TRIM_THRESHOLD, 4 << 20);
    mallopt(M_ARENA_MAX, 2);
    setvbuf(stdout, NULL, _IOLBF, 0);
}
#endif
