#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/cli/commands.h"
#include "client/cli/interrupt.h"
#include "client/cli/output.h"
#include "client/decode.h"
#include "client/reply.h"
#include "client/stream.h"
#include "schema/wire.h"

enum { AGAIN_MS = 1000, LINE_MAX = 2048, TARGET_SIZE = 512, CLOCK_SIZE = 16 };

struct watch {
    struct cli *cli;
    int interrupt_fd;
    int exit_code;
    char broker[SOCKET_PATH_SIZE];
};

static const char *text_of(const struct tb_value *object, const char *name)
{
    return tb_value_text(tb_value_member(object, name), "");
}

static const char *clock_words(int64_t at, char out[static CLOCK_SIZE])
{
    time_t moment = (time_t)at;
    struct tm local;

    if (!localtime_r(&moment, &local) || strftime(out, CLOCK_SIZE, "%H:%M:%S", &local) == 0)
        (void)snprintf(out, CLOCK_SIZE, "?");
    return out;
}

/* "14:05:12 refresh_failed    zenegy/acme: http_503", cut where the terminal ends. */
static void put_line(struct text *out, const struct tb_value *event)
{
    char clock[CLOCK_SIZE];
    char line[LINE_MAX];
    const char *account = text_of(event, "account");
    const char *about = *account ? account : text_of(event, "provider");
    const char *text = text_of(event, "text");
    size_t width = output_width();
    int length = snprintf(line, sizeof line, "%s %-17s %s%s%s",
                          clock_words(tb_value_integer(tb_value_member(event, "at"), 0), clock),
                          text_of(event, "event"), about, *about && *text ? ": " : "", text);

    if (width > 1 && length > 0 && output_columns(line) > width && width < sizeof line) {
        /* Back to the begin of a character. */
        while (width > 1 && ((unsigned char)line[width - 1] & 0xc0) == 0x80)
            width--;
        (void)snprintf(line + width - 1, sizeof line - (width - 1), "~");
    }
    output_harmless(out, line);
    text_append_string(out, "\n");
}

static bool print_event(void *userdata, const char *data, size_t length)
{
    struct watch *watch = userdata;
    const bool json = watch->cli->arguments.json;
    CLEANUP(cleanup_document) struct document document = { .values = NULL };
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(2 * STREAM_LINE_MAX);

    if (decode(data, length, &document) < 0) {
        cli_complain("the broker told of something that cannot be read");
        watch->exit_code = TB_FAILED;
        return false;
    }
    if (json)
        text_append_format(&out, "%.*s\n", (int)length, data);
    else
        put_line(&out, document.values);
    watch->exit_code = json ? output_json(&out) : output_text(&out);
    return watch->exit_code == TB_OK;
}

/* False when the interrupt came. */
static bool pause_a_moment(const struct watch *watch)
{
    struct pollfd wait = { .fd = watch->interrupt_fd, .events = POLLIN };

    return poll(&wait, 1, AGAIN_MS) <= 0;
}

static bool refused(struct watch *watch, const struct stream *stream)
{
    CLEANUP(cleanup_error) struct tb_error *error = NULL;

    if (stream->answer.status == 200)
        return false;
    (void)reply_refusal(&stream->answer, watch->broker, &error);
    watch->exit_code = error ? cli_failed(error, NULL) : TB_FAILED;
    return true;
}

/* Connects again and again until the broker answers; false when it refuses or the person has
 * enough. */
static bool come_back(struct watch *watch, struct stream *stream, const char *target)
{
    int r = -ECONNREFUSED;

    while (r < 0) {
        if (!pause_a_moment(watch))
            return false;
        r = stream_open(stream, watch->broker, target, watch->interrupt_fd);
        if (r == -ECANCELED)
            return false;
    }
    if (refused(watch, stream))
        return false;
    cli_say("the broker on %s answers again", watch->broker);
    return true;
}

static void follow(struct watch *watch, const char *target)
{
    struct stream stream = STREAM_CLOSED();
    int r = stream_open(&stream, watch->broker, target, watch->interrupt_fd);
    bool go_on = r >= 0 && !refused(watch, &stream);

    if (r < 0 && r != -ECANCELED) {
        cli_complain("the broker on %s does not answer: %s", watch->broker, strerrordesc_np(-r));
        watch->exit_code = TB_NO_BROKER;
    }
    while (go_on) {
        r = stream_read(&stream, watch->interrupt_fd, print_event, watch);
        if (r == -ECANCELED)
            break;
        cli_say("the broker on %s ended the stream: waiting for it", watch->broker);
        go_on = come_back(watch, &stream, target);
    }
    stream_close(&stream);
}

static int run(struct cli *cli)
{
    CLEANUP(cleanup_text) struct text target = TEXT_WITH_MAXIMUM(TARGET_SIZE);
    struct watch watch = { .cli = cli, .interrupt_fd = -1 };
    const struct tb_broker *broker = cli_broker(cli);

    if (!broker)
        return TB_NO_BROKER;
    (void)snprintf(watch.broker, sizeof watch.broker, "%s", tb_broker_path(broker));
    cli->broker = tb_close(cli->broker);
    text_append_string(&target, WIRE_PATH_EVENTS);
    if (cli->arguments.operand_count > 0) {
        text_append_string(&target, "?account=");
        text_append_percent(&target, cli->arguments.operands[0]);
    }
    if (target.failed) {
        cli_complain("'%.60s' is too long", cli->arguments.operands[0]);
        return TB_USAGE;
    }
    watch.interrupt_fd = interrupt_take();
    follow(&watch, text_string(&target));
    interrupt_die(watch.interrupt_fd);
    return watch.exit_code;
}

static const struct option_row options[] = {
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print JSON, one object a line"),
    OPTIONS_END,
};

const struct command command_watch = {
    .name = "watch",
    .operands = "[ACCOUNT-GLOB]",
    .summary = "follow what happens, until interrupted",
    .details = "ACCOUNT-GLOB is such as 'zenegy/dk-*', or 'zenegy' for a provider. It goes on\n"
               "over a restart of the broker; 'lost' says that something was not told.\n",
    .options = options,
    .operands_max = 1,
    .run = run,
};
