#include "callback_world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/callback.h"

enum { CLIENT_TIMEOUT_S = 20 };

/* --- the loop's side --- */

static void on_call(void *userdata, int fd, uint32_t events)
{
    struct world *w = userdata;
    uint64_t number;
    assert_int_equal(read(fd, &number, sizeof(number)), sizeof(number));
    if (w->call)
        w->call(w);
    else
        loop_exit(w->f.context.loop, 0);
    assert_int_equal(sem_post(&w->called), 0);
}

/* The nth push gets the request_uri "urn:n". */
static struct message *pushed(struct world *w, const struct message *question)
{
    char request_uri[32];
    struct message *answer = NULL;
    (void)snprintf(request_uri, sizeof(request_uri), "urn:%u", w->asked);
    answer = fixture_pushed_for(question, request_uri);
    if (w->refuse)
        message_fail(answer, WIRE_PROVIDER_UNAVAILABLE, "the provider is <down>");
    return answer;
}

void world_answer(struct world *w)
{
    const struct message *question = w->question;
    struct message *answer = w->answer ? w->answer(w, question)
                             : question->kind == ASK_PUSH
                                 ? pushed(w, question)
                                 : fixture_consent_for(question, CONSENT_GRANTED);
    if (answer)
        fixture_deliver(&w->f, answer);
    w->question = message_free(w->question);
}

static void on_question(void *userdata, int fd, uint32_t events)
{
    struct world *w = userdata;
    struct message *question = fixture_question(&w->f);
    if (!question)
        return;
    if (question->kind == TELL_CANCEL) {
        w->cancelled++;
        message_free(question);
        return;
    }
    w->asked++;
    w->question = question;
    if (!w->hold)
        world_answer(w);
}

static void do_begin(struct world *w)
{
    w->login = fixture_begin(&w->f, w->provider, w->mode);
    (void)snprintf(w->nonce, sizeof(w->nonce), "%s",
                   w->login->start_nonce ? secret_reveal(w->login->start_nonce) : "");
    (void)snprintf(w->state, sizeof(w->state), "%s", secret_reveal(w->login->state));
    (void)snprintf(w->id, sizeof(w->id), "%s", w->login->id);
}

void world_look(struct world *w)
{
    w->status = w->login->status;
    w->waiters = w->login->waiter_count;
    fixture_cookies(w->login, w->cookies);
}

/* --- the browser's side --- */

void world_on_loop(struct world *w, void (*call)(struct world *w))
{
    uint64_t one = 1;
    w->call = call;
    if (write(w->call_fd, &one, sizeof(one)) == sizeof(one))
        while (sem_wait(&w->called) < 0 && errno == EINTR)
            ;
}

int client_connect(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct timeval timeout = { .tv_sec = CLIENT_TIMEOUT_S };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

int world_send(struct world *w, const char *method, const char *path, const char *host,
               const char *headers)
{
    char request[4096], ours[64];
    (void)snprintf(ours, sizeof(ours), "127.0.0.1:%u", (unsigned)w->f.port);
    int length = snprintf(request, sizeof(request),
                          "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n", method, path,
                          host ? host : ours, headers ? headers : "");
    int fd = client_connect(w->f.port);
    if (fd >= 0 && send(fd, request, (size_t)length, MSG_NOSIGNAL) != length) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

void reply_read(int fd, struct reply *reply)
{
    size_t length = 0;
    ssize_t got;
    reply->status = 0;
    while (fd >= 0 && length < REPLY_MAX - 1 &&
           (got = recv(fd, reply->text + length, REPLY_MAX - 1 - length, 0)) > 0)
        length += (size_t)got;
    reply->text[length] = '\0';
    if (fd >= 0)
        (void)close(fd);
    (void)sscanf(reply->text, "HTTP/1.1 %d", &reply->status);
}

void world_fetch(struct world *w, const char *method, const char *path, const char *host,
                 const char *headers, struct reply *reply)
{
    reply_read(world_send(w, method, path, host, headers), reply);
}

void world_get(struct world *w, const char *path, const char *cookies, struct reply *reply)
{
    char header[FIXTURE_TEXT_MAX + 16] = "";
    if (cookies)
        (void)snprintf(header, sizeof(header), "Cookie: %s\r\n", cookies);
    world_fetch(w, "GET", path, NULL, header, reply);
}

bool reply_says(const struct reply *reply, const char *text)
{
    return strstr(reply->text, text) != NULL;
}

void world_begin(struct world *w, size_t provider, enum login_mode mode)
{
    w->provider = provider;
    w->mode = mode;
    world_on_loop(w, do_begin);
}

void world_open_start(struct world *w, const char *cookies, struct reply *reply)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "/start/%s", w->nonce);
    world_get(w, path, cookies, reply);
    world_on_loop(w, world_look);
}

void world_callback_path(const struct world *w, const char *what, char out[static 256])
{
    (void)snprintf(out, 256, "/callback/%s?%s&state=%s", w->f.providers[w->provider]->name, what,
                   w->state);
}

/* --- running both --- */

static void *browser_thread(void *userdata)
{
    struct world *w = userdata;
    w->failed_line = w->browser(w);
    world_on_loop(w, NULL);
    return NULL;
}

uint16_t free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t length = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(close(fd), 0);
    return ntohs(address.sin_port);
}

void world_walk(bool system_service, int (*browser)(struct world *w))
{
    static struct world w;
    pthread_t thread;
    w = (struct world){ .browser = browser };
    fixture_start(&w.f, free_port());
    assert_int_equal(callback_new(&w.f.context, system_service, &w.f.context.callback), 0);
    w.call_fd = eventfd(0, EFD_CLOEXEC);
    assert_true(w.call_fd >= 0);
    assert_int_equal(sem_init(&w.called, 0, 0), 0);
    assert_int_equal(loop_add_fd(w.f.context.loop, w.call_fd, EPOLLIN, on_call, &w, &w.calls), 0);
    assert_int_equal(
        loop_add_fd(w.f.context.loop, mailbox_fd(w.f.back), EPOLLIN, on_question, &w, &w.questions),
        0);
    assert_int_equal(pthread_create(&thread, NULL, browser_thread, &w), 0);
    assert_int_equal(loop_run(w.f.context.loop), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    loop_source_free(w.calls);
    loop_source_free(w.questions);
    (void)close(w.call_fd);
    (void)sem_destroy(&w.called);
    message_free(w.question);
    fixture_stop(&w.f);
    if (w.failed_line)
        fail_msg("the browser failed in line %d", w.failed_line);
}
