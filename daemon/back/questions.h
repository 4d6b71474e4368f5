#pragma once

/* What the front asks: one function for each kind of question. Each takes the message over and
 * answers it once, now or later. */

#include "back/keeper.h"

/* Any ASK_ or TELL_ message. */
void question_take(struct keeper *keeper, struct message *question);

/* Those that write (changes.c). */
void change_reject(struct keeper *keeper, struct message *question);
void change_import(struct keeper *keeper, struct message *question);
void change_forget(struct keeper *keeper, struct message *question);
void change_retry(struct keeper *keeper, struct message *question);
void change_decide(struct keeper *keeper, struct message *question); /* held.c */
void change_rename(struct keeper *keeper, struct message *question); /* rename.c */
void change_audit(struct keeper *keeper, struct message *question);  /* asked.c */
