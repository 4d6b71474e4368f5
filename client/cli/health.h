#pragma once

#include "client/cli/cli.h"

/* Asks for the broker's health; TB_OK and a reply, or the exit code. */
int health_ask(struct cli *cli, struct tb_reply **ret_reply);

/* Prints it; the exit code of printing. */
int health_print(struct cli *cli, const struct tb_value *health);
