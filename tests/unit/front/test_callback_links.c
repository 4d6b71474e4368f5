/* /link/TOKEN and /link/TOKEN/go, in front of a back that the test plays. */

#include "callback_world.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define HOST "hr.example"
#define TOKEN "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
#define LINK "/oauth/link/" TOKEN

enum { HOUR_MS = 3600 * 1000 };

/* What the back knows; set before the browser comes. */
static struct {
    enum link_ending ending;
    int64_t expires_at;
    const char *params;
    enum wire_error error; /* with fails: of a look or click */
    bool fails, has_no_row, has_no_provider, leads_elsewhere;
    bool digest_is_right;
    unsigned looks, clicks, providers;
} back;

/* --- the back --- */

static struct message *link_for(const struct message *question)
{
    char digest[FINGERPRINT_SIZE];
    struct message *answer = fixture_answer_to(question);
    back.digest_is_right =
        strcmp(digest_text(TOKEN, strlen(TOKEN), digest), question->link_digest) == 0;
    if (back.fails)
        message_fail(answer, back.error, "no");
    if (back.fails || back.has_no_row)
        return answer;
    struct link_row *link = calloc(1, sizeof(*link));
    answer->rows = calloc(1, sizeof(*answer->rows));
    assert_true(link && answer->rows);
    answer->row_count = 1;
    answer->rows[0].link = link;
    assert_true(account_name_make("zenegy", "acme", &link->name));
    (void)snprintf(link->digest, sizeof(link->digest), "%s", question->link_digest);
    link->ending = back.ending;
    link->expires_at = back.expires_at;
    link->uid = 1000;
    link->expect = strdup("Acme <A/S>");
    link->params = back.params ? strdup(back.params) : NULL;
    return answer;
}

static struct message *provider_for(const struct world *w, const struct message *question)
{
    struct message *answer = fixture_answer_to(question);
    if (back.has_no_provider) {
        message_fail(answer, WIRE_PROVIDER_UNAVAILABLE, "its discovery is down");
        return answer;
    }
    assert_int_equal(provider_copy(w->f.providers[PROVIDER_ZENEGY], &answer->provider), 0);
    if (!back.leads_elsewhere) {
        free(answer->provider->redirect_uri);
        answer->provider->redirect_uri = strdup("https://" HOST "/oauth/callback/zenegy");
    }
    return answer;
}

static struct message *play_back(struct world *w, const struct message *question)
{
    back.looks += question->kind == ASK_LINK_LOOK;
    back.clicks += question->kind == ASK_LINK_CLICK;
    back.providers += question->kind == ASK_PROVIDER;
    switch ((int)question->kind) {
    case ASK_LINK_LOOK:
    case ASK_LINK_CLICK:
        return link_for(question);
    case ASK_PROVIDER:
        return provider_for(w, question);
    default:
        return NULL;
    }
}

static void go_public(struct world *w)
{
    fixture_go_public(&w->f, "https://" HOST "/oauth");
    w->answer = play_back;
    memset(&back, 0, sizeof(back));
    back.expires_at = clock_now() + HOUR_MS;
}

/* --- the browser --- */

static void get(struct world *w, const char *path, struct reply *reply)
{
    world_fetch(w, "GET", path, HOST, NULL, reply);
}

/* Where the reply redirects to, below the origin; "" for no redirect. */
static const char *leads_to(const struct reply *reply, char out[static 256])
{
    const char *at = strstr(reply->text, "\r\nLocation: https://" HOST);
    out[0] = '\0';
    if (at)
        (void)sscanf(at + strlen("\r\nLocation: https://" HOST), "%255[^\r]", out);
    return out;
}

static int to_look_changes_nothing(struct world *w)
{
    struct reply reply;
    world_on_loop(w, go_public);
    for (unsigned i = 1; i <= 3; i++) {
        get(w, LINK, &reply);
        CHECK(reply.status == 200 && reply_says(&reply, "Connect zenegy"));
        CHECK(back.looks == i && back.clicks == 0 && back.providers == 0);
    }
    CHECK(back.digest_is_right);
    CHECK(reply_says(&reply, "zenegy/acme") && reply_says(&reply, "Acme &lt;A/S&gt;"));
    CHECK(reply_says(&reply, "href=\"https://" HOST LINK "/go\""));
    CHECK(!reply_says(&reply, "Set-Cookie") && !reply_says(&reply, "Location"));
    return 0;
}

static void test_to_look_changes_nothing(void **state)
{
    world_walk(true, to_look_changes_nothing);
}

static int each_go_is_a_login(struct world *w)
{
    struct reply reply;
    char first[256], second[256];
    world_on_loop(w, go_public);
    back.params = "{\"hint\":\"a b\"}";
    get(w, LINK "/go", &reply);
    CHECK(reply.status == 303 && !reply_says(&reply, "Set-Cookie"));
    CHECK(strncmp(leads_to(&reply, first), "/oauth/start/", 13) == 0);
    CHECK(back.clicks == 1 && back.looks == 0 && back.providers == 1 && back.digest_is_right);
    get(w, LINK "/go", &reply);
    CHECK(reply.status == 303 && strcmp(leads_to(&reply, second), first) != 0);
    get(w, first, &reply);
    CHECK(reply.status == 303 && reply_says(&reply, "Location: https://auth.example/authorize?"));
    CHECK(reply_says(&reply, "hint=a%20b") || reply_says(&reply, "hint=a+b"));
    CHECK(reply_says(&reply, "; Secure"));
    return 0;
}

static void test_each_go_is_a_login(void **state)
{
    world_walk(true, each_go_is_a_login);
}

/* What is over says so, to who looks and to who goes on, and begins nothing. */
static int links_that_are_over(struct world *w)
{
    static const struct {
        enum link_ending ending;
        int64_t left_ms;
        const char *says;
    } rows[] = {
        { LINK_USED, HOUR_MS, "was used" },        { LINK_USED, -HOUR_MS, "was used" },
        { LINK_REPLACED, HOUR_MS, "newer link" },  { LINK_WITHDRAWN, HOUR_MS, "was withdrawn" },
        { LINK_OPEN, -HOUR_MS, "has expired" },    { LINK_OPEN, 0, "has expired" },
        { LINK_REPLACED, -HOUR_MS, "newer link" },
    };
    static const char *const paths[] = { LINK, LINK "/go" };
    struct reply reply;
    world_on_loop(w, go_public);
    for (size_t i = 0; i < LENGTH_OF(rows) * LENGTH_OF(paths); i++) {
        back.ending = rows[i / 2].ending;
        back.expires_at = clock_now() + rows[i / 2].left_ms;
        get(w, paths[i % 2], &reply);
        if (reply.status != 410 || !reply_says(&reply, rows[i / 2].says) ||
            reply_says(&reply, "/go\""))
            return (int)(__LINE__ * 100 + (int)i);
    }
    CHECK(back.providers == 0);
    return 0;
}

static void test_links_that_are_over(void **state)
{
    world_walk(true, links_that_are_over);
}

static int what_the_back_refuses(struct world *w)
{
    static const struct {
        enum wire_error error;
        int status;
        const char *says;
    } rows[] = {
        { WIRE_NOT_FOUND, 404, "No such link" },
        { WIRE_TOO_MANY_REQUESTS, 429, "Opened too often" },
        { WIRE_INTERNAL, 503, "" },
        { WIRE_TIMEOUT, 503, "" },
    };
    struct reply reply;
    world_on_loop(w, go_public);
    back.fails = true;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        back.error = rows[i].error;
        get(w, LINK "/go", &reply);
        if (reply.status != rows[i].status || !reply_says(&reply, rows[i].says))
            return (int)(__LINE__ * 100 + (int)i);
    }
    back.fails = false;
    back.has_no_row = true;
    get(w, LINK, &reply);
    CHECK(reply.status == 503);
    return 0;
}

static void test_what_the_back_refuses(void **state)
{
    world_walk(true, what_the_back_refuses);
}

/* The provider may have gone from the settings, or come back elsewhere, since the link was made. */
static int a_provider_that_cannot_be_used(struct world *w)
{
    struct reply reply;
    world_on_loop(w, go_public);
    back.has_no_provider = true;
    get(w, LINK "/go", &reply);
    CHECK(reply.status == 503 && reply_says(&reply, "The link is fine"));
    back.has_no_provider = false;
    back.leads_elsewhere = true;
    get(w, LINK "/go", &reply);
    CHECK(reply.status == 503 && reply_says(&reply, "The link is fine"));
    back.leads_elsewhere = false;
    back.params = "{\"state\":";
    get(w, LINK "/go", &reply);
    CHECK(reply.status == 503 && !reply_says(&reply, "The link is fine"));
    back.params = NULL;
    get(w, LINK "/go", &reply);
    CHECK(reply.status == 303);
    return 0;
}

static void test_a_provider_that_cannot_be_used(void **state)
{
    world_walk(true, a_provider_that_cannot_be_used);
}

static int where_there_is_none(struct world *w)
{
    static const struct {
        const char *host, *path; /* host NULL: the loopback's own */
        int status;
    } rows[] = {
        { NULL, "/link/" TOKEN, 404 },
        { NULL, LINK, 404 },
        { HOST, "/link/" TOKEN, 404 },
        { HOST, "/oauth/link/", 404 },
        { HOST, "/oauth/link/short", 404 },
        { HOST, LINK "x", 404 },
        { HOST, LINK "/", 404 },
        { HOST, LINK "/go/", 404 },
        { HOST, LINK "/gone", 404 },
        { HOST, LINK "/GO", 404 },
        { HOST, LINK "%2Fgo", 404 },
        { "evil.example", LINK, 421 },
        { "evil." HOST, LINK "/go", 421 },
        { HOST ":8765", LINK "/go", 421 },
    };
    struct reply reply;
    world_on_loop(w, go_public);
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        world_fetch(w, "GET", rows[i].path, rows[i].host, "X-Forwarded-Host: " HOST "\r\n", &reply);
        if (reply.status != rows[i].status)
            return (int)(__LINE__ * 100 + (int)i);
    }
    world_fetch(w, "POST", LINK "/go", HOST, "Content-Length: 0\r\n", &reply);
    CHECK(reply.status == 405);
    CHECK(w->asked == 0);
    return 0;
}

static void test_where_there_is_none(void **state)
{
    world_walk(true, where_there_is_none);
}

/* --- a back that is slow, or full --- */

static void await_questions(struct world *w, unsigned count)
{
    while (w->asked < count)
        (void)usleep(1000);
}

/* Gone while the link is looked up, then while its provider is. */
static int who_hangs_up(struct world *w)
{
    struct reply reply;
    world_on_loop(w, go_public);
    w->hold = true;
    (void)close(world_send(w, "GET", LINK, HOST, NULL));
    await_questions(w, 1);
    (void)usleep(50 * 1000);
    world_on_loop(w, world_answer);
    int fd = world_send(w, "GET", LINK "/go", HOST, NULL);
    await_questions(w, 2);
    world_on_loop(w, world_answer);
    await_questions(w, 3);
    (void)close(fd);
    (void)usleep(50 * 1000);
    world_on_loop(w, world_answer);
    CHECK(back.providers == 1);
    w->hold = false;
    get(w, LINK, &reply);
    CHECK(reply.status == 200);
    return 0;
}

static void test_who_hangs_up(void **state)
{
    world_walk(true, who_hangs_up);
}

static void ignore(void *userdata, struct message *answer)
{
}

/* Questions that are never answered, as many as the front has slots for answers. */
static void fill_up(struct world *w)
{
    while (asks_send(w->f.context.asks, message_new(ASK_LINKS), ignore, NULL, NULL) == 0)
        continue;
}

static void fill_up_with_visitors(struct world *w)
{
    uint64_t id = 0;
    while (asks_send_for_visitor(w->f.context.asks, message_new(ASK_LINKS), ignore, NULL, &id) == 0)
        continue;
}

static void ask_otherwise(struct world *w)
{
    assert_int_equal(asks_send(w->f.context.asks, message_new(ASK_LINKS), ignore, NULL, NULL), 0);
}

/* Nobody else is shut out. */
static int too_many_visitors(struct world *w)
{
    struct reply reply;
    world_on_loop(w, go_public);
    world_on_loop(w, fill_up_with_visitors);
    get(w, LINK, &reply);
    CHECK(reply.status == 503 && back.looks == 0);
    get(w, LINK "/go", &reply);
    CHECK(reply.status == 503 && back.clicks == 0);
    world_on_loop(w, ask_otherwise);
    return 0;
}

static void test_too_many_visitors(void **state)
{
    world_walk(true, too_many_visitors);
}

static int a_full_back(struct world *w)
{
    struct reply reply;
    world_on_loop(w, go_public);
    world_on_loop(w, fill_up);
    get(w, LINK, &reply);
    CHECK(reply.status == 503);
    get(w, LINK "/go", &reply);
    CHECK(reply.status == 503 && back.clicks == 0);
    return 0;
}

static void test_a_full_back(void **state)
{
    world_walk(true, a_full_back);
}

/* --- many attempts --- */

static int the_oldest_attempt_gives_way(struct world *w)
{
    struct reply reply;
    char starts[LOGINS_PER_LINK_MAX + 1][256];
    world_on_loop(w, go_public);
    for (size_t i = 0; i < LENGTH_OF(starts); i++) {
        get(w, LINK "/go", &reply);
        (void)leads_to(&reply, starts[i]);
    }
    get(w, starts[0], &reply);
    CHECK(reply.status == 303 && reply_says(&reply, "Location: /oauth/done/"));
    for (size_t i = 1; i < LENGTH_OF(starts); i++) {
        get(w, starts[i], &reply);
        CHECK(reply.status == 303 && reply_says(&reply, "Location: https://auth.example/"));
    }
    return 0;
}

static void test_the_oldest_attempt_gives_way(void **state)
{
    world_walk(true, the_oldest_attempt_gives_way);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_to_look_changes_nothing),
        cmocka_unit_test(test_each_go_is_a_login),
        cmocka_unit_test(test_links_that_are_over),
        cmocka_unit_test(test_what_the_back_refuses),
        cmocka_unit_test(test_a_provider_that_cannot_be_used),
        cmocka_unit_test(test_where_there_is_none),
        cmocka_unit_test(test_who_hangs_up),
        cmocka_unit_test(test_too_many_visitors),
        cmocka_unit_test(test_a_full_back),
        cmocka_unit_test(test_the_oldest_attempt_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
