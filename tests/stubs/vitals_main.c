/* Drives vitals.h by lines on standard input, for test_vitals_h.py; one C and C++ alike. */
#include "vitals.h"

#include <stdlib.h>

#define MAX_COUNTERS 200

static void json(vitals *v)
{
    static char names[MAX_COUNTERS][80];
    vitals_counter counters[MAX_COUNTERS];
    size_t count = 0;
    char *subsystem = strtok(NULL, " "), *boot = strtok(NULL, " "), *name;
    while (count < MAX_COUNTERS && (name = strtok(NULL, " ")) != NULL) {
        snprintf(names[count], sizeof names[count], "%s", name);
        counters[count].name = names[count];
        counters[count].value = strtoull(strtok(NULL, " "), NULL, 10);
        count++;
    }
    printf("%d\n", vitals_json(v, subsystem, boot, counters, count));
}

static void obey(vitals *v, const char *word)
{
    const char *name;
    if (strcmp(word, "count") == 0) {
        name = strtok(NULL, " ");
        vitals_count(v, name, strtoull(strtok(NULL, " "), NULL, 10));
    } else if (strcmp(word, "gauge") == 0) {
        name = strtok(NULL, " ");
        vitals_gauge(v, name, strtod(strtok(NULL, " "), NULL));
    } else if (strcmp(word, "up") == 0) {
        vitals_up(v, strtok(NULL, " "));
    } else if (strcmp(word, "json") == 0) {
        json(v);
    } else if (strcmp(word, "flush") == 0) {
        vitals_flush(v);
    } else if (strcmp(word, "dropped") == 0) {
        printf("%" PRIu64 " errno %d\n", vitals_dropped(v), errno);
    } else {
        exit(3);
    }
}

int main(int count, char **words)
{
    static vitals v;
    char line[16384];
    int opened = count > 2 ? vitals_open_udp(&v, words[1], (unsigned)atoi(words[2])) : vitals_open_unix(&v, words[1]);
    printf("opened %d\n", opened);
    fflush(stdout);
    errno = 0;
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        obey(&v, strtok(line, " "));
        fflush(stdout);
    }
    vitals_close(&v);
    return 0;
}
