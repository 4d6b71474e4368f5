#pragma once

/* Who may do what with which account: the access rules of the configuration for a peer of the
 * socket, its own section for a consumer. Nothing matches: denied. */

#include <stdbool.h>
#include <sys/types.h>

#include "base/account.h"
#include "base/buffer.h"
#include "front/asker.h"
#include "settings/settings.h"

/* What rules are when none is configured. */
struct access_default {
    bool system_service; /* root alone; else own_uid alone */
    uid_t own_uid;
};

/* True when a rule lets who asks do `may` with account (NULL: with any account of the rule, for
 * verbs that are about none). MAY_ADMIN is included in nothing but itself and includes everything.
 */
bool access_allowed(const struct settings *settings, const struct access_default *otherwise,
                    const struct asker *asker, enum may may, const struct account_name *account);

/* True when it matters which unit asks (peer_find_unit() costs some system calls): a rule names
 * one, or everybody on the machine may ask. */
bool access_asks_for_units(const struct settings *settings, const struct access_default *otherwise);

/* The line that an admin would have to add, appended for a refusal's text. */
void access_append_advice(struct buffer *out, const struct asker *asker, enum may may,
                          const struct account_name *account);

/* True when the text fits the glob: * is any run of characters, ? any one. */
bool access_glob_matches(const char *glob, const char *text);
