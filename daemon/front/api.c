#include "front/api.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/printable.h"
#include "front/api_path.h"
#include "front/audit.h"
#include "front/newcomers.h"

enum { METHODS_MAX = 4, PARAMETERS_MAX = 8, REFUSAL_TEXT_MAX = 768, FAILURE_BYTES_MAX = 4096 };

struct method {
    const char *name;
    api_handler handler;
    bool takes_body;
    const char *parameters[PARAMETERS_MAX]; /* NULL-ended */
};

struct route {
    const char *path;
    enum path_shape shape; /* of what follows the path */
    struct method methods[METHODS_MAX];
};

static const struct route routes[] = {
    { WIRE_PATH_TOKEN, PATH_ACCOUNT, { { "GET", api_token, false, { "min_ttl", "wait" } } } },
    { WIRE_PATH_ACCOUNTS, PATH_EXACT, { { "GET", api_accounts, false, { "after", "limit" } } } },
    { WIRE_PATH_ACCOUNTS "/",
      PATH_ACCOUNT,
      { { "GET", api_account, false, { NULL } },
        { "PUT", api_import, true, { NULL } },
        { "DELETE", api_forget, false, { NULL } } } },
    { WIRE_PATH_LOGIN, PATH_ACCOUNT, { { "POST", api_login, true, { NULL } } } },
    { WIRE_PATH_LOGINS,
      PATH_WORD,
      { { "GET", api_login_follow, false, { "wait" } },
        { "POST", api_login_finish, true, { NULL } },
        { "DELETE", api_login_cancel, false, { NULL } } } },
    { WIRE_PATH_REFRESH, PATH_ACCOUNT, { { "POST", api_refresh, false, { NULL } } } },
    { WIRE_PATH_REJECT, PATH_ACCOUNT, { { "POST", api_reject, true, { NULL } } } },
    { WIRE_PATH_RETRY, PATH_EXACT, { { "POST", api_retry, false, { NULL } } } },
    { WIRE_PATH_RETRY "/", PATH_WORD, { { "POST", api_retry, false, { NULL } } } },
    { WIRE_PATH_RETRY "/", PATH_ACCOUNT, { { "POST", api_retry, false, { NULL } } } },
    { WIRE_PATH_HELD, PATH_EXACT, { { "GET", api_held, false, { "after", "limit" } } } },
    { WIRE_PATH_HELD "/", PATH_ACCOUNT, { { "POST", api_decide, true, { NULL } } } },
    { WIRE_PATH_LINKS, PATH_EXACT, { { "GET", api_links, false, { "after", "limit" } } } },
    { WIRE_PATH_LINKS "/",
      PATH_ACCOUNT,
      { { "GET", api_link, false, { NULL } },
        { "POST", api_link_make, true, { NULL } },
        { "DELETE", api_link_end, false, { NULL } } } },
    { WIRE_PATH_RENAME, PATH_ACCOUNT, { { "POST", api_rename, true, { NULL } } } },
    { WIRE_PATH_RESUME, PATH_EXACT, { { "POST", api_resume, true, { NULL } } } },
    { WIRE_PATH_BACKUPS, PATH_EXACT, { { "POST", api_backup, true, { NULL } } } },
    { WIRE_PATH_BACKUPS "/",
      PATH_WORD,
      { { "GET", api_backup_look, false, { "offset" } },
        { "DELETE", api_backup_end, false, { NULL } } } },
    { WIRE_PATH_REKEY,
      PATH_EXACT,
      { { "GET", api_rekey_progress, false, { NULL } }, { "POST", api_rekey, false, { NULL } } } },
    { WIRE_PATH_AUDIT,
      PATH_EXACT,
      { { "GET",
          api_audit,
          false,
          { "account", "uid", "unit", "verdict", "since", "before", "limit" } } } },
    { WIRE_PATH_CALLERS, PATH_EXACT, { { "GET", api_callers, false, { NULL } } } },
    { WIRE_PATH_CALLERS "/",
      PATH_WORD,
      { { "POST", api_approve, false, { NULL } }, { "DELETE", api_unapprove, false, { NULL } } } },
    { WIRE_PATH_EVENTS, PATH_EXACT, { { "GET", api_events, false, { "account" } } } },
    { WIRE_PATH_HEALTH, PATH_EXACT, { { "GET", api_health, false, { NULL } } } },
    { WIRE_PATH_METRICS, PATH_EXACT, { { "GET", api_metrics, false, { NULL } } } },
    { WIRE_PATH_AUTHORITY, PATH_EXACT, { { "GET", api_authority, false, { NULL } } } },
};

/* A refusal or failure as it goes out. */
struct refusal {
    int status;
    enum wire_error error;
    const char *description;
    const char *account;
    const char *start_url;
    int64_t retry_after_s;
    int64_t max_min_ttl_s;
    const char *allow;
};

static void put_refusal(struct buffer *body, const struct refusal *refusal)
{
    const char *name = wire_errors[refusal->error].name;
    struct json_writer writer = json_writer_begin(body, '{');
    char line[REFUSAL_TEXT_MAX];

    /* It may quote the request, and is for a terminal. */
    printable_line(*refusal->description ? refusal->description : name, PRINTABLE_ALL_WORDS, line,
                   sizeof(line));
    json_put_string(&writer, "error", name);
    json_put_string(&writer, "error_description", line);
    json_put_string(&writer, "account", refusal->account);
    if (refusal->retry_after_s > 0)
        json_put_integer(&writer, "retry_after", refusal->retry_after_s);
    json_put_string(&writer, "start_url", refusal->start_url);
    if (refusal->max_min_ttl_s > 0)
        json_put_integer(&writer, "max_min_ttl", refusal->max_min_ttl_s);
    json_writer_end(&writer);
}

static void send_refusal(struct web_request *web, const struct refusal *refusal)
{
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(FAILURE_BYTES_MAX);
    char retry_after[24];
    struct web_answer answer = { .status = refusal->status, .content_type = "application/json" };
    struct web_header_line *header = answer.headers;

    put_refusal(&body, refusal);
    answer.body = buffer_text(&body);
    answer.length = body.length;
    *header++ = (struct web_header_line){ "Cache-Control", "no-store" };
    if (refusal->retry_after_s > 0) {
        (void)snprintf(retry_after, sizeof(retry_after), "%lld", (long long)refusal->retry_after_s);
        *header++ = (struct web_header_line){ "Retry-After", retry_after };
    }
    if (refusal->allow)
        *header++ = (struct web_header_line){ "Allow", refusal->allow };
    web_answer(web, &answer);
}

/* What is said where nobody knows better. */
static int64_t default_retry_after_s(enum wire_error error)
{
    switch (error) {
    case WIRE_BUSY:
    case WIRE_TOO_MANY_REQUESTS:
        return 1;
    case WIRE_PROVIDER_UNAVAILABLE:
        return 5;
    default:
        return 0;
    }
}

void api_answer(struct web_request *web, const struct buffer *body)
{
    const struct web_answer answer = {
        .status = 200,
        .content_type = "application/json",
        .body = buffer_text(body),
        .length = body->length,
        .headers = { { "Cache-Control", "no-store" } },
    };

    if (body->failed)
        api_refuse(web, WIRE_INTERNAL, NULL, "the answer is too large, or memory is short");
    else
        web_answer(web, &answer);
}

void api_fail(struct web_request *web, const struct failure *failure, const char *account,
              const char *start_url)
{
    const struct refusal refusal = {
        .status = wire_errors[failure->error].status,
        .error = failure->error,
        .description = failure->description,
        .account = account,
        .start_url = start_url,
        .retry_after_s = failure->retry_after_s > 0 ? failure->retry_after_s
                                                    : default_retry_after_s(failure->error),
        .max_min_ttl_s = failure->max_min_ttl_s,
    };
    send_refusal(web, &refusal);
}

void api_refuse(struct web_request *web, enum wire_error error, const char *account,
                const char *format, ...)
{
    char text[REFUSAL_TEXT_MAX];
    va_list arguments;

    va_start(arguments, format);
    /* A text that is too long is cut: it is for a person. */
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    const struct refusal refusal = {
        .status = wire_errors[error].status,
        .error = error,
        .description = text,
        .account = account,
        .retry_after_s = default_retry_after_s(error),
    };
    send_refusal(web, &refusal);
}

static enum may lowest_may(enum may may)
{
    return (enum may)((unsigned)may & -(unsigned)may);
}

void api_forbid(const struct api_request *request, const char *format, ...)
{
    struct context *context = request->context;
    char account[ACCOUNT_TEXT_SIZE] = "", unit[AUDIT_UNIT_SIZE], text[REFUSAL_TEXT_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (request->has_account)
        account_text(&request->account, account);
    audit_count_refusal(context->audit, account, asker_uid(&request->asker),
                        asker_unit(&request->asker, unit));
    if (request->handler == api_token)
        context->counters.tokens_refused[WIRE_FORBIDDEN]++;
    api_refuse(request->web, WIRE_FORBIDDEN, *account ? account : NULL, "%s", text);
}

/* account: what the rules look at. */
static bool allowed(const struct api_request *request, enum may may,
                    const struct account_name *account)
{
    struct context *context = request->context;
    const struct access_rule *rule = NULL;
    CLEANUP(cleanup_buffer) struct buffer advice = BUFFER_WITH_MAXIMUM(REFUSAL_TEXT_MAX);
    char who[ASKER_TEXT_SIZE];
    enum access access =
        access_judge(context->settings, &context->access, &request->asker, may, account, &rule);

    if (access == ACCESS_ALLOWED)
        return true;
    if (access == ACCESS_AWAITS) {
        newcomers_ask(context->newcomers, request, rule);
        return false;
    }
    access_append_advice(&advice, &request->asker, lowest_may(may), account);
    api_forbid(request, "no access rule lets %s do this; an admin would add: %s",
               asker_text(&request->asker, who), buffer_text(&advice));
    return false;
}

void api_count_for(const struct api_request *request, const struct account_name *account,
                   const char *verdict, uint64_t generation)
{
    char text[ACCOUNT_TEXT_SIZE] = "", unit[AUDIT_UNIT_SIZE];
    const struct audit_event event = {
        .account = account ? account_text(account, text) : text,
        .uid = asker_uid(&request->asker),
        .unit = asker_unit(&request->asker, unit),
        .verdict = verdict,
        .generation = generation,
    };
    audit_count(request->context->audit, &event);
}

void api_count(const struct api_request *request, const char *verdict, uint64_t generation)
{
    api_count_for(request, request->has_account ? &request->account : NULL, verdict, generation);
}

bool api_allowed(const struct api_request *request, enum may may)
{
    return allowed(request, may, request->has_account ? &request->account : NULL);
}

bool api_allowed_whole(const struct api_request *request, const char *provider, enum may may)
{
    /* A name that no account has and that only a star covers. */
    struct account_name whole = { .provider = "*", .label = "*" };

    if (*provider)
        (void)stpncpy(whole.provider, provider, PROVIDER_NAME_MAX);
    return allowed(request, may, &whole);
}

static const struct method *find_method(const struct route *route, const char *name)
{
    for (size_t i = 0; i < METHODS_MAX && route->methods[i].name; i++) {
        if (strcmp(route->methods[i].name, name) == 0)
            return &route->methods[i];
    }
    return NULL;
}

static void refuse_method(const struct route *route, struct web_request *web)
{
    char allow[64] = "";
    char text[128];
    size_t length = 0;

    for (size_t i = 0; i < METHODS_MAX && route->methods[i].name; i++) {
        int written = snprintf(allow + length, sizeof(allow) - length, "%s%s", i ? ", " : "",
                               route->methods[i].name);
        length += written > 0 ? (size_t)written : 0;
    }
    (void)snprintf(text, sizeof(text), "this path takes %s", allow);
    const struct refusal refusal = {
        .status = 405,
        .error = WIRE_BAD_REQUEST,
        .description = text,
        .allow = allow,
    };
    send_refusal(web, &refusal);
}

/* True when the request is of a form that the method takes; else it is answered. */
static bool well_formed(const struct method *method, struct web_request *web)
{
    size_t body_length;
    const char *odd = web_odd_parameter(web, method->parameters);

    if (odd) {
        api_refuse(web, WIRE_BAD_REQUEST, NULL,
                   "the query parameter %s is not known here, or came twice", odd);
        return false;
    }
    (void)web_body(web, &body_length);
    if (body_length > 0 && !method->takes_body) {
        api_refuse(web, WIRE_BAD_REQUEST, NULL, "this request takes no body");
        return false;
    }
    return true;
}

/* About which account; false when the request was answered. */
static bool find_account(struct api_request *request, const struct route *route)
{
    request->has_account = route->shape == PATH_ACCOUNT;
    if (!request->has_account || path_account(request->rest, &request->account))
        return true;
    api_refuse(request->web, WIRE_BAD_REQUEST, NULL, "this is no name of an account");
    return false;
}

/* Who is at the other end of the socket; false when the request was answered. */
static bool find_peer(struct api_request *request)
{
    struct peer *peer = &request->asker.peer;

    request->asker.kind = ASKER_PEER;
    if (peer_identify(web_fd(request->web), peer) < 0) {
        api_refuse(request->web, WIRE_INTERNAL, NULL, "the kernel does not say who asks");
        return false;
    }
    if (access_asks_for_units(request->context->settings, &request->context->access))
        (void)peer_find_unit(web_fd(request->web), peer); /* else it has none: refused */
    return true;
}

static const struct route *find_route(const char *path, const char **ret_rest)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        size_t length = strlen(routes[i].path);
        if (strncmp(path, routes[i].path, length) == 0 &&
            path_has_shape(path + length, routes[i].shape)) {
            *ret_rest = path + length;
            return &routes[i];
        }
    }
    return NULL;
}

/* The method of a request whose form is right; NULL when it was answered. */
static const struct method *method_of(const struct route *route, struct web_request *web)
{
    if (!route) {
        api_refuse(web, WIRE_NOT_FOUND, NULL, "no such path");
        return NULL;
    }
    const struct method *method = find_method(route, web_method(web));
    if (!method)
        refuse_method(route, web);
    return method && well_formed(method, web) ? method : NULL;
}

void api_handle(void *context, struct web_request *web)
{
    struct api_request request; /* filled member by member: its groups are large */
    const struct route *route = find_route(web_path(web), &request.rest);
    const struct method *method = method_of(route, web);

    request.context = context;
    request.web = web;
    if (!method || !find_account(&request, route) || !find_peer(&request))
        return;
    request.handler = method->handler;
    method->handler(&request);
}

/* These routes have one method each. */
static bool is_for_consumers(const struct route *route)
{
    return route->methods[0].handler == api_token || route->methods[0].handler == api_reject;
}

void api_handle_consumer(struct context *context, struct web_request *web,
                         const struct consumer *consumer)
{
    struct api_request request;
    const struct route *route = find_route(web_path(web), &request.rest);
    const struct method *method = method_of(route && is_for_consumers(route) ? route : NULL, web);

    request.context = context;
    request.web = web;
    request.asker.kind = ASKER_CONSUMER;
    (void)snprintf(request.asker.consumer, sizeof(request.asker.consumer), "%s",
                   consumer->rule.name);
    memcpy(request.asker.key_digest, consumer->key_digest, sizeof(request.asker.key_digest));
    if (!method || !find_account(&request, route))
        return;
    request.handler = method->handler;
    method->handler(&request);
}
