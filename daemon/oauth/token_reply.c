#include "oauth/token_reply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/printable.h"
#include "oauth/token_error.h"
#include "oauth/token_grant.h"

static const char byte_order_mark[] = "\xef\xbb\xbf";

/* What the judges look at. */
struct hearing {
    const struct provider *provider;
    const struct token_answer *answer;
    const struct json *body; /* NULL: the body is no JSON object */
    bool json_but_no_object;
    struct complaint complaint; /* why the body is not JSON */
};

static bool is_success(int status)
{
    return status >= 200 && status < 300;
}

static bool is_redirect(int status)
{
    return status >= 300 && status < 400;
}

/* words may hold what the provider said, which may repeat what it was sent. */
static void decide(struct token_reply *reply, enum verdict verdict, const char *error,
                   const char *words)
{
    reply->verdict = verdict;
    printable_line(error, PRINTABLE_MASK_TOKENS, reply->error, sizeof(reply->error));
    printable_line(words, PRINTABLE_MASK_TOKENS, reply->description, sizeof(reply->description));
}

/* A name of our own, where the provider gave none to believe. detail may be "". */
static void decide_by_status(struct token_reply *reply, enum verdict verdict, const char *error,
                             int status, const char *detail)
{
    char words[COMPLAINT_MAX + ERROR_TEXT_MAX], name[sizeof("http_-2147483648")];
    /* Cut words are good enough; a status always fits its name. */
    (void)snprintf(words, sizeof(words), "the provider answered with status %d%s%s", status,
                   detail[0] != '\0' ? ": " : "", detail);
    (void)snprintf(name, sizeof(name), "http_%d", status);
    decide(reply, verdict, error != NULL ? error : name, words);
}

static bool is_web_page(const struct token_answer *answer)
{
    if (answer->content_type != NULL && strcasestr(answer->content_type, "html") != NULL)
        return true;
    size_t i = 0;
    while (i < answer->length && strchr(" \t\r\n", answer->body[i]) != NULL)
        i++;
    return i < answer->length && answer->body[i] == '<';
}

/* Why there is nothing to read in a reply: our name for it, and words. */
struct problem {
    const char *name;
    const char *words;
};

static struct problem find_problem(const struct hearing *hearing)
{
    const struct token_answer *answer = hearing->answer;
    if (is_redirect(answer->status))
        return (struct problem){ "redirect", "redirects are not followed" };
    if (answer->truncated)
        return (struct problem){ "truncated", "the reply is too long or was cut off" };
    if (answer->length == 0)
        return (struct problem){ "empty_body", "the reply is empty" };
    if (hearing->json_but_no_object)
        return (struct problem){ "not_an_object", "the reply is JSON, but no object" };
    if (is_web_page(answer))
        return (struct problem){ "not_json", "the reply is a web page, not JSON" };
    return (struct problem){ "not_json", hearing->complaint.text };
}

static void judge_without_object(const struct hearing *hearing, struct token_reply *reply)
{
    const struct token_answer *answer = hearing->answer;
    struct problem problem = find_problem(hearing);
    bool success = is_success(answer->status);
    enum verdict verdict = token_status_verdict(answer->status);
    /* Where the status alone means failure it is the better name. */
    const char *name = success || is_redirect(answer->status) ? problem.name : NULL;
    if (verdict == VERDICT_ACCOUNT_SUSPECT && answer->truncated)
        name = problem.name;
    /* A proxy's page says nothing about an account; an empty refusal is the server's own. */
    if (success || answer->truncated || answer->length > 0)
        verdict = VERDICT_NO_ANSWER;
    reply->unreadable = success && answer->length > 0;
    decide_by_status(reply, verdict, name, answer->status, problem.words);
}

/* Moves what came into the grant, which says already whose it is. Returns 0 or -ENOMEM. */
static int read_grant(const struct hearing *hearing, struct secret **access_token,
                      struct token_reply *reply)
{
    CLEANUP(cleanup_token_grant) struct token_grant grant = { 0 };
    int r = token_grant_read(hearing->provider, hearing->body, &grant);
    if (r < 0)
        return r;
    grant.identity = steal(reply->grant.identity);
    grant.nonce = steal(reply->grant.nonce);
    grant.has_id_token = reply->grant.has_id_token;
    grant.access_token = steal(*access_token);
    grant.refresh_token = steal(reply->rescued_refresh_token);
    reply->grant = grant;
    grant = (struct token_grant){ 0 };
    reply->verdict = VERDICT_GRANTED;
    return 0;
}

static int judge_grant(const struct hearing *hearing, struct token_reply *reply)
{
    CLEANUP(cleanup_secret) struct secret *access_token = NULL;
    enum token_member member;
    int r = token_grant_read_token(hearing->body, "access_token", &access_token, &member);
    if (r == 0 && member == TOKEN_MEMBER_READ)
        return read_grant(hearing, &access_token, reply);
    if (r < 0)
        return r;
    bool absent = member == TOKEN_MEMBER_ABSENT;
    reply->unreadable = true;
    decide_by_status(reply, VERDICT_NO_ANSWER, absent ? "no_access_token" : "bad_access_token",
                     hearing->answer->status,
                     absent ? "the reply has no access_token" : "the access_token is unreadable");
    return 0;
}

/* An error is judged before the status. */
static void judge_error(const struct hearing *hearing, const struct token_error *error,
                        struct token_reply *reply)
{
    int status = hearing->answer->status;
    bool by_code;
    enum verdict verdict = token_error_verdict(error->code, status, &by_code);
    const char *words = error->description[0] != '\0' ? error->description : error->code;
    if (by_code && error->description[0] != '\0')
        decide(reply, verdict, error->code, words);
    else
        decide_by_status(reply, verdict, by_code ? error->code : NULL, status, words);
}

/* Whatever else a success holds, its refresh token comes first: the old one may be spent. */
static int rescue_refresh_token(const struct hearing *hearing, struct token_reply *reply)
{
    enum token_member member;
    int r = token_grant_read_token(hearing->body, "refresh_token", &reply->rescued_refresh_token,
                                   &member);
    if (r == 0)
        reply->unreadable = member == TOKEN_MEMBER_UNREADABLE;
    return r;
}

static int judge_success(const struct hearing *hearing, const struct token_error *error,
                         struct token_reply *reply)
{
    int r = rescue_refresh_token(hearing, reply);
    if (r < 0)
        return r;
    /* What is rescued has an owner, too. */
    r = token_grant_read_owner(hearing->provider, hearing->body, &reply->grant);
    if (error->code[0] != '\0') {
        judge_error(hearing, error, reply);
        return 0;
    }
    if (r == 0)
        r = judge_grant(hearing, reply);
    if (r < 0 && reply->rescued_refresh_token != NULL) {
        decide(reply, VERDICT_NO_ANSWER, "no_memory", "memory was short when the reply was read");
        return 0;
    }
    return r;
}

static int judge_json(const struct hearing *hearing, struct token_reply *reply)
{
    int status = hearing->answer->status;
    struct token_error error;
    token_error_read(hearing->body, &error);
    if (is_success(status))
        return judge_success(hearing, &error, reply);
    if (error.code[0] != '\0')
        judge_error(hearing, &error, reply);
    else
        decide_by_status(reply, token_status_verdict(status), NULL, status, error.description);
    return 0;
}

/* Returns 0 or -ENOMEM; *ret stays NULL when the body is not JSON. */
static int parse_body(const struct token_answer *answer, struct json **ret,
                      struct complaint *complaint)
{
    const char *text = answer->body;
    size_t length = answer->length, mark = sizeof(byte_order_mark) - 1;
    if (answer->truncated || length == 0)
        return 0;
    if (length >= mark && memcmp(text, byte_order_mark, mark) == 0) {
        text += mark;
        length -= mark;
    }
    struct complaint why = { 0 };
    int r = json_parse(text, length, ret, &why);
    if (r == JSON_INVALID)
        complain(complaint, "the reply is not JSON (%s)", why.text);
    return r < 0 ? r : 0;
}

static int judge(struct hearing *hearing, const struct json *body, struct token_reply *reply)
{
    bool object = json_kind(body) == JSON_OBJECT;
    hearing->json_but_no_object = body != NULL && !object;
    hearing->body = object ? body : NULL;
    if (object && !is_redirect(hearing->answer->status))
        return judge_json(hearing, reply);
    judge_without_object(hearing, reply);
    return 0;
}

int token_reply_judge(const struct provider *provider, const struct token_answer *answer,
                      struct token_reply *ret)
{
    CLEANUP(cleanup_json) struct json *body = NULL;
    struct hearing hearing = { .provider = provider, .answer = answer };
    struct token_reply reply = { 0 };
    int r = parse_body(answer, &body, &hearing.complaint);
    if (r == 0)
        r = judge(&hearing, body, &reply);
    if (r < 0) {
        token_reply_release(&reply);
        return r;
    }
    *ret = reply;
    return 0;
}

void token_reply_release(struct token_reply *reply)
{
    if (reply == NULL)
        return;
    token_grant_release(&reply->grant);
    secret_free(reply->rescued_refresh_token);
    *reply = (struct token_reply){ 0 };
}

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[] = {
        [VERDICT_GRANTED] = "granted",
        [VERDICT_NOT_SENT] = "not_sent",
        [VERDICT_NO_ANSWER] = "no_answer",
        [VERDICT_ACCOUNT_REFUSED] = "account_refused",
        [VERDICT_ACCOUNT_SUSPECT] = "account_suspect",
        [VERDICT_PROVIDER_REFUSED] = "provider_refused",
    };
    return names[verdict];
}
