#pragma once

/* The end of a login: the provider's reply judged, a grant made durable, the question answered. */

#include "back/exchange_write.h"

struct settle {
    struct settle *next; /* of keeper->settles: was begun, or last asked, before it */
    struct keeper *keeper;
    struct message *question;
    struct exchange_write write;
    struct secret_room *room;      /* for the tokens that come, taken before anything is sent */
    struct commit *commit;         /* that will store them, the same */
    int problem;                   /* why what came could not be stored */
    void (*ended)(void *userdata); /* the question is answered: let go of what is around this */
    void *userdata;
};

/* Takes question over; it stands first among the keeper's. */
void settle_init(struct settle *settle, struct keeper *keeper, struct message *question,
                 void (*ended)(void *userdata), void *userdata);

/* Frees what it holds. */
void settle_release(struct settle *settle);

/* The consent that is asked for now is newer than those that others have brought: it stands first
 * again. */
void settle_asks_anew(struct settle *settle);

/* For lane_resolve(): takes what its lane asks with now; why is NULL where the endpoints are known.
 * Returns the lane; NULL: it was refused, which ended it. */
struct lane *settle_resolved(struct settle *settle, const struct failure *why);

/* True while a login of this account is under way. */
bool settles_have(const struct keeper *keeper, const struct account_name *name);

/* The account was logged out, or another took its name: none of its logins that are under way
 * brings it back or replaces that one, also if there was no such account when they began. */
void settles_lose_account(const struct keeper *keeper, const struct account_name *name);

/* Before anything is sent: true when it was refused, as what came could not be stored. */
bool settle_is_over(struct settle *settle);

/* Takes all the memory without which what will come could not be stored: a code is spent once.
 * Returns 0 or -ENOMEM, and then nothing may be sent yet. */
int settle_take_room(struct settle *settle);
/* Nothing came that has to be stored. */
void settle_give_room_back(struct settle *settle);

/* Reads what came into write.reply, which is released by the next call. Returns 0 or -ENOMEM. */
int settle_judge(struct settle *settle, const struct http_reply *http);

/* True when the reply has to be stored: it grants, or is kept for a person to look at. */
bool settle_has_to_store(const struct settle *settle);

/* Commits what the reply grants, then answers; what does not grant is only kept. The room must have
 * been taken. */
void settle_store(struct settle *settle);

/* Answers at once, as cancelled; what the reply that is awaited brings is only revoked. */
void settle_cancel(struct settle *settle);

/* Answers, unless that has been done, without a grant: a failure, the reply's own refusal, or an
 * outcome. */
void settle_refuse(struct settle *settle, const struct failure *failure);
void settle_refuse_by_reply(struct settle *settle);
void settle_say(struct settle *settle, enum consent_outcome outcome);
