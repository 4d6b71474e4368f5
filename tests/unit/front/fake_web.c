#include "fake_web.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "io/peer.h"

struct web_request *fake_request(const char *method, const char *target, const char *body,
                                 uid_t uid)
{
    struct web_request *request = calloc(1, sizeof(*request));
    const char *question = strchr(target, '?');
    size_t path_length = question ? (size_t)(question - target) : strlen(target);
    char *rest = request->parameters;

    assert_true(path_length < sizeof(request->path));
    memcpy(request->path, target, path_length);
    snprintf(request->query, sizeof(request->query), "%s", question ? question + 1 : "");
    memcpy(request->parameters, request->query, sizeof(request->query));
    while (rest && *rest) {
        char *value = strsep(&rest, "&");
        request->names[request->parameter_count] = strsep(&value, "=");
        request->values[request->parameter_count++] = value ? value : "";
    }
    request->method = method;
    request->body = body ? body : "";
    request->uid = uid;
    return request;
}

void fake_hang_up(struct web_request *request)
{
    void (*gone)(void *userdata) = request->gone;

    assert_int_equal(request->answers, 0);
    request->gone = NULL;
    if (gone)
        gone(request->userdata);
}

const char *web_method(const struct web_request *request)
{
    return request->method;
}

const char *web_path(const struct web_request *request)
{
    return request->path;
}

const char *web_query(const struct web_request *request)
{
    return request->query;
}

static const char *find_header(const struct web_request *request, const char *name, size_t *count)
{
    const char *value = NULL;

    for (size_t i = 0; i < WEB_HEADERS_MAX && request->headers[i].name; i++) {
        if (strcasecmp(name, request->headers[i].name) == 0) {
            value = request->headers[i].value;
            (*count)++;
        }
    }
    return value;
}

const char *web_header(const struct web_request *request, const char *name)
{
    size_t count = 0;
    const char *value = find_header(request, name, &count);

    if (strcasecmp(name, "Last-Event-ID") == 0)
        return request->last_event_id;
    if (strcasecmp(name, "Accept") == 0)
        return request->accept;
    return count == 1 ? value : NULL;
}

bool web_has_header(const struct web_request *request, const char *name)
{
    size_t count = 0;

    (void)find_header(request, name, &count);
    return count > 0;
}

const char *web_body(const struct web_request *request, size_t *ret_length)
{
    *ret_length = strlen(request->body);
    return request->body;
}

int web_fd(const struct web_request *request)
{
    return (int)request->uid;
}

uid_t web_holder(const struct web_request *request)
{
    return request->uid;
}

const char *web_parameter(const struct web_request *request, const char *name)
{
    for (size_t i = 0; i < request->parameter_count; i++)
        if (strcmp(request->names[i], name) == 0)
            return request->values[i];
    return NULL;
}

size_t web_parameter_count(const struct web_request *request, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < request->parameter_count; i++)
        count += strcmp(request->names[i], name) == 0;
    return count;
}

const char *web_odd_parameter(const struct web_request *request, const char *const *known)
{
    for (size_t i = 0; i < request->parameter_count; i++) {
        const char *const *at = known;
        while (*at && strcmp(*at, request->names[i]) != 0)
            at++;
        if (!*at || web_parameter_count(request, request->names[i]) > 1)
            return request->names[i];
    }
    return NULL;
}

void web_set_userdata(struct web_request *request, void *userdata)
{
    request->userdata = userdata;
}

void *web_userdata(const struct web_request *request)
{
    return request->userdata;
}

void web_on_gone(struct web_request *request, void (*gone)(void *userdata))
{
    request->gone = gone;
}

void web_answer(struct web_request *request, const struct web_answer *answer)
{
    assert_int_equal(request->answers++, 0);
    assert_true(answer->length < sizeof(request->answer));
    request->status = answer->status;
    memcpy(request->answer, answer->body, answer->length);
    snprintf(request->content_type, sizeof(request->content_type), "%s", answer->content_type);
    for (size_t i = 0; i < WEB_HEADERS_MAX && answer->headers[i].name; i++) {
        const struct web_header_line *line = &answer->headers[i];
        if (strcmp(line->name, "Retry-After") == 0)
            snprintf(request->retry_after, sizeof(request->retry_after), "%s", line->value);
        if (strcmp(line->name, "Allow") == 0)
            snprintf(request->allow, sizeof(request->allow), "%s", line->value);
    }
}

void web_stream_begin(struct web_request *request, const struct web_answer *head, size_t unread_max)
{
    assert_int_equal(request->answers, 0);
    request->status = head->status;
    snprintf(request->content_type, sizeof(request->content_type), "%s", head->content_type);
    request->streams = true;
    request->stream_room = unread_max < FAKE_TEXT_MAX ? unread_max : FAKE_TEXT_MAX - 1;
}

bool web_stream_send(struct web_request *request, const char *text, size_t length)
{
    size_t used = strlen(request->answer);

    assert_true(request->streams && !request->stream_ended);
    if (length > request->stream_room || used + length >= FAKE_TEXT_MAX)
        return false;
    memcpy(request->answer + used, text, length);
    request->stream_room -= length;
    return true;
}

void web_stream_end(struct web_request *request)
{
    request->stream_ended = true;
    request->gone = NULL;
}

struct fake_server fake_server;

int web_server_new(struct loop *loop, const struct web_options *options, web_handler handler,
                   void *userdata, struct web_server **ret)
{
    if (!fake_server.possible)
        return -1;
    fake_server.handler = handler;
    fake_server.userdata = userdata;
    fake_server.options = *options;
    fake_server.live++;
    *ret = (struct web_server *)(void *)&fake_server;
    return 0;
}

struct web_server *web_server_free(struct web_server *server)
{
    fake_server.live -= server != NULL;
    return NULL;
}

/* https has no certificate here. */
int web_tls_new(struct web_tls **ret)
{
    return 0;
}

int web_tls_set(struct web_tls *tls, const char *chain, const struct secret *key)
{
    return 0;
}

bool web_tls_ready(const struct web_tls *tls)
{
    return false;
}

struct web_tls *web_tls_free(struct web_tls *tls)
{
    return NULL;
}

int web_listen_unix(const char *path, unsigned mode, struct complaint *complaint)
{
    return -1;
}

int web_listen_tcp(const char *address, uint16_t port, struct complaint *complaint)
{
    if (!fake_server.possible)
        return -1;
    if (fake_server.refuse)
        complain(complaint, "%s port %u is held by another program", address, (unsigned)port);
    return fake_server.refuse; /* no real descriptor: the fake server closes none */
}

int peer_identify(int fd, struct peer *ret)
{
    *ret = (struct peer){ .uid = (uid_t)fd, .group_count = 1, .groups = { (gid_t)fd } };
    return 0;
}

bool peer_in_group(const struct peer *peer, gid_t gid)
{
    for (size_t i = 0; i < peer->group_count; i++)
        if (peer->groups[i] == gid)
            return true;
    return false;
}
