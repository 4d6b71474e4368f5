#pragma once

/* A web server in this thread and a blocking client in another. The client's function must not use
 * cmocka's asserts (they jump): it returns 0, or the line that failed. */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/loop.h"
#include "io/web.h"

enum { REPLY_HEAD_MAX = 16 * 1024, CLIENT_TIMEOUT_S = 10 };

struct harness {
    struct loop *loop;
    struct web_server *server;
    struct web_options options;
    bool tcp;
    uint16_t port;
    char folder[64];
    char path[96];

    pthread_t thread;
    int (*client)(struct harness *h);
    int client_result;
    int done_fd;
    struct loop_source *done;

    /* For the handlers of the tests. */
    struct web_request *request;
    struct loop_source *timer;
    int64_t delay_ms;
    unsigned handled;
    unsigned gone;
    size_t answer_size;
};

struct reply {
    int status;
    char head[REPLY_HEAD_MAX];
    char *body;
    size_t length; /* of the body */
};

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return __LINE__;                                                                       \
    } while (0)

/* Options that tests change before harness_start(). */
void harness_init(struct harness *h, bool tcp);
void harness_start(struct harness *h, web_handler handler);
/* Runs the loop until the client's function returns; fails the test when it did not return 0. */
void harness_run(struct harness *h, int (*client)(struct harness *h));
void harness_stop(struct harness *h);

/* For the client. */
int client_connect(const struct harness *h);
bool client_send(int fd, const void *bytes, size_t length);
bool client_send_text(int fd, const char *text);
/* False at the end of the connection or after CLIENT_TIMEOUT_S. The body is freed with
 * reply_release(). */
bool client_read(int fd, bool head_only, struct reply *reply);
bool client_at_end(int fd);
void reply_release(struct reply *reply);
/* Connects, sends, reads one reply and closes: its status, 0 when there was none. */
int client_ask(const struct harness *h, const void *bytes, size_t length, struct reply *reply);
int64_t client_now_ms(void);
void client_sleep_ms(unsigned ms);

/* Answers with "METHOD path?query" and the body. */
void echo(void *harness, struct web_request *request);
