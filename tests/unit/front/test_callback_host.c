#include "callback_world.h"

#include <stdio.h>

#include "front/callback.h"

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
        world_fetch(w, "GET", "/nothing", host, NULL, &reply);
        if (reply.status != rows[i].status)
            return (int)(__LINE__ * 100 + (int)i);
    }
    world_fetch(w, "GET", "/nothing", NULL, "Host: 127.0.0.1\r\n", &reply);
    CHECK(reply.status == 400);
    return 0;
}

static void test_hosts(void **state)
{
    world_walk(true, hosts);
}

static int localhost_hosts(struct world *w)
{
    struct reply reply;
    char host[64];
    (void)snprintf(host, sizeof(host), "LOCALHOST:%u", (unsigned)w->f.port);
    world_fetch(w, "GET", "/nothing", host, NULL, &reply);
    CHECK(reply.status == 404);
    /* The redirect URIs say 127.0.0.1, so that spelling is configured as well. */
    world_fetch(w, "GET", "/nothing", NULL, NULL, &reply);
    CHECK(reply.status == 404);
    (void)snprintf(host, sizeof(host), "[::1]:%u", (unsigned)w->f.port);
    world_fetch(w, "GET", "/nothing", host, NULL, &reply);
    CHECK(reply.status == 421);
    world_begin(w, PROVIDER_ZENEGY, LOGIN_BROWSER);
    char path[128];
    (void)snprintf(path, sizeof(path), "/start/%s", w->nonce);
    (void)snprintf(host, sizeof(host), "localhost:%u", (unsigned)w->f.port);
    world_fetch(w, "GET", path, host, NULL, &reply);
    CHECK(reply.status == 404);
    world_fetch(w, "GET", path, NULL, NULL, &reply);
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
    world_on_loop(w, relisten);
    return localhost_hosts(w);
}

static void test_localhost_hosts(void **state)
{
    world_walk(false, localhost_walk);
}

static int public_hosts(struct world *w)
{
    static const struct {
        const char *host;
        int status;
    } rows[] = {
        { "hr.example", 404 },      { "HR.example", 404 },      { "hr.example:443", 404 },
        { "hr.example:80", 421 },   { "hr.example:8765", 421 }, { "hr.example:", 421 },
        { "hr.example.", 421 },     { "www.hr.example", 421 },  { "hr.example/oauth", 421 },
        { "a@hr.example", 421 },    { "localhost:443", 421 },   { "hr.exampl", 421 },
        { "hr.example,evil", 421 }, { "hr.example:0443", 421 },
    };
    struct reply reply;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        world_fetch(w, "GET", "/oauth/nothing", rows[i].host, "X-Forwarded-Host: hr.example\r\n",
                    &reply);
        if (reply.status != rows[i].status)
            return (int)(__LINE__ * 100 + (int)i);
    }
    world_fetch(w, "GET", "/nothing", NULL, NULL, &reply);
    CHECK(reply.status == 404);
    return 0;
}

static void go_public(struct world *w)
{
    fixture_go_public(&w->f, "https://hr.example/oauth");
}

static int public_walk(struct world *w)
{
    CHECK(client_connect(w->f.port) < 0);
    world_on_loop(w, go_public); /* is held from now on, without any login */
    CHECK(public_hosts(w) == 0);
    return 0;
}

static void test_public_hosts(void **state)
{
    world_walk(false, public_walk);
}

static void go_public_at_a_port(struct world *w)
{
    fixture_go_public(&w->f, "http://localhost:9000");
}

static int public_port_walk(struct world *w)
{
    struct reply reply;
    world_on_loop(w, go_public_at_a_port);
    world_fetch(w, "GET", "/nothing", "localhost:9000", NULL, &reply);
    CHECK(reply.status == 404);
    world_fetch(w, "GET", "/nothing", "localhost", NULL, &reply);
    CHECK(reply.status == 421);
    world_fetch(w, "GET", "/nothing", "localhost:80", NULL, &reply);
    CHECK(reply.status == 421);
    return 0;
}

static void test_public_port(void **state)
{
    world_walk(false, public_port_walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_localhost_hosts),
        cmocka_unit_test(test_public_hosts),
        cmocka_unit_test(test_public_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
