/* The C API of libtdx_attest.so.1 as Intel's DCAP defines it (wire compatible: same prototypes, sizes and codes). */
#ifndef SIMULATOR_TDX_ATTEST_H
#define SIMULATOR_TDX_ATTEST_H

#include <stdint.h>

typedef enum _tdx_attest_error_t {
    TDX_ATTEST_SUCCESS = 0x0000,
    TDX_ATTEST_ERROR_UNEXPECTED = 0x0001,
    TDX_ATTEST_ERROR_INVALID_PARAMETER = 0x0002,
    TDX_ATTEST_ERROR_OUT_OF_MEMORY = 0x0003,
    TDX_ATTEST_ERROR_VSOCK_FAILURE = 0x0004,
    TDX_ATTEST_ERROR_REPORT_FAILURE = 0x0005,
    TDX_ATTEST_ERROR_EXTEND_FAILURE = 0x0006,
    TDX_ATTEST_ERROR_NOT_SUPPORTED = 0x0007,
    TDX_ATTEST_ERROR_QUOTE_FAILURE = 0x0008,
    TDX_ATTEST_ERROR_BUSY = 0x0009,
    TDX_ATTEST_ERROR_DEVICE_FAILURE = 0x000a,
    TDX_ATTEST_ERROR_INVALID_RTMR_INDEX = 0x000b,
    TDX_ATTEST_ERROR_UNSUPPORTED_ATT_KEY_ID = 0x000c,
} tdx_attest_error_t;

#define TDX_REPORT_DATA_SIZE 64
#define TDX_REPORT_SIZE 1024
#define TDX_UUID_SIZE 16
#define TDX_RTMR_SIZE 48

#pragma pack(push, 1)

typedef struct _tdx_uuid_t {
    uint8_t d[TDX_UUID_SIZE];
} tdx_uuid_t;

typedef struct _tdx_report_data_t {
    uint8_t d[TDX_REPORT_DATA_SIZE];
} tdx_report_data_t;

typedef struct _tdx_report_t {
    uint8_t d[TDX_REPORT_SIZE];
} tdx_report_t;

typedef struct _tdx_rtmr_event_t {
    uint32_t version; /* 1 */
    uint64_t rtmr_index;
    uint8_t extend_data[TDX_RTMR_SIZE];
    uint32_t event_type;
    uint32_t event_data_size; /* 0: no event data is supported */
    uint8_t event_data[];
} tdx_rtmr_event_t;

#pragma pack(pop)

tdx_attest_error_t tdx_att_get_quote(const tdx_report_data_t *p_tdx_report_data, const tdx_uuid_t att_key_id_list[],
                                     uint32_t list_size, tdx_uuid_t *p_att_key_id, uint8_t **pp_quote,
                                     uint32_t *p_quote_size, uint32_t flags);

tdx_attest_error_t tdx_att_free_quote(uint8_t *p_quote);

tdx_attest_error_t tdx_att_get_report(const tdx_report_data_t *p_tdx_report_data, tdx_report_t *p_tdx_report);

tdx_attest_error_t tdx_att_extend(const tdx_rtmr_event_t *p_rtmr_event);

tdx_attest_error_t tdx_att_get_supported_att_key_ids(tdx_uuid_t *p_att_key_id_list, uint32_t *p_list_size);

#endif
