#pragma once

#include "client/cli/cli.h"

/* Imports every line of the file of --jsonl ("-": stdin), one account a line, and reports each. The
 * exit code: TB_FAILED when any was refused. */
int import_lines(struct cli *cli);
