/* /v1/links: links by which people elsewhere consent. */

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "front/api_ask.h"
#include "front/api_body.h"
#include "front/api_listing.h"
#include "front/api_order.h"
#include "front/link_url.h"

enum {
    MS_PER_S = 1000,
    LINK_LIFE_DEFAULT_S = 7 * 24 * 3600,
    LINK_LIFE_MIN_S = 60,
    LINK_LIFE_MAX_S = 365 * 24 * 3600,
    LINK_EXPECT_MAX = 256,
    LINK_PARAMS_MAX = 24 * 1024,
    LINK_ANSWER_MAX = 32 * 1024,
};

/* --- a link as JSON --- */

static void append_link(const struct api_request *request, struct buffer *out,
                        const struct account_row *row)
{
    const struct link_row *link = row->link;
    CLEANUP(cleanup_buffer) struct buffer url = BUFFER_WITH_MAXIMUM(LINK_URL_MAX);
    struct json_writer writer = json_writer_begin(out, '{');
    char account[ACCOUNT_TEXT_SIZE];

    json_put_string(&writer, "account", account_text(&row->name, account));
    json_put_string(&writer, "url", link_url(request->context, link->token, &url));
    json_put_string(&writer, "state", link->expires_at > clock_now() ? "open" : "expired");
    json_put_integer(&writer, "created_at", clock_to_wall(link->created_at) / MS_PER_S);
    json_put_integer(&writer, "expires_at", clock_to_wall(link->expires_at) / MS_PER_S);
    json_put_integer(&writer, "attempts", link->clicks);
    json_put_string(&writer, "expected_identity", link->expect);
    json_put_string(&writer, "scope", link->scope);
    json_writer_end(&writer);
}

static void link_answered(const struct api_request *request, struct message *answer, void *state)
{
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(LINK_ANSWER_MAX);
    if (answer->row_count != 1 || !answer->rows[0].link) {
        api_refuse(request->web, WIRE_INTERNAL, NULL, "the store told of no link");
        return;
    }
    append_link(request, &body, &answer->rows[0]);
    api_answer(request->web, &body);
}

/* --- making --- */

static void refuse(const struct api_request *request, const char *format, const char *what)
{
    char account[ACCOUNT_TEXT_SIZE];
    api_refuse(request->web, WIRE_BAD_REQUEST, account_text(&request->account, account), "%s%s",
               format, what);
}

/* The path's last part will do, as a person writes it. */
static bool names_identity(const struct provider *provider, const char *name)
{
    const char *dot = strrchr(provider->identity, '.');
    return strcmp(name, provider->identity) == 0 || (dot && strcmp(name, dot + 1) == 0);
}

struct expectation {
    const struct provider *provider;
    const char *value;
    const char *flaw;
    unsigned count;
};

static bool read_expectation(void *userdata, const char *key, const struct json *member)
{
    struct expectation *found = userdata;
    const char *value = json_string(member);
    if (!found->provider->identity)
        found->flaw = "the provider's section says no identity, so nothing can be expected";
    else if (!names_identity(found->provider, key))
        found->flaw = "expect must name what the provider's identity is: ";
    else if (!value || !*value || strlen(value) > LINK_EXPECT_MAX)
        found->flaw = "what is expected must be a short text";
    found->value = value;
    found->count++;
    return !found->flaw;
}

/* False when the request was answered. */
static bool read_expect(const struct api_request *request, const struct provider *provider,
                        const struct json *body, char **ret)
{
    const struct json *member = json_member(body, "expect");
    struct expectation found = { .provider = provider };
    if (json_kind(member) == JSON_OBJECT)
        json_each_member(member, read_expectation, &found);
    if (json_kind(member) != JSON_ABSENT && found.count != 1 && !found.flaw)
        found.flaw = "expect must be an object with one member";
    if (found.flaw) {
        refuse(request, found.flaw, strchr(found.flaw, ':') ? provider->identity : "");
        return false;
    }
    *ret = found.value ? strdup(found.value) : NULL;
    if (!found.value || *ret)
        return true;
    api_refuse(request->web, WIRE_INTERNAL, NULL, "out of memory");
    return false;
}

static bool read_life(const struct api_request *request, const struct json *body, int64_t *ret_ms)
{
    const struct json *member = json_member(body, "expires_in");
    int64_t seconds = LINK_LIFE_DEFAULT_S;
    if (json_kind(member) != JSON_ABSENT &&
        (!json_integer(member, &seconds) || seconds < LINK_LIFE_MIN_S ||
         seconds > LINK_LIFE_MAX_S)) {
        refuse(request, "expires_in must be a number of seconds, a minute to a year", "");
        return false;
    }
    *ret_ms = seconds * MS_PER_S;
    return true;
}

/* What goes to the authorization request; the parameters are kept as the JSON that they came as. */
static int read_order(const struct json *body, struct link_order *order,
                      struct complaint *complaint)
{
    CLEANUP(cleanup_parameters) struct parameters params = { 0 };
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(LINK_PARAMS_MAX);
    int r = order_read_scope(body, &order->scope, complaint);
    if (r == 0)
        r = order_read_params(body, &params, complaint);
    if (r != 0 || params.count == 0)
        return r;
    json_append(&text, json_member(body, "params"));
    order->params = buffer_steal_text(&text);
    return order->params ? 0 : -ENOMEM;
}

/* Fills the order; false when the request was answered. */
static bool fill(const struct api_request *request, const struct provider *provider,
                 struct link_order *order)
{
    static const char *const known[] = { "expires_in", "expect", "scope", "params", NULL };
    CLEANUP(cleanup_json) struct json *body = api_body(request, known);
    struct complaint complaint = { "out of memory" };
    if (!body || !read_life(request, body, &order->life_ms) ||
        !read_expect(request, provider, body, &order->expect))
        return false;
    order->uid = asker_uid(&request->asker);
    int r = read_order(body, order, &complaint);
    if (r != 0)
        refuse(request, complaint.text, "");
    return r == 0;
}

static void made(const struct api_request *request, struct message *answer, void *state)
{
    api_count(request, "link", 0);
    link_answered(request, answer, state);
}

void api_link_make(const struct api_request *request)
{
    const struct settings *settings = request->context->settings;
    if (!api_allowed(request, MAY_LINK) || !api_provider_known(request))
        return;
    const struct provider *provider = settings_provider(settings, request->account.provider);
    const char *flaw = settings_link_flaw(settings, provider);
    if (flaw) {
        refuse(request, "no link can be made for this provider: ", flaw);
        return;
    }
    CLEANUP(cleanup_message) struct message *question = api_question(request, ASK_LINK);
    if (question)
        question->link_order = calloc(1, sizeof *question->link_order);
    if (!question || !question->link_order)
        api_refuse(request->web, WIRE_INTERNAL, NULL, "out of memory");
    else if (fill(request, provider, question->link_order))
        api_ask(request, steal(question), &(struct api_follow_up){ .answered = made });
}

/* --- looking, ending --- */

void api_link(const struct api_request *request)
{
    if (api_allowed(request, MAY_LINK))
        api_ask(request, api_question(request, ASK_LINK_OF),
                &(struct api_follow_up){ .answered = link_answered });
}

static const struct api_listing links = { ASK_LINKS, "links", MAY_LINK, append_link };

void api_links(const struct api_request *request)
{
    api_list(request, &links);
}

static void ended(const struct api_request *request, struct message *answer, void *state)
{
    api_count(request, "unlink", 0);
    api_answer_done(request, "revoked");
}

void api_link_end(const struct api_request *request)
{
    if (api_allowed(request, MAY_LINK))
        api_ask(request, api_question(request, ASK_UNLINK),
                &(struct api_follow_up){ .answered = ended });
}
