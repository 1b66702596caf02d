/* MRTD and RTMRs, kept in a folder, so that they outlive the process as a TD's do.

   state/lock        held (flock) by whoever looks at or changes the registers
   state/registers   magic (8), boot id (36), MRTD and four RTMRs (48 each), SHA-256 of all before (32); replaced whole

   A TD's registers start afresh with its boot: a file written under another boot id counts as absent. A file that is
   damaged is an error, never a fresh start, since a register that forgets would hide what was measured. */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "embedded.h"

static const char magic[8] = {'T', 'D', 'X', 'S', 'I', 'M', '1', '\n'};

typedef struct {
    char magic[8];
    char boot_id[BOOT_ID_SIZE];
    registers regs;
    uint8_t digest[32];
} state_file;

_Static_assert(sizeof(state_file) == 316, "the state file has no padding");

typedef struct {
    char folder[PATH_MAX];
    int folder_fd;
    int lock_fd;
    char boot_id[BOOT_ID_SIZE];
} session;

/* mkdir -p, 0700. 0, or -1 with errno. */
static int make_folders(char *path) {
    for (char *at = path + 1; *at; ++at) {
        if (*at == '/') {
            *at = '\0';
            const int failed = mkdir(path, 0700) && errno != EEXIST;
            *at = '/';
            if (failed) {
                return -1;
            }
        }
    }
    return mkdir(path, 0700) && errno != EEXIST ? -1 : 0;
}

/* The folder's name: TDX_SIM_STATE, else one of this user's own. */
static int choose_folder(char out[PATH_MAX]) {
    const char *chosen = getenv("TDX_SIM_STATE");
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int size;
    if (chosen && *chosen) {
        size = snprintf(out, PATH_MAX, "%s", chosen);
    } else if (runtime && *runtime) {
        size = snprintf(out, PATH_MAX, "%s/tdx-sim", runtime);
    } else {
        size = snprintf(out, PATH_MAX, "/tmp/tdx-sim-%lu", (unsigned long)geteuid());
    }
    if (size < 0 || size >= PATH_MAX) {
        complain("the state folder's path is too long");
        return -1;
    }
    return 0;
}

static int open_folder(session *s) {
    if (choose_folder(s->folder)) {
        return -1;
    }
    if (make_folders(s->folder)) {
        complain("cannot create the state folder %s: %s; set TDX_SIM_STATE", s->folder, strerror(errno));
        return -1;
    }
    s->folder_fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    struct stat info;
    if (s->folder_fd < 0 || fstat(s->folder_fd, &info)) {
        complain("cannot open the state folder %s: %s; set TDX_SIM_STATE", s->folder, strerror(errno));
        return -1;
    }
    if (info.st_uid != geteuid() && geteuid() != 0) { /* /tmp: somebody else may have made it first */
        complain("the state folder %s belongs to another user; set TDX_SIM_STATE", s->folder);
        return -1;
    }
    return 0;
}

static int read_boot_id(char out[BOOT_ID_SIZE]) {
    const char *chosen = getenv("TDX_SIM_BOOT_ID");
    char text[BOOT_ID_SIZE + 1] = {0};
    if (chosen && *chosen) {
        snprintf(text, sizeof text, "%-36s", chosen);
    } else {
        const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        const ssize_t got = fd < 0 ? -1 : read(fd, text, BOOT_ID_SIZE);
        if (fd >= 0) {
            close(fd);
        }
        if (got != BOOT_ID_SIZE) {
            complain("cannot read /proc/sys/kernel/random/boot_id");
            return -1;
        }
    }
    memcpy(out, text, BOOT_ID_SIZE);
    return 0;
}

static void session_close(session *s) {
    if (s->lock_fd >= 0) {
        close(s->lock_fd); /* gives the lock back */
    }
    if (s->folder_fd >= 0) {
        close(s->folder_fd);
    }
}

static int session_open(session *s) {
    s->folder_fd = s->lock_fd = -1;
    if (crypto_open() || read_boot_id(s->boot_id) || open_folder(s)) {
        session_close(s);
        return -1;
    }
    s->lock_fd = openat(s->folder_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int locked = -1;
    while (s->lock_fd >= 0 && (locked = flock(s->lock_fd, LOCK_EX)) && errno == EINTR) {
    }
    if (locked) {
        complain("cannot lock %s/lock: %s", s->folder, strerror(errno));
        session_close(s);
        return -1;
    }
    return 0;
}

static ssize_t read_whole(int fd, void *out, size_t size) {
    size_t have = 0;
    while (have < size) {
        const ssize_t got = read(fd, (char *)out + have, size - have);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (!got) {
            break;
        }
        have += (size_t)got;
    }
    return (ssize_t)have;
}

static int is_sound(const session *s, const state_file *file, ssize_t size) {
    uint8_t digest[32];
    if (size == (ssize_t)sizeof *file && !memcmp(file->magic, magic, sizeof magic) &&
        !crypto_sha256(file, offsetof(state_file, digest), digest) && !memcmp(digest, file->digest, sizeof digest)) {
        return 1;
    }
    complain("%s/registers is damaged; remove it to start with fresh registers", s->folder);
    return 0;
}

/* The registers on disk, or the initial ones. 0 or -1. */
static int load(const session *s, registers *out) {
    const int fd = openat(s->folder_fd, "registers", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ENOENT) {
        complain("cannot open %s/registers: %s", s->folder, strerror(errno));
        return -1;
    }
    if (fd >= 0) {
        union {
            state_file file;
            uint8_t raw[sizeof(state_file) + 1]; /* one more, to notice a file that is too long */
        } content;
        const ssize_t size = read_whole(fd, content.raw, sizeof content.raw);
        close(fd);
        if (!is_sound(s, &content.file, size)) {
            return -1;
        }
        if (!memcmp(content.file.boot_id, s->boot_id, BOOT_ID_SIZE)) {
            *out = content.file.regs;
            return 0;
        }
    }
    memcpy(out->mr_td, embedded_mr_td, sizeof out->mr_td);
    memcpy(out->rtmr, embedded_rtmrs, sizeof out->rtmr);
    return 0;
}

static int write_whole(int fd, const void *data, size_t size) {
    size_t done = 0;
    while (done < size) {
        const ssize_t put = write(fd, (const char *)data + done, size - done);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return -1;
        }
        done += (size_t)put;
    }
    return fsync(fd);
}

/* Write beside, sync, rename, sync the folder: after a crash the file is the old one or the new one. */
static int store(const session *s, const registers *regs) {
    state_file file;
    memcpy(file.magic, magic, sizeof magic);
    memcpy(file.boot_id, s->boot_id, BOOT_ID_SIZE);
    file.regs = *regs;
    if (crypto_sha256(&file, offsetof(state_file, digest), file.digest)) {
        complain("libcrypto cannot compute SHA-256");
        return -1;
    }
    const int fd = openat(s->folder_fd, "registers.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int failed = fd < 0 || write_whole(fd, &file, sizeof file);
    if (fd >= 0) {
        failed |= close(fd) != 0;
    }
    if (failed || renameat(s->folder_fd, "registers.new", s->folder_fd, "registers") || fsync(s->folder_fd)) {
        complain("cannot write %s/registers: %s", s->folder, strerror(errno));
        return -1;
    }
    return 0;
}

int state_read(registers *out) {
    session s;
    if (session_open(&s)) {
        return -1;
    }
    const int result = load(&s, out);
    session_close(&s);
    return result;
}

int state_extend(unsigned index, const uint8_t data[TDX_MR_SIZE]) {
    session s;
    registers regs;
    if (session_open(&s)) {
        return -1;
    }
    int result = load(&s, &regs);
    if (!result) {
        uint8_t both[2 * TDX_MR_SIZE];
        memcpy(both, regs.rtmr[index], TDX_MR_SIZE);
        memcpy(both + TDX_MR_SIZE, data, TDX_MR_SIZE);
        result = crypto_sha384(both, sizeof both, regs.rtmr[index]) || store(&s, &regs) ? -1 : 0;
    }
    session_close(&s);
    return result;
}
