#include <stdio.h>

#include "support.h"

struct listener_row {
    const char *text;
    const char *refused;
};

static const struct listener_row rows[] = {
    { "callback { listen = {'http://localhost:8765', 'https://localhost:8766'} }", NULL },
    { "callback { listen = {'http://127.0.0.1:8765', 'http://[::1]:8765'} }", NULL },
    { "callback { listen = {'http://127.0.0.1:8765/'} }", NULL },
    { "callback {\n listen = {'http://0.0.0.0:8765'} }",
      "2: listen takes 127.0.0.1, [::1] and localhost only, not \"0.0.0.0\"" },
    { "callback { listen = {'http://127.0.0.2:8765'} }",
      "1: listen takes 127.0.0.1, [::1] and localhost only, not \"127.0.0.2\"" },
    { "callback { listen = {'https://hr.example'} }",
      "1: listen takes 127.0.0.1, [::1] and localhost only, not \"hr.example\"" },
    { "callback { listen = {'http://[::]:8765'} }",
      "1: listen takes 127.0.0.1, [::1] and localhost only, not \"::\"" },
    { "callback { listen = {'localhost:8765'} }",
      "1: listen wants addresses such as \"http://localhost:8765\"" },
    { "callback { listen = {'http://localhost:8765/callback'} }",
      "1: listen wants addresses such as \"http://localhost:8765\"" },
    { "callback { listen = {'http://localhost:8765?x'} }",
      "1: listen wants addresses such as \"http://localhost:8765\"" },
    { "callback { listen = {'http://localhost:99999'} }",
      "1: listen wants addresses such as \"http://localhost:8765\"" },
    { "callback { listen = {'http://localhost:1', 'https://127.0.0.1:1'} }",
      "1: listen has port 1 of one address twice" },
    { "callback { listen = {'http://[::1]:1', 'http://localhost:1'} }",
      "1: listen has port 1 of one address twice" },
    { "callback { listen = {'http://[::1]:1', 'http://[::1]:2', 'http://[::1]:3',\n"
      "'http://[::1]:4', 'http://[::1]:5', 'http://[::1]:6', 'http://[::1]:7',\n"
      "'http://[::1]:8', 'http://[::1]:9'} }",
      "1: listen has more than 8 addresses" },
    { "callback { certificate = auto }", NULL },
    { "callback { certificate = {'/c.pem', '/k.pem'} }", NULL },
    { "callback { certificate = '/c.pem' }",
      "1: certificate wants \"auto\", or {certificate, key} as absolute paths" },
    { "callback { certificate = {'c.pem', '/k.pem'} }",
      "1: certificate wants \"auto\", or {certificate, key} as absolute paths" },
    { "callback {\n certificate = {} }",
      "2: certificate wants \"auto\", or {certificate, key} as absolute paths" },
    { "callback { public_url = 'http://hr.example' }",
      "1: public_url must be https (plain http goes to loopback hosts only)" },
    { "callback { public_url = 'http://localhost:9000' }", NULL },
    { "callback { public_url = 'https://hr.example:8443/a-b/c_d.e~/' }", NULL },
    { "callback { public_url = 'hr.example' }",
      "1: public_url is no address such as \"https://host/path\" (no user, no \"#\")" },
    { "callback { public_url = 'https://hr.example/oauth#x' }",
      "1: public_url is no address such as \"https://host/path\" (no user, no \"#\")" },
    { "callback { public_url = 'https://hr.example/oauth?x=y' }",
      "1: public_url must not hold \"?\"" },
    { "callback { public_url = 'https://hr.example/o%61uth' }",
      "1: public_url wants a path of letters, digits and \"-_~/.\" only, without \"//\" and "
      "\"/.\"" },
    { "callback { public_url = 'https://hr.example/a//b' }",
      "1: public_url wants a path of letters, digits and \"-_~/.\" only, without \"//\" and "
      "\"/.\"" },
    { "callback { public_url = 'https://hr.example/a/../b' }",
      "1: public_url wants a path of letters, digits and \"-_~/.\" only, without \"//\" and "
      "\"/.\"" },
    /* Nowhere to hand on to; a listener itself is no proxy. */
    { "callback {\nlisten = {}\npublic_url = 'https://hr.example' }",
      "3: public_url needs an http:// address in listen, to which the reverse proxy hands requests "
      "on" },
    { "callback { public_url = 'https://hr.example' listen = {'https://localhost:1'} }",
      "1: public_url needs an http:// address in listen, to which the reverse proxy hands requests "
      "on" },
    { "callback { public_url = 'http://localhost:8765/oauth' }",
      "1: public_url has port 8765 of this callback's own listen: the reverse proxy's address is "
      "wanted" },
    { "callback {}\n\ncallback {}", "3: callback is there twice (first in line 1)" },
};

static void takes_or_refuses(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        check_row(i, rows[i].text, rows[i].refused);
}

static void assert_listener(const struct callback_listener *listener, bool https, bool both,
                            const char *address, unsigned port)
{
    assert_int_equal(listener->https, https);
    assert_int_equal(listener->both_families, both);
    assert_string_equal(listener->address, address);
    assert_int_equal(listener->port, port);
}

static void reads_addresses(void **state)
{
    CLEANUP(cleanup_settings)
    struct settings *settings = parsed("callback { listen = {'http://localhost:8765',\n"
                                       "'https://[::1]:8766', 'http://127.0.0.1'} }");
    assert_int_equal(settings->listener_count, 3);
    assert_listener(&settings->listeners[0], false, true, "localhost", 8765);
    assert_listener(&settings->listeners[1], true, false, "::1", 8766);
    assert_listener(&settings->listeners[2], false, false, "127.0.0.1", 80);
}

static void has_one_by_default(void **state)
{
    CLEANUP(cleanup_settings) struct settings *settings = parsed("callback {}");
    assert_int_equal(settings->listener_count, 1);
    assert_listener(&settings->listeners[0], false, false, "127.0.0.1", 8765);
    assert_string_equal(settings->certificate, "auto");
    assert_null(settings->certificate_key);
    assert_null(settings->public_url);
}

static void normalizes_public_url(void **state)
{
    static const char *const pairs[][2] = {
        { "https://HR.example:443/oauth/", "https://hr.example/oauth" },
        { "https://hr.example", "https://hr.example" },
        { "https://hr.example:8443/", "https://hr.example:8443" },
        { "http://[::1]:9000/a/b", "http://[::1]:9000/a/b" },
    };
    for (size_t i = 0; i < LENGTH_OF(pairs); i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "callback { public_url = '%s' }", pairs[i][0]);
        CLEANUP(cleanup_settings) struct settings *settings = parsed(text);
        assert_string_equal(settings->public_url, pairs[i][1]);
    }
}

static void caps_public_url(void **state)
{
    char text[PUBLIC_URL_MAX + 64], path[PUBLIC_URL_MAX + 1] = "";
    memset(path, 'a', PUBLIC_URL_MAX - 1 - strlen("https://hr.example/"));
    (void)snprintf(text, sizeof text, "callback { public_url = 'https://hr.example/%s' }", path);
    check_row(0, text, NULL);
    path[strlen(path)] = 'a';
    (void)snprintf(text, sizeof text, "callback { public_url = 'https://hr.example/%s' }", path);
    check_row(1, text, "1: public_url is longer than 511 bytes");
}

static void an_empty_list_is_none(void **state)
{
    CLEANUP(cleanup_settings) struct settings *settings = parsed("callback { listen = {} }");
    assert_int_equal(settings->listener_count, 0);
}

static void reads_a_certificate(void **state)
{
    CLEANUP(cleanup_settings)
    struct settings *settings = parsed("callback { certificate = {'/c.pem', '/k.pem'} }");
    assert_string_equal(settings->certificate, "/c.pem");
    assert_string_equal(settings->certificate_key, "/k.pem");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_or_refuses),    cmocka_unit_test(reads_addresses),
        cmocka_unit_test(has_one_by_default),  cmocka_unit_test(an_empty_list_is_none),
        cmocka_unit_test(reads_a_certificate), cmocka_unit_test(normalizes_public_url),
        cmocka_unit_test(caps_public_url),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
