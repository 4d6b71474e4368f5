#pragma once

/* The table of logins from within: login_table.c and login_room.c alone. */

#include "front/login.h"

struct login_seat {
    struct logins *logins;
    struct login_seat *next;
    uid_t uid;
};

struct logins {
    struct context *context;
    struct login_seat *seats;
    struct login *newest;
    struct loop_source *timer; /* the next expiry, forgetting or end of a wait */
    unsigned waiter_count;
};

/* Takes it out of the table and frees it. */
void logins_forget(struct logins *logins, struct login *login);

/* Whether one more may wait for it. */
bool login_room_to_wait(const struct login *login);
