#include "back/links.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "back/job.h"
#include "back/vault.h"
#include "base/clock.h"
#include "base/text.h"

/* --- making --- */

static int make_token(struct keeper *keeper, struct link_row *row)
{
    CLEANUP(cleanup_secret) struct secret *token = NULL;
    int r = secret_random(LINK_TOKEN_BYTES, &token);
    if (r != 0)
        return r;
    (void)secret_fingerprint(token, row->digest);
    row->token = strdup(secret_reveal(token));
    return row->token ? vault_close_link(keeper->key, row, token) : -ENOMEM;
}

static int fill(struct keeper *keeper, const struct link_order *order, const char *expect,
                struct link_row *row)
{
    row->created_at = clock_now();
    row->expires_at = row->created_at + order->life_ms;
    row->forget_at = row->expires_at + LINK_REMEMBERED_MS;
    row->uid = order->uid;
    int r = text_copy(expect, &row->expect);
    if (r == 0)
        r = text_copy(order->scope, &row->scope);
    if (r == 0)
        r = text_copy(order->params, &row->params);
    return r == 0 ? make_token(keeper, row) : r;
}

static int check_room(struct store *store, uint32_t uid)
{
    uint64_t open = 0, own = 0;
    int r = store_count_links(store, uid, &open, &own);
    if (r == 0 && open >= LINKS_OPEN_MAX)
        return JOB_LINKS_FULL;
    return r == 0 && uid != 0 && own >= LINKS_OPEN_PER_UID_MAX ? JOB_LINKS_QUOTA : r;
}

int links_make(struct keeper *keeper, struct store *store, const struct account_name *name,
               const struct link_order *order, struct link_row *ret)
{
    CLEANUP(cleanup_account_row) struct account_row account = { 0 };
    CLEANUP(cleanup_link_row) struct link_row row = { .name = *name };
    int r = store_read(store, name, &account);
    if (r < 0)
        return r;
    if (order->expect && account.identity && strcmp(order->expect, account.identity) != 0)
        return JOB_LINK_OF_OTHER;
    r = store_forget_links(store, clock_now());
    if (r == 0)
        r = check_room(store, order->uid);
    if (r == 0)
        r = fill(keeper, order, order->expect ? order->expect : account.identity, &row);
    if (r == 0)
        r = store_put_link(store, &row);
    if (r != 0)
        return r;
    *ret = row;
    row = (struct link_row){ 0 };
    return 0;
}

static bool usable(const struct link_row *row)
{
    return row->ending == LINK_OPEN && row->expires_at > clock_now();
}

/* Whether links can lead to the account's provider at all. */
static bool possible(const struct keeper *keeper, const struct account_name *name)
{
    const struct settings *settings = keeper->settings;
    if (!settings || !settings->public_url)
        return false;
    const struct provider *provider = settings_provider(settings, name->provider);
    return provider && !settings_link_flaw(settings, provider);
}

int links_offer(struct keeper *keeper, struct store *store, const struct account_row *row)
{
    const struct link_order order = { .life_ms = LINK_OFFERED_MS };
    CLEANUP(cleanup_link_row) struct link_row open = { 0 };
    CLEANUP(cleanup_link_row) struct link_row made = { 0 };
    if (row->held_at > 0 || !possible(keeper, &row->name))
        return 0;
    int r = store_open_link(store, &row->name, &open);
    if (r < 0 || (r == 0 && usable(&open)))
        return r;
    r = links_make(keeper, store, &row->name, &order, &made);
    return r < 0 ? r : 0;
}

/* --- showing --- */

void links_unseal(struct keeper *keeper, struct link_row *row)
{
    CLEANUP(cleanup_secret) struct secret *token = NULL;
    if (!row->token && row->sealed && vault_open_link(keeper->key, row, &token) == 0 &&
        secret_length(token) < LINK_TOKEN_SIZE)
        row->token = strdup(secret_reveal(token));
}

/* The account's link with its token; false when there is none to use. */
static bool find(struct keeper *keeper, const struct account_name *name, struct link_row *ret)
{
    CLEANUP(cleanup_link_row) struct link_row row = { 0 };
    if (!possible(keeper, name) || store_open_link(keeper->store, name, &row) != 0 || !usable(&row))
        return false;
    links_unseal(keeper, &row);
    if (!row.token)
        return false;
    *ret = row;
    row = (struct link_row){ 0 };
    return true;
}

void links_token(struct keeper *keeper, const struct account_name *name,
                 char out[static LINK_TOKEN_SIZE])
{
    CLEANUP(cleanup_link_row) struct link_row row = { 0 };
    const bool found = find(keeper, name, &row);
    (void)snprintf(out, LINK_TOKEN_SIZE, "%s", found ? row.token : "");
}

void links_attach(struct keeper *keeper, struct account_row *row)
{
    struct link_row *link = row->link ? NULL : calloc(1, sizeof *link);
    if (!link)
        return;
    if (find(keeper, &row->name, link))
        row->link = link;
    else
        free(link);
}

/* --- an account that needs a consent --- */

int links_call_hook(struct keeper *keeper, const struct account_name *name, uint64_t receipt,
                    const char *why)
{
    CLEANUP(cleanup_link_row) struct link_row row = { 0 };
    CLEANUP(cleanup_buffer) struct buffer url = BUFFER_WITH_MAXIMUM(LINK_URL_MAX);
    if (find(keeper, name, &row))
        settings_append_link(keeper->settings, row.token, &url);
    const struct hook_call call = { .receipt = receipt, .link = buffer_text(&url) };
    return keeper_call_hook(keeper, name, "consent_required", &call, "%s", why);
}

/* A question that is refused once the account has its link. */
struct refusing {
    struct keeper *keeper;
    uint64_t id;
    struct account_name name;
    struct failure failure;
};

static int apply_offer(void *userdata, struct store *store)
{
    struct refusing *refusing = userdata;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = store_read(store, &refusing->name, &row);
    return r == 0 ? links_offer(refusing->keeper, store, &row) : r;
}

static void offered(void *userdata, int result)
{
    struct refusing *refusing = userdata;
    (void)result; /* without a link it needs a consent all the same */
    links_token(refusing->keeper, &refusing->name, refusing->failure.link);
    keeper_refuse(refusing->keeper, refusing->id, &refusing->failure);
    free(refusing);
}

void links_refuse(struct keeper *keeper, uint64_t id, const struct account_row *row)
{
    struct failure failure = failure_consent_required(row);
    const bool wanted = row->held_at == 0 && possible(keeper, &row->name);
    if (wanted)
        links_token(keeper, &row->name, failure.link);
    struct refusing *refusing = wanted && !failure.link[0] ? malloc(sizeof *refusing) : NULL;
    if (!refusing) {
        keeper_refuse(keeper, id, &failure);
        return;
    }
    *refusing = (struct refusing){ keeper, id, row->name, failure };
    int r = commits_add(keeper->commits, COMMIT_MAY, apply_offer, offered, refusing);
    if (r != 0)
        offered(refusing, r);
}

struct failure links_refusal(int result, const char *name)
{
    switch (result) {
    case JOB_LINKS_FULL:
        return failure_make(WIRE_TOO_MANY_REQUESTS, 0,
                            "%d links are open, which is the most there can be: revoke some",
                            LINKS_OPEN_MAX);
    case JOB_LINKS_QUOTA:
        return failure_make(WIRE_TOO_MANY_REQUESTS, 0,
                            "%d links of yours are open, which is the most that one user may have: "
                            "revoke some",
                            LINKS_OPEN_PER_UID_MAX);
    case JOB_LINK_OF_OTHER:
        return failure_make(WIRE_BAD_REQUEST, 0,
                            "%s belongs to another identity than the expected one: log it out "
                            "first, or use another label",
                            name);
    case JOB_LINK_BUSY:
        return failure_make(WIRE_TOO_MANY_REQUESTS, LINK_HOUR_MS / 1000,
                            "this link was opened %d times within an hour: try again later",
                            LINK_CLICKS_PER_HOUR);
    default:
        return failure_make(WIRE_NOT_FOUND, 0, "there is no link for %s",
                            *name ? name : "this address");
    }
}
