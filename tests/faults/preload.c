// Lets the Nth system call of a process fail, or kills the process there: what tests/matrix preloads into the program.
//
//   FAULT=CALL:N:WHAT    CALL    write pwrite64 writev fsync fdatasync ftruncate rename open mkdir close symlink link unlink,
//                                or `any`: all of them in one count; or `alloc`: malloc, calloc and realloc, with ENOMEM
//                        N       which one, from 1; `N+` for that one and all that follow; 0: none, only count
//                        WHAT    an errno (ENOSPC EIO EDQUOT EINTR EAGAIN ENOMEM EMFILE EACCES EROFS), or
//                                kill   SIGKILL before the call
//                                torn   half of a write, then SIGKILL
//                                short  half of a write, which says so
//                                power  SIGKILL, and what was written and not synced is gone
//   FAULT_ARGV=WORD      only in processes whose argv[1] is WORD: `run`, `worker`; without it in every one
//   FAULT_PATH=TEXT      only calls on files whose path has TEXT in it
//   FAULT_LOG=FILE       a line when the fault strikes ("struck write 5 /path"), and one with the count at the end ("count 212")
//   FAULT_JOURNAL=FILE   what a power cut would take, a line each, from every process: "w DEVICE INODE SIZE" before a file changes
//                        that was SIZE bytes, "s DEVICE INODE" once it is synced, "d PATH" once a folder is, "r OLD<tab>NEW" where
//                        a rename made a new name
//   FAULT_FLOCK=noop     flock and its kin say yes and lock nothing, as on some network file systems
//   FAULT_CLOCK=S[:N]    the time of day is S seconds off; with N the offset changes its sign every N looks
//
// Counted are calls that change regular files or folders: opens count where they may write, closes where the file was open for
// writing. Terminals, pipes and sockets are left alone.
#undef _FILE_OFFSET_BITS  // both names of each call are wanted
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name)                                       \
    static __typeof__(&name) real;                       \
    if (!real)                                           \
    real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

enum { kKill = -1, kTorn = -2, kShort = -3 };

static struct {
    bool on;  ///< some process is meant
    const char* argv;
    bool no_flock;
    char call[16];
    long number;
    bool for_ever;
    int what;
    const char* path;
    const char* log;
    const char* journal;
    long clock_off;
    long clock_turn;
} fault;

static atomic_long count;

static void say(const char* where, const char* format, ...) {
    if (!where)
        return;
    int saved = errno;
    char line[2 * PATH_MAX + 64];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    int file = (int)syscall(SYS_openat, AT_FDCWD, where, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file >= 0) {
        syscall(SYS_write, file, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
        syscall(SYS_close, file);
    }
    errno = saved;
}

static int errno_of(const char* name) {
    static const struct {
        const char* name;
        int code;
    } kCodes[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO},       {"EDQUOT", EDQUOT}, {"EINTR", EINTR},
                  {"EAGAIN", EAGAIN}, {"ENOMEM", ENOMEM}, {"EMFILE", EMFILE}, {"EACCES", EACCES},
                  {"EROFS", EROFS},   {"kill", kKill},    {"torn", kTorn},    {"short", kShort}};
    for (size_t i = 0; i < sizeof kCodes / sizeof *kCodes; ++i)
        if (strcmp(name, kCodes[i].name) == 0)
            return kCodes[i].code;
    fprintf(stderr, "preload: FAULT knows no '%s'\n", name);
    _exit(2);
}

static bool is_argv(const char* word) {
    char line[4096];
    int file = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    long length = syscall(SYS_read, file, line, sizeof line - 1);
    syscall(SYS_close, file);
    if (length <= 0)
        return false;
    line[length] = '\0';
    for (const char* one = line; one < line + length; one += strlen(one) + 1)
        if (strcmp(one, word) == 0)
            return true;
    return false;
}

/// Whether this process is meant. Asked anew in each: a forked worker has a command line of its own.
static bool is_meant(void) {
    static pid_t asked;
    static bool meant;
    pid_t me = (pid_t)syscall(SYS_getpid);
    if (asked != me) {
        meant = !fault.argv || is_argv(fault.argv);
        asked = me;
    }
    return fault.on && meant;
}

__attribute__((constructor)) static void read_fault(void) {
    const char* flocks = getenv("FAULT_FLOCK");
    fault.no_flock = flocks && strcmp(flocks, "noop") == 0;
    fault.journal = getenv("FAULT_JOURNAL");
    const char* clock = getenv("FAULT_CLOCK");
    if (clock)
        sscanf(clock, "%ld:%ld", &fault.clock_off, &fault.clock_turn);
    const char* text = getenv("FAULT");
    const char* word = getenv("FAULT_ARGV");
    if (!text)
        return;
    fault.argv = word;
    char what[16], number[24];
    if (sscanf(text, "%15[^:]:%23[^:]:%15s", fault.call, number, what) != 3) {
        fprintf(stderr, "preload: FAULT is CALL:N:WHAT, not '%s'\n", text);
        _exit(2);
    }
    char* end;
    fault.number = strtol(number, &end, 10);
    fault.for_ever = *end == '+';
    fault.what = errno_of(what);
    fault.path = getenv("FAULT_PATH");
    fault.log = getenv("FAULT_LOG");
    fault.on = true;
}

__attribute__((destructor)) static void say_count(void) {
    if (is_meant())
        say(fault.log, "count %ld\n", atomic_load(&count));
}

// Workers leave so; the destructor would not see it.
void _exit(int status) {
    say_count();
    syscall(SYS_exit_group, status);
    __builtin_unreachable();
}

static void name_of(int file, char* path) {
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = '\0';
}

static bool watches(void) {
    return is_meant() || fault.journal;
}

static bool changes_files(int file, bool written) {
    int saved = errno;
    struct stat status;
    bool counts = fstat(file, &status) == 0 && (S_ISREG(status.st_mode) || (S_ISDIR(status.st_mode) && !written));
    if (counts && written)
        counts = (fcntl(file, F_GETFL) & O_ACCMODE) != O_RDONLY;
    errno = saved;
    return counts;
}

_Noreturn static void die(void) {
    for (;;)
        syscall(SYS_kill, getpid(), SIGKILL);
}

/// What shall befall this call: 0 nothing, else an errno or one of the words.
static int strike(const char* call, int file, const char* path) {
    if (!is_meant() || (strcmp(fault.call, "any") != 0 && strcmp(fault.call, call) != 0))
        return 0;
    char name[PATH_MAX];
    if (!path) {
        int saved = errno;
        name_of(file, name);
        errno = saved;
        path = name;
    }
    if (fault.path && !strstr(path, fault.path))
        return 0;
    long now = atomic_fetch_add(&count, 1) + 1;
    bool due = fault.for_ever ? now >= fault.number : now == fault.number;
    if (!due || fault.number == 0)
        return 0;
    int saved = errno;
    say(fault.log, "struck %s %ld %s\n", call, now, path);
    errno = saved;
    if (fault.what == kKill)
        die();
    bool writes = strcmp(call, "write") == 0 || strcmp(call, "pwrite64") == 0;
    if ((fault.what == kTorn || fault.what == kShort) && !writes) {
        if (fault.what == kTorn)
            die();
        return 0;
    }
    return fault.what;
}

static void note_write(int file) {
    struct stat status;
    if (fault.journal && fstat(file, &status) == 0)
        say(fault.journal, "w %lu %lu %ld\n", (unsigned long)status.st_dev, (unsigned long)status.st_ino, (long)status.st_size);
}

static void note_sync(int file) {
    struct stat status;
    if (!fault.journal || fstat(file, &status) != 0)
        return;
    char path[PATH_MAX];
    name_of(file, path);
    if (S_ISDIR(status.st_mode))
        say(fault.journal, "d %s\n", path);
    else
        say(fault.journal, "s %lu %lu\n", (unsigned long)status.st_dev, (unsigned long)status.st_ino);
}

static void absolute(int folder, const char* name, char* path) {
    char base[PATH_MAX] = "";
    if (name[0] != '/' && folder == AT_FDCWD) {
        if (!getcwd(base, sizeof base))
            base[0] = '\0';
    } else if (name[0] != '/') {
        name_of(folder, base);
    }
    snprintf(path, PATH_MAX, "%s%s%s", base, base[0] ? "/" : "", name);
}

ssize_t write(int file, const void* bytes, size_t length) {
    REAL(write);
    if (watches() && changes_files(file, true)) {
        int what = strike("write", file, NULL);
        if (what == kTorn || what == kShort) {
            ssize_t wrote = real(file, bytes, length > 1 ? length / 2 : length);
            if (what == kTorn)
                die();
            return wrote;
        }
        if (what > 0) {
            errno = what;
            return -1;
        }
        note_write(file);
    }
    return real(file, bytes, length);
}

static ssize_t pwrite_at(ssize_t (*real)(int, const void*, size_t, off_t),
                         int file,
                         const void* bytes,
                         size_t length,
                         off_t offset) {
    if (watches() && changes_files(file, true)) {
        int what = strike("pwrite64", file, NULL);
        if (what == kTorn || what == kShort) {
            ssize_t wrote = real(file, bytes, length > 1 ? length / 2 : length, offset);
            if (what == kTorn)
                die();
            return wrote;
        }
        if (what > 0) {
            errno = what;
            return -1;
        }
        note_write(file);
    }
    return real(file, bytes, length, offset);
}

ssize_t pwrite(int file, const void* bytes, size_t length, off_t offset) {
    REAL(pwrite);
    return pwrite_at(real, file, bytes, length, offset);
}

ssize_t pwrite64(int file, const void* bytes, size_t length, off64_t offset) {
    REAL(pwrite64);
    return pwrite_at(real, file, bytes, length, offset);
}

ssize_t writev(int file, const struct iovec* parts, int many) {
    REAL(writev);
    if (watches() && changes_files(file, true)) {
        int what = strike("writev", file, NULL);
        if (what > 0) {
            errno = what;
            return -1;
        }
        note_write(file);
    }
    return real(file, parts, many);
}

#define ON_FILE(function, call, written, arguments, ...)          \
    int function arguments {                                      \
        REAL(function);                                           \
        if (watches() && changes_files(file, written)) {           \
            int what = strike(call, file, NULL);                  \
            if (what > 0) {                                       \
                errno = what;                                     \
                return -1;                                        \
            }                                                     \
        }                                                         \
        int result = real(__VA_ARGS__);                           \
        if (result == 0 && fault.journal)                         \
            note_sync(file);                                      \
        return result;                                            \
    }

ON_FILE(fsync, "fsync", false, (int file), file)
ON_FILE(fdatasync, "fdatasync", false, (int file), file)

int ftruncate(int file, off_t length) {
    REAL(ftruncate);
    int what = watches() && changes_files(file, true) ? strike("ftruncate", file, NULL) : 0;
    if (what > 0) {
        errno = what;
        return -1;
    }
    if (watches())
        note_write(file);
    return real(file, length);
}

// A close that fails has closed all the same.
int close(int file) {
    REAL(close);
    int what = watches() && changes_files(file, true) ? strike("close", file, NULL) : 0;
    int result = real(file);
    if (what > 0) {
        errno = what;
        return -1;
    }
    return result;
}

#define ON_PATH(function, call, shown, arguments, ...) \
    int function arguments {                           \
        REAL(function);                                \
        int what = strike(call, -1, shown);            \
        if (what > 0) {                                \
            errno = what;                              \
            return -1;                                 \
        }                                              \
        return real(__VA_ARGS__);                      \
    }

static int strike_rename(int from_folder, const char* from, int to_folder, const char* to, char* journal) {
    int what = strike("rename", -1, to);
    struct stat status;
    journal[0] = '\0';
    int saved = errno;
    if (fault.journal && fstatat(to_folder, to, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        char before[PATH_MAX], after[PATH_MAX];
        absolute(from_folder, from, before);
        absolute(to_folder, to, after);
        snprintf(journal, 2 * PATH_MAX + 8, "r %s\t%s\n", before, after);
    }
    errno = saved;
    return what;
}

#define ON_RENAME(function, from_folder, to_folder, arguments, ...)                    \
    int function arguments {                                                           \
        REAL(function);                                                                \
        char journal[2 * PATH_MAX + 8];                                                \
        int what = strike_rename(from_folder, from, to_folder, to, journal);           \
        if (what > 0) {                                                                \
            errno = what;                                                              \
            return -1;                                                                 \
        }                                                                              \
        int result = real(__VA_ARGS__);                                                \
        if (result == 0 && journal[0])                                                 \
            say(fault.journal, "%s", journal);                                         \
        return result;                                                                 \
    }

ON_RENAME(rename, AT_FDCWD, AT_FDCWD, (const char* from, const char* to), from, to)
ON_RENAME(renameat, from_folder, to_folder, (int from_folder, const char* from, int to_folder, const char* to), from_folder, from,
          to_folder, to)
ON_RENAME(renameat2, from_folder, to_folder, (int from_folder, const char* from, int to_folder, const char* to, unsigned flags),
          from_folder, from, to_folder, to, flags)
ON_PATH(mkdir, "mkdir", path, (const char* path, mode_t mode), path, mode)
ON_PATH(mkdirat, "mkdir", path, (int folder, const char* path, mode_t mode), folder, path, mode)
ON_PATH(symlink, "symlink", path, (const char* target, const char* path), target, path)
ON_PATH(symlinkat, "symlink", path, (const char* target, int folder, const char* path), target, folder, path)
ON_PATH(link, "link", to, (const char* from, const char* to), from, to)
ON_PATH(linkat, "link", to, (int from_folder, const char* from, int to_folder, const char* to, int flags), from_folder, from, to_folder, to,
        flags)
ON_PATH(unlink, "unlink", path, (const char* path), path)
ON_PATH(unlinkat, "unlink", path, (int folder, const char* path, int flags), folder, path, flags)
ON_PATH(remove, "unlink", path, (const char* path), path)
ON_PATH(rmdir, "unlink", path, (const char* path), path)

static int strike_open(const char* path, int flags) {
    bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0;
    bool memory = strncmp(path, "/dev/shm/", 9) == 0;  // where the rows work
    bool device = (strncmp(path, "/dev/", 5) == 0 && !memory) || strncmp(path, "/proc/", 6) == 0;
    return writes && !device ? strike("open", -1, path) : 0;
}

#define ON_OPEN(function, arguments, path, ...)                 \
    int function arguments {                                    \
        REAL(function);                                         \
        mode_t mode = 0;                                        \
        if ((flags & (O_CREAT | O_TMPFILE)) != 0) {             \
            va_list rest;                                       \
            va_start(rest, flags);                              \
            mode = va_arg(rest, mode_t);                        \
            va_end(rest);                                       \
        }                                                       \
        int what = strike_open(path, flags);                    \
        if (what > 0) {                                         \
            errno = what;                                       \
            return -1;                                          \
        }                                                       \
        return real(__VA_ARGS__, mode);                         \
    }

ON_OPEN(open, (const char* path, int flags, ...), path, path, flags)
ON_OPEN(open64, (const char* path, int flags, ...), path, path, flags)
ON_OPEN(openat, (int folder, const char* path, int flags, ...), path, folder, path, flags)
ON_OPEN(openat64, (int folder, const char* path, int flags, ...), path, folder, path, flags)

// What stdio and libstdc++'s streams open through.
#define ON_FOPEN(function)                                                                                    \
    FILE* function(const char* path, const char* mode) {                                                      \
        REAL(function);                                                                                       \
        int what = strchr(mode, 'w') || strchr(mode, 'a') || strchr(mode, '+') ? strike_open(path, O_WRONLY) : 0; \
        if (what > 0) {                                                                                       \
            errno = what;                                                                                     \
            return NULL;                                                                                      \
        }                                                                                                     \
        return real(path, mode);                                                                              \
    }

ON_FOPEN(fopen)
ON_FOPEN(fopen64)

int flock(int file, int operation) {
    REAL(flock);
    return fault.no_flock ? 0 : real(file, operation);
}

int lockf(int file, int command, off_t length) {
    REAL(lockf);
    return fault.no_flock ? 0 : real(file, command, length);
}

static long clock_offset(void) {
    static atomic_long looks;
    if (fault.clock_turn <= 0)
        return fault.clock_off;
    long look = atomic_fetch_add(&looks, 1);
    return look / fault.clock_turn % 2 == 0 ? fault.clock_off : -fault.clock_off;
}

int clock_gettime(clockid_t which, struct timespec* now) {
    int result = (int)syscall(SYS_clock_gettime, which, now);
    if (result == 0 && fault.clock_off != 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        now->tv_sec += clock_offset();
    return result;
}

time_t time(time_t* out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval* restrict now, void* restrict zone) {
    (void)zone;
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

// Memory. The C library's own names for it, as looking a function up takes memory itself.
extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);

static bool memory_fails(void) {
    if (!fault.on || strcmp(fault.call, "alloc") != 0 || !is_meant())
        return false;
    long now = atomic_fetch_add(&count, 1) + 1;
    if (fault.number == 0 || (fault.for_ever ? now < fault.number : now != fault.number))
        return false;
    if (now == fault.number)
        say(fault.log, "struck alloc %ld\n", now);
    errno = ENOMEM;
    return true;
}

void* malloc(size_t bytes) {
    return memory_fails() ? NULL : __libc_malloc(bytes);
}

void* calloc(size_t many, size_t bytes) {
    return memory_fails() ? NULL : __libc_calloc(many, bytes);
}

void* realloc(void* memory, size_t bytes) {
    return memory_fails() ? NULL : __libc_realloc(memory, bytes);
}
