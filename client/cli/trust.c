#include "client/cli/trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/commands.h"
#include "client/cli/output.h"
#include "client/cli/prompt.h"
#include "client/cli/sheet.h"
#include "schema/wire.h"

enum { CERTIFICATE_MAX = 64 * 1024, STATUS_MAX = 1024 * 1024 };

/* --- what is trusted, and where --- */

bool trust_name(struct trust *trust, const char *fingerprint)
{
    if (strlen(fingerprint) != TRUST_FINGERPRINT_SIZE - 1 ||
        strspn(fingerprint, "0123456789abcdef") != TRUST_FINGERPRINT_SIZE - 1)
        return false;
    memcpy(trust->fingerprint, fingerprint, TRUST_FINGERPRINT_SIZE);
    (void)snprintf(trust->name, sizeof trust->name, "tokenbroker %s", fingerprint);
    return true;
}

bool trust_add_place(struct trust_places *places, const char *path, bool exists)
{
    char *copy = places->count < TRUST_PLACES_MAX ? strdup(path) : NULL;

    if (copy)
        places->rows[places->count++] = (struct trust_place){ .path = copy, .exists = exists };
    return copy != NULL;
}

void trust_places_release(struct trust_places *places)
{
    for (size_t i = 0; i < places->count; i++)
        free(places->rows[i].path);
    places->count = 0;
}

/* Keeps those alone that hold the authority, or do not. */
static void keep_places(struct trust_places *places, const struct trust_kind *kind,
                        const struct trust *trust, bool that_hold)
{
    struct trust_places kept = { .count = 0 };

    for (size_t i = 0; i < places->count; i++) {
        if (kind->holds(trust, &places->rows[i]) == that_hold)
            kept.rows[kept.count++] = places->rows[i];
        else
            free(places->rows[i].path);
    }
    *places = kept;
}

/* --- the authority --- */

static const char *text_of(const struct tb_value *object, const char *name)
{
    return tb_value_text(tb_value_member(object, name), "");
}

static int ask_authority(struct cli *cli, struct trust *trust, struct tb_reply **ret_reply)
{
    struct tb_reply *reply = NULL;
    int r = cli_call(cli, "GET", WIRE_PATH_AUTHORITY, NULL, NULL, &reply);

    if (r != TB_OK)
        return r;
    const struct tb_value *authority = tb_reply_value(reply);
    text_append_string(&trust->certificate, text_of(authority, "certificate"));
    if (!trust_name(trust, text_of(authority, "fingerprint")) || trust->certificate.failed ||
        trust->certificate.length == 0) {
        cli_complain("the broker's answer is not understood");
        tb_reply_free(reply);
        return TB_FAILED;
    }
    *ret_reply = reply;
    return TB_OK;
}

/* After trust_check(), which has seen to it that the last line is true. */
static void say_authority(const struct trust *trust)
{
    cli_say("The broker's certificate authority for https callbacks on this computer:");
    cli_say("    %s", trust->subject);
    cli_say("    SHA-256 %s", trust->fingerprint);
    cli_say("    ends %s; vouches for localhost, 127.0.0.0/8 and ::1 alone", trust->until);
}

static const struct trust_kind *kind_of(const struct cli *cli)
{
    return cli->arguments.system ? &trust_system : &trust_nss;
}

/* --- install and remove --- */

static void say_places(const struct trust_places *places, const char *what)
{
    cli_say("%s", what);
    for (size_t i = 0; i < places->count; i++)
        cli_say("    %s%s", places->rows[i].path, places->rows[i].exists ? "" : " (new)");
}

static int change_all(const struct trust *trust, const struct trust_places *places,
                      bool (*change)(const struct trust *trust, const struct trust_place *place),
                      const char *done)
{
    int result = TB_OK;

    for (size_t i = 0; i < places->count; i++) {
        if (change(trust, &places->rows[i]))
            cli_say("%s: %s", places->rows[i].path, done);
        else
            result = TB_FAILED;
    }
    return result;
}

static int refuse_missing(const struct trust_kind *kind)
{
    const char *problem = kind->missing();

    if (problem)
        cli_complain("%s", problem);
    return problem ? TB_FAILED : TB_OK;
}

static int install(struct cli *cli, struct trust *trust)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    CLEANUP(cleanup_trust_places) struct trust_places places = { .count = 0 };
    const struct trust_kind *kind = kind_of(cli);
    int r = ask_authority(cli, trust, &reply);

    if (r == TB_OK)
        r = refuse_missing(kind);
    if (r != TB_OK)
        return r;
    if (!trust_check(trust) || !kind->find(trust, true, &places))
        return TB_FAILED;
    keep_places(&places, kind, trust, false);
    if (places.count == 0) {
        cli_say("it is trusted already");
        return TB_OK;
    }
    say_authority(trust);
    say_places(&places, "It will be trusted by the programs that use:");
    if (!prompt_confirmed(cli->arguments.yes, "Trust it? [y/N] "))
        return TB_FAILED;
    r = change_all(trust, &places, kind->install, "trusts it now");
    if (r == TB_OK)
        cli_say("A browser that is open has to be started anew.");
    return r;
}

/* Which one: the broker's, or --fingerprint where the broker is gone. */
static int name_removed(struct cli *cli, struct trust *trust)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;

    if (!cli->arguments.fingerprint)
        return ask_authority(cli, trust, &reply);
    if (trust_name(trust, cli->arguments.fingerprint))
        return TB_OK;
    cli_complain("--fingerprint takes 64 hex digits in lower case");
    return TB_USAGE;
}

static int take_away(struct cli *cli, struct trust *trust)
{
    CLEANUP(cleanup_trust_places) struct trust_places places = { .count = 0 };
    const struct trust_kind *kind = kind_of(cli);
    int r = name_removed(cli, trust);

    if (r == TB_OK)
        r = refuse_missing(kind);
    if (r != TB_OK)
        return r;
    if (!kind->find(trust, false, &places))
        return TB_FAILED;
    keep_places(&places, kind, trust, true);
    if (places.count == 0) {
        cli_say("it is trusted nowhere");
        return TB_OK;
    }
    cli_say("The authority with the fingerprint SHA-256 %s", trust->fingerprint);
    say_places(&places, "will no longer be trusted by the programs that use:");
    if (!prompt_confirmed(cli->arguments.yes, "Remove it? [y/N] "))
        return TB_FAILED;
    return change_all(trust, &places, kind->remove, "trusts it no longer");
}

/* --- status and export --- */

static void put_json(struct text *out, const struct trust_place *place, bool trusted, bool first)
{
    text_append_string(out, first ? "{\"place\":" : ",{\"place\":");
    text_append_json(out, place->path);
    text_append_format(out, ",\"trusted\":%s}", trusted ? "true" : "false");
}

static int print_status(struct cli *cli, const struct trust *trust,
                        const struct trust_places *places)
{
    CLEANUP(cleanup_text) struct text json = TEXT_WITH_MAXIMUM(STATUS_MAX);
    CLEANUP(cleanup_sheet) struct sheet sheet = SHEET_FOR_STDOUT();
    bool all = places->count > 0;

    text_append_string(&json, "{\"fingerprint\":");
    text_append_json(&json, trust->fingerprint);
    text_append_string(&json, ",\"places\":[");
    sheet_put(&sheet, "authority", "SHA-256 %s", trust->fingerprint);
    for (size_t i = 0; i < places->count; i++) {
        bool trusted = kind_of(cli)->holds(trust, &places->rows[i]);
        put_json(&json, &places->rows[i], trusted, i == 0);
        sheet_put(&sheet, trusted ? "trusted by" : "not by", "%s", places->rows[i].path);
        all = all && trusted;
    }
    text_append_string(&json, "]}\n");
    int r = cli->arguments.json ? output_json(&json) : output_text(&sheet.out);
    return r == TB_OK && !all ? TB_FAILED : r;
}

static int status(struct cli *cli, struct trust *trust)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    CLEANUP(cleanup_trust_places) struct trust_places places = { .count = 0 };
    int r = ask_authority(cli, trust, &reply);

    /* Anybody may look at the system's store. */
    if (r == TB_OK && !cli->arguments.system)
        r = refuse_missing(kind_of(cli));
    if (r != TB_OK)
        return r;
    if (!kind_of(cli)->find(trust, true, &places))
        return TB_FAILED;
    return print_status(cli, trust, &places);
}

static int export(struct cli *cli, struct trust *trust)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    int r = ask_authority(cli, trust, &reply);

    if (r != TB_OK)
        return r;
    return trust_check(trust) ? output_text(&trust->certificate) : TB_FAILED;
}

static int run(struct cli *cli)
{
    static const struct {
        const char *name;
        int (*run)(struct cli *cli, struct trust *trust);
    } actions[] = {
        { "install", install },
        { "remove", take_away },
        { "status", status },
        { "export", export },
    };
    struct trust trust = { .certificate = TEXT_WITH_MAXIMUM(CERTIFICATE_MAX) };

    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(cli->arguments.operands[0], actions[i].name) != 0)
            continue;
        int r = actions[i].run(cli, &trust);
        text_release(&trust.certificate);
        return r;
    }
    cli_complain("trust takes install, remove, status or export, not '%s'",
                 cli->arguments.operands[0]);
    return TB_USAGE;
}

static const struct option_row options[] = {
    OPTION_ROW("--system", OPTION_FLAG, system, NULL,
               "the system's store in place of the browsers'"),
    OPTION_ROW("--yes", OPTION_FLAG, yes, NULL, "do not ask"),
    OPTION_ROW("--fingerprint", OPTION_TEXT, fingerprint, "F",
               "remove this one, when the broker is gone"),
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "status: print JSON"),
    OPTIONS_END,
};

const struct command command_trust = {
    .name = "trust",
    .operands = "install|remove|status|export",
    .summary = "have browsers trust the broker's https callback, or no longer",
    .details = "install and remove show what they will change and ask first. The exit code of\n"
               "status is 0 when every place trusts it, else 1; export prints the certificate.\n",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
