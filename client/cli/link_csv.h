#pragma once

#include "client/cli/cli.h"
#include "client/text.h"

/* link --csv: one link for each line of a file; none is made before all lines are understood. The
 * exit code. */
int link_csv(struct cli *cli);

/* Appends the body of a request for a link. expires_s may be TB_DEFAULT, expect ("name=value")
 * NULL. */
void link_put_body(struct text *body, const struct arguments *arguments, int64_t expires_s,
                   const char *expect);

/* Whether it is "name=value". */
bool link_expect_valid(const char *expect);
