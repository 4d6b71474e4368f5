#pragma once

/* What the front asks: one function for each kind of question. Each takes the message over and
 * answers it once, now or later. */

#include "back/keeper.h"

/* Answers with a failure: the store cannot be read; memory is short. */
void question_refuse_store(struct keeper *keeper, uint64_t id);
void question_refuse_memory(struct keeper *keeper, uint64_t id);

/* Any ASK_ or TELL_ message. */
void question_take(struct keeper *keeper, struct message *question);

void ask_health(struct keeper *keeper, struct message *question); /* health.c */

/* Links (link_questions.c). */
void ask_link(struct keeper *keeper, struct message *question);
void ask_links(struct keeper *keeper, struct message *question);

/* Those that write (changes.c). */
void change_reject(struct keeper *keeper, struct message *question);
void change_import(struct keeper *keeper, struct message *question);
void change_forget(struct keeper *keeper, struct message *question);
void change_retry(struct keeper *keeper, struct message *question);
void change_decide(struct keeper *keeper, struct message *question); /* held.c */
void change_rename(struct keeper *keeper, struct message *question); /* rename.c */
void change_link(struct keeper *keeper, struct message *question);   /* link_questions.c */
void change_unlink(struct keeper *keeper, struct message *question);
void change_link_click(struct keeper *keeper, struct message *question);
void change_audit(struct keeper *keeper, struct message *question); /* audit_held.c */
