/* vitals.h - how firmware tells the Robovitals agent what it does. One header, C99 and C++11, POSIX sockets.
 *
 *     #include "vitals.h"
 *
 *     static vitals v;
 *
 *     int main(void)
 *     {
 *         vitals_open_unix(&v, "/run/robovitals/vitals.sock");
 *         for (;;) {                                   // your own loop
 *             drive();
 *             if (lost_its_place())
 *                 vitals_count(&v, "navigation.relocalization_faults", 1);
 *             if (a_second_has_passed()) {
 *                 vitals_gauge(&v, "network.rtt_ms", 23.4);
 *                 vitals_up(&v, "navigation");         // "I am alive": at least every 10 s
 *                 vitals_flush(&v);
 *             }
 *         }
 *     }
 *
 * It never blocks, never allocates, never ends the process, and leaves errno alone. While the agent is away
 * (not started yet, restarting, slow) what was to be sent is dropped, and counted in vitals_dropped(). A
 * module that keeps counters of its own since its start sends those with vitals_json(): there a lost
 * datagram is healed by the next.
 *
 * Lines are gathered and go out together, up to 1400 bytes a datagram, when the buffer is full and on
 * vitals_flush(). One `vitals` belongs to one thread: give each thread its own. Metrics are named
 * <subsystem>.<metric>, of lower-case letters, digits and '_'; the agent's catalogue says which there are.
 */
#ifndef ROBOVITALS_VITALS_H
#define ROBOVITALS_VITALS_H

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <unistd.h>

#define VITALS_MAX_DATAGRAM 1400
#define VITALS_MAX_COUNT ((uint64_t)1 << 53)

typedef struct vitals {
    int fd;                 /* -1: no socket yet; every flush tries again */
    int family;             /* 0: not opened, everything is dropped */
    struct sockaddr_un un;
    struct sockaddr_in in;
    size_t length;          /* of what is gathered */
    unsigned pending;       /* pushes gathered */
    uint64_t dropped;       /* pushes that no agent got */
    char buffer[VITALS_MAX_DATAGRAM];
} vitals;

/* One counter of a module's own, since the module's start. */
typedef struct vitals_counter {
    const char *name;       /* short: "utterances" */
    uint64_t value;
} vitals_counter;

static inline void vitals_socket_(vitals *v)
{
    if (v->fd < 0 && v->family != 0)
        v->fd = socket(v->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static inline void vitals_begin_(vitals *v)
{
    memset(v, 0, sizeof *v);
    v->fd = -1;
}

/* The agent's Unix socket. 0, or -1 where the path is too long or empty; the agent need not run yet. */
static inline int vitals_open_unix(vitals *v, const char *path)
{
    int saved = errno;
    vitals_begin_(v);
    if (path == NULL || path[0] == '\0' || strlen(path) >= sizeof v->un.sun_path)
        return -1;
    v->family = AF_UNIX;
    v->un.sun_family = AF_UNIX;
    memcpy(v->un.sun_path, path, strlen(path) + 1);
    vitals_socket_(v);
    errno = saved;
    return 0;
}

/* The agent's UDP port, usually "127.0.0.1" and 8125. 0, or -1 where that is no IPv4 address and port. */
static inline int vitals_open_udp(vitals *v, const char *address, unsigned port)
{
    int saved = errno;
    vitals_begin_(v);
    if (address == NULL || port == 0 || port > 65535 || inet_pton(AF_INET, address, &v->in.sin_addr) != 1) {
        errno = saved;
        return -1;
    }
    v->family = AF_INET;
    v->in.sin_family = AF_INET;
    v->in.sin_port = htons((uint16_t)port);
    vitals_socket_(v);
    errno = saved;
    return 0;
}

/* Every datagram names its target, so that an agent which was restarted is found again. */
static inline int vitals_send_(vitals *v, const char *data, size_t length)
{
    ssize_t sent = -1;
    int saved = errno;
    vitals_socket_(v);
    if (v->fd >= 0 && v->family == AF_UNIX)
        sent = sendto(v->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL,
                      (const struct sockaddr *)&v->un, (socklen_t)sizeof v->un);
    else if (v->fd >= 0)
        sent = sendto(v->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL,
                      (const struct sockaddr *)&v->in, (socklen_t)sizeof v->in);
    errno = saved;
    return sent == (ssize_t)length ? 0 : -1;
}

/* Sends what is gathered. */
static inline void vitals_flush(vitals *v)
{
    if (v->length > 0 && vitals_send_(v, v->buffer, v->length) != 0)
        v->dropped += v->pending;
    v->length = 0;
    v->pending = 0;
}

/* Sends what is gathered, and gives the socket back. */
static inline void vitals_close(vitals *v)
{
    int saved = errno;
    vitals_flush(v);
    if (v->fd >= 0)
        close(v->fd);
    v->fd = -1;
    v->family = 0;
    errno = saved;
}

/* How many pushes were dropped: agent away, a name or value that is none, or too long. */
static inline uint64_t vitals_dropped(const vitals *v)
{
    return v->dropped;
}

static inline int vitals_is_short_(const char *name, size_t length)
{
    size_t i;
    if (length == 0 || length > 64 || name[0] < 'a' || name[0] > 'z')
        return 0;
    for (i = 1; i < length; i++)
        if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') || name[i] == '_'))
            return 0;
    return 1;
}

static inline int vitals_is_name_(const char *name)
{
    const char *dot = name == NULL ? NULL : strchr(name, '.');
    return dot != NULL && vitals_is_short_(name, (size_t)(dot - name)) && vitals_is_short_(dot + 1, strlen(dot + 1));
}

/* Gathers one push, which is never torn over two datagrams. */
static inline void vitals_add_(vitals *v, const char *push, int length)
{
    size_t size = (size_t)length;
    if (length <= 0 || size > sizeof v->buffer) {
        v->dropped++;
        return;
    }
    if (v->length + (v->length > 0) + size > sizeof v->buffer)
        vitals_flush(v);
    if (v->length > 0)
        v->buffer[v->length++] = '\n';
    memcpy(v->buffer + v->length, push, size);
    v->length += size;
    v->pending++;
}

/* It happened `amount` times more. */
static inline void vitals_count(vitals *v, const char *name, uint64_t amount)
{
    char line[192];
    int length = 0;
    if (vitals_is_name_(name) && amount <= VITALS_MAX_COUNT)
        length = snprintf(line, sizeof line, "%s:%" PRIu64 "|c", name, amount);
    vitals_add_(v, line, length < (int)sizeof line ? length : 0);
}

/* It is `value` now. In StatsD a signed gauge is a change, so a negative one goes down from zero. */
static inline void vitals_gauge(vitals *v, const char *name, double value)
{
    char number[40];
    char line[384];
    char *comma;
    int length = 0;
    if (vitals_is_name_(name) && value - value == 0.0) { /* neither NaN nor infinite */
        snprintf(number, sizeof number, "%.15g", value);
        if ((comma = strchr(number, ',')) != NULL) /* the decimal point of the firmware's locale */
            *comma = '.';
        length = number[0] == '-' ? snprintf(line, sizeof line, "%s:0|g\n%s:%s|g", name, name, number)
                                  : snprintf(line, sizeof line, "%s:%s|g", name, number);
    }
    vitals_add_(v, line, length < (int)sizeof line ? length : 0);
}

/* The module of this name is alive; the agent takes it for down after 60 s without a word. */
static inline void vitals_up(vitals *v, const char *subsystem)
{
    char line[96];
    int length = 0;
    if (subsystem != NULL && vitals_is_short_(subsystem, strlen(subsystem)))
        length = snprintf(line, sizeof line, "%s.up:1|g", subsystem);
    vitals_add_(v, line, length < (int)sizeof line ? length : 0);
}

/* Sends a module's own counters since its start, at once, in a datagram of their own, with "I am alive".
 * `boot` differs after each start of the module (its start time, or a random word, of letters, digits,
 * '_' and '-'): the agent then counts from zero again. Every call gives all counters. 0 when sent. */
static inline int vitals_json(vitals *v, const char *subsystem, const char *boot,
                              const vitals_counter *counters, size_t count)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    char text[VITALS_MAX_DATAGRAM + 1];
    size_t i, size;
    int length = -1;
    int fine = subsystem != NULL && vitals_is_short_(subsystem, strlen(subsystem)) && boot != NULL
               && strlen(boot) <= 64 && strspn(boot, letters) == strlen(boot);
    if (fine)
        length = snprintf(text, sizeof text, "{\"subsystem\":\"%s\",\"boot\":\"%s\",\"gauges\":{\"up\":1},\"counters\":{",
                          subsystem, boot);
    size = fine ? (size_t)length : 0;
    for (i = 0; fine && i < count; i++) {
        const char *name = counters[i].name;
        fine = name != NULL && vitals_is_short_(name, strlen(name)) && counters[i].value <= VITALS_MAX_COUNT;
        if (fine)
            length = snprintf(text + size, sizeof text - size, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", name,
                              counters[i].value);
        size += fine ? (size_t)length : 0;
        fine = fine && size + 2 < sizeof text;
    }
    if (fine) {
        memcpy(text + size, "}}", 2);
        fine = vitals_send_(v, text, size + 2) == 0;
    }
    v->dropped += fine ? 0 : 1;
    return fine ? 0 : -1;
}

#endif
