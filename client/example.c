/*
 * Prints the header line with which a program calls an API as the account of its first argument:
 *
 *     cc example.c $(pkg-config --cflags --libs tokenbroker) -o example
 *     ./example zenegy/acme
 *
 * A program of yours would send that header, and ask anew before each call: the broker answers from
 * memory and refreshes in time. Where the API says 401 all the same, tell the broker with POST
 * /v1/reject/zenegy/acme (tb_call()) and ask once more.
 */
#include "tokenbroker.h"

#include <stdio.h>

enum { MIN_TTL_S = 60 };

/* What goes wrong is for a person to read; the exit code is for programs. */
static int complain(const struct tb_error *error)
{
    (void)fprintf(stderr, "%s: %s\n", tb_status_text(error->status), error->message);
    if (error->status == TB_CONSENT_REQUIRED && error->start_url)
        (void)fprintf(stderr, "consent here: %s\n", error->start_url);
    return (int)error->status;
}

static int print_header(struct tb_broker *broker, const char *account)
{
    struct tb_token *token = NULL;
    struct tb_error *error = NULL;

    if (tb_token(broker, account, MIN_TTL_S, TB_DEFAULT, &token, &error) != TB_OK) {
        int exit_code = complain(error);
        tb_error_free(error);
        return exit_code;
    }
    (void)printf("%s%s %s\n", token->present_name, token->present_in == TB_HEADER ? ":" : " =",
                 token->present_value);
    tb_token_free(token); /* wipes it */
    return 0;
}

int main(int argc, char **argv)
{
    struct tb_broker *broker = NULL;
    struct tb_error *error = NULL;

    if (argc != 2) {
        (void)fputs("usage: example ACCOUNT\n", stderr);
        return TB_USAGE;
    }
    if (tb_connect(NULL, &broker, &error) != TB_OK) {
        int exit_code = complain(error);
        tb_error_free(error);
        return exit_code;
    }
    int exit_code = print_header(broker, argv[1]);
    tb_close(broker);
    return exit_code;
}
