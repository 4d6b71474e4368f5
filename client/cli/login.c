#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/browser.h"
#include "client/cli/commands.h"
#include "client/cli/duration.h"
#include "client/cli/interrupt.h"
#include "client/cli/login_device.h"
#include "client/cli/prompt.h"
#include "client/cli/words.h"
#include "client/connection.h"
#include "schema/wire.h"

enum {
    LOGIN_PATH_SIZE = 256,
    LOGIN_BODY_MAX = 256 * 1024,
    LOGIN_ID_SIZE = 64,
    FOLLOW_WAIT_S = 30,
    COUNT_WAIT_S = 5, /* between two looks while a terminal shows how long it goes on */
    MS_PER_S = 1000,
    PASTE_ATTEMPTS = 3,
    CANCEL_TIMEOUT_MS = 2000,
};

/* A login that is under way. */
struct login {
    struct cli *cli;
    char account[ACCOUNT_SIZE];
    char id[LOGIN_ID_SIZE];
    bool own_browser; /* the link is opened here, where others can read it */
    int interrupt_fd;
    int64_t expires_in;
    int64_t ends_at_ms;       /* of connection_now() */
    bool counts;              /* shows how long it goes on */
    struct tb_reply *ended;   /* what was found while an address was waited for */
    struct tb_error *trouble; /* or why it could not be looked for */
};

static const char *text_of(const struct tb_value *object, const char *name)
{
    return tb_value_text(tb_value_member(object, name), "");
}

/* --- its beginning --- */

static void put_params(struct text *body, const struct arguments *arguments)
{
    for (size_t i = 0; i < arguments->param_count; i++) {
        CLEANUP(cleanup_text) struct text name = TEXT_WITH_MAXIMUM(LOGIN_BODY_MAX);
        const char *param = arguments->params[i];
        const char *equals = strchr(param, '=');
        text_append(&name, param, (size_t)(equals - param));
        text_append_string(body, i > 0 ? "," : "");
        text_append_json(body, text_string(&name));
        text_append_string(body, ":");
        text_append_json(body, equals + 1);
    }
}

/* Without a mode the broker chooses: by its callback where the redirect leads there, else by paste.
 */
static void put_body(struct text *body, const struct login *login)
{
    const struct arguments *arguments = &login->cli->arguments;
    const char *separator = "";

    text_append_string(body, "{");
    if (arguments->paste || arguments->device) {
        text_append_format(body, "\"mode\":\"%s\"", arguments->paste ? "paste" : "device");
        separator = ",";
    }
    if (login->own_browser) {
        text_append_format(body, "%s\"own_browser\":true", separator);
        separator = ",";
    }
    if (arguments->scope) {
        text_append_string(body, separator);
        text_append_string(body, "\"scope\":");
        text_append_json(body, arguments->scope);
        separator = ",";
    }
    if (arguments->param_count > 0) {
        text_append_string(body, separator);
        text_append_string(body, "\"params\":{");
        put_params(body, arguments);
        text_append_string(body, "}");
    }
    text_append_string(body, "}");
}

static int start(struct login *login, struct tb_reply **ret_reply)
{
    CLEANUP(cleanup_text) struct text body = TEXT_WITH_MAXIMUM(LOGIN_BODY_MAX);
    char path[LOGIN_PATH_SIZE];

    put_body(&body, login);
    (void)snprintf(path, sizeof path, WIRE_PATH_LOGIN "%s", login->account);
    int r = cli_call(login->cli, "POST", path, text_string(&body), login->account, ret_reply);
    if (r == TB_USAGE && (login->cli->arguments.paste || login->cli->arguments.device))
        cli_say("other ways: tokenbroker login %s, or with --%s", login->account,
                login->cli->arguments.paste ? "device" : "paste");
    if (r != TB_OK)
        return r;
    const struct tb_value *value = tb_reply_value(*ret_reply);
    (void)snprintf(login->id, sizeof login->id, "%s", text_of(value, "login_id"));
    login->expires_in = tb_value_integer(tb_value_member(value, "expires_in"), TB_DEFAULT);
    if (login->expires_in < 0 || login->expires_in > DURATION_MAX_S)
        login->expires_in = TB_DEFAULT;
    login->ends_at_ms = connection_now() + login->expires_in * MS_PER_S;
    return TB_OK;
}

static void announce(const struct login *login, const struct tb_value *started)
{
    const char *link = text_of(started, "start_url");
    unsigned port = browser_loopback_port(link);

    if (login->own_browser && browser_open(link)) {
        cli_say("Your browser opens the page to connect %s. If it does not, open this:",
                login->account);
        cli_say("    %s", link);
        return;
    }
    cli_say("To connect %s, open this in a browser%s:", login->account,
            port > 0 ? "" : ", anywhere");
    cli_say("    %s", link);
    if (port > 0)
        browser_say_tunnel(port);
    if (tb_value_true(tb_value_member(started, "device")))
        cli_say("Or log in with a code, in a browser anywhere: tokenbroker login %s --device",
                login->account);
    cli_say("Waiting for you there. Ctrl-C cancels.");
}

/* --- its end --- */

static int report_done(const struct cli *cli, const struct tb_value *login)
{
    char words[WORDS_SIZE];
    const char *identity = text_of(login, "identity");
    const char *warning = text_of(login, "warning");
    int64_t at = tb_value_integer(tb_value_member(login, "expires_at"), TB_DEFAULT);

    if (cli->arguments.json)
        return cli_print_json(login);
    cli_say("%s: connected%s%s%s%s", text_of(login, "account"), *identity ? ", identity " : "",
            identity, at >= 0 ? ", access token ends " : ", access token without an end",
            at >= 0 ? words_moment(at, words_now(), words) : "");
    if (*warning)
        cli_say("mind: %s", warning);
    return TB_OK;
}

static int report_end(const struct cli *cli, const struct tb_value *login)
{
    const char *status = text_of(login, "status");
    const char *error = text_of(login, "error");
    const char *description = text_of(login, "error_description");

    if (strcmp(status, "done") == 0)
        return report_done(cli, login);
    if (cli->arguments.json)
        (void)cli_print_json(login);
    if (strcmp(error, "access_denied") == 0)
        cli_complain("%s: access was not granted%s%s", text_of(login, "account"),
                     *description ? ": " : "", description);
    else
        cli_complain("%s: the login %s%s%s%s%s%s", text_of(login, "account"),
                     strcmp(status, "failed") == 0 ? "failed" : status, *description ? ": " : "",
                     description, *error ? " (" : "", error, *error ? ")" : "");
    return TB_FAILED;
}

static void say_cancelled(struct login *login)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    CLEANUP(cleanup_error) struct tb_error *error = NULL;
    struct tb_broker *broker = login->cli->broker;
    char path[LOGIN_PATH_SIZE];

    tb_set_interrupt(broker, -1);
    tb_set_timeout(broker, CANCEL_TIMEOUT_MS);
    (void)snprintf(path, sizeof path, WIRE_PATH_LOGINS "%s", login->id);
    if (tb_call(broker, "DELETE", path, NULL, &reply, &error) == TB_OK)
        cli_say("%s: the login is cancelled", login->account);
    else
        cli_complain("%s: the login could not be cancelled: %s", login->account, error->message);
}

static int cancel(struct login *login)
{
    say_cancelled(login);
    interrupt_die(login->interrupt_fd);
    return TB_FAILED;
}

static bool is_interrupted(const struct tb_error *error)
{
    return error->code && strcmp(error->code, "interrupted") == 0;
}

static int failed(struct login *login, const struct tb_error *error)
{
    return is_interrupted(error) ? cancel(login) : cli_failed(error, login->account);
}

/* --- its course --- */

static bool has_ended(const struct tb_value *login)
{
    const char *status = text_of(login, "status");

    return strcmp(status, "pending") != 0 && strcmp(status, "exchanging") != 0;
}

/* How it stands, after wait_s at the latest; TB_OK, or not and an error. */
static int look(const struct login *login, int wait_s, struct tb_reply **ret_reply,
                struct tb_error **ret_error)
{
    char path[LOGIN_PATH_SIZE];

    (void)snprintf(path, sizeof path, WIRE_PATH_LOGINS "%s?wait=%d", login->id, wait_s);
    return tb_call(login->cli->broker, "GET", path, NULL, ret_reply, ret_error);
}

static int follow(struct login *login)
{
    for (;;) {
        CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
        CLEANUP(cleanup_error) struct tb_error *error = NULL;
        if (login->counts)
            device_count_down((login->ends_at_ms - connection_now()) / MS_PER_S);
        int r = look(login, login->counts ? COUNT_WAIT_S : FOLLOW_WAIT_S, &reply, &error);
        if (login->counts)
            device_count_end();
        if (r != TB_OK)
            return failed(login, error);
        if (has_ended(tb_reply_value(reply)))
            return report_end(login->cli, tb_reply_value(reply));
    }
}

/* Somebody else may end it, or the broker, while an address is waited for. */
static bool is_over(void *userdata)
{
    struct login *login = userdata;

    if (look(login, 0, &login->ended, &login->trouble) != TB_OK)
        return true;
    if (has_ended(tb_reply_value(login->ended)))
        return true;
    login->ended = tb_reply_free(login->ended);
    return false;
}

static int report_over(struct login *login)
{
    CLEANUP(cleanup_reply) struct tb_reply *ended = login->ended;
    CLEANUP(cleanup_error) struct tb_error *trouble = login->trouble;

    return trouble ? failed(login, trouble) : report_end(login->cli, tb_reply_value(ended));
}

static int read_address(struct login *login, struct text *body)
{
    CLEANUP(cleanup_text) struct text address = TEXT_WITH_MAXIMUM(PROMPT_MAX);
    const struct prompt_ends ends = { .interrupt_fd = login->interrupt_fd,
                                      .timeout_s = login->expires_in,
                                      .is_over = is_over,
                                      .userdata = login };
    int r = prompt_secret("Its address (not shown): ", &ends, &address);

    text_release(body);
    text_append_string(body, "{\"redirect\":");
    text_append_json(body, text_string(&address));
    text_append_string(body, "}");
    return r;
}

/* Sends what was pasted. *ret_again: it was not the right address, and another may be. */
static int send_address(struct login *login, const struct text *body, bool *ret_again)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    CLEANUP(cleanup_error) struct tb_error *error = NULL;
    char path[LOGIN_PATH_SIZE];

    (void)snprintf(path, sizeof path, WIRE_PATH_LOGINS "%s", login->id);
    if (tb_call(login->cli->broker, "POST", path, text_string(body), &reply, &error) != TB_OK) {
        *ret_again = error->status == TB_USAGE;
        return failed(login, error);
    }
    *ret_again = false;
    return has_ended(tb_reply_value(reply)) ? report_end(login->cli, tb_reply_value(reply))
                                            : follow(login);
}

static int paste(struct login *login, const struct tb_value *started)
{
    CLEANUP(cleanup_text) struct text body = TEXT_WITH_MAXIMUM(LOGIN_BODY_MAX);
    const int64_t good_for =
        tb_value_integer(tb_value_member(started, "authorize_url_expires_in"), 0);
    bool again = true;
    int result = TB_FAILED;

    cli_say("To connect %s, open this in a browser, anywhere:", login->account);
    cli_say("    %s", text_of(started, "authorize_url"));
    if (good_for > 0)
        cli_say("Do so within %lld s: after that the provider does not take it any more.",
                (long long)good_for);
    cli_say("When you have agreed, copy the address of the page on which you end, even if");
    cli_say("that page is an error, and paste it here.");
    for (int i = 0; again && i < PASTE_ATTEMPTS; i++) {
        int r = read_address(login, &body);
        if (r == PROMPT_INTERRUPTED)
            return cancel(login);
        if (r == PROMPT_OVER)
            return report_over(login);
        if (r == PROMPT_TIMEOUT)
            cli_complain("%s: the login expired", login->account);
        if (r < 0)
            break;
        result = send_address(login, &body, &again);
        again = again && prompt_possible();
        if (!again && result != TB_USAGE)
            return result;
    }
    say_cancelled(login);
    return result == TB_USAGE ? TB_FAILED : result;
}

static int run(struct cli *cli)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    struct login login = { .cli = cli, .interrupt_fd = -1 };

    if (!cli_account(cli, login.account))
        return TB_USAGE;
    if (cli->arguments.paste && cli->arguments.device) {
        cli_complain("--paste and --device are two ways: choose one");
        return TB_USAGE;
    }
    login.own_browser = !cli->arguments.paste && !cli->arguments.device &&
                        !cli->arguments.no_browser && browser_possible();
    int r = start(&login, &reply);
    if (r != TB_OK)
        return r;
    login.interrupt_fd = interrupt_take();
    tb_set_interrupt(cli->broker, login.interrupt_fd);
    if (*text_of(tb_reply_value(reply), "user_code")) {
        device_announce(login.account, tb_reply_value(reply));
        login.counts = true;
        return follow(&login);
    }
    if (cli->arguments.paste || !*text_of(tb_reply_value(reply), "start_url"))
        return paste(&login, tb_reply_value(reply));
    announce(&login, tb_reply_value(reply));
    return follow(&login);
}

static const struct option_row options[] = {
    OPTION_ROW("--paste", OPTION_FLAG, paste, NULL,
               "finish by pasting an address; no callback needed"),
    OPTION_ROW("--device", OPTION_FLAG, device, NULL,
               "finish on any device, by a code or a QR code"),
    OPTION_ROW("--no-browser", OPTION_FLAG, no_browser, NULL, "only print the link"),
    OPTION_ROW("--scope", OPTION_TEXT, scope, "SCOPE",
               "ask for this, in place of what is configured"),
    OPTION_ROW("--param", OPTION_PARAM, params, "NAME=VALUE",
               "add to the authorization request; repeatable"),
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print how it ended as JSON"),
    OPTIONS_END,
};

const struct command command_login = {
    .name = "login",
    .operands = "ACCOUNT",
    .summary = "connect an account: a person consents in a browser",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
