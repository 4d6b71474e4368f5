/* Where a request may go: https anywhere, plain http to this machine alone. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "io/http_private.h"

enum { LOOPBACK_NET = 127 };

DEFINE_CLEANUP(CURLU *, url, curl_url_cleanup)
DEFINE_CLEANUP(char *, curl_text, curl_free)

/* libcurl's parser has made four numbers of every way to write an IPv4 address. */
static bool loopback_host(const char *host)
{
    struct in_addr address;

    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == LOOPBACK_NET;
}

static void refuse(struct http_transfer *transfer, const char *why)
{
    (void)snprintf(transfer->refusal, sizeof transfer->refusal, "%s", why);
}

static void check_parts(struct http_transfer *transfer, const char *scheme, const char *host,
                        const char *port)
{
    (void)snprintf(transfer->host, sizeof transfer->host, "%s%s%s", host, port ? ":" : "",
                   port ? port : "");
    transfer->plain = strcmp(scheme, "https") != 0;
    if (transfer->plain && strcmp(scheme, "http") != 0)
        refuse(transfer, "only https is spoken");
    else if (transfer->plain && !loopback_host(host))
        refuse(transfer, "plain http is spoken with this machine alone; use https");
}

int http_check_url(struct http_transfer *transfer, const char *url)
{
    CLEANUP(cleanup_url) CURLU *parts = curl_url();
    CLEANUP(cleanup_curl_text) char *scheme = NULL;
    CLEANUP(cleanup_curl_text) char *host = NULL;
    CLEANUP(cleanup_curl_text) char *port = NULL;

    if (!parts)
        return -ENOMEM;
    CURLUcode code =
        curl_url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME);
    if (code == CURLUE_OK)
        code = curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(parts, CURLUPART_HOST, &host, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(parts, CURLUPART_PORT, &port, 0);
    if (code == CURLUE_NO_PORT)
        code = CURLUE_OK;
    if (code == CURLUE_OUT_OF_MEMORY)
        return -ENOMEM;

    if (code == CURLUE_USER_NOT_ALLOWED)
        refuse(transfer, "an address with a user name in it is not used");
    else if (code != CURLUE_OK)
        refuse(transfer, "this is no address that a request can be sent to");
    else
        check_parts(transfer, scheme, host, port);
    return 0;
}
