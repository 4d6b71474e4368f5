#pragma once

#include "client/cli/cli.h"

/* Prints a text on stdout; the exit code. */
int help_print(const char *text);

/* Prints what commands there are; the list ends with NULL. */
int help_all(const struct command *const *commands);

/* Prints how a command is used. */
int help_command(const struct command *command);
