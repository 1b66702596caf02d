/* The smallest libtdx_attest: no device, no keys. What it answers is set through the functions stub_*.
 * It counts buffers, so that a test sees whether each was freed, once. */
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static atomic_int status, busy_times, delay_ms, fill, give_buffer_on_error, no_buffer, key_count = 1;
static atomic_long living, calls;
static uint8_t seen_data[64], seen_ids[1024], seen_event[68];
static uint8_t one_key[16];
static int only_key;
static uint32_t seen_count;

void stub_set(int new_status, int new_busy_times, int new_delay_ms) {
    status = new_status, busy_times = new_busy_times, delay_ms = new_delay_ms;
    give_buffer_on_error = no_buffer = 0, key_count = 1, calls = 0, only_key = 0;
}
void stub_only_key(const uint8_t *id) { memcpy(one_key, id, 16), only_key = 1; }
void stub_odd(int on_error, int none, int keys) { give_buffer_on_error = on_error, no_buffer = none, key_count = keys; }
long stub_living(void) { return living; }
long stub_calls(void) { return calls; }
const uint8_t *stub_data(void) { return seen_data; }
const uint8_t *stub_ids(void) { return seen_ids; }
uint32_t stub_count(void) { return seen_count; }
const uint8_t *stub_event(void) { return seen_event; }

static int answer(void) {
    calls++;
    if (delay_ms) {
        struct timespec pause = {delay_ms / 1000, (delay_ms % 1000) * 1000000L};
        nanosleep(&pause, NULL);
    }
    if (busy_times > 0) return busy_times--, 9;
    return status;
}

int tdx_att_get_quote(const uint8_t *data, const uint8_t *ids, uint32_t n, void *selected, uint8_t **quote,
                      uint32_t *size, uint32_t flags) {
    (void)selected, (void)flags;
    if (n > 1 || !ids != !n) return 2; /* as Intel's: one key at most */
    int result = answer();
    if (!result && n && only_key && memcmp(ids, one_key, 16)) result = 0xc;
    if (!delay_ms) {
        memcpy(seen_data, data, 64);
        memcpy(seen_ids, ids ? ids : data, ids ? 16 * n : 0);
        seen_count = n;
    }
    if ((result && !give_buffer_on_error) || no_buffer) return result;
    *size = 5000;
    *quote = malloc(*size);
    memset(*quote, fill, *size);
    memcpy(*quote, data, 64);
    living++;
    return result;
}

int tdx_att_free_quote(uint8_t *quote) {
    free(quote);
    living--;
    return 0;
}

int tdx_att_get_report(const uint8_t *data, uint8_t *report) {
    int result = answer();
    memset(report, 7, 1024);
    memcpy(report, data, 64);
    return result;
}

int tdx_att_extend(const uint8_t *event) {
    memcpy(seen_event, event, 68);
    return answer();
}

int tdx_att_get_supported_att_key_ids(uint8_t *ids, uint32_t *count) {
    int result = answer();
    if (!result && ids && *count < (uint32_t)key_count) return 2;
    for (int i = 0; !result && ids && i < key_count; i++) memset(ids + 16 * i, i, 16);
    *count = key_count;
    return result;
}
