#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/account.h"
#include "client/broker.h"
#include "client/failure.h"
#include "schema/wire.h"

enum {
    PATH_SIZE = 256,
    GRACE_MS = 5 * 1000, /* beyond what the broker itself may wait */
    MS_PER_S = 1000,
};

/* Behind the public part: the answer that its text belongs to. */
struct token_box {
    struct tb_token token;
    struct tb_reply *reply;
};

static const char *text_of(const struct tb_value *object, const char *name)
{
    return tb_value_text(tb_value_member(object, name), NULL);
}

static int64_t integer_of(const struct tb_value *object, const char *name)
{
    return tb_value_integer(tb_value_member(object, name), TB_DEFAULT);
}

static void read_token(const struct tb_value *value, struct tb_token *token)
{
    const struct tb_value *present = tb_value_member(value, "present");
    const char *place = text_of(present, "in");

    *token = (struct tb_token){
        .account = text_of(value, "account"),
        .access_token = text_of(value, "access_token"),
        .token_type = text_of(value, "token_type"),
        .scope = text_of(value, "scope"),
        .api_base = text_of(value, "api_base"),
        .present_name = text_of(present, "name"),
        .present_value = text_of(present, "value"),
        .present_in = place && strcmp(place, "query") == 0 ? TB_QUERY : TB_HEADER,
        .expires_in = integer_of(value, "expires_in"),
        .expires_at = integer_of(value, "expires_at"),
    };
}

static bool is_whole(const struct tb_token *token)
{
    return token->account && token->access_token && token->token_type && token->present_name &&
           token->present_value;
}

static enum tb_status make_token(struct tb_broker *broker, struct tb_reply *reply,
                                 struct tb_token **ret_token, struct tb_error **ret_error)
{
    CLEANUP(cleanup_token) struct tb_token *token = NULL;
    struct token_box *box = calloc(1, sizeof *box);

    if (!box) {
        tb_reply_free(reply);
        return failure_simple(ret_error, TB_FAILED, NULL, "out of memory");
    }
    token = &box->token;
    box->reply = reply;
    read_token(tb_reply_value(reply), token);
    if (!is_whole(token))
        return failure_simple(ret_error, TB_FAILED, tb_broker_path(broker),
                              "the broker's answer is no token");
    *ret_token = token;
    token = NULL;
    return TB_OK;
}

static void put_parameter(char path[static PATH_SIZE], const char *name, int64_t value)
{
    size_t length = strlen(path);

    /* The longest account and two numbers of 20 digits fit. */
    if (value >= 0)
        (void)snprintf(path + length, PATH_SIZE - length, "%c%s=%" PRId64,
                       strchr(path, '?') ? '&' : '?', name, value);
}

enum tb_status tb_token(struct tb_broker *broker, const char *account, int64_t min_ttl_s,
                        int64_t wait_s, struct tb_token **ret_token, struct tb_error **ret_error)
{
    char name[ACCOUNT_SIZE];
    char path[PATH_SIZE];
    struct tb_reply *reply = NULL;
    int64_t wait = wait_s >= 0 && wait_s < WIRE_WAIT_MAX_S ? wait_s : WIRE_WAIT_MAX_S;

    if (!account_complete(account, name))
        return failure_simple(ret_error, TB_USAGE, NULL,
                              "this is no account, which would be PROVIDER/LABEL");
    (void)snprintf(path, sizeof path, WIRE_PATH_TOKEN "%s", name);
    put_parameter(path, "min_ttl", min_ttl_s);
    put_parameter(path, "wait", wait_s);
    enum tb_status status =
        broker_call(broker, wait * MS_PER_S + GRACE_MS, "GET", path, NULL, &reply, ret_error);
    return status ? status : make_token(broker, reply, ret_token, ret_error);
}

struct tb_token *tb_token_free(struct tb_token *token)
{
    struct token_box *box = (struct token_box *)token;

    if (box)
        tb_reply_free(box->reply);
    free(box);
    return NULL;
}
