/* What the simulator's own files share; nothing here is exported. */
#ifndef SIMULATOR_INTERNAL_H
#define SIMULATOR_INTERNAL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "faults.h" /* generated: fault_kind and FAULTS */
#include "tdx_attest.h"

#define TDX_MR_SIZE 48
#define RTMR_COUNT 4
#define BOOT_ID_SIZE 36

/* --- settings.c: the environment, read at every call ----------------------------------------------------------------- */

typedef struct {
    fault_kind fault;
    const char *certification; /* name of the certification section in embedded.h */
    unsigned quote_version;    /* 4 or 5 */
    unsigned delay_ms;
    int status; /* -1: none is forced */
} settings;

/* 0, or -1 after one line on stderr. */
int settings_read(settings *out);

/* One line on stderr: "tdx simulator: ...". */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- state.c: MRTD and RTMRs in the state folder ----------------------------------------------------------------------- */

typedef struct {
    uint8_t mr_td[TDX_MR_SIZE];
    uint8_t rtmr[RTMR_COUNT][TDX_MR_SIZE];
} registers;

/* The registers as they are now (the initial ones if there is no state yet, or the machine has rebooted).
   0, or -1 after one line on stderr. */
int state_read(registers *out);

/* rtmr[index] = SHA-384(rtmr[index] || data), atomically, on disk before it returns. 0, or -1 after one line. */
int state_extend(unsigned index, const uint8_t data[TDX_MR_SIZE]);

/* --- crypto.c: libcrypto, loaded at run time ----------------------------------------------------------------------------- */

/* 0, or -1 after one line on stderr if there is no usable libcrypto. Must precede the others. */
int crypto_open(void);
int crypto_sha384(const void *data, size_t size, uint8_t out[48]);
int crypto_sha256(const void *data, size_t size, uint8_t out[32]);
int crypto_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size, uint8_t out[32]);
/* ECDSA P-256 with SHA-256 by the attestation key, raw r || s. */
int crypto_sign(const void *data, size_t size, uint8_t out[64]);

/* --- evidence.c: TDREPORT and quote ---------------------------------------------------------------------------------------- */

/* Both return 0, or -1 after one line on stderr. The quote is malloc'ed. */
int evidence_report(const settings *set, const registers *regs, const uint8_t report_data[64], uint8_t out[1024]);
int evidence_quote(const settings *set, const registers *regs, const uint8_t report_data[64], uint8_t **quote,
                   uint32_t *size);

#endif
