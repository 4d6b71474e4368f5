#include "client/cli/login_device.h"

#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/output.h"
#include "client/cli/qr.h"

enum { PICTURE_MAX = 256 * 1024, LINE_SIZE = 128, SECONDS_PER_MINUTE = 60 };

static bool locale_is_utf8(void)
{
    return setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static void show_picture(const char *address)
{
    CLEANUP(cleanup_text) struct text picture = TEXT_WITH_MAXIMUM(PICTURE_MAX);

    if (!output_coloured(STDERR_FILENO) || !locale_is_utf8())
        return;
    qr_append(&picture, address, output_columns_of(STDERR_FILENO));
    if (picture.length > 0)
        (void)output_bytes(STDERR_FILENO, text_string(&picture), picture.length);
}

void device_announce(const char *account, const struct tb_value *started)
{
    const char *address = tb_value_text(tb_value_member(started, "verification_uri"), "");
    const char *complete = tb_value_text(tb_value_member(started, "verification_uri_complete"), "");

    cli_say("To connect %s, open this in a browser, on any device:", account);
    cli_say("    %s", address);
    cli_say("and enter this code there:");
    cli_say("    %s", tb_value_text(tb_value_member(started, "user_code"), ""));
    show_picture(*complete ? complete : address);
    cli_say("Waiting for you there. Ctrl-C cancels.");
}

void device_count_down(int64_t left_s)
{
    char line[LINE_SIZE];

    if (left_s < 0 || !isatty(STDERR_FILENO))
        return;
    int length = snprintf(line, sizeof line, "\r\033[K%" PRId64 ":%02d left",
                          left_s / SECONDS_PER_MINUTE, (int)(left_s % SECONDS_PER_MINUTE));
    (void)output_bytes(STDERR_FILENO, line, (size_t)length);
}

void device_count_end(void)
{
    static const char erase[] = "\r\033[K";

    if (isatty(STDERR_FILENO))
        (void)output_bytes(STDERR_FILENO, erase, sizeof erase - 1);
}
