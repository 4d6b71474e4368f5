#include "back/exchange_late.h"

#include <string.h>

#include "back/exchange_write.h"

static bool link_is_over(const struct exchange_write *write, const struct link_row *link)
{
    return write->question->exchange->link[0] != '\0' &&
           (link->ending != LINK_OPEN ||
            !account_name_equal(&link->name, &write->question->account));
}

static enum exchange_late why_late(const struct exchange_write *write,
                                   const struct account_row *row, const struct link_row *link)
{
    if (link_is_over(write, link))
        return EXCHANGE_LINK_OVER;
    const int64_t begun_for = write->question->exchange->account_created_at;
    if (write->logged_out || (begun_for != 0 && begun_for != row->created_at))
        return EXCHANGE_GONE;
    if (write->cancelled)
        return EXCHANGE_CANCELLED;
    return write->newer[false] == NEWER_WHOLE ? EXCHANGE_REPLACED : EXCHANGE_IN_TIME;
}

static bool is_outdone(const struct exchange_write *write, bool held)
{
    const enum exchange_newer newer = write->newer[held];
    return newer == NEWER_WHOLE || (newer == NEWER_PARTIAL && !exchange_write_refresh_token(write));
}

/* Another code of the link was answered first, without a refresh token: this one may have the only
 * one. held: what that brought is. */
static bool may_complete(const struct exchange_write *write, const struct account_row *row,
                         const struct link_row *link, bool held)
{
    if (link->ending != LINK_USED || !account_name_equal(&link->name, &row->name))
        return false;
    if (held)
        return row->held_at > 0 && write->newer[true] == NEWER_PARTIAL;
    return row->generation > 0 && (!row->has_refresh_token || write->newer[false] == NEWER_PARTIAL);
}

static bool completes(const struct exchange_write *write, const struct account_row *row,
                      const struct link_row *link, bool held)
{
    const char *identity = write->reply.grant.identity;
    const char *whose = held ? row->held_identity : row->identity;
    return may_complete(write, row, link, held) && exchange_write_refresh_token(write) && whose &&
           identity && strcmp(whose, identity) == 0;
}

enum exchange_late exchange_late_request(const struct exchange_write *write,
                                         const struct account_row *row, const struct link_row *link)
{
    const enum exchange_late late = why_late(write, row, link);
    const bool may = may_complete(write, row, link, false) || may_complete(write, row, link, true);
    return late == EXCHANGE_LINK_OVER && may ? EXCHANGE_IN_TIME : late;
}

enum exchange_late exchange_late_reply(const struct exchange_write *write,
                                       const struct account_row *row, const struct link_row *link,
                                       enum consent_outcome outcome)
{
    const enum exchange_late late = why_late(write, row, link);
    const bool held = exchange_write_holds(outcome);
    if (late == EXCHANGE_LINK_OVER && completes(write, row, link, held))
        return EXCHANGE_IN_TIME;
    if (late == EXCHANGE_IN_TIME && (is_outdone(write, false) || (held && is_outdone(write, true))))
        return EXCHANGE_REPLACED;
    return late;
}

void exchange_late_outdo(struct exchange_write *older, const struct exchange_write *newer)
{
    enum exchange_newer *known = &older->newer[exchange_write_holds(newer->consent->outcome)];
    const enum exchange_newer brought =
        exchange_write_refresh_token(newer) ? NEWER_WHOLE : NEWER_PARTIAL;
    if (*known < brought)
        *known = brought;
}
