/* The C API of libtdx_attest that _binding.pyx compiles against.
 *
 * Where Intel's tdx_attest.h is installed it is used, and every layout, status code and prototype that the binding
 * relies on is asserted: a changed ABI fails the build. Elsewhere the declarations below stand in, so that a wheel can
 * be built on any machine. The library itself is never linked: it is looked up at first use (library.py). */
#ifndef QUOTE_GENERATOR_ABI_H
#define QUOTE_GENERATOR_ABI_H

#include <stddef.h>
#include <stdint.h>

#if defined(__has_include)
#if __has_include(<tdx_attest.h>)
#include <tdx_attest.h>
#define QG_INTEL_HEADER 1
#endif
#endif

#ifndef QG_INTEL_HEADER
#define QG_INTEL_HEADER 0

#pragma pack(push, 1)
typedef struct { uint8_t d[64]; } tdx_report_data_t;
typedef struct { uint8_t d[1024]; } tdx_report_t;
typedef struct { uint8_t d[16]; } tdx_uuid_t;
typedef struct {
    uint32_t version;
    uint64_t rtmr_index;
    uint8_t extend_data[48];
    uint32_t event_type;
    uint32_t event_data_size;
    uint8_t event_data[];
} tdx_rtmr_event_t;
#pragma pack(pop)

typedef enum {
    TDX_ATTEST_SUCCESS = 0x0000,
    TDX_ATTEST_ERROR_MAX = 0xffff, /* any 16-bit status must fit the type */
} tdx_attest_error_t;
#endif

typedef tdx_attest_error_t (*qg_get_quote_fn)(const tdx_report_data_t *, const tdx_uuid_t *, uint32_t, tdx_uuid_t *,
                                              uint8_t **, uint32_t *, uint32_t);
typedef tdx_attest_error_t (*qg_free_quote_fn)(uint8_t *);
typedef tdx_attest_error_t (*qg_get_report_fn)(const tdx_report_data_t *, tdx_report_t *);
typedef tdx_attest_error_t (*qg_extend_fn)(const tdx_rtmr_event_t *);
typedef tdx_attest_error_t (*qg_get_key_ids_fn)(tdx_uuid_t *, uint32_t *);

#define QG_ASSERT(condition) _Static_assert(condition, "tdx_attest.h differs from the ABI this binding knows: " #condition)

QG_ASSERT(sizeof(tdx_report_data_t) == 64);
QG_ASSERT(sizeof(tdx_report_t) == 1024);
QG_ASSERT(sizeof(tdx_uuid_t) == 16);
QG_ASSERT(sizeof(tdx_rtmr_event_t) == 68);
QG_ASSERT(offsetof(tdx_rtmr_event_t, rtmr_index) == 4);
QG_ASSERT(offsetof(tdx_rtmr_event_t, extend_data) == 12);
QG_ASSERT(offsetof(tdx_rtmr_event_t, event_type) == 60);
QG_ASSERT(offsetof(tdx_rtmr_event_t, event_data_size) == 64);
QG_ASSERT(sizeof(tdx_attest_error_t) == 4);

#if QG_INTEL_HEADER
#define QG_SAME(function, type) QG_ASSERT(__builtin_types_compatible_p(__typeof__(&function), type))
QG_SAME(tdx_att_get_quote, qg_get_quote_fn);
QG_SAME(tdx_att_free_quote, qg_free_quote_fn);
QG_SAME(tdx_att_get_report, qg_get_report_fn);
QG_SAME(tdx_att_extend, qg_extend_fn);
QG_SAME(tdx_att_get_supported_att_key_ids, qg_get_key_ids_fn);
QG_ASSERT(TDX_ATTEST_SUCCESS == 0);
QG_ASSERT(TDX_ATTEST_ERROR_UNEXPECTED == 1);
QG_ASSERT(TDX_ATTEST_ERROR_INVALID_PARAMETER == 2);
QG_ASSERT(TDX_ATTEST_ERROR_OUT_OF_MEMORY == 3);
QG_ASSERT(TDX_ATTEST_ERROR_VSOCK_FAILURE == 4);
QG_ASSERT(TDX_ATTEST_ERROR_REPORT_FAILURE == 5);
QG_ASSERT(TDX_ATTEST_ERROR_EXTEND_FAILURE == 6);
QG_ASSERT(TDX_ATTEST_ERROR_NOT_SUPPORTED == 7);
QG_ASSERT(TDX_ATTEST_ERROR_QUOTE_FAILURE == 8);
QG_ASSERT(TDX_ATTEST_ERROR_BUSY == 9);
QG_ASSERT(TDX_ATTEST_ERROR_DEVICE_FAILURE == 0xa);
QG_ASSERT(TDX_ATTEST_ERROR_INVALID_RTMR_INDEX == 0xb);
QG_ASSERT(TDX_ATTEST_ERROR_UNSUPPORTED_ATT_KEY_ID == 0xc);
#endif

#endif
