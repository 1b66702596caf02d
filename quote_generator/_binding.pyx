# cython: language_level=3, boundscheck=False, wraparound=False
"""The raw mirror of libtdx_attest's C API: convert in, call without the GIL, check the status, wrap or raise.

Arguments are exact-size `bytes`; everything that makes them comfortable is in `quoting.py`, everything that finds the
library in `library.py`. The extension imports nothing but libc, so one wheel runs with any glibc.
"""
from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy

from quote_generator.errors import from_status

cdef extern from "_abi.h" nogil:
    ctypedef struct tdx_report_data_t:
        uint8_t d[64]
    ctypedef struct tdx_report_t:
        uint8_t d[1024]
    ctypedef struct tdx_uuid_t:
        uint8_t d[16]
    ctypedef struct tdx_rtmr_event_t:
        uint32_t version
        uint64_t rtmr_index
        uint8_t extend_data[48]
        uint32_t event_type
        uint32_t event_data_size
    ctypedef uint32_t tdx_attest_error_t
    ctypedef tdx_attest_error_t (*qg_get_quote_fn)(
        const tdx_report_data_t *, const tdx_uuid_t *, uint32_t, tdx_uuid_t *, uint8_t **, uint32_t *, uint32_t)
    ctypedef tdx_attest_error_t (*qg_free_quote_fn)(uint8_t *)
    ctypedef tdx_attest_error_t (*qg_get_report_fn)(const tdx_report_data_t *, tdx_report_t *)
    ctypedef tdx_attest_error_t (*qg_extend_fn)(const tdx_rtmr_event_t *)
    ctypedef tdx_attest_error_t (*qg_get_key_ids_fn)(tdx_uuid_t *, uint32_t *)
    int QG_INTEL_HEADER

HAS_INTEL_HEADER = bool(QG_INTEL_HEADER)

cdef qg_get_quote_fn c_get_quote = NULL
cdef qg_free_quote_fn c_free_quote = NULL
cdef qg_get_report_fn c_get_report = NULL
cdef qg_extend_fn c_extend = NULL
cdef qg_get_key_ids_fn c_get_key_ids = NULL

# A library that reports more key ids than this is broken; the limit keeps the list on the stack.
cdef enum:
    MAX_KEY_IDS = 64


def bind(uintptr_t get_quote, uintptr_t free_quote, uintptr_t get_report, uintptr_t extend, uintptr_t get_key_ids):
    """Take the addresses of the five functions. Only `library.load` calls this."""
    global c_get_quote, c_free_quote, c_get_report, c_extend, c_get_key_ids
    if not (get_quote and free_quote and get_report and extend and get_key_ids):
        raise ValueError("a function of libtdx_attest has no address")
    c_get_quote = <qg_get_quote_fn> get_quote
    c_free_quote = <qg_free_quote_fn> free_quote
    c_get_report = <qg_get_report_fn> get_report
    c_extend = <qg_extend_fn> extend
    c_get_key_ids = <qg_get_key_ids_fn> get_key_ids


cdef int require(bint condition) except -1:
    if not condition:
        raise ValueError("the raw binding takes exact sizes and a bound library")
    return 0


def get_quote(bytes report_data not None, bytes key_ids not None):
    """`tdx_att_get_quote`: 64 bytes of report data, n * 16 bytes of attestation key ids (none: the default key)."""
    require(c_get_quote != NULL and len(report_data) == 64 and len(key_ids) % 16 == 0)
    cdef qg_get_quote_fn call = c_get_quote
    cdef qg_free_quote_fn free_quote = c_free_quote  # the pair of one library, should another be bound meanwhile
    cdef const tdx_report_data_t *data = <const tdx_report_data_t *> PyBytes_AsString(report_data)
    cdef uint32_t count = <uint32_t> (len(key_ids) // 16)
    cdef const tdx_uuid_t *ids = <const tdx_uuid_t *> PyBytes_AsString(key_ids) if count else NULL
    cdef uint8_t *quote = NULL
    cdef uint32_t size = 0
    cdef uint32_t status
    with nogil:
        status = call(data, ids, count, NULL, &quote, &size, 0)
    try:
        if status != 0:
            raise from_status(status, "tdx_att_get_quote")
        if quote == NULL or size == 0:
            raise from_status(1, "tdx_att_get_quote (it answered success without a quote)")
        return PyBytes_FromStringAndSize(<const char *> quote, size)
    finally:
        if quote != NULL:
            with nogil:
                free_quote(quote)


def get_report(bytes report_data not None):
    """`tdx_att_get_report`: 64 bytes of report data to a TDREPORT of 1,024 bytes."""
    require(c_get_report != NULL and len(report_data) == 64)
    cdef qg_get_report_fn call = c_get_report
    cdef const tdx_report_data_t *data = <const tdx_report_data_t *> PyBytes_AsString(report_data)
    cdef tdx_report_t report
    cdef uint32_t status
    with nogil:
        status = call(data, &report)
    if status != 0:
        raise from_status(status, "tdx_att_get_report")
    return PyBytes_FromStringAndSize(<const char *> report.d, sizeof(report.d))


def extend(uint64_t index, bytes digest not None, uint32_t event_type):
    """`tdx_att_extend`: RTMR[index] := SHA-384(RTMR[index] || digest), a digest of 48 bytes, no event data."""
    require(c_extend != NULL and len(digest) == 48)
    cdef qg_extend_fn call = c_extend
    cdef tdx_rtmr_event_t event
    cdef uint32_t status
    event.version = 1
    event.rtmr_index = index
    memcpy(event.extend_data, PyBytes_AsString(digest), 48)
    event.event_type = event_type
    event.event_data_size = 0
    with nogil:
        status = call(&event)
    if status != 0:
        raise from_status(status, "tdx_att_extend")


def get_supported_att_key_ids():
    """`tdx_att_get_supported_att_key_ids`: a list of 16-byte key ids."""
    require(c_get_key_ids != NULL)
    cdef qg_get_key_ids_fn call = c_get_key_ids
    cdef tdx_uuid_t ids[MAX_KEY_IDS]
    cdef uint32_t count = 0
    cdef uint32_t status
    with nogil:
        status = call(NULL, &count)  # asks for the number: a size of 0 goes with no list
        if status == 0 and 0 < count <= MAX_KEY_IDS:
            status = call(ids, &count)
    if status != 0:
        raise from_status(status, "tdx_att_get_supported_att_key_ids")
    if count > MAX_KEY_IDS:
        raise from_status(1, "tdx_att_get_supported_att_key_ids (it reports %d key ids)" % count)
    return [PyBytes_FromStringAndSize(<const char *> ids[i].d, 16) for i in range(count)]
