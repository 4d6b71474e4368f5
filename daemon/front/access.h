#pragma once

/* Who may do what with which account: the access rules of the configuration for a peer of the
 * socket, its own section for a consumer. Nothing matches: denied. */

#include <stdbool.h>
#include <sys/types.h>

#include "base/account.h"
#include "base/buffer.h"
#include "front/approvals.h"
#include "front/asker.h"
#include "settings/settings.h"

/* What the rules themselves do not say: how it is without any, and who is approved. */
struct access_default {
    bool system_service; /* without rules root alone; else own_uid alone */
    uid_t own_uid;
    struct approvals approved;
};

enum access {
    ACCESS_DENIED,
    ACCESS_AWAITS, /* a rule would, which holds for approved callers alone */
    ACCESS_ALLOWED,
};

/* Whether a rule lets who asks do `may` with account (NULL: with any account of the rule, for verbs
 * that are about none). ret_rule (may be NULL): with ACCESS_AWAITS, the rule; else it is left as it
 * is. MAY_ADMIN is included in nothing but itself and includes everything. */
enum access access_judge(const struct settings *settings, const struct access_default *otherwise,
                         const struct asker *asker, enum may may,
                         const struct account_name *account, const struct access_rule **ret_rule);

/* What tells a caller apart from others of its uid: the service's name where the kernel vouches for
 * it; else "": a login session's scope is another at each login. */
const char *access_caller_unit(const struct peer *peer);

/* True with ACCESS_ALLOWED. */
bool access_allowed(const struct settings *settings, const struct access_default *otherwise,
                    const struct asker *asker, enum may may, const struct account_name *account);

/* True when a rule lets who asks do `may` with some account that the provider could have. */
bool access_allowed_some(const struct settings *settings, const struct access_default *otherwise,
                         const struct asker *asker, enum may may, const char *provider);

/* True when a rule lets who asks do `may` with every account there could be. */
bool access_allowed_all(const struct settings *settings, const struct access_default *otherwise,
                        const struct asker *asker, enum may may);

/* True when it matters which unit asks (peer_find_unit() costs some system calls): a rule names
 * one, or wants its callers approved, or everybody on the machine may ask. */
bool access_asks_for_units(const struct settings *settings, const struct access_default *otherwise);

/* The line that an admin would have to add, appended for a refusal's text. */
void access_append_advice(struct buffer *out, const struct asker *asker, enum may may,
                          const struct account_name *account);

/* True when the text fits the glob: * is any run of characters, ? any one but a star, which stands
 * for all that there could be. */
bool access_glob_matches(const char *glob, const char *text);
