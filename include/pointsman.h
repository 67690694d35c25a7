/* pointsman.h: what libpointsman.so did in this process.
 *
 * Nothing in here has to be called: the library protects by being loaded. A program either links with it
 * (-lpointsman), or finds these functions with dlsym(RTLD_DEFAULT, ...) and does without them where they are missing.
 *
 * Threads: every function may be called from any thread at any time, also after fork.
 * Ownership: nothing that is returned is to be freed; nothing that is passed is kept.
 * Errors: each function says what it returns for which fault; none sets errno, none ends the process.
 * Units: counters count events; a name that ends in _ms is a sum of milliseconds.
 * Compatibility: a counter is never removed or moved; new ones are added at the end. */

#ifndef POINTSMAN_H
#define POINTSMAN_H

/* Generated from src/abi.rs: change it there. */

#include <stddef.h>
#include <stdint.h>

/**
 * What the library did in this process, counted since it was loaded (or since the process was forked).
 */
struct pointsman_counters {
    /**
     * Connections opened to endpoints.
     */
    uint64_t protected_connections;
    /**
     * Times an incumbent was found unfit.
     */
    uint64_t suspects;
    /**
     * Statements and connects that waited for a writer.
     */
    uint64_t holds;
    /**
     * Milliseconds that they waited, in sum.
     */
    uint64_t held_ms;
    /**
     * Connections replaced in place.
     */
    uint64_t moves;
    /**
     * Statements run again.
     */
    uint64_t reruns;
    /**
     * Transactions replayed.
     */
    uint64_t replays;
    /**
     * Transactions reported as victims (1213).
     */
    uint64_t victims;
    /**
     * Errors that reached the application after all.
     */
    uint64_t surfaced;
    /**
     * Times an endpoint failed open.
     */
    uint64_t failed_open;
};

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library, `major.minor.patch` (SemVer). Static, NUL-terminated, never NULL; not to be freed.
 */
const char *pointsman_version(void);

/**
 * 1 if connections of this process are protected, 0 if the configuration switches the library off or if it cannot work
 * here, which it said.
 */
int pointsman_enabled(void);

/**
 * Fills `counters` with this process's counters.
 *
 * `size` is `sizeof(struct pointsman_counters)` as the caller was compiled: a caller with a shorter structure gets as
 * much as fits, a longer one is filled up with zeros. Returns 0, or -1 if `counters` is NULL.
 *
 * `counters` is NULL or points to `size` writable bytes.
 */
int pointsman_read_counters(struct pointsman_counters *counters, size_t size);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* POINTSMAN_H */
