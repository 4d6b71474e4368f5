/*
 * TLS of a server, by what libmicrohttpd brings with it. A certificate is looked up for each
 * handshake, so that a renewed one is used at once and no connection ends for it.
 */

#include <errno.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "io/web_private.h"

enum { CHAIN_MAX = 8 };

struct web_tls {
    char *chain; /* NULL: none yet */
    struct secret *key;
};

int web_tls_new(struct web_tls **ret)
{
    struct web_tls *tls = calloc(1, sizeof *tls);

    if (!tls)
        return -ENOMEM;
    *ret = tls;
    return 0;
}

int web_tls_set(struct web_tls *tls, const char *chain, const struct secret *key)
{
    CLEANUP(cleanup_string) char *own_chain = strdup(chain);
    struct secret *own_key = NULL;
    int r = own_chain ? secret_copy(key, &own_key) : -ENOMEM;

    if (r < 0)
        return r;
    free(tls->chain);
    secret_free(tls->key);
    tls->chain = steal(own_chain);
    tls->key = own_key;
    return 0;
}

bool web_tls_ready(const struct web_tls *tls)
{
    return tls->chain != NULL;
}

struct web_tls *web_tls_free(struct web_tls *tls)
{
    if (!tls)
        return NULL;
    free(tls->chain);
    secret_free(tls->key);
    free(tls);
    return NULL;
}

static gnutls_datum_t datum_of(const char *bytes, size_t length)
{
    return (gnutls_datum_t){ .data = (unsigned char *)bytes, .size = (unsigned)length };
}

static int read_chain(const struct web_tls *tls, gnutls_pcert_st **ret, unsigned *ret_count)
{
    const gnutls_datum_t text = datum_of(tls->chain, strlen(tls->chain));
    unsigned count = CHAIN_MAX;
    gnutls_pcert_st *chain = gnutls_calloc(CHAIN_MAX, sizeof *chain);

    if (!chain)
        return GNUTLS_E_MEMORY_ERROR;
    int r = gnutls_pcert_list_import_x509_raw(chain, &count, &text, GNUTLS_X509_FMT_PEM, 0);
    if (r < 0) {
        gnutls_free(chain);
        return r;
    }
    *ret = chain;
    *ret_count = count;
    return 0;
}

static int read_key(const struct web_tls *tls, gnutls_privkey_t *ret)
{
    const gnutls_datum_t text = datum_of(secret_reveal(tls->key), secret_length(tls->key));
    gnutls_privkey_t key = NULL;
    int r = gnutls_privkey_init(&key);

    if (r == 0)
        r = gnutls_privkey_import_x509_raw(key, &text, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (r < 0) {
        if (key)
            gnutls_privkey_deinit(key);
        return r;
    }
    *ret = key;
    return 0;
}

/* A pair of its own for each handshake, freed with it: the handshake may outlive a renewal. */
static int on_handshake(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                        gnutls_pcert_st **ret_chain, unsigned *ret_count,
                        gnutls_ocsp_data_st **ret_ocsp, unsigned *ret_ocsp_count,
                        gnutls_privkey_t *ret_key, unsigned *ret_flags)
{
    const struct web_server *server = web_running();
    gnutls_privkey_t key = NULL;

    if (!server || !server->options.tls || !web_tls_ready(server->options.tls))
        return -1;
    if (read_key(server->options.tls, &key) < 0)
        return -1;
    if (read_chain(server->options.tls, ret_chain, ret_count) < 0) {
        gnutls_privkey_deinit(key);
        return -1;
    }
    *ret_key = key;
    *ret_ocsp = NULL;
    *ret_ocsp_count = 0;
    *ret_flags = GNUTLS_CERT_RETR_DEINIT_ALL;
    return 0;
}

void web_tls_options(const struct web_options *options,
                     struct MHD_OptionItem items[static WEB_TLS_OPTIONS])
{
    static const char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-SHA1:"
                                     "-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305";
    size_t count = 0;

    if (options->tls) {
        items[count++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0,
                                                  (void *)(uintptr_t)priorities };
        items[count++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_CERT_CALLBACK2, 0,
                                                  (void *)(uintptr_t)on_handshake };
    }
    items[count] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
}

void web_tls_send(struct web_connection *connection, const char *text, size_t length)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    /* One try, like a plain socket's: it is a farewell. */
    if (info && info->tls_session)
        (void)gnutls_record_send((gnutls_session_t)info->tls_session, text, length);
}
