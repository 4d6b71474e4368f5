#include "client/cli/help.h"

#include <stdio.h>
#include <string.h>

#include "client/cli/output.h"

enum { HELP_MAX = 16 * 1024, NAME_COLUMN = 24 };

int help_print(const char *text)
{
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(HELP_MAX);

    text_append_string(&out, text);
    return output_text(&out);
}

static void put_rows(struct text *out, const struct option_row *rows)
{
    char left[64];

    for (; rows && rows->name; rows++) {
        const bool maybe = rows->kind == OPTION_MAYBE;
        (void)snprintf(left, sizeof left, "%s%s%s%s", rows->name,
                       maybe           ? "[="
                       : rows->metavar ? " "
                                       : "",
                       rows->metavar ? rows->metavar : "", maybe ? "]" : "");
        text_append_format(out, "  %-*s %s\n", NAME_COLUMN, left, rows->help);
    }
}

int help_all(const struct command *const *commands)
{
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(HELP_MAX);

    text_append_string(&out,
                       "Usage: tokenbroker [--socket PATH] COMMAND [ARGUMENT]...\n"
                       "Gets access tokens from tokenbrokerd, the OAuth broker of this machine.\n"
                       "\n");
    for (; *commands; commands++)
        text_append_format(&out, "  %-10s %s\n", (*commands)->name, (*commands)->summary);
    text_append_string(&out,
                       "\nACCOUNT is PROVIDER/LABEL, such as zenegy/acme; PROVIDER alone means\n"
                       "PROVIDER/default. TIME is 90, 90s, 5min, 2h or 14d.\n\n");
    put_rows(&out, options_global);
    text_append_format(&out, "  %-*s %s\n", NAME_COLUMN, "--version", "print the version");
    text_append_string(&out,
                       "\n'tokenbroker COMMAND --help' says more, and so does tokenbroker(1).\n");
    return output_text(&out);
}

int help_command(const struct command *command)
{
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(HELP_MAX);

    text_append_format(&out, "Usage: tokenbroker %s%s%s%s\n", command->name,
                       command->options[0].name ? " [OPTION]..." : "", command->operands ? " " : "",
                       command->operands ? command->operands : "");
    text_append_format(&out, "%c%s.\n\n", command->summary[0] & ~0x20, command->summary + 1);
    put_rows(&out, command->options);
    put_rows(&out, options_global);
    if (command->details)
        text_append_format(&out, "\n%s", command->details);
    return output_text(&out);
}
