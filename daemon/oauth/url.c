#include "oauth/url.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

enum { PORT_HTTP = 80, PORT_HTTPS = 443, PORT_DIGITS_MAX = 5 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 3986's characters without '#': browsers and libraries disagree about all others ('\\' for
 * one), so that a host could mean two things. */
static bool characters_allowed(const char *text)
{
    for (; *text != '\0'; text++) {
        if (!is_alnum(*text) && strchr("-._~:/?[]@!$&'()*+,;=%", *text) == NULL)
            return false;
    }
    return true;
}

static const char *parse_scheme(const char *text, struct url *url)
{
    if (strncasecmp(text, "https://", 8) == 0) {
        url->https = true;
        url->port = PORT_HTTPS;
        return text + 8;
    }
    if (strncasecmp(text, "http://", 7) == 0) {
        url->https = false;
        url->port = PORT_HTTP;
        return text + 7;
    }
    return NULL;
}

static bool host_characters_allowed(const char *host, bool ipv6)
{
    if (ipv6) {
        struct in6_addr address;
        return inet_pton(AF_INET6, host, &address) == 1;
    }
    for (const char *c = host; *c != '\0'; c++) {
        if (!is_alnum(*c) && strchr("-._", *c) == NULL)
            return false;
    }
    return true;
}

static bool store_host(struct url *url, const char *host, size_t length, bool ipv6)
{
    if (length == 0 || length > URL_HOST_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = host[i];
        url->host[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    url->host[length] = '\0';
    return host_characters_allowed(url->host, ipv6);
}

/* text is what follows the host: "", or ':' and perhaps digits (RFC 3986 3.2.3). */
static bool parse_port(const char *text, size_t length, struct url *url)
{
    if (length == 0)
        return true;
    if (text[0] != ':' || length > 1 + PORT_DIGITS_MAX)
        return false;
    if (length == 1)
        return true;
    unsigned port = 0;
    for (size_t i = 1; i < length; i++) {
        if (!is_digit(text[i]))
            return false;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    if (port == 0 || port > UINT16_MAX)
        return false;
    url->port = (uint16_t)port;
    return true;
}

static bool parse_authority(const char *text, size_t length, struct url *url)
{
    if (memchr(text, '@', length) != NULL)
        return false;
    bool ipv6 = length > 0 && text[0] == '[';
    const char *host = ipv6 ? text + 1 : text;
    const char *end = text + length;
    const char *host_end = memchr(host, ipv6 ? ']' : ':', (size_t)(end - host));
    if (host_end == NULL && ipv6)
        return false;
    if (host_end == NULL)
        host_end = end;
    const char *rest = ipv6 ? host_end + 1 : host_end;
    return store_host(url, host, (size_t)(host_end - host), ipv6) &&
           parse_port(rest, (size_t)(end - rest), url);
}

static bool parse_path(const char *text, struct url *url)
{
    size_t length = strcspn(text, "?");
    if (length > URL_PATH_MAX)
        return false;
    if (length == 0) {
        url->path[0] = '/';
        url->path[1] = '\0';
    } else {
        memcpy(url->path, text, length);
        url->path[length] = '\0';
    }
    url->query = text[length] == '?' ? text + length + 1 : NULL;
    return true;
}

bool url_parse(const char *text, struct url *ret)
{
    struct url url = { 0 };
    const char *authority = parse_scheme(text, &url);
    if (authority == NULL || !characters_allowed(text))
        return false;
    size_t length = strcspn(authority, "/?");
    if (!parse_authority(authority, length, &url) || !parse_path(authority + length, &url))
        return false;
    *ret = url;
    return true;
}

bool url_host_is_loopback(const char *host)
{
    struct in_addr ipv4;
    if (inet_pton(AF_INET, host, &ipv4) == 1)
        return ntohl(ipv4.s_addr) >> 24 == 127;
    struct in6_addr ipv6;
    if (inet_pton(AF_INET6, host, &ipv6) == 1)
        return memcmp(&ipv6, &in6addr_loopback, sizeof(ipv6)) == 0;
    return strcasecmp(host, "localhost") == 0;
}

bool url_is_safe(const struct url *url)
{
    return url->https || url_host_is_loopback(url->host);
}

const char *url_below(const struct url *url, const struct url *base)
{
    size_t length = strlen(base->path);
    while (length > 0 && base->path[length - 1] == '/')
        length--;
    bool below = url->https == base->https && url->port == base->port &&
                 strcmp(url->host, base->host) == 0 &&
                 strncmp(url->path, base->path, length) == 0 && url->path[length] == '/';
    return below ? url->path + length : NULL;
}

void url_append_origin(struct buffer *out, const struct url *url)
{
    bool ipv6 = strchr(url->host, ':') != NULL;
    buffer_append_text(out, url->https ? "https://" : "http://");
    buffer_append_text(out, ipv6 ? "[" : "");
    buffer_append_text(out, url->host);
    buffer_append_text(out, ipv6 ? "]" : "");
    if (url->port != (url->https ? PORT_HTTPS : PORT_HTTP))
        buffer_append_format(out, ":%u", (unsigned)url->port);
}

const char *url_query_joint(const char *text)
{
    const char *query = strchr(text, '?');
    if (query == NULL)
        return "?";
    return query[1] == '\0' || text[strlen(text) - 1] == '&' ? "" : "&";
}
