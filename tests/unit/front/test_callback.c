#include "login_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/callback.h"
#include "front/pages.h"

enum { REPLY_MAX = 64 * 1024, CLIENT_TIMEOUT_S = 20 };

/* The loop runs in the test's thread, a browser in another; what the browser wants done with the
 * logins is done on the loop. The browser must not use cmocka's asserts (they jump): it returns 0,
 * or the line that failed. */
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
    unsigned asked;

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

static void on_question(void *userdata, int fd, uint32_t events)
{
    struct world *w = userdata;
    struct message *question = fixture_question(&w->f);
    if (!question)
        return;
    w->asked++;
    w->question = question;
    if (w->hold)
        return;
    fixture_deliver(&w->f, fixture_consent_for(question, CONSENT_GRANTED));
    w->question = message_free(question);
}

static void do_begin(struct world *w)
{
    w->login = fixture_begin(&w->f, w->provider, w->mode);
    (void)snprintf(w->nonce, sizeof(w->nonce), "%s",
                   w->login->start_nonce ? secret_reveal(w->login->start_nonce) : "");
    (void)snprintf(w->state, sizeof(w->state), "%s", secret_reveal(w->login->state));
    (void)snprintf(w->id, sizeof(w->id), "%s", w->login->id);
}

static void do_look(struct world *w)
{
    w->status = w->login->status;
    w->waiters = w->login->waiter_count;
    fixture_cookies(w->login, w->cookies);
}

static void do_answer(struct world *w)
{
    fixture_deliver(&w->f, fixture_consent_for(w->question, CONSENT_GRANTED));
    w->question = message_free(w->question);
}

static void do_cancel(struct world *w)
{
    login_set_status(w->login, LOGIN_CANCELLED, "cancelled", NULL);
}

/* --- the browser's side --- */

static void on_loop(struct world *w, void (*call)(struct world *w))
{
    uint64_t one = 1;
    w->call = call;
    if (write(w->call_fd, &one, sizeof(one)) == sizeof(one))
        while (sem_wait(&w->called) < 0 && errno == EINTR)
            ;
}

static int connect_to(uint16_t port)
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

static int send_request(struct world *w, const char *method, const char *path, const char *host,
                        const char *headers)
{
    char request[4096], ours[64];
    (void)snprintf(ours, sizeof(ours), "127.0.0.1:%u", (unsigned)w->f.port);
    int length = snprintf(request, sizeof(request),
                          "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n", method, path,
                          host ? host : ours, headers ? headers : "");
    int fd = connect_to(w->f.port);
    if (fd >= 0 && send(fd, request, (size_t)length, MSG_NOSIGNAL) != length) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void read_reply(int fd, struct reply *reply)
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

static void fetch(struct world *w, const char *method, const char *path, const char *host,
                  const char *headers, struct reply *reply)
{
    read_reply(send_request(w, method, path, host, headers), reply);
}

static void get(struct world *w, const char *path, const char *cookies, struct reply *reply)
{
    char header[FIXTURE_TEXT_MAX + 16] = "";
    if (cookies)
        (void)snprintf(header, sizeof(header), "Cookie: %s\r\n", cookies);
    fetch(w, "GET", path, NULL, header, reply);
}

static bool says(const struct reply *reply, const char *text)
{
    return strstr(reply->text, text) != NULL;
}

static void begin(struct world *w, size_t provider, enum login_mode mode)
{
    w->provider = provider;
    w->mode = mode;
    on_loop(w, do_begin);
}

static void open_start(struct world *w, const char *cookies, struct reply *reply)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "/start/%s", w->nonce);
    get(w, path, cookies, reply);
    on_loop(w, do_look);
}

static void callback_path(const struct world *w, const char *what, char out[256])
{
    (void)snprintf(out, 256, "/callback/%s?%s&state=%s", w->f.providers[w->provider]->name, what,
                   w->state);
}

/* --- running both --- */

static void *browser_thread(void *userdata)
{
    struct world *w = userdata;
    w->failed_line = w->browser(w);
    on_loop(w, NULL);
    return NULL;
}

static uint16_t free_port(void)
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

static void walk(bool system_service, int (*browser)(struct world *w))
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

/* --- walks --- */

static int whole_login(struct world *w)
{
    struct reply reply;
    char path[256], done[128];
    begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    open_start(w, NULL, &reply);
    CHECK(reply.status == 303);
    CHECK(says(&reply, "Location: https://auth.example/authorize?"));
    CHECK(says(&reply, "; Path=/callback/zenegy; Max-Age=600; HttpOnly; SameSite=Lax\r\n"));
    CHECK(says(&reply, "; Path=/start/; Max-Age=600; HttpOnly; SameSite=Lax\r\n"));
    CHECK(!says(&reply, "Secure"));

    callback_path(w, "code=abc", path);
    get(w, path, w->cookies, &reply);
    (void)snprintf(done, sizeof(done), "/done/%s", w->id);
    CHECK(reply.status == 303);
    CHECK(says(&reply, done));
    CHECK(w->asked == 1);
    on_loop(w, do_look);
    CHECK(w->status == LOGIN_DONE);

    for (int i = 0; i < 2; i++) {
        get(w, done, NULL, &reply);
        CHECK(reply.status == 200);
        CHECK(says(&reply, "<h1>zenegy is connected</h1>"));
        CHECK(says(&reply, "zenegy/acme"));
    }
    /* The redirect again, then without the cookie: nothing happens. */
    get(w, path, w->cookies, &reply);
    CHECK(reply.status == 303 && says(&reply, done));
    get(w, path, NULL, &reply);
    CHECK(reply.status == 404 && says(&reply, "This login is over"));
    CHECK(w->asked == 1);
    return 0;
}

static void test_whole_login(void **state)
{
    walk(false, whole_login);
}

static int two_browsers(struct world *w)
{
    struct reply reply;
    char path[256];
    begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    open_start(w, NULL, &reply);
    CHECK(reply.status == 303);
    open_start(w, w->cookies, &reply);
    CHECK(reply.status == 303 && says(&reply, "Set-Cookie: tb_login_"));
    open_start(w, NULL, &reply);
    CHECK(reply.status == 409 && says(&reply, "Already opened elsewhere"));
    CHECK(!says(&reply, "Set-Cookie") && !says(&reply, "Location"));

    callback_path(w, "code=abc", path);
    get(w, path, NULL, &reply);
    CHECK(reply.status == 403 && says(&reply, "did not start the login"));
    callback_path(w, "error=access_denied", path);
    get(w, path, "tb_login_x=y; tb_browser=z", &reply);
    CHECK(reply.status == 403);
    on_loop(w, do_look);
    CHECK(w->status == LOGIN_PENDING);
    CHECK(w->asked == 0);
    return 0;
}

static void test_two_browsers(void **state)
{
    walk(false, two_browsers);
}

static int not_granted(struct world *w)
{
    struct reply reply;
    char path[256], done[128];
    begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    open_start(w, NULL, &reply);
    callback_path(w, "error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E",
                  path);
    get(w, path, w->cookies, &reply);
    CHECK(reply.status == 303);
    (void)snprintf(done, sizeof(done), "/done/%s", w->id);
    get(w, done, NULL, &reply);
    CHECK(reply.status == 200 && says(&reply, "Access was not granted"));
    CHECK(says(&reply, "access_denied: &lt;script&gt;alert(1)&lt;/script&gt;"));
    CHECK(!says(&reply, "<script"));
    open_start(w, w->cookies, &reply);
    CHECK(reply.status == 303 && says(&reply, "/done/") && !says(&reply, "Set-Cookie"));
    return 0;
}

static void test_not_granted(void **state)
{
    walk(false, not_granted);
}

static int refused_answers(struct world *w)
{
    static const struct {
        const char *query;
        int status;
        const char *says;
    } rows[] = {
        { "code=a", 400, "The answer is incomplete" },
        { "code=a&code=b", 400, "cannot be read" },
        { "code=a&error=b", 400, "cannot be read" },
        { "code=a%zz", 400, NULL },
        { "code=a%00b", 400, NULL },
        { "code=a&state=unknown", 404, "This login is over" },
        { "code=a&iss=https://evil.example", 403, "came from somewhere else" },
    };
    struct reply reply;
    char path[256];
    begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    open_start(w, NULL, &reply);
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        (void)snprintf(path, sizeof(path), "/callback/zenegy?%s", rows[i].query);
        get(w, path, w->cookies, &reply);
        if (reply.status != rows[i].status || (rows[i].says && !says(&reply, rows[i].says)))
            return (int)(__LINE__ * 100 + (int)i);
    }
    on_loop(w, do_look);
    CHECK(w->status == LOGIN_PENDING);
    CHECK(w->asked == 0);
    return 0;
}

static void test_refused_answers(void **state)
{
    walk(false, refused_answers);
}

static int without_state(struct world *w)
{
    struct reply reply;
    char older[FIXTURE_TEXT_MAX];
    begin(w, PROVIDER_ABSENT, LOGIN_BROWSER);
    open_start(w, NULL, &reply);
    memcpy(older, w->cookies, sizeof(older));
    begin(w, PROVIDER_ABSENT, LOGIN_BROWSER);
    open_start(w, older, &reply);
    CHECK(reply.status == 303);
    char both[FIXTURE_TEXT_MAX];
    CHECK(strlen(older) + strlen(w->cookies) + 2 < sizeof(both));
    (void)snprintf(both, sizeof(both), "%.500s; %.500s", older, w->cookies);
    get(w, "/callback/absent?code=abc", both, &reply);
    CHECK(reply.status == 303 && says(&reply, w->id));
    on_loop(w, do_look);
    CHECK(w->status == LOGIN_DONE);
    return 0;
}

static void test_without_state(void **state)
{
    walk(false, without_state);
}

static int waits_for_the_exchange(struct world *w)
{
    struct reply reply;
    char path[256], done[128];
    w->hold = true;
    begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    open_start(w, NULL, &reply);
    callback_path(w, "code=abc", path);
    char header[FIXTURE_TEXT_MAX + 16];
    (void)snprintf(header, sizeof(header), "Cookie: %s\r\n", w->cookies);
    int first = send_request(w, "GET", path, NULL, header);
    int second = send_request(w, "GET", path, NULL, header);
    CHECK(first >= 0 && second >= 0);
    do
        on_loop(w, do_look);
    while (w->waiters != 2);
    CHECK(w->status == LOGIN_EXCHANGING);
    (void)snprintf(done, sizeof(done), "/done/%s", w->id);
    get(w, done, NULL, &reply);
    CHECK(reply.status == 200 && says(&reply, "Finishing the login"));
    CHECK(says(&reply, "http-equiv=\"refresh\""));

    CHECK(close(second) == 0); /* hangs up while it waits */
    do
        on_loop(w, do_look);
    while (w->waiters != 1);
    on_loop(w, do_answer);
    read_reply(first, &reply);
    CHECK(reply.status == 303 && says(&reply, done));
    CHECK(w->asked == 1);
    return 0;
}

static void test_waits_for_the_exchange(void **state)
{
    walk(false, waits_for_the_exchange);
}

static int paste_page(struct world *w)
{
    struct reply reply;
    char path[256];
    begin(w, PROVIDER_ZENEGY, LOGIN_PASTE);
    callback_path(w, "code=abc", path);
    get(w, path, NULL, &reply);
    CHECK(reply.status == 200 && says(&reply, "One more step"));
    (void)snprintf(path, sizeof(path), "/done/%s", w->id);
    get(w, path, NULL, &reply);
    CHECK(reply.status == 404);
    return 0;
}

static void test_paste_page(void **state)
{
    walk(true, paste_page);
}

/* --- what is let in --- */

static int hosts(struct world *w)
{
    static const struct {
        const char *host; /* %u is our port */
        int status;
    } rows[] = {
        { "127.0.0.1:%u", 404 },       { "localhost:%u", 421 },  { "[::1]:%u", 421 },
        { "127.0.0.1", 421 },          { "127.0.0.1:1", 421 },   { "127.0.0.2:%u", 421 },
        { "evil.example:%u", 421 },    { "127.0.0.1.:%u", 421 }, { "127.0.0.1:%u.", 421 },
        { "127.0.0.1:0%u", 421 },      { "127.1:%u", 421 },      { "a@127.0.0.1:%u", 421 },
        { "127.0.0.1:%u/start", 421 },
    };
    struct reply reply;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        char host[64];
        const char *mark = strstr(rows[i].host, "%u");
        if (mark)
            (void)snprintf(host, sizeof(host), "%.*s%u%s", (int)(mark - rows[i].host), rows[i].host,
                           (unsigned)w->f.port, mark + 2);
        else
            (void)snprintf(host, sizeof(host), "%s", rows[i].host);
        fetch(w, "GET", "/nothing", host, NULL, &reply);
        if (reply.status != rows[i].status)
            return (int)(__LINE__ * 100 + (int)i);
    }
    fetch(w, "GET", "/nothing", NULL, "Host: 127.0.0.1\r\n", &reply);
    CHECK(reply.status == 400);
    return 0;
}

static void test_hosts(void **state)
{
    walk(true, hosts);
}

static int methods_and_frames(struct world *w)
{
    static const char *const methods[] = { "POST", "PUT", "DELETE", "OPTIONS", "PATCH" };
    static const char *const frames[] = { "iframe", "frame", "empty", "image", "script", "object" };
    struct reply reply;
    char start[128], back[256], header[FIXTURE_TEXT_MAX + 64];
    begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    (void)snprintf(start, sizeof(start), "/start/%s", w->nonce);
    for (size_t i = 0; i < LENGTH_OF(methods); i++) {
        fetch(w, methods[i], start, NULL, NULL, &reply);
        CHECK(reply.status == 405 && says(&reply, "Allow: GET, HEAD\r\n"));
    }
    for (size_t i = 0; i < LENGTH_OF(frames); i++) {
        (void)snprintf(header, sizeof(header), "Sec-Fetch-Dest: %s\r\n", frames[i]);
        fetch(w, "GET", start, NULL, header, &reply);
        CHECK(reply.status == 403 && says(&reply, "Not inside another page"));
    }
    fetch(w, "HEAD", start, NULL, NULL, &reply);
    CHECK(reply.status == 200 && !says(&reply, "Set-Cookie"));
    /* None of these opened it. */
    fetch(w, "GET", start, NULL, "Sec-Fetch-Dest: document\r\n", &reply);
    CHECK(reply.status == 303);

    on_loop(w, do_look);
    callback_path(w, "error=access_denied", back);
    (void)snprintf(header, sizeof(header), "Cookie: %s\r\n", w->cookies);
    fetch(w, "HEAD", back, NULL, header, &reply);
    CHECK(reply.status == 200);
    (void)snprintf(header, sizeof(header), "Cookie: %s\r\nSec-Fetch-Dest: iframe\r\n", w->cookies);
    fetch(w, "GET", back, NULL, header, &reply);
    CHECK(reply.status == 403);
    on_loop(w, do_look);
    CHECK(w->status == LOGIN_PENDING);
    return 0;
}

static void test_methods_and_frames(void **state)
{
    walk(false, methods_and_frames);
}

static int headers(struct world *w)
{
    static const char *const paths[] = { "/",       "/nothing",         "/start/x",
                                         "/done/x", "/callback/zenegy", "/favicon.ico" };
    static const char *const lines[] = {
        "X-Frame-Options: DENY\r\n",
        "Cache-Control: no-store\r\n",
        "Referrer-Policy: no-referrer\r\n",
        "X-Content-Type-Options: nosniff\r\n",
        "Content-Security-Policy: default-src 'none'; style-src 'sha256-",
    };
    struct reply reply;
    for (size_t i = 0; i < LENGTH_OF(paths); i++) {
        fetch(w, "GET", paths[i], NULL, "Origin: https://evil.example\r\n", &reply);
        CHECK(reply.status == 404);
        CHECK(!says(&reply, "Access-Control"));
        for (size_t j = 0; j < LENGTH_OF(lines); j++)
            CHECK(says(&reply, lines[j]));
        bool icon = strcmp(paths[i], "/favicon.ico") == 0;
        CHECK(says(&reply, "<html") != icon);
        CHECK(says(&reply, "Content-Type: text/html; charset=utf-8\r\n") != icon);
    }
    fetch(w, "GET", "/favicon.ico", NULL, "Sec-Fetch-Dest: image\r\n", &reply);
    CHECK(reply.status == 404);
    begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    open_start(w, NULL, &reply);
    for (size_t j = 0; j < LENGTH_OF(lines); j++)
        CHECK(says(&reply, lines[j]));
    CHECK(!says(&reply, "Access-Control"));
    return 0;
}

static void test_headers(void **state)
{
    walk(true, headers);
}

/* --- what is held --- */

static int held_while_pending(struct world *w)
{
    struct reply reply;
    int fd = connect_to(w->f.port);
    CHECK(fd < 0);
    begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    fetch(w, "GET", "/nothing", NULL, NULL, &reply);
    CHECK(reply.status == 404);
    on_loop(w, do_cancel);
    for (int i = 0; i < 200 && (fd = connect_to(w->f.port)) >= 0; i++) {
        (void)close(fd);
        (void)usleep(10 * 1000);
    }
    CHECK(fd < 0);
    /* Once a browser was sent on, its page can be fetched for a while. */
    begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    open_start(w, NULL, &reply);
    on_loop(w, do_cancel);
    (void)usleep(50 * 1000);
    char done[128];
    (void)snprintf(done, sizeof(done), "/done/%s", w->id);
    get(w, done, NULL, &reply);
    CHECK(reply.status == 410 && says(&reply, "This login was cancelled"));
    return 0;
}

static void test_held_while_pending(void **state)
{
    walk(false, held_while_pending);
}

static void health(const struct callback *callback, char out[FIXTURE_TEXT_MAX])
{
    struct buffer text = BUFFER_WITH_MAXIMUM(FIXTURE_TEXT_MAX);
    struct json_writer writer = json_writer_begin(&text, '{');
    callback_put_health(callback, &writer);
    json_writer_end(&writer);
    (void)snprintf(out, FIXTURE_TEXT_MAX, "%s", buffer_text(&text));
    buffer_release(&text);
}

static int hold_port(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void test_port_is_taken(void **state)
{
    struct fixture f;
    struct complaint complaint = { "" };
    char text[FIXTURE_TEXT_MAX], uid[32];
    fixture_start(&f, free_port());
    int holder = hold_port(f.port);
    assert_int_equal(callback_new(&f.context, true, &f.context.callback), 0);
    health(f.context.callback, text);
    assert_non_null(strstr(text, "\"bound\":false,\"problem\":\""));
    const char *redirect = f.providers[PROVIDER_ZENEGY]->redirect_uri;
    assert_int_equal(callback_hold(f.context.callback, redirect, &complaint), CALLBACK_NOT_HELD);
    (void)snprintf(uid, sizeof(uid), "uid %u", (unsigned)getuid());
    assert_non_null(strstr(complaint.text, uid));

    assert_int_equal(close(holder), 0);
    assert_int_equal(callback_hold(f.context.callback, redirect, &complaint), 0);
    health(f.context.callback, text);
    assert_non_null(strstr(text, "\"bound\":true}"));
    fixture_stop(&f);
}

static void test_reach(void **state)
{
    static const struct {
        const char *uri;
        enum callback_reach reach;
    } rows[] = {
        { "http://localhost:18765/callback/x", CALLBACK_OURS },
        { "http://127.0.0.1:18765/callback/x", CALLBACK_OURS },
        { "http://[::1]:18765/", CALLBACK_OURS },
        { "http://127.0.0.1:18766/x", CALLBACK_OURS },
        { "http://localhost:18766/x", CALLBACK_ELSEWHERE },
        { "http://[::1]:18766/x", CALLBACK_ELSEWHERE },
        { "https://localhost:18767/x", CALLBACK_NEEDS_TLS },
        { "https://localhost:18765/x", CALLBACK_ELSEWHERE },
        { "http://localhost:18767/x", CALLBACK_ELSEWHERE },
        { "http://127.0.0.2:18765/x", CALLBACK_ELSEWHERE },
        { "http://localhost/x", CALLBACK_ELSEWHERE },
        { "https://oauth.example/v1/callback", CALLBACK_ELSEWHERE },
        { "nonsense", CALLBACK_ELSEWHERE },
    };
    struct fixture f;
    struct callback_listener listeners[] = {
        { .both_families = true, .address = "localhost", .port = 18765 },
        { .address = "127.0.0.1", .port = 18766 },
        { .https = true, .both_families = true, .address = "localhost", .port = 18767 },
    };
    char text[FIXTURE_TEXT_MAX];
    fixture_start(&f, 18765);
    f.settings.listeners = listeners;
    f.settings.listener_count = LENGTH_OF(listeners);
    assert_int_equal(callback_new(&f.context, false, &f.context.callback), 0);
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        if (callback_reach(f.context.callback, rows[i].uri) != rows[i].reach)
            fail_row(i, rows[i].uri);
    health(f.context.callback, text);
    assert_string_equal(text,
                        "{\"callback\":[{\"listen\":\"http://localhost:18765\",\"bound\":false},"
                        "{\"listen\":\"http://127.0.0.1:18766\",\"bound\":false},"
                        "{\"listen\":\"https://localhost:18767\",\"bound\":false,"
                        "\"problem\":\"https callbacks are not served yet\"}]}");
    fixture_stop(&f);
}

/* "localhost" is both families, and shares a socket with "127.0.0.1". */
static void test_localhost(void **state)
{
    struct fixture f;
    struct complaint complaint = { "" };
    char text[FIXTURE_TEXT_MAX], uri[64];
    fixture_start(&f, free_port());
    struct callback_listener listeners[] = {
        { .both_families = true, .address = "localhost", .port = f.port },
        { .address = "127.0.0.1", .port = f.port },
    };
    f.settings.listeners = listeners;
    f.settings.listener_count = LENGTH_OF(listeners);
    assert_int_equal(callback_new(&f.context, true, &f.context.callback), 0);
    health(f.context.callback, text);
    assert_null(strstr(text, "\"bound\":false"));
    (void)snprintf(uri, sizeof(uri), "http://localhost:%u/x", (unsigned)f.port);
    assert_int_equal(callback_hold(f.context.callback, uri, &complaint), 0);

    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(f.port) };
    address.sin6_addr = in6addr_loopback;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    /* Either ::1 is held, or health says that there is none. */
    assert_int_equal(connected, strstr(text, "no IPv6") == NULL);
    if (fd >= 0)
        (void)close(fd);
    fixture_stop(&f);
}

static int localhost_hosts(struct world *w)
{
    struct reply reply;
    char host[64];
    (void)snprintf(host, sizeof(host), "LOCALHOST:%u", (unsigned)w->f.port);
    fetch(w, "GET", "/nothing", host, NULL, &reply);
    CHECK(reply.status == 404);
    /* The redirect URIs say 127.0.0.1, so that spelling is configured as well. */
    fetch(w, "GET", "/nothing", NULL, NULL, &reply);
    CHECK(reply.status == 404);
    (void)snprintf(host, sizeof(host), "[::1]:%u", (unsigned)w->f.port);
    fetch(w, "GET", "/nothing", host, NULL, &reply);
    CHECK(reply.status == 421);
    begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    char path[128];
    (void)snprintf(path, sizeof(path), "/start/%s", w->nonce);
    (void)snprintf(host, sizeof(host), "localhost:%u", (unsigned)w->f.port);
    fetch(w, "GET", path, host, NULL, &reply);
    CHECK(reply.status == 404);
    fetch(w, "GET", path, NULL, NULL, &reply);
    CHECK(reply.status == 303);
    return 0;
}

static void relisten(struct world *w)
{
    w->f.listener = (struct callback_listener){ .both_families = true,
                                                .address = "localhost",
                                                .port = w->f.port };
    w->f.context.callback = callback_free(w->f.context.callback);
    assert_int_equal(callback_new(&w->f.context, true, &w->f.context.callback), 0);
}

static int localhost_walk(struct world *w)
{
    on_loop(w, relisten);
    return localhost_hosts(w);
}

static void test_localhost_hosts(void **state)
{
    walk(false, localhost_walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_login),
        cmocka_unit_test(test_two_browsers),
        cmocka_unit_test(test_not_granted),
        cmocka_unit_test(test_refused_answers),
        cmocka_unit_test(test_without_state),
        cmocka_unit_test(test_waits_for_the_exchange),
        cmocka_unit_test(test_paste_page),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_methods_and_frames),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_held_while_pending),
        cmocka_unit_test(test_port_is_taken),
        cmocka_unit_test(test_reach),
        cmocka_unit_test(test_localhost),
        cmocka_unit_test(test_localhost_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
