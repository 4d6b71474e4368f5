#include "oauth/token_error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *first_string(const struct json *value, const char *const *names)
{
    for (; *names != NULL; names++) {
        const char *text = json_member_string(value, *names);
        if (text != NULL && text[0] != '\0')
            return text;
    }
    return "";
}

static const char *number_text(const struct json *value, struct token_error *error)
{
    int64_t number;
    if (!json_integer(value, &number) || number == 0)
        return "";
    /* An int64_t always fits. */
    (void)snprintf(error->number, sizeof(error->number), "%" PRId64, number);
    return error->number;
}

static const char *read_code(const struct json *member, struct token_error *error)
{
    static const char *const code_names[] = { "code", "error", "type", "status", NULL };
    if (json_kind(member) == JSON_STRING)
        return json_string(member);
    bool failed;
    if (json_boolean(member, &failed))
        return failed ? "error" : "";
    if (json_kind(member) != JSON_OBJECT)
        return number_text(member, error);
    const char *code = first_string(member, code_names);
    return code[0] != '\0' ? code : number_text(json_member(member, "code"), error);
}

void token_error_read(const struct json *reply, struct token_error *ret)
{
    static const char *const description_names[] = { "error_description", "description", "message",
                                                     "detail", NULL };
    const struct json *member = json_member(reply, "error");
    ret->code = read_code(member, ret);
    ret->description = first_string(reply, description_names);
    if (ret->description[0] == '\0')
        ret->description = first_string(member, description_names);
}

enum verdict token_status_verdict(int status)
{
    if (status == 408 || status == 429 || status >= 500 || status < 200)
        return VERDICT_NO_ANSWER;
    return status >= 300 && status < 400 ? VERDICT_NO_ANSWER : VERDICT_ACCOUNT_SUSPECT;
}

/* Which verdict a code leads to, on the statuses that go with it. */
struct known_error {
    const char *code;
    enum verdict verdict;
};

static const struct known_error known_errors[] = {
    { "invalid_grant", VERDICT_ACCOUNT_REFUSED },
    { "invalid_client", VERDICT_PROVIDER_REFUSED },
    { "unauthorized_client", VERDICT_PROVIDER_REFUSED },
    { "unsupported_grant_type", VERDICT_PROVIDER_REFUSED },
    { "invalid_scope", VERDICT_PROVIDER_REFUSED },
    { "temporarily_unavailable", VERDICT_NO_ANSWER },
    { "server_error", VERDICT_NO_ANSWER },
    { "slow_down", VERDICT_NO_ANSWER },
    { "authorization_pending", VERDICT_NO_ANSWER },
};

static const struct known_error *find_known(const char *code)
{
    for (size_t i = 0; i < sizeof(known_errors) / sizeof(known_errors[0]); i++) {
        if (strcasecmp(code, known_errors[i].code) == 0)
            return &known_errors[i];
    }
    return NULL;
}

/* A refusal is final for an account, so it is believed only where it belongs; a failing server's
 * words are not. Some servers send every error with a 200. */
static bool status_fits(enum verdict verdict, int status)
{
    if (verdict == VERDICT_NO_ANSWER)
        return true;
    if (status >= 200 && status < 300)
        return true;
    if (verdict == VERDICT_ACCOUNT_REFUSED)
        return status == 400 || status == 401 || status == 403;
    return status >= 400 && status < 500;
}

enum verdict token_error_verdict(const char *code, int status, bool *ret_by_code)
{
    const struct known_error *known = find_known(code);
    enum verdict by_status = token_status_verdict(status);
    *ret_by_code =
        known != NULL ? status_fits(known->verdict, status) : by_status == VERDICT_ACCOUNT_SUSPECT;
    return known != NULL && *ret_by_code ? known->verdict : by_status;
}
