/* dm-verity without a library: three ioctls of the device mapper (linux/dm-ioctl.h, Documentation/admin-guide/
   device-mapper/verity.rst). */
#define _GNU_SOURCE
#include "verity.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 4096
#define SECTORS_A_BLOCK (BLOCK / 512)

static int is_hex(const char *text, size_t size) {
    return strspn(text, "0123456789abcdef") == size && text[size] == '\0';
}

int verity_parse(const char *command_line, verity_table *out) {
    static const char name[] = "verity=";
    const char *at = command_line;
    while (strncmp(at, name, sizeof name - 1)) {
        at = strchr(at, ' ');
        if (!at) {
            return -1;
        }
        ++at;
    }
    if (sscanf(at + sizeof name - 1, "%llu,%64[0-9a-f],%64[0-9a-f]", &out->blocks, out->salt, out->root) != 3) {
        return -1;
    }
    return out->blocks && is_hex(out->salt, 64) && is_hex(out->root, 64) ? 0 : -1;
}

static void ask(int control, unsigned long request, struct dm_ioctl *header, const char *what) {
    header->version[0] = DM_VERSION_MAJOR;
    header->data_start = sizeof *header;
    snprintf(header->name, sizeof header->name, "root");
    if (ioctl(control, request, header)) {
        refuse("The root file system cannot be checked: %s failed (%s).", what, strerror(errno));
    }
}

void verity_open(const verity_table *table, const char *device) {
    static struct {
        struct dm_ioctl header;
        struct dm_target_spec target;
        char parameters[1024];
    } load;
    const int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
    if (control < 0) {
        refuse("The kernel has no device mapper (%s).", strerror(errno));
    }
    struct dm_ioctl create = {.data_size = sizeof create};
    ask(control, DM_DEV_CREATE, &create, "creating its device");
    load.header.data_size = sizeof load;
    load.header.flags = DM_READONLY_FLAG;
    load.header.target_count = 1;
    load.target.length = table->blocks * SECTORS_A_BLOCK;
    snprintf(load.target.target_type, sizeof load.target.target_type, "verity");
    snprintf(load.parameters, sizeof load.parameters, "1 %s %s %d %d %llu %llu sha256 %s %s 1 panic_on_corruption", device,
             device, BLOCK, BLOCK, table->blocks, table->blocks, table->root, table->salt);
    ask(control, DM_TABLE_LOAD, &load.header, "loading its hash tree's table");
    struct dm_ioctl resume = {.data_size = sizeof resume, .flags = DM_READONLY_FLAG};
    ask(control, DM_DEV_SUSPEND, &resume, "starting its device");
    close(control);
}
