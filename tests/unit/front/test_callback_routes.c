#include "callback_world.h"

#include <stdio.h>
#include <unistd.h>

/* --- walks --- */

static int whole_login(struct world *w)
{
    struct reply reply;
    char path[256], done[128];
    world_begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    world_open_start(w, NULL, &reply);
    CHECK(reply.status == 303);
    CHECK(reply_says(&reply, "Location: https://auth.example/authorize?"));
    CHECK(reply_says(&reply, "; Path=/callback/zenegy; Max-Age=600; HttpOnly; SameSite=Lax\r\n"));
    CHECK(reply_says(&reply, "; Path=/start/; Max-Age=600; HttpOnly; SameSite=Lax\r\n"));
    CHECK(!reply_says(&reply, "Secure"));

    world_callback_path(w, "code=abc", path);
    world_get(w, path, w->cookies, &reply);
    (void)snprintf(done, sizeof(done), "/done/%s", w->id);
    CHECK(reply.status == 303);
    CHECK(reply_says(&reply, done));
    CHECK(w->asked == 1);
    world_on_loop(w, world_look);
    CHECK(w->status == LOGIN_DONE);

    for (int i = 0; i < 2; i++) {
        world_get(w, done, NULL, &reply);
        CHECK(reply.status == 200);
        CHECK(reply_says(&reply, "<h1>zenegy is connected</h1>"));
        CHECK(reply_says(&reply, "zenegy/acme"));
    }
    /* The redirect again, then without the cookie: nothing happens. */
    world_get(w, path, w->cookies, &reply);
    CHECK(reply.status == 303 && reply_says(&reply, done));
    world_get(w, path, NULL, &reply);
    CHECK(reply.status == 404 && reply_says(&reply, "This login is over"));
    CHECK(w->asked == 1);
    return 0;
}

static void test_whole_login(void **state)
{
    world_walk(false, whole_login);
}

static void go_public(struct world *w)
{
    struct provider *zenegy = w->f.providers[PROVIDER_ZENEGY];
    fixture_go_public(&w->f, "https://hr.example/oauth");
    free(zenegy->redirect_uri);
    zenegy->redirect_uri = strdup("https://hr.example/oauth/callback/zenegy");
}

/* A GET as the reverse proxy hands it on. */
static void get_public(struct world *w, const char *path, struct reply *reply)
{
    char header[FIXTURE_TEXT_MAX + 16];
    (void)snprintf(header, sizeof(header), "Cookie: %s\r\n", w->cookies);
    world_fetch(w, "GET", path, "hr.example", header, reply);
}

static int public_login(struct world *w)
{
    struct reply reply;
    char start[128], back[256], done[128];
    world_on_loop(w, go_public);
    world_begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    (void)snprintf(start, sizeof(start), "/oauth/start/%s", w->nonce);
    get_public(w, start, &reply);
    CHECK(reply.status == 303);
    CHECK(reply_says(&reply, "; Path=/oauth/callback/zenegy; Max-Age=600; HttpOnly; SameSite=Lax; "
                             "Secure\r\n"));
    CHECK(reply_says(&reply, "Set-Cookie: __Secure-tb_browser="));
    CHECK(reply_says(&reply, "; Path=/oauth/start/; Max-Age=600; HttpOnly; SameSite=Lax; "
                             "Secure\r\n"));
    world_on_loop(w, world_look);
    (void)snprintf(back, sizeof(back), "/oauth/callback/zenegy?code=abc&state=%s", w->state);
    (void)snprintf(done, sizeof(done), "/oauth/done/%s", w->id);
    /* Not by the loopback address, and not without the prefix. */
    world_get(w, back, w->cookies, &reply);
    CHECK(reply.status == 404);
    get_public(w, back + strlen("/oauth"), &reply);
    CHECK(reply.status == 404);
    get_public(w, start + strlen("/oauth"), &reply);
    CHECK(reply.status == 404);
    world_get(w, done, NULL, &reply);
    CHECK(reply.status == 404);
    world_get(w, done + strlen("/oauth"), NULL, &reply);
    CHECK(reply.status == 404);
    CHECK(w->asked == 0);

    get_public(w, back, &reply);
    CHECK(reply.status == 303 && reply_says(&reply, "Location: /oauth/done/"));
    CHECK(w->asked == 1);
    get_public(w, done, &reply);
    CHECK(reply.status == 200 && reply_says(&reply, "<h1>zenegy is connected</h1>"));
    return 0;
}

static void test_public_login(void **state)
{
    world_walk(false, public_login);
}

/* And the other way round. */
static int loopback_login_at_the_public_name(struct world *w)
{
    struct reply reply;
    char path[256];
    world_on_loop(w, go_public);
    world_begin(w, PROVIDER_ABSENT, LOGIN_BROWSER);
    world_open_start(w, NULL, &reply);
    CHECK(reply.status == 303 && reply_says(&reply, "; Path=/start/;"));
    for (int prefixed = 0; prefixed < 2; prefixed++) {
        const char *prefix = prefixed ? "/oauth" : "";
        (void)snprintf(path, sizeof(path), "%s/start/%s", prefix, w->nonce);
        get_public(w, path, &reply);
        CHECK(reply.status == 404);
        (void)snprintf(path, sizeof(path), "%s/done/%s", prefix, w->id);
        get_public(w, path, &reply);
        CHECK(reply.status == 404);
        (void)snprintf(path, sizeof(path), "%s/callback/absent?code=abc", prefix);
        get_public(w, path, &reply);
        CHECK(reply.status == 404);
    }
    CHECK(w->asked == 0);
    world_get(w, "/callback/absent?code=abc", w->cookies, &reply);
    CHECK(reply.status == 303 && reply_says(&reply, "Location: /done/"));
    return 0;
}

static void test_loopback_login_at_the_public_name(void **state)
{
    world_walk(false, loopback_login_at_the_public_name);
}

static void be_for_another_user(struct world *w)
{
    w->login->own_browser = true;
    w->login->uid = geteuid() + 1;
}

static void be_for_this_user(struct world *w)
{
    w->login->uid = geteuid();
}

/* Whoever reads the link in a list of processes; it is as good as before then. */
static int another_user(struct world *w, size_t provider)
{
    struct reply reply;
    world_begin(w, provider, LOGIN_BROWSER);
    world_on_loop(w, be_for_another_user);
    for (int i = 0; i < 2; i++) {
        world_open_start(w, NULL, &reply);
        CHECK(reply.status == 403 && reply_says(&reply, "another user"));
        CHECK(!reply_says(&reply, "Set-Cookie") && !reply_says(&reply, "zenegy"));
    }
    CHECK(w->asked == 0);
    world_on_loop(w, be_for_this_user);
    world_open_start(w, NULL, &reply);
    CHECK(reply.status == 303 && reply_says(&reply, "Location: https://auth.example/authorize?"));
    return 0;
}

static int another_user_opens(struct world *w)
{
    return another_user(w, PROVIDER_ZENEGY);
}

static int another_user_opens_what_is_pushed(struct world *w)
{
    return another_user(w, PROVIDER_PUSHED);
}

static void test_another_user(void **state)
{
    world_walk(false, another_user_opens);
    world_walk(false, another_user_opens_what_is_pushed);
}

static int two_browsers(struct world *w)
{
    struct reply reply;
    char path[256];
    world_begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    world_open_start(w, NULL, &reply);
    CHECK(reply.status == 303);
    world_open_start(w, w->cookies, &reply);
    CHECK(reply.status == 303 && reply_says(&reply, "Set-Cookie: tb_login_"));
    world_open_start(w, NULL, &reply);
    CHECK(reply.status == 409 && reply_says(&reply, "Already opened elsewhere"));
    CHECK(!reply_says(&reply, "Set-Cookie") && !reply_says(&reply, "Location"));

    world_callback_path(w, "code=abc", path);
    world_get(w, path, NULL, &reply);
    CHECK(reply.status == 403 && reply_says(&reply, "did not start the login"));
    world_callback_path(w, "error=access_denied", path);
    world_get(w, path, "tb_login_x=y; tb_browser=z", &reply);
    CHECK(reply.status == 403);
    world_on_loop(w, world_look);
    CHECK(w->status == LOGIN_PENDING);
    CHECK(w->asked == 0);
    return 0;
}

static void test_two_browsers(void **state)
{
    world_walk(false, two_browsers);
}

static int not_granted(struct world *w)
{
    struct reply reply;
    char path[256], done[128];
    world_begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    world_open_start(w, NULL, &reply);
    world_callback_path(
        w, "error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E", path);
    world_get(w, path, w->cookies, &reply);
    CHECK(reply.status == 303);
    (void)snprintf(done, sizeof(done), "/done/%s", w->id);
    world_get(w, done, NULL, &reply);
    CHECK(reply.status == 200 && reply_says(&reply, "Access was not granted"));
    CHECK(reply_says(&reply, "access_denied: &lt;script&gt;alert(1)&lt;/script&gt;"));
    CHECK(!reply_says(&reply, "<script"));
    world_open_start(w, w->cookies, &reply);
    CHECK(reply.status == 303 && reply_says(&reply, "/done/") && !reply_says(&reply, "Set-Cookie"));
    return 0;
}

static void test_not_granted(void **state)
{
    world_walk(false, not_granted);
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
    world_begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    world_open_start(w, NULL, &reply);
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        (void)snprintf(path, sizeof(path), "/callback/zenegy?%s", rows[i].query);
        world_get(w, path, w->cookies, &reply);
        if (reply.status != rows[i].status || (rows[i].says && !reply_says(&reply, rows[i].says)))
            return (int)(__LINE__ * 100 + (int)i);
    }
    world_on_loop(w, world_look);
    CHECK(w->status == LOGIN_PENDING);
    CHECK(w->asked == 0);
    return 0;
}

static void test_refused_answers(void **state)
{
    world_walk(false, refused_answers);
}

static int without_state(struct world *w)
{
    struct reply reply;
    char older[FIXTURE_TEXT_MAX];
    world_begin(w, PROVIDER_ABSENT, LOGIN_BROWSER);
    world_open_start(w, NULL, &reply);
    memcpy(older, w->cookies, sizeof(older));
    world_begin(w, PROVIDER_ABSENT, LOGIN_BROWSER);
    world_open_start(w, older, &reply);
    CHECK(reply.status == 303);
    char both[FIXTURE_TEXT_MAX];
    CHECK(strlen(older) + strlen(w->cookies) + 2 < sizeof(both));
    (void)snprintf(both, sizeof(both), "%.500s; %.500s", older, w->cookies);
    world_get(w, "/callback/absent?code=abc", both, &reply);
    CHECK(reply.status == 303 && reply_says(&reply, w->id));
    world_on_loop(w, world_look);
    CHECK(w->status == LOGIN_DONE);
    return 0;
}

static void test_without_state(void **state)
{
    world_walk(false, without_state);
}

static void do_answer(struct world *w)
{
    fixture_deliver(&w->f, fixture_consent_for(w->question, CONSENT_GRANTED));
    w->question = message_free(w->question);
}

static int waits_for_the_exchange(struct world *w)
{
    struct reply reply;
    char path[256], done[128];
    w->hold = true;
    world_begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    world_open_start(w, NULL, &reply);
    world_callback_path(w, "code=abc", path);
    char header[FIXTURE_TEXT_MAX + 16];
    (void)snprintf(header, sizeof(header), "Cookie: %s\r\n", w->cookies);
    int first = world_send(w, "GET", path, NULL, header);
    int second = world_send(w, "GET", path, NULL, header);
    CHECK(first >= 0 && second >= 0);
    do
        world_on_loop(w, world_look);
    while (w->waiters != 2);
    CHECK(w->status == LOGIN_EXCHANGING);
    (void)snprintf(done, sizeof(done), "/done/%s", w->id);
    world_get(w, done, NULL, &reply);
    CHECK(reply.status == 200 && reply_says(&reply, "Finishing the login"));
    CHECK(reply_says(&reply, "http-equiv=\"refresh\""));

    CHECK(close(second) == 0); /* hangs up while it waits */
    do
        world_on_loop(w, world_look);
    while (w->waiters != 1);
    world_on_loop(w, do_answer);
    reply_read(first, &reply);
    CHECK(reply.status == 303 && reply_says(&reply, done));
    CHECK(w->asked == 1);
    return 0;
}

static void test_waits_for_the_exchange(void **state)
{
    world_walk(false, waits_for_the_exchange);
}

static int paste_page(struct world *w)
{
    struct reply reply;
    char path[256];
    world_begin(w, PROVIDER_ZENEGY, LOGIN_PASTE);
    world_callback_path(w, "code=abc", path);
    world_get(w, path, NULL, &reply);
    CHECK(reply.status == 200 && reply_says(&reply, "One more step"));
    (void)snprintf(path, sizeof(path), "/done/%s", w->id);
    world_get(w, path, NULL, &reply);
    CHECK(reply.status == 404);
    return 0;
}

static void test_paste_page(void **state)
{
    world_walk(true, paste_page);
}

/* --- what is let in --- */

static int methods_and_frames(struct world *w)
{
    static const char *const methods[] = { "POST", "PUT", "DELETE", "OPTIONS", "PATCH" };
    static const char *const frames[] = { "iframe", "frame", "empty", "image", "script", "object" };
    struct reply reply;
    char start[128], back[256], header[FIXTURE_TEXT_MAX + 64];
    world_begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    (void)snprintf(start, sizeof(start), "/start/%s", w->nonce);
    for (size_t i = 0; i < LENGTH_OF(methods); i++) {
        world_fetch(w, methods[i], start, NULL, NULL, &reply);
        CHECK(reply.status == 405 && reply_says(&reply, "Allow: GET, HEAD\r\n"));
    }
    for (size_t i = 0; i < LENGTH_OF(frames); i++) {
        (void)snprintf(header, sizeof(header), "Sec-Fetch-Dest: %s\r\n", frames[i]);
        world_fetch(w, "GET", start, NULL, header, &reply);
        CHECK(reply.status == 403 && reply_says(&reply, "Not inside another page"));
    }
    world_fetch(w, "HEAD", start, NULL, NULL, &reply);
    CHECK(reply.status == 200 && !reply_says(&reply, "Set-Cookie"));
    /* None of these opened it. */
    world_fetch(w, "GET", start, NULL, "Sec-Fetch-Dest: document\r\n", &reply);
    CHECK(reply.status == 303);

    world_on_loop(w, world_look);
    world_callback_path(w, "error=access_denied", back);
    (void)snprintf(header, sizeof(header), "Cookie: %s\r\n", w->cookies);
    world_fetch(w, "HEAD", back, NULL, header, &reply);
    CHECK(reply.status == 200);
    (void)snprintf(header, sizeof(header), "Cookie: %s\r\nSec-Fetch-Dest: iframe\r\n", w->cookies);
    world_fetch(w, "GET", back, NULL, header, &reply);
    CHECK(reply.status == 403);
    world_on_loop(w, world_look);
    CHECK(w->status == LOGIN_PENDING);
    return 0;
}

static void test_methods_and_frames(void **state)
{
    world_walk(false, methods_and_frames);
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
        world_fetch(w, "GET", paths[i], NULL, "Origin: https://evil.example\r\n", &reply);
        CHECK(reply.status == 404);
        CHECK(!reply_says(&reply, "Access-Control"));
        for (size_t j = 0; j < LENGTH_OF(lines); j++)
            CHECK(reply_says(&reply, lines[j]));
        bool icon = strcmp(paths[i], "/favicon.ico") == 0;
        CHECK(reply_says(&reply, "<html") != icon);
        CHECK(reply_says(&reply, "Content-Type: text/html; charset=utf-8\r\n") != icon);
    }
    world_fetch(w, "GET", "/favicon.ico", NULL, "Sec-Fetch-Dest: image\r\n", &reply);
    CHECK(reply.status == 404);
    world_begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    world_open_start(w, NULL, &reply);
    for (size_t j = 0; j < LENGTH_OF(lines); j++)
        CHECK(reply_says(&reply, lines[j]));
    CHECK(!reply_says(&reply, "Access-Control"));
    return 0;
}

static void test_headers(void **state)
{
    world_walk(true, headers);
}

#define LINK_TOKEN "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* For the loop: a reload takes public_url away while the back looks the link up. */
static void answer_without_public_url(struct world *w)
{
    struct message *answer = fixture_answer_to(w->question);
    struct link_row *link = calloc(1, sizeof(*link));
    answer->rows = calloc(1, sizeof(*answer->rows));
    assert_non_null(answer->rows);
    assert_non_null(link);
    answer->row_count = 1;
    answer->rows[0].link = link;
    link->expires_at = INT64_MAX;
    assert_true(account_name_make("zenegy", "acme", &link->name));
    w->f.settings.public_url = NULL;
    fixture_deliver(&w->f, answer);
    w->question = message_free(w->question);
}

static int a_link_when_public_url_goes(struct world *w)
{
    struct reply reply;
    w->hold = true;
    world_on_loop(w, go_public);
    int fd = world_send(w, "GET", "/oauth/link/" LINK_TOKEN, "hr.example", NULL);
    while (w->asked < 1)
        (void)usleep(1000);
    world_on_loop(w, answer_without_public_url);
    reply_read(fd, &reply);
    CHECK(reply.status == 404);
    return 0;
}

static void test_a_link_when_public_url_goes(void **state)
{
    world_walk(true, a_link_when_public_url_goes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_login),
        cmocka_unit_test(test_two_browsers),
        cmocka_unit_test(test_another_user),
        cmocka_unit_test(test_not_granted),
        cmocka_unit_test(test_refused_answers),
        cmocka_unit_test(test_without_state),
        cmocka_unit_test(test_waits_for_the_exchange),
        cmocka_unit_test(test_paste_page),
        cmocka_unit_test(test_methods_and_frames),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_public_login),
        cmocka_unit_test(test_a_link_when_public_url_goes),
        cmocka_unit_test(test_loopback_login_at_the_public_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
