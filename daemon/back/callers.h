#pragma once

/* Who asks under an access rule with approve: kept durably, waiting or approved; somebody is told
 * of each that comes new, within limits. The front has the approved ones in memory: whatever
 * changes them is told to it once it is durable, before whoever changed it gets an answer. */

#include "back/keeper.h"

enum {
    CALLER_TOLD_AGAIN_MS = 60 * 1000, /* on_caller is asked about one again, when it asks again */
    CALLERS_TOLD_PER_MINUTE = 30,     /* programs run, for all */
    CALLERS_TOLD_PER_UID = 6,         /* and for a uid */
    CALLER_FORGET_MS = 24 * 60 * 60 * 1000, /* who waits and does not ask any more */
};

/* Tells the front who is approved. Returns 0 or -errno. */
int callers_new(struct keeper *keeper, struct callers **ret);

/* NULL is fine; returns NULL. */
struct callers *callers_free(struct callers *callers);

/* Questions, and what on_caller says (TELL_DECISION). Those that write take theirs over. */
void ask_caller(struct keeper *keeper, struct message *question);
void ask_callers(struct keeper *keeper, struct message *question);
void change_approve(struct keeper *keeper, struct message *question);
void change_unapprove(struct keeper *keeper, struct message *question);
void callers_decision(struct keeper *keeper, struct message *letter);
