/* TDREPORT (TDX module ABI: REPORTMACSTRUCT, TEE_TCB_INFO, TDINFO_STRUCT) and quote (TDX DCAP Quoting Library API).

   Both are made from one TD_FIELDS, so they always agree. All integers are little-endian. */
#define _GNU_SOURCE
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "embedded.h"

#pragma pack(push, 1)

typedef struct { /* TDX module ABI, TDINFO_STRUCT */
    uint8_t attributes[8];
    uint8_t xfam[8];
    uint8_t mr_td[48];
    uint8_t mr_config_id[48];
    uint8_t mr_owner[48];
    uint8_t mr_owner_config[48];
    uint8_t rtmr[RTMR_COUNT][48];
    uint8_t service_td_hash[48];
    uint8_t reserved[64];
} td_info;

typedef struct { /* TEE_TCB_INFO; tee_tcb_svn2 is reserved, zero, in TD 1.0 */
    uint8_t valid[8];
    uint8_t tee_tcb_svn[16];
    uint8_t mr_seam[48];
    uint8_t mr_signer_seam[48];
    uint8_t attributes[8];
    uint8_t tee_tcb_svn2[16];
    uint8_t reserved[95];
} tee_tcb_info;

typedef struct { /* REPORTMACSTRUCT */
    uint8_t type;
    uint8_t subtype;
    uint8_t version; /* 0: TD 1.0, 1: TD 1.5 */
    uint8_t reserved1[13];
    uint8_t cpu_svn[16];
    uint8_t tee_tcb_info_hash[48];
    uint8_t tee_info_hash[48];
    uint8_t report_data[64];
    uint8_t reserved2[32];
    uint8_t mac[32];
} report_mac;

typedef struct {
    report_mac mac;
    tee_tcb_info tcb;
    uint8_t reserved[17];
    td_info td;
} td_report;

typedef struct { /* the quote's TD 1.5 body; the TD 1.0 body is its first 584 bytes */
    uint8_t tee_tcb_svn[16];
    uint8_t mr_seam[48];
    uint8_t mr_signer_seam[48];
    uint8_t seam_attributes[8];
    uint8_t td_attributes[8];
    uint8_t xfam[8];
    uint8_t mr_td[48];
    uint8_t mr_config_id[48];
    uint8_t mr_owner[48];
    uint8_t mr_owner_config[48];
    uint8_t rtmr[RTMR_COUNT][48];
    uint8_t report_data[64];
    uint8_t tee_tcb_svn2[16];
    uint8_t mr_service_td[48];
} quote_body;

typedef struct {
    uint8_t version[2];
    uint8_t key_type[2];
    uint8_t tee_type[4];
    uint8_t reserved[4];
    uint8_t vendor_id[16];
    uint8_t user_data[20];
} quote_header;

#pragma pack(pop)

#define TD10_SIZE 584
#define HEADER_SIZE 48

_Static_assert(sizeof(td_report) == TDX_REPORT_SIZE, "TDREPORT has 1024 bytes");
_Static_assert(sizeof(report_mac) == 256 && sizeof(tee_tcb_info) == 239 && sizeof(td_info) == 512, "TDREPORT's parts");
_Static_assert(sizeof(quote_body) == 648 && offsetof(quote_body, tee_tcb_svn2) == TD10_SIZE, "TD bodies");
_Static_assert(sizeof(quote_header) == HEADER_SIZE, "the quote's header has 48 bytes");
_Static_assert(sizeof embedded_td_body == sizeof(quote_body), "the profile is a TD 1.5 body");

static void put16(uint8_t *at, unsigned value) {
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *at, uint32_t value) {
    put16(at, value & 0xffff);
    put16(at + 2, value >> 16);
}

/* What the TD looks like now. Everything else is made from this. */
static void td_fields(const settings *set, const registers *regs, const uint8_t report_data[64], quote_body *out) {
    memcpy(out, embedded_td_body, sizeof *out);
    memcpy(out->mr_td, regs->mr_td, sizeof out->mr_td);
    memcpy(out->rtmr, regs->rtmr, sizeof out->rtmr);
    memcpy(out->report_data, report_data, sizeof out->report_data);
    if (set->fault == FAULT_DEBUG) {
        out->td_attributes[0] |= 1;
    }
    if (set->fault == FAULT_OUT_OF_DATE) {
        out->tee_tcb_svn[2] = out->tee_tcb_svn2[2] = (uint8_t)(out->tee_tcb_svn[2] - 1);
    }
}

int evidence_report(const settings *set, const registers *regs, const uint8_t report_data[64], uint8_t out[1024]) {
    static const uint8_t valid[8] = {0xff, 0x01, 0x03};
    quote_body td;
    td_report report;
    td_fields(set, regs, report_data, &td);
    memset(&report, 0, sizeof report);

    memcpy(report.td.attributes, td.td_attributes, sizeof td.td_attributes);
    memcpy(report.td.xfam, td.xfam, sizeof td.xfam);
    memcpy(report.td.mr_td, td.mr_td, sizeof td.mr_td);
    memcpy(report.td.mr_config_id, td.mr_config_id, sizeof td.mr_config_id);
    memcpy(report.td.mr_owner, td.mr_owner, sizeof td.mr_owner);
    memcpy(report.td.mr_owner_config, td.mr_owner_config, sizeof td.mr_owner_config);
    memcpy(report.td.rtmr, td.rtmr, sizeof td.rtmr);

    memcpy(report.tcb.valid, valid, sizeof valid);
    memcpy(report.tcb.tee_tcb_svn, td.tee_tcb_svn, sizeof td.tee_tcb_svn);
    memcpy(report.tcb.mr_seam, td.mr_seam, sizeof td.mr_seam);
    memcpy(report.tcb.mr_signer_seam, td.mr_signer_seam, sizeof td.mr_signer_seam);
    memcpy(report.tcb.attributes, td.seam_attributes, sizeof td.seam_attributes);

    report.mac.type = 0x81;
    if (set->quote_version == 5) {
        report.mac.version = 1;
        memcpy(report.tcb.tee_tcb_svn2, td.tee_tcb_svn2, sizeof td.tee_tcb_svn2);
        memcpy(report.td.service_td_hash, td.mr_service_td, sizeof td.mr_service_td);
    }
    memcpy(report.mac.cpu_svn, embedded_cpu_svn, sizeof report.mac.cpu_svn);
    memcpy(report.mac.report_data, report_data, sizeof report.mac.report_data);
    if (crypto_sha384(&report.tcb, sizeof report.tcb, report.mac.tee_tcb_info_hash) ||
        crypto_sha384(&report.td, sizeof report.td, report.mac.tee_info_hash) ||
        crypto_hmac_sha256(embedded_report_mac_key, sizeof embedded_report_mac_key, &report.mac,
                           offsetof(report_mac, mac), report.mac.mac)) {
        complain("libcrypto cannot compute the report's digests");
        return -1;
    }
    memcpy(out, &report, sizeof report);
    return 0;
}

/* Header and body as they are signed; version 5 has a 6-byte descriptor between them. Returns the size. */
static size_t signed_part(const settings *set, const quote_body *td, uint8_t *out) {
    quote_header header;
    memset(&header, 0, sizeof header);
    put16(header.version, set->quote_version);
    put16(header.key_type, 2);
    put32(header.tee_type, 0x81);
    memcpy(header.vendor_id, embedded_qe_vendor_id, sizeof header.vendor_id);
    memcpy(header.user_data, embedded_qe_user_data, sizeof header.user_data);
    memcpy(out, &header, sizeof header);
    size_t size = sizeof header;
    const size_t body_size = set->quote_version == 5 ? sizeof *td : TD10_SIZE;
    if (set->quote_version == 5) {
        put16(out + size, 3);
        put32(out + size + 2, (uint32_t)body_size);
        size += 6;
    }
    memcpy(out + size, td, body_size);
    return size + body_size;
}

static const embedded_section *certification(const char *name) {
    for (size_t i = 0; i < sizeof embedded_certifications / sizeof *embedded_certifications; ++i) {
        if (!strcmp(embedded_certifications[i].name, name)) {
            return &embedded_certifications[i];
        }
    }
    return NULL;
}

/* Faults that change bytes after signing. The buffer has 16 bytes to spare. */
static void damage(fault_kind fault, size_t signed_size, uint8_t *quote, uint32_t *size) {
    switch (fault) {
    case FAULT_TRUNCATED:
        *size = *size / 4 * 3;
        break;
    case FAULT_TRAILING_BYTES:
        memset(quote + *size, 0xa5, 16);
        *size += 16;
        break;
    case FAULT_CORRUPT_HEADER:
        quote[HEADER_SIZE - 1] ^= 1;
        break;
    case FAULT_CORRUPT_BODY:
        quote[signed_size - 1] ^= 1;
        break;
    case FAULT_CORRUPT_SIGNATURE:
        quote[signed_size + 4] ^= 1;
        break;
    case FAULT_CORRUPT_QE_REPORT:
        quote[signed_size + 4 + 128 + 6 + 64] ^= 1;
        break;
    case FAULT_NONE:
    case FAULT_TD15:
    case FAULT_DEBUG:
    case FAULT_OUT_OF_DATE:
    case FAULT_CERTIFICATION: /* shown in what was signed */
        break;
    }
}

int evidence_quote(const settings *set, const registers *regs, const uint8_t report_data[64], uint8_t **quote,
                   uint32_t *size) {
    const embedded_section *tail = certification(set->certification);
    quote_body td;
    if (!tail) {
        complain("no certification section is called %s", set->certification);
        return -1;
    }
    td_fields(set, regs, report_data, &td);
    uint8_t *made = malloc(HEADER_SIZE + 6 + sizeof td + 4 + 64 + tail->size + 16);
    if (!made) {
        complain("out of memory");
        return -1;
    }
    const size_t signed_size = signed_part(set, &td, made);
    put32(made + signed_size, (uint32_t)(64 + tail->size));
    if (crypto_sign(made, signed_size, made + signed_size + 4)) {
        complain("libcrypto cannot sign the quote");
        free(made);
        return -1;
    }
    memcpy(made + signed_size + 4 + 64, tail->data, tail->size);
    *size = (uint32_t)(signed_size + 4 + 64 + tail->size);
    damage(set->fault, signed_size, made, size);
    *quote = made;
    return 0;
}
