/* Keys of a client: looked at when the configuration is read, so that a bad one is said there. */

#include <stdio.h>

#include "../shell.h"
#include "support.h"

static struct shell shell;
static bool has_openssl;

static const char *const preparations[] = {
    "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem",
    "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem",
    "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.pem",
    "openssl req -x509 -key ec.pem -days 2 -subj /CN=client -out ec.crt",
    "cat ec.crt ec.pem > both.pem",
    "cp both.pem open.pem",
    "printf x > text.pem; : > empty.pem; head -c 40000 /dev/zero | tr '\\0' x > large.crt",
    "chmod 600 *.pem; chmod 644 ec.crt open.pem",
};

static int prepare(void **state)
{
    bool locked;
    int r = secret_start(&locked);
    if (r == 0)
        r = make_folder(state);
    (void)snprintf(shell.folder, sizeof shell.folder, "%s", path_of(""));
    has_openssl = true;
    for (size_t i = 0; i < LENGTH_OF(preparations); i++)
        has_openssl = has_openssl && shell_run(&shell, preparations[i]);
    return r;
}

struct row {
    const char *keys; /* %s is the folder, three times */
    const char *refused;
};

#define SIGNS "client_auth = private_key_jwt client_secret = "
#define SHOWS "client_auth = tls client_certificate = "
#define NO_PAIR "has no certificate with its private key"

static const struct row rows[] = {
    { SIGNS "'file:%s/rsa.pem'", NULL },
    { SIGNS "'file:%s/ec.pem'", NULL },
    { SIGNS "'file:%s/p384.pem'", "has a client_secret that is no private key to sign with" },
    { SIGNS "'file:%s/text.pem'", "has a client_secret that is no private key to sign with" },
    { SIGNS "'file:%s/open.pem'", "client_secret: others can read" },
    { SHOWS "'%s/both.pem'", NULL },
    { SHOWS "'%s/ec.crt' client_secret = 'file:%s/ec.pem'", NULL },
    { SHOWS "'%s/open.pem'", "has its private key in" },
    { SHOWS "'%s/ec.crt'", NO_PAIR ": PEM without a password, both in client_certificate" },
    { SHOWS "'%s/ec.crt' client_secret = 'file:%s/rsa.pem'",
      NO_PAIR ": PEM without a password, client_certificate and client_secret" },
    { SHOWS "'%s/text.pem' client_secret = 'file:%s/ec.pem'", NO_PAIR },
    { SHOWS "'%s/empty.pem'", NO_PAIR },
    { SHOWS "'%s/large.crt'", "has a client_certificate" },
    { SHOWS "'%s/missing.pem'", "has a client_certificate of no use" },
    { SIGNS "'file:%s/ec.pem' client_secret_next = 'file:%s/rsa.pem'", NULL },
    { SIGNS "'file:%s/ec.pem' client_secret_next = 'file:%s/text.pem'",
      "has a client_secret_next that is no private key to sign with" },
    { SHOWS "'%s/both.pem' client_secret_next = 'file:%s/both.pem'", NULL },
    { SHOWS "'%s/both.pem' client_secret_next = 'file:%s/ec.pem'",
      "has a client_secret_next that is no certificate with its private key" },
    { "client_auth = post client_secret = x", NULL },
    { "grant = static " SIGNS "'file:%s/text.pem'", NULL },
};

static struct settings *parse(const char *keys, bool with_secrets, struct complaint *complaint)
{
    char text[4096], filled[2048];
    size_t length = 0;
    for (const char *c = keys; *c && length < sizeof filled - sizeof shell.folder; c++) {
        if (c[0] == '%' && c[1] == 's') {
            length += (size_t)snprintf(filled + length, sizeof filled - length, "%s", shell.folder);
            c++;
        } else {
            filled[length++] = *c;
        }
    }
    filled[length] = '\0';
    (void)snprintf(text, sizeof text,
                   "provider p {\n client_id = id\n issuer = 'https://p.example'\n %s\n}\n",
                   filled);
    write_file("tokenbroker.conf", text, 0600);
    return parse_folder(with_secrets, complaint);
}

static void looks_at_keys(void **state)
{
    if (!has_openssl)
        skip();
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct complaint complaint = { "" };
        CLEANUP(cleanup_settings)
        struct settings *settings = parse(rows[i].keys, true, &complaint);
        if (!rows[i].refused != (settings != NULL))
            fail_msg("row %zu: %s", i, complaint.text);
        if (rows[i].refused && !strstr(complaint.text, rows[i].refused))
            fail_msg("row %zu: %s", i, complaint.text);
    }
}

static void without_secrets_no_file_is_read(void **state)
{
    struct complaint complaint = { "" };
    CLEANUP(cleanup_settings)
    struct settings *settings = parse(SHOWS "'%s/missing.pem'", false, &complaint);
    assert_non_null(settings);
    assert_string_equal(settings->providers[0]->client_id, "id");
    assert_null(settings_client_secret(settings, "p"));
}

/* What the thread that keeps gets: both, the certificate first. */
static void a_certificate_comes_with_its_key(void **state)
{
    if (!has_openssl)
        skip();
    struct complaint complaint = { "" };
    CLEANUP(cleanup_settings)
    struct settings *settings =
        parse(SHOWS "'%s/ec.crt' client_secret = 'file:%s/ec.pem'", true, &complaint);
    assert_non_null(settings);
    const struct secret *joined = settings_client_secret(settings, "p");
    CLEANUP(cleanup_secret) struct secret *certificate = shell_secret(&shell, "ec.crt");
    assert_memory_equal(secret_reveal(joined), secret_reveal(certificate),
                        secret_length(certificate));
    assert_non_null(strstr(secret_reveal(joined) + secret_length(certificate), "PRIVATE KEY"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_at_keys),
        cmocka_unit_test(without_secrets_no_file_is_read),
        cmocka_unit_test(a_certificate_comes_with_its_key),
    };
    return cmocka_run_group_tests(tests, prepare, remove_folder);
}
