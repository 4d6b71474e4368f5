#include "client/cli/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/commands.h"
#include "client/cli/health.h"
#include "client/cli/output.h"
#include "client/cli/sheet.h"
#include "schema/wire.h"

enum { FINDINGS_MAX = 4 * 1024 * 1024, FINDING_MAX = 1024 };

static const struct {
    const char *name;
    enum tint tint;
} verdicts[] = {
    [VERDICT_OK] = { "ok", TINT_GOOD },
    [VERDICT_WARN] = { "warn", TINT_WARNING },
    [VERDICT_FAIL] = { "FAIL", TINT_BAD },
};

static void put_json(struct doctor *doctor, enum verdict verdict, const char *about,
                     const char *text, const char *advice)
{
    static const char *const names[] = { "ok", "warn", "fail" };
    struct text *out = &doctor->json;

    text_append_string(out, out->length > 0 ? ",{\"about\":" : "{\"about\":");
    text_append_json(out, about);
    text_append_string(out, ",\"verdict\":");
    text_append_json(out, names[verdict]);
    text_append_string(out, ",\"text\":");
    text_append_json(out, text);
    if (advice) {
        text_append_string(out, ",\"advice\":");
        text_append_json(out, advice);
    }
    text_append_string(out, "}");
}

static void put_sheet(struct doctor *doctor, enum verdict verdict, const char *about,
                      const char *text, const char *advice)
{
    CLEANUP(cleanup_sheet) struct sheet sheet = SHEET_FOR_STDOUT();

    sheet_put(&sheet, verdicts[verdict].name, "%s: %s", about, text);
    if (advice)
        sheet_put(&sheet, "", "do: %s", advice);
    text_append(&doctor->lines, text_string(&sheet.out), sheet.out.length);
}

void doctor_find(struct doctor *doctor, enum verdict verdict, const char *about, const char *advice,
                 const char *format, ...)
{
    char text[FINDING_MAX];
    va_list arguments;

    va_start(arguments, format);
    /* A text that is too long is cut: it is for a person. */
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    doctor->counts[verdict]++;
    (doctor->cli->arguments.json ? put_json : put_sheet)(doctor, verdict, about, text, advice);
}

/* The broker, if one answers; its health lives as long as the reply. */
static void meet_broker(struct doctor *doctor, struct tb_reply **ret_reply)
{
    CLEANUP(cleanup_error) struct tb_error *error = NULL;
    struct cli *cli = doctor->cli;

    if (tb_connect(cli->arguments.socket, &cli->broker, &error) != TB_OK) {
        doctor_find(doctor, VERDICT_FAIL, "broker",
                    "systemctl --user start tokenbroker (or without --user: the system's)", "%s",
                    error->message);
        return;
    }
    doctor->system_broker = strcmp(tb_broker_path(cli->broker), WIRE_SYSTEM_SOCKET) == 0;
    if (tb_call(cli->broker, "GET", WIRE_PATH_HEALTH, NULL, ret_reply, &error) == TB_OK)
        doctor->health = tb_reply_value(*ret_reply);
    else
        doctor_find(doctor, VERDICT_FAIL, "broker", NULL, "%s does not serve us: %s",
                    tb_broker_path(cli->broker), error->message);
}

static int print(struct doctor *doctor)
{
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(FINDINGS_MAX + FINDING_MAX);

    if (doctor->cli->arguments.json)
        text_append_format(&out, "{\"findings\":[%s]}\n", text_string(&doctor->json));
    else
        text_append_format(&out, "%s", text_string(&doctor->lines));
    out.failed = out.failed || doctor->json.failed || doctor->lines.failed;
    int r = doctor->cli->arguments.json ? output_json(&out) : output_text(&out);
    if (r == TB_OK && !doctor->cli->arguments.json)
        cli_say("%u ok, %u to look at, %u failed", doctor->counts[VERDICT_OK],
                doctor->counts[VERDICT_WARN], doctor->counts[VERDICT_FAIL]);
    return r == TB_OK && doctor->counts[VERDICT_FAIL] > 0 ? TB_FAILED : r;
}

static int run(struct cli *cli)
{
    static void (*const looks[])(struct doctor * doctor) = {
        doctor_look_at_broker,  doctor_look_at_accounts,      doctor_look_at_trust,
        doctor_look_at_socket,  doctor_look_at_configuration, doctor_look_at_state,
        doctor_look_at_service, doctor_look_at_clock,
    };
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    struct doctor doctor = {
        .cli = cli,
        .json = TEXT_WITH_MAXIMUM(FINDINGS_MAX),
        .lines = TEXT_WITH_MAXIMUM(FINDINGS_MAX),
    };

    meet_broker(&doctor, &reply);
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        looks[i](&doctor);
    int r = print(&doctor);
    text_release(&doctor.json);
    text_release(&doctor.lines);
    return r;
}

static const struct option_row options[] = {
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print JSON"),
    OPTIONS_END,
};

const struct command command_doctor = {
    .name = "doctor",
    .summary = "say what is wrong, and what to do about it",
    .details = "The exit code is 0 when nothing fails.\n",
    .options = options,
    .run = run,
};
