/* /link/TOKEN: what will be connected, and to whom; /link/TOKEN/go: an attempt. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "front/api_order.h"
#include "front/asks.h"
#include "front/callback_answer.h"
#include "front/callback_private.h"
#include "front/login.h"
#include "front/pages.h"

#define PATH_GO "/go"

/* A browser that waits until the back has looked. */
struct visit {
    struct web_request *request;
    struct context *context;
    uint64_t ask;
    bool go;
    char token[LINK_TOKEN_SIZE];
    struct link_row *link; /* NULL until the back has told it */
};

static void visit_free(struct visit *visit)
{
    asks_forget(visit->context->asks, visit->ask);
    link_row_free(visit->link);
    free(visit);
}

static void visit_gone(void *userdata)
{
    visit_free(userdata);
}

static void end_with_notice(struct visit *visit, enum page_notice notice)
{
    callback_answer_notice(visit->request, notice);
    visit_free(visit);
}

/* Takes the question over. */
static void ask(struct visit *visit, struct message *question, asks_answered answered)
{
    if (asks_send_for_visitor(visit->context->asks, question, answered, visit, &visit->ask) == 0)
        return;
    visit->ask = 0;
    end_with_notice(visit, PAGE_BUSY);
}

/* --- the page --- */

static enum page_link_state state_of(const struct link_row *link)
{
    static const enum page_link_state states[] = {
        [LINK_OPEN] = PAGE_LINK_OPEN,
        [LINK_USED] = PAGE_LINK_USED,
        [LINK_REPLACED] = PAGE_LINK_REPLACED,
        [LINK_WITHDRAWN] = PAGE_LINK_WITHDRAWN,
    };
    if (link->ending == LINK_OPEN && link->expires_at <= clock_now())
        return PAGE_LINK_EXPIRED;
    return states[link->ending];
}

static void show(struct visit *visit)
{
    CLEANUP(cleanup_buffer) struct buffer page = BUFFER_WITH_MAXIMUM(PAGE_MAX);
    CLEANUP(cleanup_buffer) struct buffer go = BUFFER_WITH_MAXIMUM(LINK_URL_MAX);
    const struct settings *settings = visit->context->settings;
    const struct link_row *link = visit->link;
    char account[ACCOUNT_TEXT_SIZE], host[CALLBACK_HOST_MAX];
    const struct provider *provider = settings_provider(settings, link->name.provider);
    settings_append_link(settings, visit->token, &go);
    buffer_append_text(&go, PATH_GO);
    const struct page_link facts = {
        .state = state_of(link),
        .provider = link->name.provider,
        .account = account_text(&link->name, account),
        .host = callback_public_host(visit->context, host),
        .expected = link->expect,
        .scope = link->scope ? link->scope
                 : provider  ? provider->scope
                             : NULL,
        .until = clock_to_wall(link->expires_at),
        .go = buffer_text(&go),
    };
    int status = page_put_link(&page, &facts);
    callback_answer_page(visit->request, status, &page);
    visit_free(visit);
}

/* --- an attempt --- */

/* The parameters were checked when the link was made. */
static int read_params(const char *text, struct parameters *ret)
{
    CLEANUP(cleanup_json) struct json *params = NULL;
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(WIRE_BODY_MAX);
    struct complaint complaint;
    if (!text)
        return 0;
    buffer_append_text(&body, "{\"params\":");
    buffer_append_text(&body, text);
    buffer_append_char(&body, '}');
    int r = json_parse(buffer_text(&body), body.length, &params, &complaint);
    return r == 0 ? order_read_params(params, ret, &complaint) : r;
}

/* Returns 0, LOGINS_FULL, LOGIN_REFUSED or -errno; takes the answer's provider over. */
static int begin(struct visit *visit, struct message *answer, struct login **ret)
{
    CLEANUP(cleanup_parameters) struct parameters params = { 0 };
    struct logins *logins = visit->context->logins;
    const struct link_row *link = visit->link;
    struct complaint complaint;
    const struct login_order order = {
        .uid = link->uid,
        .account = &link->name,
        .account_created_at = answer->account_created_at,
        .mode = LOGIN_BROWSER,
        .scope = link->scope,
        .params = &params,
        .link = link->digest,
    };
    int r = read_params(link->params, &params);
    if (r == 0)
        r = logins_make_room_for_link(logins, link->digest);
    return r == 0 ? login_begin(logins, &order, steal(answer->provider), ret, &complaint) : r;
}

/* A code that comes back must come to us: also by a link, none begins before what the proxy hands
 * on to is ours. */
static bool is_possible(const struct visit *visit, const struct provider *provider)
{
    struct complaint complaint; /* the visitor has no use for it, and health says it too */
    struct context *context = visit->context;
    return !settings_link_flaw(context->settings, provider) &&
           callback_hold(context->callback, provider->redirect_uri, &complaint) == 0;
}

static void provider_came(void *userdata, struct message *answer)
{
    struct visit *visit = userdata;
    struct login *login = NULL;
    visit->ask = 0;
    if (answer->failed || !answer->provider || !is_possible(visit, answer->provider)) {
        end_with_notice(visit, PAGE_LINK_NOT_NOW);
        return;
    }
    if (begin(visit, answer, &login) != 0) {
        end_with_notice(visit, PAGE_BUSY);
        return;
    }
    callback_answer_redirect(visit->request, secret_reveal(login->start_url));
    visit_free(visit);
}

/* --- looking it up --- */

static enum page_notice why_not(enum wire_error error)
{
    switch (error) {
    case WIRE_NOT_FOUND:
        return PAGE_LINK_UNKNOWN;
    case WIRE_TOO_MANY_REQUESTS:
        return PAGE_LINK_WORN;
    default:
        return PAGE_BUSY;
    }
}

static void link_came(void *userdata, struct message *answer)
{
    struct visit *visit = userdata;
    visit->ask = 0;
    if (answer->failed || answer->row_count != 1 || !answer->rows[0].link) {
        end_with_notice(visit, answer->failed ? why_not(answer->failure.error) : PAGE_BUSY);
        return;
    }
    if (!visit->context->settings->public_url) { /* a reload has just taken it away */
        end_with_notice(visit, PAGE_NOT_FOUND);
        return;
    }
    visit->link = steal(answer->rows[0].link);
    if (!visit->go || state_of(visit->link) != PAGE_LINK_OPEN) {
        show(visit);
        return;
    }
    struct message *question = message_new(ASK_PROVIDER);
    if (question)
        question->account = visit->link->name;
    ask(visit, question, provider_came);
}

/* Splits "TOKEN" or "TOKEN/go". */
static bool read_path(const char *rest, struct visit *visit)
{
    size_t length = strcspn(rest, "/");
    if (length != LINK_TOKEN_SIZE - 1)
        return false;
    memcpy(visit->token, rest, length);
    visit->token[length] = '\0';
    visit->go = strcmp(rest + length, PATH_GO) == 0;
    return visit->go || rest[length] == '\0';
}

void callback_handle_link(struct callback *callback, struct web_request *request,
                          const struct callback_site *site, const char *rest)
{
    struct visit asked = { .request = request, .context = callback->context };
    if (!site->is_public || !read_path(rest, &asked)) {
        callback_answer_notice(request, site->is_public ? PAGE_LINK_UNKNOWN : PAGE_NOT_FOUND);
        return;
    }
    struct visit *visit = malloc(sizeof *visit);
    struct message *question = message_new(asked.go ? ASK_LINK_CLICK : ASK_LINK_LOOK);
    if (!visit || !question) {
        free(visit);
        message_free(question);
        callback_answer_notice(request, PAGE_BUSY);
        return;
    }
    *visit = asked;
    digest_text(visit->token, LINK_TOKEN_SIZE - 1, question->link_digest);
    web_set_userdata(request, visit);
    web_on_gone(request, visit_gone);
    ask(visit, question, link_came);
}
