#include "front/login_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static_assert((int)LOGINS_MAX < (int)LOGINS_IN_BACK_MAX,
              "where a login has a place, nobody else's keep the back from working for it");

static struct login *oldest_ended_of(const struct logins *logins, uid_t uid)
{
    struct login *oldest = NULL;
    for (struct login *login = logins->newest; login; login = login->next)
        if (login_ended(login) && login->uid == uid && !login->link[0])
            oldest = login;
    return oldest;
}

/* Those by links first: who makes links can have any number of them. */
static struct login *oldest_ended(const struct logins *logins)
{
    struct login *oldest = NULL;
    for (struct login *login = logins->newest; login; login = login->next)
        if (login_ended(login) && (login->link[0] || !oldest || !oldest->link[0]))
            oldest = login;
    return oldest;
}

static int make_room(struct logins *logins, uid_t uid)
{
    unsigned all = 0, own = 0;
    for (const struct login *login = logins->newest; login; login = login->next) {
        all++;
        own += login->uid == uid && !login->link[0];
    }
    for (const struct login_seat *seat = logins->seats; seat; seat = seat->next) {
        all++;
        own += seat->uid == uid;
    }
    if (own < LOGINS_PER_UID_MAX && all < LOGINS_MAX)
        return 0;
    bool quota = own >= LOGINS_PER_UID_MAX;
    struct login *victim = quota ? oldest_ended_of(logins, uid) : oldest_ended(logins);
    if (!victim)
        return quota ? LOGINS_QUOTA : LOGINS_FULL;
    logins_forget(logins, victim);
    return 0;
}

/* The oldest pending one of a link when it has as many as it may. */
static struct login *surplus_of(const struct logins *logins, const char *digest)
{
    struct login *oldest = NULL;
    unsigned pending = 0;
    for (struct login *login = logins->newest; login; login = login->next) {
        if (login->status != LOGIN_PENDING || strcmp(login->link, digest) != 0)
            continue;
        pending++;
        oldest = login;
    }
    return pending >= LOGINS_PER_LINK_MAX ? oldest : NULL;
}

int logins_make_room_for_link(struct logins *logins, const char *digest)
{
    unsigned by_links = 0;
    struct login *surplus = surplus_of(logins, digest);
    if (surplus)
        login_set_status(surplus, LOGIN_CANCELLED, "replaced", "the link was opened again");
    for (const struct login *login = logins->newest; login; login = login->next)
        by_links += login->link[0] && !login_ended(login);
    return by_links < LOGINS_BY_LINKS_MAX ? make_room(logins, (uid_t)-1) : LOGINS_FULL;
}

void logins_end_attempts(struct login *login)
{
    struct login *other = login->logins->newest;
    for (; other; other = other->next) {
        if (other == login || !other->link[0] || other->status != LOGIN_PENDING ||
            !account_name_equal(&other->account, &login->account))
            continue;
        other->ending = ENDING_LINK_OVER;
        login_set_status(other, LOGIN_CANCELLED, "link_used",
                         "the account was connected by another attempt");
    }
}

/* They would bring an account back that a person has ended, make one of its old name, or replace
 * the grant that moved to a name which was nobody's when they began. */
void logins_notice(struct logins *logins, const struct message *notice)
{
    if (notice->generation != UINT64_MAX)
        return;
    for (struct login *login = logins->newest; login; login = login->next) {
        if (login->status != LOGIN_PENDING ||
            !account_name_equal(&login->account, &notice->account))
            continue;
        if (login->mode == LOGIN_DEVICE) {
            (void)login_cancel_device(login); /* else the back refuses what it brings */
            continue;
        }
        login->ending = ENDING_GONE;
        login_set_status(login, LOGIN_CANCELLED, "account_gone",
                         "the account was logged out or renamed, or another was renamed to it: "
                         "log in again");
    }
}

int logins_take_seat(struct logins *logins, uid_t uid, struct login_seat **ret)
{
    int r = make_room(logins, uid);
    if (r)
        return r;
    struct login_seat *seat = malloc(sizeof *seat);
    if (!seat)
        return -ENOMEM;
    *seat = (struct login_seat){ logins, logins->seats, uid };
    logins->seats = seat;
    *ret = seat;
    return 0;
}

struct login_seat *login_seat_free(struct login_seat *seat)
{
    if (!seat)
        return NULL;
    struct login_seat **link = &seat->logins->seats;
    while (*link != seat)
        link = &(*link)->next;
    *link = seat->next;
    free(seat);
    return NULL;
}

/* Nobody's logins take the places of all others. */
bool login_room_to_wait(const struct login *login)
{
    const struct logins *logins = login->logins;
    unsigned own = 0;
    for (const struct login *other = logins->newest; other; other = other->next)
        if (other->uid == login->uid && !other->link[0] == !login->link[0])
            own += other->waiter_count;
    return logins->waiter_count < LOGIN_WAITERS_MAX && own < LOGIN_WAITERS_PER_UID_MAX &&
           login->waiter_count < LOGIN_WAITERS_PER_LOGIN_MAX;
}
