#pragma once

#include "client/cli/cli.h"
#include "client/cli/table.h"

/* Accounts, as several commands show them. */

/* Called for each account; false ends the walk. */
typedef bool (*account_function)(const struct tb_value *account, void *userdata);

/* Calls for every account that may be listed, page by page; the exit code. */
int accounts_each(struct cli *cli, account_function function, void *userdata);

/* The same for any list of the API that comes in pages: its path, and the member that holds it. */
int pages_each(struct cli *cli, const char *list, const char *member, account_function function,
               void *userdata);

/* What colour a forecast's warning has. */
enum tint forecast_tint(const char *warning);

/* What colour a state has. */
enum tint account_tint(const char *state);

/* A state for a person: consent_required is "needs consent". */
const char *account_state_words(const char *state);

/* Prints all that is known about an account, in lines that fit the terminal; the exit code. */
int account_print(const struct tb_value *account);

/* Where the command answers with an account: its JSON on stdout with --json, else says on stderr
 * what was done and how the account stands. The exit code. */
int account_report(const struct cli *cli, const struct tb_value *account, const char *done);
