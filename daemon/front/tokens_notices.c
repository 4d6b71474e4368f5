/* What the back tells of an account's tokens, and what is rejected. */

#include "front/tokens_private.h"

static void distrust(void *userdata, struct account_node *node)
{
    ((struct flight *)node)->distrusted = true;
}

/* What a notice means for an answer that is under way, or overtaken in the mailbox. */
static void notice_flight(struct tokens *tokens, const struct message *notice)
{
    struct flight *flight = (struct flight *)account_map_find(&tokens->flights, &notice->account);
    uint64_t floor = notice->generation + 1;

    if (!flight)
        return;
    if (notice->token)
        floor = notice->token->generation;
    else if (notice->generation == 0 || notice->generation == UINT64_MAX)
        flight->distrusted = true;
    if (floor > flight->floor)
        flight->floor = floor;
}

void tokens_notice(struct tokens *tokens, struct message *notice)
{
    if (!*notice->account.provider) {
        token_cache_forget_all(tokens->cache);
        account_map_each(&tokens->flights, distrust, NULL);
        return;
    }
    notice_flight(tokens, notice);
    if (notice->token && notice->token->access_token)
        token_cache_replace(tokens->cache, &notice->account, steal(notice->token));
    else
        token_cache_forget(tokens->cache, &notice->account, notice->generation);
}

void tokens_reject(struct tokens *tokens, const struct account_name *account,
                   const char *fingerprint)
{
    struct account_node *node = account_map_find(&tokens->flights, account);

    token_cache_reject(tokens->cache, account, fingerprint);
    if (node)
        ((struct flight *)node)->distrusted = true;
}

void tokens_settings_changed(struct tokens *tokens)
{
    token_cache_forget_parts(tokens->cache);
}
