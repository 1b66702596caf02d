/* The exported API: argument checks and status codes as Intel's library has them, then the simulated device. */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "embedded.h"

#define EXPORT __attribute__((visibility("default")))

/* Whoever loads a library can tell by this symbol that it is a simulator. */
EXPORT extern const char tdx_attest_simulator[];
EXPORT const char tdx_attest_simulator[] = EMBEDDED_VERSION;

/* The only attestation key id there is: ECDSA P-256 by Intel's TD QE. */
static const tdx_uuid_t key_id = {
    {0xe8, 0x6c, 0x04, 0x6e, 0x8c, 0xc4, 0x4d, 0x95, 0x81, 0x73, 0xfc, 0x43, 0xc1, 0xfa, 0x4f, 0x3f}};

/* Settings, and the status they force. Every function starts with this. */
static tdx_attest_error_t begin(settings *set) {
    if (settings_read(set)) {
        return TDX_ATTEST_ERROR_UNEXPECTED;
    }
    return set->status >= 0 ? (tdx_attest_error_t)set->status : TDX_ATTEST_SUCCESS;
}

static void wait_ms(unsigned milliseconds) {
    struct timespec left = {(time_t)(milliseconds / 1000), (long)(milliseconds % 1000) * 1000000L};
    while (milliseconds && nanosleep(&left, &left) && errno == EINTR) {
    }
}

static tdx_attest_error_t check_quote_arguments(const tdx_uuid_t *ids, uint32_t count, uint8_t **quote, uint32_t flags) {
    if (!quote || flags || !ids != !count || count > 1) {
        return TDX_ATTEST_ERROR_INVALID_PARAMETER;
    }
    if (ids && memcmp(ids, &key_id, sizeof key_id)) {
        return TDX_ATTEST_ERROR_UNSUPPORTED_ATT_KEY_ID;
    }
    return TDX_ATTEST_SUCCESS;
}

EXPORT tdx_attest_error_t tdx_att_get_quote(const tdx_report_data_t *p_tdx_report_data,
                                            const tdx_uuid_t att_key_id_list[], uint32_t list_size,
                                            tdx_uuid_t *p_att_key_id, uint8_t **pp_quote, uint32_t *p_quote_size,
                                            uint32_t flags) {
    static const tdx_report_data_t zeros;
    settings set;
    registers regs;
    uint32_t size = 0;
    tdx_attest_error_t status = check_quote_arguments(att_key_id_list, list_size, pp_quote, flags);
    if (status != TDX_ATTEST_SUCCESS) {
        return status;
    }
    *pp_quote = NULL;
    if ((status = begin(&set)) != TDX_ATTEST_SUCCESS) {
        return status;
    }
    wait_ms(set.delay_ms);
    if (state_read(&regs)) {
        return TDX_ATTEST_ERROR_DEVICE_FAILURE;
    }
    if (evidence_quote(&set, &regs, (p_tdx_report_data ? p_tdx_report_data : &zeros)->d, pp_quote, &size)) {
        return TDX_ATTEST_ERROR_QUOTE_FAILURE;
    }
    if (p_quote_size) {
        *p_quote_size = size;
    }
    if (p_att_key_id) {
        *p_att_key_id = key_id;
    }
    return TDX_ATTEST_SUCCESS;
}

EXPORT tdx_attest_error_t tdx_att_free_quote(uint8_t *p_quote) {
    free(p_quote);
    return TDX_ATTEST_SUCCESS;
}

EXPORT tdx_attest_error_t tdx_att_get_report(const tdx_report_data_t *p_tdx_report_data, tdx_report_t *p_tdx_report) {
    static const tdx_report_data_t zeros;
    settings set;
    registers regs;
    if (!p_tdx_report) {
        return TDX_ATTEST_ERROR_INVALID_PARAMETER;
    }
    const tdx_attest_error_t status = begin(&set);
    if (status != TDX_ATTEST_SUCCESS) {
        return status;
    }
    if (state_read(&regs)) {
        return TDX_ATTEST_ERROR_DEVICE_FAILURE;
    }
    return evidence_report(&set, &regs, (p_tdx_report_data ? p_tdx_report_data : &zeros)->d, p_tdx_report->d)
               ? TDX_ATTEST_ERROR_REPORT_FAILURE
               : TDX_ATTEST_SUCCESS;
}

EXPORT tdx_attest_error_t tdx_att_extend(const tdx_rtmr_event_t *p_rtmr_event) {
    settings set;
    if (!p_rtmr_event || p_rtmr_event->version != 1) {
        return TDX_ATTEST_ERROR_INVALID_PARAMETER;
    }
    if (p_rtmr_event->event_data_size) {
        return TDX_ATTEST_ERROR_NOT_SUPPORTED;
    }
    if (p_rtmr_event->rtmr_index >= RTMR_COUNT) {
        return TDX_ATTEST_ERROR_INVALID_PARAMETER;
    }
    if (p_rtmr_event->rtmr_index < 2) { /* 0 and 1 belong to the firmware and the boot loader */
        return TDX_ATTEST_ERROR_INVALID_RTMR_INDEX;
    }
    const tdx_attest_error_t status = begin(&set);
    if (status != TDX_ATTEST_SUCCESS) {
        return status;
    }
    return state_extend((unsigned)p_rtmr_event->rtmr_index, p_rtmr_event->extend_data) ? TDX_ATTEST_ERROR_EXTEND_FAILURE
                                                                                       : TDX_ATTEST_SUCCESS;
}

EXPORT tdx_attest_error_t tdx_att_get_supported_att_key_ids(tdx_uuid_t *p_att_key_id_list, uint32_t *p_list_size) {
    settings set;
    if (!p_list_size || !p_att_key_id_list != !*p_list_size) {
        return TDX_ATTEST_ERROR_INVALID_PARAMETER;
    }
    const tdx_attest_error_t status = begin(&set);
    if (status != TDX_ATTEST_SUCCESS) {
        return status;
    }
    if (p_att_key_id_list) {
        p_att_key_id_list[0] = key_id;
    }
    *p_list_size = 1;
    return TDX_ATTEST_SUCCESS;
}
