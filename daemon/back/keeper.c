#include "back/keeper.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

int setup_new(const struct provider *provider, const struct secret *client_secret,
              struct setup **ret)
{
    struct setup *setup = calloc(1, sizeof *setup);
    if (!setup)
        return -ENOMEM;
    setup->references = 1;
    int r = provider_copy(provider, &setup->provider);
    if (r == 0 && client_secret)
        r = secret_copy(client_secret, &setup->client_secret);
    if (r != 0) {
        setup_unref(setup);
        return r;
    }
    *ret = setup;
    return 0;
}

struct setup *setup_ref(struct setup *setup)
{
    setup->references++;
    return setup;
}

struct setup *setup_unref(struct setup *setup)
{
    if (!setup || --setup->references > 0)
        return NULL;
    provider_free(setup->provider);
    secret_free(setup->client_secret);
    free(setup);
    return NULL;
}

void setup_fingerprint(const struct setup *setup, char out[static FINGERPRINT_SIZE])
{
    char words[2][FINGERPRINT_SIZE] = { "", "" };
    provider_fingerprint(setup->provider, words[0]);
    if (setup->client_secret)
        secret_fingerprint(setup->client_secret, words[1]);
    digest_text(words, sizeof words, out);
}

static void *make_forget_all(void)
{
    return message_new(NOTICE);
}

static void notify(struct keeper *keeper, const struct account_name *name, uint64_t generation,
                   struct issued_token *token, const char *event)
{
    CLEANUP(cleanup_issued_token) struct issued_token *owned = token;
    char text[ACCOUNT_TEXT_SIZE];
    struct message *notice = message_new(NOTICE);
    if (!notice) {
        log_warning("no memory to tell of %s's new token; it is read when asked for",
                    account_text(name, text));
        return;
    }
    notice->account = *name;
    notice->generation = generation;
    notice->token = steal(owned);
    (void)snprintf(notice->event.name, sizeof notice->event.name, "%s", event);
    mailbox_notify(keeper->front, account_text(name, text), notice, make_forget_all);
}

void keeper_notify(struct keeper *keeper, const struct account_name *name, uint64_t generation,
                   struct issued_token *token)
{
    notify(keeper, name, generation, token, "");
}

void keeper_notify_refreshed(struct keeper *keeper, const struct account_name *name,
                             uint64_t generation, struct issued_token *token)
{
    notify(keeper, name, generation, token, "refreshed");
}

void keeper_answer(struct keeper *keeper, uint64_t id, struct message *answer)
{
    if (!answer) {
        const struct failure failure = failure_make(WIRE_INTERNAL, 0, "memory is short");
        keeper_refuse(keeper, id, &failure);
        return;
    }
    answer->id = id;
    mailbox_send_reserved(keeper->front, answer);
}

/* The one that lies ready where memory is short; else that one is made good again. */
static struct message *new_refusal(struct keeper *keeper)
{
    struct message *answer = message_new(ANSWER);
    if (!answer)
        return steal(keeper->spare_answer);
    if (!keeper->spare_answer)
        keeper->spare_answer = message_new(ANSWER);
    return answer;
}

void keeper_refuse(struct keeper *keeper, uint64_t id, const struct failure *failure)
{
    struct message *answer = new_refusal(keeper);
    if (!answer) {
        /* The asker's own deadline answers it; only its slot has to come back. */
        mailbox_unreserve(keeper->front);
        return;
    }
    answer->failed = true;
    answer->failure = *failure;
    keeper_answer(keeper, id, answer);
}

struct failure failure_make(enum wire_error error, int64_t retry_after_s, const char *format, ...)
{
    struct failure failure = { .error = error, .retry_after_s = retry_after_s };
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(failure.description, sizeof failure.description, format, arguments);
    va_end(arguments);
    return failure;
}

struct failure failure_unreadable(const struct account_name *name, int result)
{
    char text[ACCOUNT_TEXT_SIZE];
    account_text(name, text);
    if (result == STORE_FOREIGN)
        return failure_make(WIRE_INTERNAL, 0,
                            "the row of %s in the store is damaged: log it out, then in again",
                            text);
    if (result == -EBADMSG)
        return failure_make(WIRE_INTERNAL, 0,
                            "the store is damaged where the row of %s lies: restore a backup, "
                            "then log in again",
                            text);
    return failure_make(WIRE_INTERNAL, 0, "the store cannot read %s now: log in again", text);
}

struct failure failure_consent_required(const struct account_row *row)
{
    char name[ACCOUNT_TEXT_SIZE];
    account_text(&row->name, name);
    if (!row->last_error)
        return failure_make(WIRE_CONSENT_REQUIRED, 0,
                            row->held_at > 0 ? "%s has a consent that is held: an admin runs "
                                               "`tokenbroker accept %s`, or discard"
                                             : "%s needs a consent: run `tokenbroker login %s`",
                            name, name);
    return failure_make(WIRE_CONSENT_REQUIRED, 0,
                        "%s needs a new consent (the provider said %s): run `tokenbroker login %s`",
                        name, row->last_error, name);
}

PRINTF_LIKE(3, 0)
static struct message *event_letter(const struct account_name *name, const char *event,
                                    const char *format, va_list arguments)
{
    struct message *letter = message_new(EVENT);
    if (!letter)
        return NULL;
    letter->account = *name;
    (void)snprintf(letter->event.name, sizeof letter->event.name, "%s", event);
    (void)vsnprintf(letter->event.text, sizeof letter->event.text, format, arguments);
    return letter;
}

/* Takes the letter over. */
static void tell_followers(struct keeper *keeper, struct message *letter)
{
    char account[ACCOUNT_TEXT_SIZE];
    char key[MAILBOX_KEY_SIZE];
    if (!letter)
        return;
    (void)snprintf(key, sizeof key, "%s %s", letter->event.name,
                   account_text(&letter->account, account));
    mailbox_notify(keeper->front, key, letter, make_forget_all);
}

/* Takes the letter over. Returns 0, MAILBOX_FULL or -ENOMEM. */
static int tell_main(struct keeper *keeper, struct message *letter)
{
    CLEANUP(cleanup_message) struct message *owned = letter;
    if (!keeper->main)
        return 0;
    int r = letter ? mailbox_send(keeper->main, letter) : -ENOMEM;
    if (r == 0)
        owned = NULL;
    return r;
}

void keeper_event(struct keeper *keeper, const struct account_name *name, const char *event,
                  const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct message *letter = event_letter(name, event, format, arguments);
    va_end(arguments);
    if (letter)
        keeper_remark(keeper, name, event, "%s", letter->event.text);
    if (tell_main(keeper, letter) != 0)
        log_warning("event %s was dropped: too many wait for the hook", event);
}

int keeper_call_hook(struct keeper *keeper, const struct account_name *name, const char *event,
                     const struct hook_call *call, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct message *letter = event_letter(name, event, format, arguments);
    va_end(arguments);
    if (letter && call->link && *call->link)
        letter->start_url = strdup(call->link); /* it is worth telling without, too */
    if (letter)
        letter->id = call->receipt;
    return tell_main(keeper, letter);
}

void keeper_remark(struct keeper *keeper, const struct account_name *name, const char *event,
                   const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell_followers(keeper, event_letter(name, event, format, arguments));
    va_end(arguments);
}

int keeper_row_or_new(struct store *store, const struct account_name *name, struct account_row *ret)
{
    int r = store_read(store, name, ret);
    if (r != STORE_NOT_FOUND)
        return r;
    *ret = (struct account_row){ .name = *name, .created_at = clock_now() };
    return 0;
}
