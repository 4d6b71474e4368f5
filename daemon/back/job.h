#pragma once

/* A question that writes: one job in the group commit, answered when it is durable. */

#include "back/keeper.h"

enum job_result {
    JOB_NOT_FOUND = STORE_NOT_FOUND,
    JOB_OWNED = 50,         /* `other` holds this refresh token */
    JOB_IMPORTED_ELSEWHERE, /* it was imported as `other`, and others came of it */
    JOB_EXISTS,             /* there is an account `other` already */
    JOB_IN_FLIGHT,          /* what is on the wire would be lost */
    JOB_LOGGING_IN,         /* so would be what a login brings */
    JOB_NOTHING_HELD,       /* no consent is held for the account */
    JOB_HELD_ANOTHER,       /* another is held than that which was seen */
    JOB_OTHER_GRANT,        /* the other provider's accounts are made of something else */
    JOB_NO_PROVIDER,        /* that of `other` is not configured */
    JOB_NO_LINK,
    JOB_LINKS_FULL,
    JOB_LINKS_QUOTA,
    JOB_LINK_OF_OTHER, /* the account's identity is another than the link is to expect */
    JOB_LINK_BUSY,     /* too many attempts by it within an hour */
    JOB_NOT_CURRENT,   /* it is fine, and nothing was to be written: as are the next */
    JOB_REJECTED_BEFORE,
    JOB_IMPORTED_CURRENT,
    JOB_IMPORTED_BEFORE
};

struct job {
    struct keeper *keeper;
    struct message *question;
    struct account_row row;    /* as it was written */
    struct account_name other; /* whom a result is about */
    int result;                /* what apply returned at last, for tell */
    void (*tell)(struct job *job);
};

/* Takes question over. apply gets the job as its userdata; tell is called when it is durable and
 * has to answer. Any other end is told to the front from here. */
void job_begin(struct keeper *keeper, struct message *question, commit_apply apply,
               void (*tell)(struct job *job));

/* Takes over what the row holds. */
void job_set_row(struct job *job, struct account_row *row);

/* JOB_OWNED when another account of the provider than this one holds the refresh token (NULL: none
 * does); 0, or what the store said. */
int job_find_other_owner(struct job *job, struct store *store, const struct account_name *name,
                         const struct secret *refresh_token);

/* What tell() answers with: nothing, or the job's row, which it gives away. */
void job_answer_empty(struct job *job);
void job_answer_row(struct job *job);

/* Gives the lane of the question's account a turn. */
void job_pump_provider(struct job *job);
