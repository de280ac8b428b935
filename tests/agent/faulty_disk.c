/* A disk that fails at will, for LD_PRELOAD: every call that changes a file below one folder is counted, and
 * from the n-th on the process is killed, with half of the bytes written or none, or an error is returned.
 *
 * For a process that does not know of this: with FAULTY_FOLDER, FAULTY_SWITCH and FAULTY_ERROR (a number) in
 * its environment, every such call fails while the file FAULTY_SWITCH exists. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum how { COUNT, KILL, TORN, FAIL };

static char folder[PATH_MAX];
static int from, until, count, error;
static enum how how;
static const char *toggle;

__attribute__((constructor)) static void from_environment(void)
{
    toggle = getenv("FAULTY_SWITCH");
    if (toggle && getenv("FAULTY_FOLDER") && getenv("FAULTY_ERROR")) {
        snprintf(folder, sizeof folder, "%s/", getenv("FAULTY_FOLDER"));
        error = atoi(getenv("FAULTY_ERROR"));
    }
}

/* From now on, calls `first` ... `last - 1` on files below `path` (from 1) go wrong. */
void faults_arm(const char *path, int first, int last, int what, int number)
{
    snprintf(folder, sizeof folder, "%s/", path);
    from = first;
    until = last;
    how = (enum how)what;
    error = number;
    count = 0;
}

int faults_count(void)
{
    return count;
}

static int below(const char *path)
{
    return folder[0] && strncmp(path, folder, strlen(folder)) == 0;
}

static int below_fd(int fd)
{
    char link[64], path[PATH_MAX];
    ssize_t length;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return below(path);
}

/* 0: go on; 1: fail with errno set. Does not return where the process is to die; torn writes die later. */
static int strikes(int hit, int can_tear)
{
    if (toggle) {
        if (!hit || access(toggle, F_OK) != 0)
            return 0;
        errno = error;
        return 1;
    }
    if (!hit || ++count < from || count >= until || how == COUNT)
        return 0;
    if (how == KILL || (how == TORN && !can_tear))
        kill(getpid(), SIGKILL);
    errno = error;
    return how == FAIL;
}

static int tears(int hit)
{
    return hit && how == TORN && count >= from && count < until;
}

#define REAL(name, type, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

#define PWRITE(name)                                                                          \
    ssize_t name(int fd, const void *data, size_t size, off_t at)                             \
    {                                                                                         \
        int hit = below_fd(fd);                                                               \
        if (strikes(hit, 1))                                                                  \
            return -1;                                                                        \
        if (!tears(hit))                                                                      \
            return REAL(#name, ssize_t, int, const void *, size_t, off_t)(fd, data, size, at); \
        REAL(#name, ssize_t, int, const void *, size_t, off_t)(fd, data, size / 2, at);       \
        kill(getpid(), SIGKILL);                                                              \
        return -1;                                                                            \
    }

#define OF_FD(name, ...)                                          \
    {                                                             \
        if (strikes(below_fd(fd), 0))                             \
            return -1;                                            \
        return REAL(#name, int, __VA_ARGS__)
#define OPEN(name)                                                      \
    int name(const char *path, int flags, ...)                          \
    {                                                                   \
        va_list rest;                                                   \
        mode_t mode;                                                    \
        va_start(rest, flags);                                          \
        mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0;            \
        va_end(rest);                                                   \
        if ((flags & O_CREAT) && access(path, F_OK) != 0 && strikes(below(path), 0)) \
            return -1;                                                  \
        return REAL(#name, int, const char *, int, ...)(path, flags, mode); \
    }

PWRITE(pwrite)
PWRITE(pwrite64)
OPEN(open)
OPEN(open64)

ssize_t write(int fd, const void *data, size_t size)
{
    if (strikes(below_fd(fd), 0))
        return -1;
    return REAL("write", ssize_t, int, const void *, size_t)(fd, data, size);
}

int ftruncate(int fd, off_t size) OF_FD(ftruncate, int, off_t)(fd, size); }
int ftruncate64(int fd, off_t size) OF_FD(ftruncate64, int, off_t)(fd, size); }
int fsync(int fd) OF_FD(fsync, int)(fd); }
int fdatasync(int fd) OF_FD(fdatasync, int)(fd); }

int rename(const char *old, const char *new)
{
    if (strikes(below(new), 0))
        return -1;
    return REAL("rename", int, const char *, const char *)(old, new);
}

int unlink(const char *path)
{
    if (strikes(below(path), 0))
        return -1;
    return REAL("unlink", int, const char *)(path);
}
