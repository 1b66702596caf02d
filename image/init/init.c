/* The first program of the machine image's initrd, and the only one: it opens the root file system through dm-verity with
   the root hash of the kernel's command line, and becomes its systemd. There is no way around it: whatever is not as it was
   built is named on the console, and the machine is switched off.

   Files of the initrd: /cmdline (the command line that this image was built with), /modules/list (kernel modules, in order).
   The command line holds verity=<data blocks>,<salt>,<root hash>; the hash tree follows the data in the same partition,
   whose GUID is the first half of the root hash. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "verity.h"

#define ROOT "/root"
#define WAIT_FOR_DISK_S 60
#define MODULE_INIT_COMPRESSED_FILE 4 /* linux/module.h */

static void pause_ms(long ms) {
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

void refuse(const char *format, ...) {
    char sentence[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    const int console = open("/dev/console", O_WRONLY | O_CLOEXEC | O_NOCTTY);
    dprintf(console < 0 ? 2 : console, "\nopen-webui-tdx image: %s The machine is switched off.\n", sentence);
    pause_ms(3000);
    reboot(RB_POWER_OFF);
    for (;;) {
        pause_ms(1000);
    }
}

/* A whole small file as text; refuses where there is none. */
static void read_text(const char *path, char *out, size_t size) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t got = file < 0 ? -1 : read(file, out, size - 1);
    if (got < 0 || (size_t)got == size - 1) {
        refuse("%s cannot be read.", path);
    }
    close(file);
    out[got] = '\0';
    if (got && out[got - 1] == '\n') {
        out[got - 1] = '\0';
    }
}

static void write_text(const char *path, const char *text) {
    const int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, text, strlen(text)) != (ssize_t)strlen(text)) {
        refuse("%s cannot be set to %s (%s).", path, text, strerror(errno));
    }
    close(file);
}

static void mount_or_refuse(const char *type, const char *source, const char *place, unsigned long flags, const char *data) {
    if (mount(source, place, type, flags, data)) {
        refuse("%s cannot be mounted on %s (%s).", source, place, strerror(errno));
    }
}

/* Everything of the command line was measured; what was not built into this image is refused all the same. */
static void check_command_line(char *line, size_t size) {
    static char built[4096];
    read_text("/proc/cmdline", line, size);
    read_text("/cmdline", built, sizeof built);
    if (strcmp(line, built)) {
        refuse("The kernel's command line is \"%s\", expected \"%s\".", line, built);
    }
}

/* The boot stub puts credentials, extensions and the like that lie beside the kernel image into /.extra. */
static void check_extras(void) {
    struct stat info;
    if (!lstat("/.extra", &info)) {
        refuse("Something was added to the initrd beside the kernel image (credentials, add-ons or extensions).");
    }
}

/* systemd takes options from an EFI variable, which the host can write: the kernel is told to read none. */
static void check_variables(void) {
    if (!mount("efivarfs", "/sys/firmware/efi/efivars", "efivarfs", MS_NODEV | MS_NOSUID | MS_NOEXEC, NULL)) {
        refuse("The firmware's variables can be read, although the command line says efi=noruntime.");
    }
}

static void load_modules(void) {
    static char list[8192];
    read_text("/modules/list", list, sizeof list);
    for (char *rest = list, *name; (name = strsep(&rest, "\n"));) {
        char path[512];
        snprintf(path, sizeof path, "/modules/%s", name);
        const int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0) {
            refuse("%s is missing in the initrd.", path);
        }
        /* A driver of hardware that is not there says ENODEV or EOPNOTSUPP; that is no fault. */
        if (syscall(SYS_finit_module, file, "", MODULE_INIT_COMPRESSED_FILE) && errno != ENODEV && errno != EOPNOTSUPP) {
            refuse("The kernel does not take the module %s (%s).", name, strerror(errno));
        }
        close(file);
    }
    write_text("/proc/sys/kernel/modules_disabled", "1");
    write_text("/proc/sys/kernel/kexec_load_disabled", "1");
    write_text("/proc/sys/kernel/sysrq", "0");
}

/* The device's node below /dev whose uevent has this line; 0 or -1. */
static int find_partition(const char *line, char *out, size_t size) {
    DIR *folder = opendir("/sys/class/block");
    int found = -1;
    for (struct dirent *entry; folder && found && (entry = readdir(folder));) {
        char path[512], text[2048] = "\n";
        snprintf(path, sizeof path, "/sys/class/block/%s/uevent", entry->d_name);
        const int file = open(path, O_RDONLY | O_CLOEXEC);
        const ssize_t got = file < 0 ? -1 : read(file, text + 1, sizeof text - 2);
        if (file >= 0) {
            close(file);
        }
        if (got > 0 && strstr(text, line)) {
            snprintf(out, size, "/dev/%s", entry->d_name);
            found = 0;
        }
    }
    if (folder) {
        closedir(folder);
    }
    return found;
}

static void open_root(const char *command_line) {
    char line[64], device[300];
    verity_table table;
    if (verity_parse(command_line, &table)) {
        refuse("The kernel's command line holds no verity=<data blocks>,<salt>,<root hash>.");
    }
    /* A GUID is written with its first three fields in little-endian order: the builder writes it so that this text fits. */
    snprintf(line, sizeof line, "\nPARTUUID=%.8s-%.4s-%.4s-%.4s-%.12s\n", table.root, table.root + 8, table.root + 12,
             table.root + 16, table.root + 20);
    for (int waited = 0; find_partition(line, device, sizeof device); waited += 100) {
        if (waited >= WAIT_FOR_DISK_S * 1000) {
            refuse("No disk has the root partition of this image (%.*s).", (int)strlen(line) - 2, line + 1);
        }
        pause_ms(100);
    }
    verity_open(&table, device);
    mount_or_refuse("squashfs", "/dev/dm-0", ROOT, MS_RDONLY | MS_NODEV | MS_NOSUID, NULL);
}

static void become_system(void) {
    mount_or_refuse("tmpfs", "tmpfs", ROOT "/var", MS_NODEV | MS_NOSUID | MS_NOEXEC, "mode=0755,size=75%");
    mount_or_refuse("tmpfs", "tmpfs", ROOT "/tmp", MS_NODEV | MS_NOSUID | MS_NOEXEC, "mode=1777,size=25%");
    static const char *moved[] = {"/dev", "/proc", "/sys"};
    for (size_t i = 0; i < sizeof moved / sizeof *moved; ++i) {
        char place[64];
        snprintf(place, sizeof place, ROOT "%s", moved[i]);
        mount_or_refuse(NULL, moved[i], place, MS_MOVE, NULL);
    }
    if (chdir(ROOT) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/")) {
        refuse("The root file system cannot be entered (%s).", strerror(errno));
    }
    char *const arguments[] = {"/usr/lib/systemd/systemd", NULL};
    char *const environment[] = {"PATH=/usr/sbin:/usr/bin", NULL};
    execve(arguments[0], arguments, environment);
    refuse("%s cannot be started (%s).", arguments[0], strerror(errno));
}

int main(void) {
    static char line[4096];
    umask(022);
    mount_or_refuse("devtmpfs", "devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=0755");
    mount_or_refuse("proc", "proc", "/proc", MS_NODEV | MS_NOSUID | MS_NOEXEC, NULL);
    mount_or_refuse("sysfs", "sysfs", "/sys", MS_NODEV | MS_NOSUID | MS_NOEXEC, NULL);
    check_command_line(line, sizeof line);
    check_extras();
    check_variables();
    load_modules();
    open_root(line);
    become_system();
}
