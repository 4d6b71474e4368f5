/* Signed assertions, verified by openssl, and what is no key. */

#include "io/assertion.h"

#include <errno.h>

#include "../shell.h"
#include "base/json.h"

enum { TEXT_MAX = 8 * 1024, NOW_S = 1700000000 };

static struct shell shell;
static bool has_openssl;

#define KEY(algorithm, option, name)                                                               \
    "openssl genpkey -algorithm " algorithm " -pkeyopt " option " -out " name
#define CERTIFICATE(key, name)                                                                     \
    "openssl req -x509 -key " key " -days 2 -subj /CN=" name " -out " name ".crt"

static const char *const preparations[] = {
    KEY("RSA", "rsa_keygen_bits:2048", "rsa.pem"),
    KEY("RSA", "rsa_keygen_bits:1024", "small.pem"),
    KEY("EC", "ec_paramgen_curve:P-256", "ec.pem"),
    KEY("EC", "ec_paramgen_curve:P-384", "p384.pem"),
    "openssl genpkey -algorithm ED25519 -out ed.pem",
    "openssl rsa -in rsa.pem -traditional -out rsa-old.pem",
    "openssl ecparam -name prime256v1 -genkey -out ec-old.pem", /* its parameters come first */
    "openssl rsa -in rsa.pem -aes128 -passout pass:x -out locked.pem",
    "openssl pkey -in rsa.pem -pubout -out public.pem",
    "printf 'no key' > text.pem",
    CERTIFICATE("ec.pem", "ec"),
    CERTIFICATE("rsa.pem", "rsa"),
    "cat ec.crt ec.pem > both.pem",
    "cat ec.pem ec.crt > turned.pem",
    "cat ec.crt rsa.crt ec.pem > chain.pem",
    "cat ec.crt rsa.pem > strangers.pem",
    "cat rsa.crt locked.pem > locked-both.pem",
};

static int prepare(void **state)
{
    bool locked;
    int r = secret_start(&locked);
    shell_begin(&shell);
    has_openssl = true;
    for (size_t i = 0; i < sizeof preparations / sizeof preparations[0]; i++)
        has_openssl = has_openssl && shell_run(&shell, preparations[i]);
    return r;
}

static int clean(void **state)
{
    shell_end(&shell);
    return 0;
}

/* base64url without padding. Returns the number of bytes. */
static size_t decode(const char *text, size_t length, char *out)
{
    CLEANUP(cleanup_buffer) struct buffer padded = BUFFER_WITH_MAXIMUM(TEXT_MAX);
    CLEANUP(cleanup_buffer) struct buffer plain = BUFFER_WITH_MAXIMUM(TEXT_MAX);
    for (size_t i = 0; i < length; i++) {
        assert_null(strchr("+/=", text[i]));
        buffer_append_char(&padded, text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
    }
    while (padded.length % 4 != 0)
        buffer_append_char(&padded, '=');
    assert_true(buffer_append_unbase64(&plain, buffer_text(&padded)));
    memcpy(out, buffer_text(&plain), plain.length + 1);
    return plain.length;
}

static struct json *parsed_part(const char *text, size_t length)
{
    char plain[TEXT_MAX];
    struct json *json = NULL;
    size_t size = decode(text, length, plain);
    assert_int_equal(json_parse(plain, size, &json, NULL), 0);
    return json;
}

/* An ECDSA signature as openssl wants it: DER. */
static size_t to_der(const char *raw, char *out)
{
    size_t length = 2;
    for (int i = 0; i < 2; i++) {
        const char *number = raw + 32 * (ptrdiff_t)i;
        size_t size = 32;
        for (; size > 1 && *number == 0; size--)
            number++;
        const bool padded = (unsigned char)*number >= 0x80;
        out[length++] = 0x02;
        out[length++] = (char)(size + padded);
        if (padded)
            out[length++] = 0;
        memcpy(out + length, number, size);
        length += size;
    }
    out[0] = 0x30;
    out[1] = (char)(length - 2);
    return length;
}

/* Verifies with the public half of the key. */
static bool verify(const char *key, bool ecdsa, const char *signed_part, size_t signed_length,
                   const char *signature, size_t signature_length)
{
    char line[512], der[80];
    shell_write(&shell, "signed", signed_part, signed_length);
    if (ecdsa) {
        assert_int_equal(signature_length, 64);
        shell_write(&shell, "signature", der, to_der(signature, der));
    } else {
        shell_write(&shell, "signature", signature, signature_length);
    }
    (void)snprintf(line, sizeof line,
                   "openssl pkey -in %s -pubout -out pub && "
                   "openssl dgst -sha256 -verify pub -signature signature signed",
                   key);
    return shell_run(&shell, line);
}

static const struct assertion plain_assertion = { .client_id = "id \"1\"",
                                                  .audience = "https://as.example",
                                                  .issued_at_s = NOW_S };

struct sign_row {
    const char *key;
    const char *algorithm;
    bool should_fail;
};

static const struct sign_row sign_rows[] = {
    { "rsa.pem", "RS256", false },  { "rsa-old.pem", "RS256", false },
    { "ec.pem", "ES256", false },   { "ec-old.pem", "ES256", false },
    { "both.pem", "ES256", false }, { "small.pem", NULL, true },
    { "p384.pem", NULL, true },     { "ed.pem", NULL, true },
    { "locked.pem", NULL, true },   { "public.pem", NULL, true },
    { "text.pem", NULL, true },     { "rsa.crt", NULL, true },
};

static void check_parts(const struct sign_row *row, const char *text, const char *key_id)
{
    const char *claims = strchr(text, '.') + 1, *signature = strchr(claims, '.') + 1;
    char raw[TEXT_MAX];
    CLEANUP(cleanup_json)
    struct json *header = parsed_part(text, (size_t)(claims - 1 - text));
    CLEANUP(cleanup_json)
    struct json *body = parsed_part(claims, (size_t)(signature - 1 - claims));
    assert_string_equal(json_member_string(header, "alg"), row->algorithm);
    if (key_id)
        assert_string_equal(json_member_string(header, "kid"), key_id);
    else
        assert_null(json_member_string(header, "kid"));
    assert_string_equal(json_member_string(body, "iss"), "id \"1\"");
    assert_string_equal(json_member_string(body, "sub"), "id \"1\"");
    assert_string_equal(json_member_string(body, "aud"), "https://as.example");
    assert_int_equal(strlen(json_member_string(body, "jti")), 22);
    int64_t issued = 0, ends = 0;
    assert_true(json_integer(json_member(body, "iat"), &issued));
    assert_true(json_integer(json_member(body, "exp"), &ends));
    assert_int_equal(issued, NOW_S);
    assert_int_equal(ends, NOW_S + 60);
    size_t length = decode(signature, strlen(signature), raw);
    assert_true(verify(row->key, row->algorithm[0] == 'E', text, (size_t)(signature - 1 - text),
                       raw, length));
    raw[length - 1] ^= 1;
    assert_false(verify(row->key, row->algorithm[0] == 'E', text, (size_t)(signature - 1 - text),
                        raw, length));
}

static void test_sign(void **state)
{
    if (!has_openssl)
        skip();
    for (size_t i = 0; i < sizeof sign_rows / sizeof sign_rows[0]; i++) {
        const struct sign_row *row = &sign_rows[i];
        CLEANUP(cleanup_secret) struct secret *key = shell_secret(&shell, row->key);
        CLEANUP(cleanup_secret) struct secret *jwt = NULL;
        int r = assertion_sign(key, &plain_assertion, &jwt);
        if (r != (row->should_fail ? ASSERTION_BAD_KEY : 0))
            fail_msg("%s: %d", row->key, r);
        assert_int_equal(assertion_check_key(key), r);
        if (row->should_fail)
            assert_null(jwt);
        else
            check_parts(row, secret_reveal(jwt), NULL);
    }
}

static void test_key_id(void **state)
{
    if (!has_openssl)
        skip();
    struct assertion named = plain_assertion;
    named.key_id = "key-2026";
    CLEANUP(cleanup_secret) struct secret *key = shell_secret(&shell, "rsa.pem");
    CLEANUP(cleanup_secret) struct secret *jwt = NULL;
    assert_int_equal(assertion_sign(key, &named, &jwt), 0);
    check_parts(&sign_rows[0], secret_reveal(jwt), "key-2026");
}

/* One in 128 numbers of a signature begins with a zero byte: all have to keep their width. */
static void test_every_signature_has_its_width(void **state)
{
    enum { SIGNATURES = 600, ENCODED = 86 };
    if (!has_openssl)
        skip();
    CLEANUP(cleanup_secret) struct secret *key = shell_secret(&shell, "ec.pem");
    for (int i = 0; i < SIGNATURES; i++) {
        CLEANUP(cleanup_secret) struct secret *jwt = NULL;
        assert_int_equal(assertion_sign(key, &plain_assertion, &jwt), 0);
        assert_int_equal(strlen(strrchr(secret_reveal(jwt), '.') + 1), ENCODED);
    }
}

static void test_no_two_are_alike(void **state)
{
    if (!has_openssl)
        skip();
    CLEANUP(cleanup_secret) struct secret *key = shell_secret(&shell, "rsa.pem");
    CLEANUP(cleanup_secret) struct secret *one = NULL;
    CLEANUP(cleanup_secret) struct secret *other = NULL;
    assert_int_equal(assertion_sign(key, &plain_assertion, &one), 0);
    assert_int_equal(assertion_sign(key, &plain_assertion, &other), 0);
    assert_false(secret_equal(one, other));
}

static void test_too_long(void **state)
{
    if (!has_openssl)
        skip();
    char *audience = malloc(32 * 1024);
    assert_non_null(audience);
    memset(audience, 'a', 32 * 1024 - 1);
    audience[32 * 1024 - 1] = '\0';
    struct assertion large = plain_assertion;
    large.audience = audience;
    CLEANUP(cleanup_secret) struct secret *key = shell_secret(&shell, "ec.pem");
    CLEANUP(cleanup_secret) struct secret *jwt = NULL;
    assert_int_equal(assertion_sign(key, &large, &jwt), -ENOMEM);
    assert_null(jwt);
    free(audience);
}

static void test_certificates(void **state)
{
    static const struct {
        const char *file;
        bool should_fail;
    } rows[] = {
        { "both.pem", false },     { "turned.pem", false },     { "chain.pem", false },
        { "strangers.pem", true }, { "locked-both.pem", true }, { "ec.crt", true },
        { "ec.pem", true },        { "text.pem", true },
    };
    if (!has_openssl)
        skip();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CLEANUP(cleanup_secret) struct secret *pem = shell_secret(&shell, rows[i].file);
        int r = assertion_check_certificate(pem);
        if (r != (rows[i].should_fail ? ASSERTION_BAD_KEY : 0))
            fail_msg("%s: %d", rows[i].file, r);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sign),
        cmocka_unit_test(test_key_id),
        cmocka_unit_test(test_every_signature_has_its_width),
        cmocka_unit_test(test_no_two_are_alike),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_certificates),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
