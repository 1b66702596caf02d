/* The root file system's dm-verity device. */
#pragma once

typedef struct {
    unsigned long long blocks; /* of 4,096 bytes; the hash tree begins after them */
    char salt[65];             /* 32 bytes, lower-case hex */
    char root[65];             /* SHA-256, lower-case hex */
} verity_table;

/* Print one sentence on the console and switch the machine off. */
void refuse(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* What verity= of a command line says; 0, or -1 where it is missing or malformed. */
int verity_parse(const char *command_line, verity_table *out);

/* Make /dev/dm-0 of a partition; every later read of it is checked, and one that does not fit ends in a panic. */
void verity_open(const verity_table *table, const char *device);
