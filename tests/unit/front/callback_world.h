#pragma once

/* The callback's listener and its logins in this thread, a browser in another. The browser must not
 * use cmocka's asserts (they jump): it returns 0, or the line that failed. What it wants done with
 * the logins is done on the loop. */

#include "login_fixture.h"

#include <semaphore.h>

enum { REPLY_MAX = 64 * 1024 };

struct world {
    struct fixture f;
    struct loop_source *calls, *questions;
    int call_fd;
    void (*call)(struct world *w);
    sem_t called;
    int (*browser)(struct world *w);
    int failed_line;

    bool hold; /* do not answer questions by itself */
    struct message *question;
    unsigned asked, cancelled;
    bool refuse; /* questions for a push */
    /* In place of the usual answers; NULL: the question stays without one. */
    struct message *(*answer)(struct world *w, const struct message *question);

    /* For the calls. */
    size_t provider;
    enum login_mode mode;
    struct login *login;
    char nonce[64], state[64], id[64], cookies[FIXTURE_TEXT_MAX];
    enum login_status status;
    unsigned waiters;
};

struct reply {
    int status;
    char text[REPLY_MAX]; /* head and body */
};

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return __LINE__;                                                                       \
    } while (0)

/* Runs the loop until the browser's function returns; fails the test when it did not return 0. */
void world_walk(bool system_service, int (*browser)(struct world *w));

/* A port of 127.0.0.1 that nobody listens on. */
uint16_t free_port(void);

/* --- for the browser --- */

/* Calls the function on the loop and waits for it; NULL ends the loop. */
void world_on_loop(struct world *w, void (*call)(struct world *w));

/* For world_on_loop(): answers the question that is held. */
void world_answer(struct world *w);

/* Begins a login on the loop, and keeps its nonce, state and id. */
void world_begin(struct world *w, size_t provider, enum login_mode mode);

/* For world_on_loop(): keeps the login's status, waiters and cookies. */
void world_look(struct world *w);

/* A connected socket, -1 when nobody listens. */
int client_connect(uint16_t port);

/* Sends a request and returns its socket, -1 on failure. host NULL: ours; headers, each with its
 * CRLF, may be NULL. */
int world_send(struct world *w, const char *method, const char *path, const char *host,
               const char *headers);

/* Reads to the end and closes the socket; the status is 0 when there was no reply. */
void reply_read(int fd, struct reply *reply);
bool reply_says(const struct reply *reply, const char *text);

/* world_send() and reply_read(). */
void world_fetch(struct world *w, const char *method, const char *path, const char *host,
                 const char *headers, struct reply *reply);
/* cookies may be NULL. */
void world_get(struct world *w, const char *path, const char *cookies, struct reply *reply);

/* Opens the login's start address, then looks at the login. */
void world_open_start(struct world *w, const char *cookies, struct reply *reply);

/* The redirect's path with that query and the login's state. */
void world_callback_path(const struct world *w, const char *what, char out[static 256]);
