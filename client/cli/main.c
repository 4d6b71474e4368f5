#include <stdio.h>
#include <string.h>

#include "client/cli/commands.h"
#include "client/cli/hardening.h"
#include "client/cli/help.h"
#include "client/cli/nearest.h"

static const struct command *const commands[] = {
    &command_login,   &command_token,    &command_exec,    &command_list,
    &command_status,  &command_forecast, &command_refresh, &command_reject,
    &command_import,  &command_link,     &command_held,    &command_accept,
    &command_discard, &command_rename,   &command_logout,  &command_retry,
    &command_resume,  &command_rekey,    &command_backup,  &command_move,
    &command_watch,   &command_doctor,   &command_trust,   &command_health,
    &command_callers, &command_approve,  &command_audit,   NULL,
};

static int usage(const char *problem, const char *command)
{
    cli_complain("%s", problem);
    cli_say("try: tokenbroker %s%s--help", command ? command : "", command ? " " : "");
    return TB_USAGE;
}

static const struct command *find_command(const char *name, const char **nearest)
{
    for (const struct command *const *command = commands; *command; command++) {
        if (strcmp((*command)->name, name) == 0)
            return *command;
        *nearest = nearest_of(name, *nearest, (*command)->name);
    }
    *nearest = nearest_of(name, *nearest, "version");
    *nearest = nearest_of(name, *nearest, "help");
    return NULL;
}

static int unknown_command(const char *name, const char *nearest)
{
    struct objection objection;

    (void)snprintf(objection.text, sizeof objection.text,
                   nearest ? "unknown command '%.60s': did you mean %s?"
                           : "unknown command '%.60s'",
                   name, nearest);
    return usage(objection.text, NULL);
}

static int version(void)
{
    return help_print("tokenbroker " TOKENBROKER_VERSION "\n");
}

static const char *operands_problem(const struct command *command,
                                    const struct arguments *arguments)
{
    if (arguments->operand_count < command->operands_min)
        return "an argument is missing";
    if (command->takes_rest && (!arguments->rest || !arguments->rest[0]))
        return "'--' and a command are missing";
    if (arguments->operand_count > command->operands_max)
        return "too many arguments";
    return !command->takes_rest && arguments->rest && arguments->rest[0] ? "too many arguments"
                                                                         : NULL;
}

static int run_command(const struct command *command, char **argv, int index, struct cli *cli,
                       struct objection *objection)
{
    const bool taken =
        options_take(argv, &index, command->options, true, &cli->arguments, objection);

    if (taken && cli->arguments.help)
        return help_command(command);
    const char *problem = taken ? operands_problem(command, &cli->arguments) : objection->text;
    int exit_code = problem ? usage(problem, command->name) : command->run(cli);
    if (exit_code != TB_OK && command->failed)
        command->failed(&cli->arguments, exit_code);
    cli->broker = tb_close(cli->broker);
    return exit_code;
}

static int help(const char *topic)
{
    const char *nearest = NULL;

    if (!topic || strcmp(topic, "help") == 0 || strcmp(topic, "version") == 0)
        return help_all(commands);
    const struct command *command = find_command(topic, &nearest);
    return command ? help_command(command) : unknown_command(topic, nearest);
}

/* With an objection to what stands before the command, that alone is told, as the command tells a
 * failure. */
static int dispatch(char **argv, int index, struct cli *cli, struct objection *objection)
{
    const char *name = argv[index];
    const char *nearest = NULL;
    const struct command *command = name ? find_command(name, &nearest) : NULL;

    if (*objection->text && !command)
        return usage(objection->text, NULL);
    if (*objection->text)
        return run_command(command, argv, index + 1, cli, objection);
    if (cli->arguments.version || (name && strcmp(name, "version") == 0))
        return version();
    if (cli->arguments.help)
        return help(name);
    if (!name)
        return usage("a command is missing", NULL);
    if (strcmp(name, "help") == 0)
        return help(argv[index + 1]);
    return command ? run_command(command, argv, index + 1, cli, objection)
                   : unknown_command(name, nearest);
}

int main(int argc, char **argv)
{
    static const struct option_row first_options[] = {
        OPTION_ROW("--version", OPTION_FLAG, version, NULL, "print the version"),
        OPTIONS_END,
    };
    struct cli cli = { .broker = NULL };
    struct objection objection = { "" };
    int index = 1;

    hardening_apply();
    arguments_init(&cli.arguments);
    if (argc < 1)
        return TB_USAGE;
    (void)options_take(argv, &index, first_options, false, &cli.arguments, &objection);
    return dispatch(argv, index, &cli, &objection);
}
