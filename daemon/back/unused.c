#include "back/unused.h"

#include <errno.h>
#include <string.h>

#include "back/revoke.h"

/* What a look into the store comes to: what cannot be read may be anything. */
static int spare(int looked)
{
    if (looked < 0 && looked != -EBADMSG)
        return looked;
    return looked != STORE_NOT_FOUND;
}

static bool may_be_of_one_person(const char *identity, const char *other)
{
    return !identity || !other || strcmp(identity, other) == 0;
}

/* The token itself is a grant that stays. */
static int is_in_use(struct store *store, const struct account_name *name,
                     const struct secret *refresh_token, struct account_name *ret_other)
{
    char fingerprint[FINGERPRINT_SIZE];
    if (!refresh_token)
        return false;
    return spare(store_token_owner(store, name->provider,
                                   secret_fingerprint(refresh_token, fingerprint), ret_other));
}

/* The account's own, whatever its state: a refusal may have been the provider's error. */
static int is_the_accounts_person(struct store *store, const struct account_name *name,
                                  const char *identity)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = store_read(store, name, &row);
    if (r != 0)
        return spare(r);
    return (row.generation > 0 && may_be_of_one_person(row.identity, identity)) ||
           (row.held_at > 0 && may_be_of_one_person(row.held_identity, identity));
}

/* Somebody who consented for the wrong account has often done so for the right one. */
static int is_anothers_person(struct store *store, const struct account_name *name,
                              const char *identity, struct account_name *ret_other)
{
    return identity ? spare(store_identity_account(store, name, identity, ret_other)) : false;
}

/* True, false or -errno; *ret_other is the account's own name, unless it is for another. */
static int is_to_be_spared(struct store *store, const struct account_name *name,
                           const char *identity, const struct grant *grant,
                           struct account_name *ret_other)
{
    int r = is_in_use(store, name, grant->refresh_token, ret_other);
    if (r == 0)
        r = is_the_accounts_person(store, name, identity);
    return r == 0 ? is_anothers_person(store, name, identity, ret_other) : r;
}

int unused_revoke(struct keeper *keeper, struct store *store, const struct account_name *name,
                  const char *identity, const struct grant *grant)
{
    struct account_name other = *name;
    char text[ACCOUNT_TEXT_SIZE];
    char other_text[ACCOUNT_TEXT_SIZE];
    if (!grant->refresh_token && !grant->access_token)
        return 0;
    int r = is_to_be_spared(store, name, identity, grant, &other);
    if (r < 0)
        return r;
    if (r == 0)
        return revocation_write(keeper, store, name, identity, grant);
    commits_say(keeper->commits,
                "%s: a grant that is done with is not revoked, as it may be the same person's as "
                "that of %s: end it at the provider by hand",
                account_text(name, text), account_text(&other, other_text));
    return 0;
}
