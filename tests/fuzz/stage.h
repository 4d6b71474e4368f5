#pragma once

/*
 * The whole front on its own thread, with its real listeners; the target's thread is its clients
 * and plays the back. A login is always pending, and some words in what is sent stand for it:
 *   $S its state   $C its browser's cookies   $L its id   $N its start nonce
 *   $H the callback's host and port           $B how many bytes follow the first empty line
 */

#include "base/buffer.h"

enum stage_door {
    DOOR_API,      /* the Unix socket */
    DOOR_CALLBACK, /* the loopback listener */
};

enum { STAGE_TEXT_MAX = 256 * 1024 };

/* Once, after start_secrets(). Returns 0 or -1. */
int stage_start(void);

/* Sends the bytes over a new connection, answers the front's questions until it comes to rest, and
 * ends the connection. answer: all that came back. */
void stage_send(enum stage_door door, const char *bytes, size_t length, struct buffer *answer);

/* As stage_send(), for a request that is whole: it waits until an answer has begun to come. */
void stage_ask(enum stage_door door, const char *bytes, size_t length, struct buffer *answer);

/* Asks for that path, marks in it, for the login as it is now; appends what came back. */
void stage_follow(enum stage_door door, const char *path, struct buffer *answer);

/* Every whole answer among the bytes is HTTP whose JSON can be read; returns the last one's status,
 * 0 where there is none. */
int answers_check(const char *bytes, size_t length);
