#include <stdio.h>
#include <string.h>

#include "client/cli/accounts.h"
#include "client/cli/doctor.h"
#include "client/cli/words.h"
#include "schema/wire.h"

enum { NAMED_MAX = 20, COMMAND_SIZE = 256 };

static const char *text_of(const struct tb_value *object, const char *name)
{
    return tb_value_text(tb_value_member(object, name), "");
}

static void look_at_version(struct doctor *doctor)
{
    const char *version = text_of(doctor->health, "version");
    const char *broker = tb_broker_path(doctor->cli->broker);

    if (strcmp(version, TOKENBROKER_VERSION) == 0)
        doctor_find(doctor, VERDICT_OK, "broker", NULL, "%s answers on %s", version, broker);
    else
        doctor_find(doctor, VERDICT_WARN, "broker",
                    "restart the service, so that the installed version runs",
                    "%s answers on %s, this command is " TOKENBROKER_VERSION, version, broker);
}

static void look_at_store(struct doctor *doctor)
{
    const struct tb_value *store = tb_value_member(doctor->health, "store");
    char words[WORDS_SIZE];

    if (tb_value_true(tb_value_member(store, "ok")))
        doctor_find(doctor, VERDICT_OK, "store", NULL, "takes writes");
    else
        doctor_find(doctor, VERDICT_FAIL, "store",
                    "free space on its disk, or look into the broker's log", "%s",
                    text_of(store, "problem"));
    if (*text_of(store, "copied"))
        doctor_find(doctor, VERDICT_FAIL, "store",
                    "make sure that no other broker uses its grants, then: tokenbroker resume",
                    "it is a copy, and nothing is refreshed: %s", text_of(store, "copied"));
    int64_t moved_at = tb_value_integer(tb_value_member(store, "moved_at"), TB_DEFAULT);
    if (moved_at >= 0)
        doctor_find(doctor, VERDICT_FAIL, "store",
                    "ask the broker that has it now; where none has: tokenbroker resume "
                    "--moved-back",
                    "it was moved %s, and nothing is refreshed here",
                    words_moment(moved_at, words_now(), words));
}

/* What helps against a pause. */
static const char *advice_for(const char *reason)
{
    if (strncmp(reason, WIRE_REASON_COPIED, sizeof WIRE_REASON_COPIED - 1) == 0)
        return "log one of its accounts in anew, then: tokenbroker retry; or restore a newer store";
    return "check its client_id and client_secret, then: tokenbroker retry";
}

static void look_at_provider(struct doctor *doctor, const struct tb_value *provider)
{
    char words[WORDS_SIZE] = "soon";
    const char *name = text_of(provider, "name");
    int64_t at = tb_value_integer(tb_value_member(provider, "probe_at"), TB_DEFAULT);

    if (at >= 0)
        (void)words_moment(at, words_now(), words);
    if (tb_value_true(tb_value_member(provider, "paused")))
        doctor_find(doctor, VERDICT_FAIL, "provider", advice_for(text_of(provider, "reason")),
                    "%s is paused: %s; the next try is %s", name, text_of(provider, "reason"),
                    words);
    else
        doctor_find(doctor, VERDICT_OK, "provider", NULL, "%s is not paused", name);
}

static void look_at_callback(struct doctor *doctor, const struct tb_value *callback)
{
    const char *listen = text_of(callback, "listen");
    const char *problem = text_of(callback, "problem");

    if (*problem)
        doctor_find(doctor, VERDICT_FAIL, "callback",
                    "end the program that holds it, or change callback.listen and redirect_uri",
                    "%s: %s", listen, problem);
    else
        doctor_find(doctor, VERDICT_OK, "callback", NULL, "%s is %s", listen,
                    tb_value_true(tb_value_member(callback, "bound"))
                        ? "held"
                        : "free; it is held while a login is pending");
}

static void look_at_consumers(struct doctor *doctor, const struct tb_value *address)
{
    const char *listen = text_of(address, "listen");
    const char *problem = text_of(address, "problem");

    if (*problem)
        doctor_find(doctor, VERDICT_FAIL, "consumers",
                    "end the program that holds it, or change the consumer's listen", "%s: %s",
                    listen, problem);
    else
        doctor_find(doctor, VERDICT_OK, "consumers", NULL, "%s is held", listen);
}

static void look_at_each(struct doctor *doctor, const char *member,
                         void (*look)(struct doctor *doctor, const struct tb_value *row))
{
    const struct tb_value *row = tb_value_first(tb_value_member(doctor->health, member));

    for (; row; row = tb_value_next(row))
        look(doctor, row);
}

void doctor_look_at_broker(struct doctor *doctor)
{
    if (!doctor->health)
        return;
    look_at_version(doctor);
    look_at_store(doctor);
    look_at_each(doctor, "providers", look_at_provider);
    look_at_each(doctor, "callback", look_at_callback);
    look_at_each(doctor, "consumers", look_at_consumers);
}

/* --- accounts --- */

struct survey {
    struct doctor *doctor;
    unsigned calm;
    unsigned named;
};

/* One without an end has no expires_at either. */
static bool has_token(const struct tb_value *account)
{
    const struct tb_value *expires_at = tb_value_member(account, "expires_at");

    if (tb_value_true(tb_value_member(account, "rejected")))
        return false;
    return expires_at ? tb_value_integer(expires_at, 0) > words_now()
                      : tb_value_member(account, "refreshed_at") != NULL;
}

/* It is tried again by itself; but whoever asks for its token meanwhile gets none. */
static bool waits_in_vain(const struct tb_value *account)
{
    const bool suspect = strcmp(text_of(account, "state"), "suspect") == 0;

    return (suspect || tb_value_member(account, "last_error")) && !has_token(account);
}

static void name_waiting(struct survey *survey, const struct tb_value *account)
{
    char advice[COMMAND_SIZE];
    const char *name = text_of(account, "account");
    const char *error = text_of(tb_value_member(account, "last_error"), "error");

    (void)snprintf(advice, sizeof advice, "tokenbroker status %s, then: tokenbroker retry %s", name,
                   name);
    doctor_find(survey->doctor, VERDICT_WARN, "account", advice,
                "%s has no token, and its refresh fails%s%s; it is tried again", name,
                *error ? ": " : "", error);
}

static bool look_at_account(const struct tb_value *account, void *userdata)
{
    struct survey *survey = userdata;
    char advice[COMMAND_SIZE];
    char words[WORDS_SIZE];
    const char *name = text_of(account, "account");
    const struct tb_value *forecast = tb_value_member(account, "forecast");
    bool dead = strcmp(text_of(account, "state"), "consent_required") == 0;
    bool dying = strcmp(text_of(forecast, "warning"), "none") != 0;
    int64_t dies_at = tb_value_integer(tb_value_member(forecast, "dies_at"), 0);

    if (!dead && waits_in_vain(account)) {
        name_waiting(survey, account);
        return ++survey->named < NAMED_MAX;
    }
    if (!dead && !dying) {
        survey->calm++;
        return true;
    }
    (void)snprintf(advice, sizeof advice, "tokenbroker login %s", name);
    if (dead)
        doctor_find(survey->doctor, VERDICT_FAIL, "account", advice, "%s needs a new consent%s%s",
                    name, *text_of(tb_value_member(account, "last_error"), "error") ? ": " : "",
                    text_of(tb_value_member(account, "last_error"), "error"));
    else
        doctor_find(survey->doctor, VERDICT_WARN, "account", advice,
                    "%s dies %s unless someone "
                    "consents again",
                    name, words_moment(dies_at, words_now(), words));
    return ++survey->named < NAMED_MAX;
}

/* It was said why already. Who may not list at all is no failure of the broker. */
static void miss_accounts(struct doctor *doctor, int why)
{
    if (why == TB_FORBIDDEN)
        doctor_find(doctor, VERDICT_WARN, "accounts", "ask somebody who may list them",
                    "they were not looked at: you may not list them");
    else
        doctor_find(doctor, VERDICT_FAIL, "accounts", "tokenbroker list, or the broker's log",
                    "they cannot all be listed: some may need a person");
}

void doctor_look_at_accounts(struct doctor *doctor)
{
    struct survey survey = { .doctor = doctor };

    if (!doctor->health)
        return;
    int r = accounts_each(doctor->cli, look_at_account, &survey);
    if (r != TB_OK) {
        miss_accounts(doctor, r);
        return;
    }
    if (survey.named == NAMED_MAX)
        doctor_find(doctor, VERDICT_WARN, "account", "tokenbroker forecast",
                    "more may need a person");
    else if (survey.named == 0 && survey.calm == 0)
        doctor_find(doctor, VERDICT_OK, "accounts", NULL,
                    "none yet; connect one: tokenbroker login PROVIDER/LABEL");
    else
        doctor_find(doctor, VERDICT_OK, "accounts", NULL, "%u have all they need", survey.calm);
}
