/* The simulator's settings. They come from the environment and are read at every call, so that a test can change them. */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    fault_kind fault;
    const char *certification;
} faults[] = {
#define ROW(name, fault, certification) {name, fault, certification},
    FAULTS(ROW)
#undef ROW
};

void complain(const char *format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fprintf(stderr, "tdx simulator: %s\n", line);
}

/* A whole number of the environment; `absent` if it is not set or empty. 0, or -1 after one line. */
static int number(const char *name, long absent, long highest, long *out) {
    const char *text = getenv(name);
    *out = absent;
    if (!text || !*text) {
        return 0;
    }
    char *end = NULL;
    errno = 0;
    const long value = strtol(text, &end, 0);
    if (errno || *end || value < 0 || value > highest) {
        complain("%s is \"%s\"; it must be a whole number from 0 to %ld", name, text, highest);
        return -1;
    }
    *out = value;
    return 0;
}

static int read_fault(settings *out) {
    const char *name = getenv("TDX_SIM_FAULT");
    out->fault = FAULT_NONE;
    out->certification = "default";
    if (!name || !*name) {
        return 0;
    }
    for (size_t i = 0; i < sizeof faults / sizeof *faults; ++i) {
        if (!strcmp(name, faults[i].name)) {
            out->fault = faults[i].fault;
            out->certification = faults[i].certification;
            return 0;
        }
    }
    complain("TDX_SIM_FAULT is \"%s\", which is no fault of the library; see docs/simulator.md", name);
    return -1;
}

/* TDX_SIM_STATUS, as long as TDX_SIM_STATUS_CALLS lets it: the first that many calls of this process, or all. */
static int read_status(settings *out) {
    static unsigned long answered;
    long status, calls;
    if (number("TDX_SIM_STATUS", -1, INT_MAX, &status) || number("TDX_SIM_STATUS_CALLS", LONG_MAX, LONG_MAX, &calls)) {
        return -1;
    }
    if (status >= 0 && calls != LONG_MAX && __atomic_fetch_add(&answered, 1, __ATOMIC_RELAXED) >= (unsigned long)calls) {
        status = -1;
    }
    out->status = (int)status;
    return 0;
}

int settings_read(settings *out) {
    long version, delay;
    if (read_fault(out) || read_status(out) || number("TDX_SIM_DELAY_MS", 0, 3600000, &delay) ||
        number("TDX_SIM_QUOTE_VERSION", out->fault == FAULT_TD15 ? 5 : 4, INT_MAX, &version)) {
        return -1;
    }
    if (version != 4 && version != 5) {
        complain("TDX_SIM_QUOTE_VERSION is %ld; it must be 4 or 5", version);
        return -1;
    }
    out->delay_ms = (unsigned)delay;
    out->quote_version = (unsigned)version;
    return 0;
}
