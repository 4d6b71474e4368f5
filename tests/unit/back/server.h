#pragma once

/* A scripted provider on a loopback port: canned replies by what a request holds, and a record of
 * all that was asked. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SERVER_REQUEST_MAX = 16 * 1024,
    SERVER_REPLY_MAX = 32 * 1024,
    SERVER_RECORDS_MAX = 512,
    SERVER_SCRIPT_MAX = 64,
};

struct server;

/* The first line of the script that fits and is not used up answers. */
struct canned {
    const char *match;   /* a part of the request; NULL: any */
    unsigned times;      /* 0: for ever */
    int status;          /* 0: hangs up without an answer */
    const char *headers; /* each ended by \r\n; NULL: none */
    const char *body;    /* %u becomes the number of the request; NULL: none */
    bool held;           /* answered only after server_release() */
    bool cut;            /* says one byte more than it sends */
};

struct server *server_start(void);
/* Ends all connections. Returns NULL. */
struct server *server_stop(struct server *server);
uint16_t server_port(const struct server *server);

/* Adds a line at the end of the script; its texts must live on. */
void server_script(struct server *server, struct canned canned);
void server_forget_script(struct server *server);
void server_release(struct server *server);

/* How many requests held the text; NULL: all. */
unsigned server_count(struct server *server, const char *text);
/* Waits until so many did; false after 20 s. */
bool server_wait(struct server *server, const char *text, unsigned count);
