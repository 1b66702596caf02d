/* libcrypto, loaded at run time, so that one library runs beside OpenSSL 3 and 1.1.1 and needs neither's headers.

   Declared here is only what both versions export with the same signature; all types are opaque to us. */
#define _GNU_SOURCE
#include "internal.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "embedded.h"

static struct {
    const void *(*sha256)(void);
    const void *(*sha384)(void);
    int (*digest)(const void *, size_t, unsigned char *, unsigned *, const void *, void *);
    unsigned char *(*hmac)(const void *, const void *, int, const unsigned char *, size_t, unsigned char *, unsigned *);
    void *(*read_key)(void **, const unsigned char **, long);
    void *(*context_new)(void);
    void (*context_free)(void *);
    int (*sign_init)(void *, void **, const void *, void *, void *);
    int (*sign)(void *, unsigned char *, size_t *, const unsigned char *, size_t);
} lib;

static const struct {
    const char *name;
    void *slot;
} symbols[] = {
    {"EVP_sha256", &lib.sha256},
    {"EVP_sha384", &lib.sha384},
    {"EVP_Digest", &lib.digest},
    {"HMAC", &lib.hmac},
    {"d2i_AutoPrivateKey", &lib.read_key},
    {"EVP_MD_CTX_new", &lib.context_new},
    {"EVP_MD_CTX_free", &lib.context_free},
    {"EVP_DigestSignInit", &lib.sign_init},
    {"EVP_DigestSign", &lib.sign},
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static void *signing_key;
static int usable;

static int load(const char *name) {
    void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        return -1;
    }
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; ++i) {
        void *found = dlsym(handle, symbols[i].name);
        if (!found) {
            complain("%s has no %s", name, symbols[i].name);
            dlclose(handle);
            return -1;
        }
        memcpy(symbols[i].slot, &found, sizeof found);
    }
    return 0;
}

static void open_once(void) {
    const char *chosen = getenv("TDX_SIM_LIBCRYPTO");
    if (chosen && *chosen) {
        if (load(chosen)) {
            complain("TDX_SIM_LIBCRYPTO names %s, which cannot be used as libcrypto", chosen);
            return;
        }
    } else if (load("libcrypto.so.3") && load("libcrypto.so.1.1")) {
        complain("no libcrypto.so.3 or libcrypto.so.1.1: install OpenSSL's library (Debian: libssl3, "
                 "Alibaba Cloud Linux 3: openssl-libs)");
        return;
    }
    const unsigned char *der = embedded_attestation_key;
    signing_key = lib.read_key(NULL, &der, sizeof embedded_attestation_key);
    if (!signing_key) {
        complain("libcrypto cannot read the attestation key");
        return;
    }
    usable = 1;
}

int crypto_open(void) {
    pthread_once(&once, open_once);
    return usable ? 0 : -1;
}

int crypto_sha384(const void *data, size_t size, uint8_t out[48]) {
    unsigned written = 48;
    return lib.digest(data, size, out, &written, lib.sha384(), NULL) == 1 ? 0 : -1;
}

int crypto_sha256(const void *data, size_t size, uint8_t out[32]) {
    unsigned written = 32;
    return lib.digest(data, size, out, &written, lib.sha256(), NULL) == 1 ? 0 : -1;
}

int crypto_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size, uint8_t out[32]) {
    unsigned written = 32;
    return lib.hmac(lib.sha256(), key, (int)key_size, data, size, out, &written) ? 0 : -1;
}

/* One DER INTEGER of at most 32 significant bytes, right-aligned. The rest of the text, or NULL. */
static const unsigned char *integer(const unsigned char *at, const unsigned char *end, uint8_t out[32]) {
    if (end - at < 2 || at[0] != 0x02 || at[1] >= 0x80 || end - at - 2 < at[1]) {
        return NULL;
    }
    size_t size = at[1];
    at += 2;
    const unsigned char *rest = at + size;
    while (size && !*at) {
        ++at;
        --size;
    }
    if (size > 32) {
        return NULL;
    }
    memset(out, 0, 32);
    memcpy(out + 32 - size, at, size);
    return rest;
}

int crypto_sign(const void *data, size_t size, uint8_t out[64]) {
    unsigned char der[80]; /* SEQUENCE of two INTEGERs of at most 33 bytes: at most 72 */
    size_t written = sizeof der;
    void *context = lib.context_new();
    if (!context) {
        return -1;
    }
    const int made = lib.sign_init(context, NULL, lib.sha256(), NULL, signing_key) == 1 &&
                     lib.sign(context, der, &written, data, size) == 1;
    lib.context_free(context);
    if (!made || written < 2 || der[0] != 0x30 || der[1] != written - 2) {
        return -1;
    }
    const unsigned char *end = der + written;
    const unsigned char *second = integer(der + 2, end, out);
    return second && integer(second, end, out + 32) == end ? 0 : -1;
}
