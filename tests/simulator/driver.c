/* Uses the simulated library as Intel's callers do: a plain dlopen, then every function, also from many threads.

   Compiled by test_build.py with warnings as errors and, together with the library, under sanitizers. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tdx_attest.h"

#define THREADS 4
#define ROUNDS 50
#define CHECK(condition)                                                                                              \
    do {                                                                                                              \
        if (!(condition)) {                                                                                           \
            fprintf(stderr, "driver.c:%d: %s does not hold\n", __LINE__, #condition);                                 \
            exit(1);                                                                                                  \
        }                                                                                                             \
    } while (0)

static struct {
    tdx_attest_error_t (*get_quote)(const tdx_report_data_t *, const tdx_uuid_t *, uint32_t, tdx_uuid_t *, uint8_t **,
                                    uint32_t *, uint32_t);
    tdx_attest_error_t (*free_quote)(uint8_t *);
    tdx_attest_error_t (*get_report)(const tdx_report_data_t *, tdx_report_t *);
    tdx_attest_error_t (*extend)(const tdx_rtmr_event_t *);
    tdx_attest_error_t (*key_ids)(tdx_uuid_t *, uint32_t *);
} tdx;

static void find(void *library, const char *name, void *slot) {
    void *symbol = dlsym(library, name);
    CHECK(symbol);
    memcpy(slot, &symbol, sizeof symbol);
}

static void quote_once(unsigned seed) {
    tdx_report_data_t data;
    tdx_uuid_t ids[1], selected;
    uint32_t count = 1, size = 0;
    uint8_t *quote = NULL;
    memset(data.d, (int)seed, sizeof data.d);
    CHECK(tdx.key_ids(ids, &count) == TDX_ATTEST_SUCCESS && count == 1);
    CHECK(tdx.get_quote(&data, ids, 1, &selected, &quote, &size, 0) == TDX_ATTEST_SUCCESS);
    CHECK(size > 4000 && !memcmp(&selected, ids, sizeof selected));
    CHECK(!memcmp(quote + 568, data.d, sizeof data.d)); /* version 4: 48 + 520 */
    CHECK(tdx.free_quote(quote) == TDX_ATTEST_SUCCESS);
}

static void extend_once(uint64_t index, tdx_attest_error_t expected) {
    tdx_rtmr_event_t event;
    memset(&event, 0, sizeof event);
    event.version = 1;
    event.rtmr_index = index;
    memset(event.extend_data, 0x42, sizeof event.extend_data);
    CHECK(tdx.extend(&event) == expected);
}

static void *work(void *argument) {
    const unsigned seed = *(unsigned *)argument;
    tdx_report_t report;
    for (unsigned i = 0; i < ROUNDS; ++i) {
        quote_once(seed);
        extend_once(2 + i % 2, TDX_ATTEST_SUCCESS);
        CHECK(tdx.get_report(NULL, &report) == TDX_ATTEST_SUCCESS && report.d[0] == 0x81);
    }
    return NULL;
}

static void faults(void) {
    static const char *const names[] = {"td15",           "debug",        "out-of-date",       "truncated",
                                        "trailing-bytes", "corrupt-body", "corrupt-signature", "corrupt-qe-report",
                                        "corrupt-header", "other-fmspc",  "foreign-root",      "expired-pck"};
    const size_t count = sizeof names / sizeof *names;
    for (size_t i = 0; i < 2 * count; ++i) {
        uint8_t *quote = NULL;
        uint32_t size = 0;
        setenv("TDX_SIM_FAULT", names[i % count], 1);
        setenv("TDX_SIM_QUOTE_VERSION", i < count ? "4" : "5", 1);
        CHECK(tdx.get_quote(NULL, NULL, 0, NULL, &quote, &size, 0) == TDX_ATTEST_SUCCESS);
        uint32_t sum = 0;
        for (uint32_t at = 0; at < size; ++at) { /* every byte must be inside the buffer and written */
            sum += quote[at];
        }
        CHECK(sum);
        CHECK(tdx.free_quote(quote) == TDX_ATTEST_SUCCESS);
    }
    setenv("TDX_SIM_FAULT", "no such fault", 1);
    uint8_t *quote = NULL;
    CHECK(tdx.get_quote(NULL, NULL, 0, NULL, &quote, NULL, 0) == TDX_ATTEST_ERROR_UNEXPECTED && !quote);
    unsetenv("TDX_SIM_FAULT");
    unsetenv("TDX_SIM_QUOTE_VERSION");
}

int main(int count, char **arguments) {
    CHECK(count == 2);
    void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    find(library, "tdx_att_get_quote", &tdx.get_quote);
    find(library, "tdx_att_free_quote", &tdx.free_quote);
    find(library, "tdx_att_get_report", &tdx.get_report);
    find(library, "tdx_att_extend", &tdx.extend);
    find(library, "tdx_att_get_supported_att_key_ids", &tdx.key_ids);
    CHECK(dlsym(library, "tdx_attest_simulator"));

    pthread_t threads[THREADS];
    unsigned seeds[THREADS];
    for (unsigned i = 0; i < THREADS; ++i) {
        seeds[i] = i;
        CHECK(!pthread_create(&threads[i], NULL, work, &seeds[i]));
    }
    for (unsigned i = 0; i < THREADS; ++i) {
        CHECK(!pthread_join(threads[i], NULL));
    }
    extend_once(0, TDX_ATTEST_ERROR_INVALID_RTMR_INDEX);
    extend_once(4, TDX_ATTEST_ERROR_INVALID_PARAMETER);
    faults();
    puts("ok");
    return 0;
}
