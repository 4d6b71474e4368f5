#pragma once

/* Addresses (RFC 3986), as much as OAuth needs. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

enum { URL_HOST_MAX = 255, URL_PATH_MAX = 1024 };

struct url {
    bool https;                  /* else http */
    char host[URL_HOST_MAX + 1]; /* lower case; an IPv6 address without brackets */
    uint16_t port;               /* the scheme's own when none is written */
    char path[URL_PATH_MAX + 1]; /* "/" when empty; as written */
    const char *query;           /* into the given text, after '?', NULL when none */
};

/* False when text is no absolute http or https URL, or holds user info, a fragment, a space or a
 * control character. */
bool url_parse(const char *text, struct url *ret);

/* 127.0.0.0/8, ::1, localhost. */
bool url_host_is_loopback(const char *host);

/* https, or http to a loopback host: what may be sent a secret. */
bool url_is_safe(const struct url *url);

/* What follows base's path in url's, from its '/' on ("/cb" of "https://host/a/cb" and
 * "https://host/a"); NULL when url is at another origin or not below. A last '/' of base says
 * nothing. Points into url. */
const char *url_below(const struct url *url, const struct url *base);

/* "scheme://host[:port]" appended; the port only where it is not the scheme's own. */
void url_append_origin(struct buffer *out, const struct url *url);

/* What stands between an address and the first parameter added to its query: "?", "&" or "" (an
 * endpoint's own query stays, RFC 6749 3.1). */
const char *url_query_joint(const char *text);
