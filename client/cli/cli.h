#pragma once

#include "client/account.h"
#include "client/cleanup.h"
#include "client/cli/options.h"

/* What every command of the command line is made of. */

struct cli {
    struct arguments arguments;
    struct tb_broker *broker; /* NULL until cli_broker() */
};

struct command {
    const char *name;
    const char *operands; /* for the usage line, such as "ACCOUNT" */
    const char *summary;
    const char *details; /* further lines of its help, or NULL */
    const struct option_row *options;
    unsigned operands_min;
    unsigned operands_max;
    bool takes_rest;             /* needs "--" and something behind it */
    int (*run)(struct cli *cli); /* the exit code */
    /* After every failure, also where the command line was wrong and nothing was run; or NULL. */
    void (*failed)(const struct arguments *arguments, int exit_code);
};

/* Exit codes beyond enum tb_status. */
enum { EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

/* Writes "tokenbroker: …" to stderr, control characters made harmless. */
void cli_complain(const char *format, ...) PRINTF_LIKE(1, 2);

/* Writes to stderr, control characters made harmless. */
void cli_say(const char *format, ...) PRINTF_LIKE(1, 2);

/* The broker, connected on first use; NULL when there is none, which it says. */
struct tb_broker *cli_broker(struct cli *cli);

/* Says why a call failed and what to do about it; returns the exit code. account may be NULL. */
int cli_failed(const struct tb_error *error, const char *account);

/* One request; TB_OK and a reply for the caller to free, or says why not and gives the exit code.
 * body may be NULL; account, for the message, too. */
int cli_call(struct cli *cli, const char *method, const char *path, const char *body,
             const char *account, struct tb_reply **ret_reply);

/* The whole name of the account operand into out; false, and says so, when it is none. */
bool cli_account(const struct cli *cli, char out[static ACCOUNT_SIZE]);

/* Writes an answer's JSON and a newline to stdout; returns the exit code. */
int cli_print_json(const struct tb_value *value);
