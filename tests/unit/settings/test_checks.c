#include "support.h"

struct check_row {
    const char *text;
    const char *refused;
};

#define P(name, keys) "provider " name " { client_id = x issuer = 'https://p.example' " keys " }\n"
#define AT(uri) "redirect_uri = '" uri "' "
#define ISS "iss = promised "

static const struct check_row rows[] = {
    { P("a", "") P("b", ""), NULL },
    { P("a", AT("http://127.0.0.1:8765/cb")) P("b", AT("http://127.0.0.1:8765/cb")),
      "2: provider \"b\" has redirect_uri http://127.0.0.1:8765/cb, on one path with (both would "
      "need iss = promised) provider a" },
    { P("b", AT("http://127.0.0.1:8765/cb")) P("c", AT("http://127.0.0.1:8765/other"))
          P("a", AT("http://localhost:8765/cb?x=y")),
      "1: provider \"b\" has redirect_uri http://127.0.0.1:8765/cb, on one path with (both would "
      "need iss = promised) provider a" },
    { P("a", AT("http://127.0.0.1:8765/cb") ISS) P("b", AT("http://127.0.0.1:8765/cb")),
      "2: provider \"b\" has redirect_uri http://127.0.0.1:8765/cb, on one path with (both would "
      "need iss = promised) provider a" },
    { P("a", AT("http://127.0.0.1:8765/cb") ISS) P("b", AT("http://127.0.0.1:8765/cb") ISS), NULL },
    { P("a", AT("http://127.0.0.1:8765/cb")) P("b", AT("http://127.0.0.1:8765/cb/")), NULL },
    { P("a", AT("http://127.0.0.1:8765/callback/b")) P("b", ""),
      "2: provider \"b\" has redirect_uri http://127.0.0.1:8765/callback/b, on one path with (both "
      "would need iss = promised) provider a" },
    /* Two listeners are one callback. */
    { "callback { listen = {'http://localhost:1', 'https://localhost:2'} }\n" P(
          "a", AT("http://127.0.0.1:1/cb")) P("b", AT("https://localhost:2/cb")),
      "3: provider \"b\" has redirect_uri https://localhost:2/cb, on one path with (both would "
      "need iss = promised) provider a" },
    /* Not ours: another machine's page, another program's port. */
    { P("a", AT("https://oauth.pstmn.io/v1/callback"))
          P("b", AT("https://oauth.pstmn.io/v1/callback")),
      NULL },
    { P("a", AT("http://127.0.0.1:3000/cb")) P("b", AT("http://127.0.0.1:3000/cb")), NULL },
    { "callback { public_url = 'https://hr.example' }\n" P("a", AT("https://hr.example:443/cb"))
          P("b", AT("http://127.0.0.1:8765/cb")),
      "3: provider \"b\" has redirect_uri http://127.0.0.1:8765/cb, on one path with (both would "
      "need iss = promised) provider a" },
    { "callback { public_url = 'https://hr.example/oauth' }\n" P(
          "a", AT("https://hr.example/oauth/cb")) P("b", AT("http://127.0.0.1:8765/cb")),
      NULL },
    { "callback { public_url = 'https://hr.example/oauth' }\n" P("a", "")
          P("b", AT("https://hr.example/oauth/callback/a")),
      "3: provider \"b\" has redirect_uri https://hr.example/oauth/callback/a, on one path with "
      "(both would need iss = promised) provider a" },
    { "callback { public_url = 'https://hr.example/oauth' }\n" P(
          "a", AT("https://hr.example/oauth2/cb")),
      "2: provider \"a\" has redirect_uri https://hr.example/oauth2/cb, which is at the proxy, but "
      "not below public_url https://hr.example/oauth" },
    { "callback { public_url = 'https://hr.example/oauth' }\n" P(
          "a", AT("https://hr.example:8443/cb")) P("b", AT("https://other.example/cb")),
      NULL },
    { "callback { public_url = 'https://hr.example/oauth' }\n" P(
          "a", AT("https://hr.example/oauth/start/x")),
      "2: provider \"a\" has redirect_uri https://hr.example/oauth/start/x, whose path is one of "
      "the callback's own pages" },
    { "callback { public_url = 'https://hr.example/oauth' }\n" P(
          "a", AT("http://127.0.0.1:8765/done/x")),
      "2: provider \"a\" has redirect_uri http://127.0.0.1:8765/done/x, whose path is one of the "
      "callback's own pages" },
    { "callback { public_url = 'https://hr.example/start' }\n" P("a",
                                                                 AT("https://hr.example/start/cb")),
      NULL },
    { P("a", AT("http://127.0.0.1:8765/start/x")),
      "1: provider \"a\" has redirect_uri http://127.0.0.1:8765/start/x, whose path is one of the "
      "callback's own pages" },
    { P("a", AT("http://127.0.0.1:8765/done")),
      "1: provider \"a\" has redirect_uri http://127.0.0.1:8765/done, whose path is one of the "
      "callback's own pages" },
    { P("a", AT("http://127.0.0.1:8765/started")), NULL },
    { P("a", AT("http://127.0.0.1:8765")), NULL },
};

static void takes_or_refuses(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        check_row(i, rows[i].text, rows[i].refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(takes_or_refuses) };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
