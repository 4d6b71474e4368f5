#include "oauth/pkce.h"

#include "support.h"

/* RFC 7636, appendix B. */
static const char rfc_verifier[] = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
static const char rfc_challenge[] = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

static void makes_the_challenge(void **state)
{
    static const struct {
        enum pkce_method method;
        const char *name, *challenge;
    } rows[] = {
        { PKCE_S256, "S256", rfc_challenge },
        { PKCE_PLAIN, "plain", rfc_verifier },
        { PKCE_OFF, NULL, "" },
    };
    CLEANUP(cleanup_secret) struct secret *verifier = secret_of(rfc_verifier);
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(128);
        pkce_append_challenge(&out, rows[i].method, verifier);
        assert_false(out.failed);
        assert_string_equal(buffer_text(&out), rows[i].challenge);
        assert_text(pkce_method_name(rows[i].method), rows[i].name);
    }
}

static void makes_fresh_verifiers(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    CLEANUP(cleanup_secret) struct secret *first = NULL;
    CLEANUP(cleanup_secret) struct secret *second = NULL;
    assert_int_equal(pkce_verifier_new(&first), 0);
    assert_int_equal(pkce_verifier_new(&second), 0);
    assert_int_equal(secret_length(first), 43);
    assert_int_equal(strspn(secret_reveal(first), alphabet), 43);
    assert_false(secret_equal(first, second));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_the_challenge),
        cmocka_unit_test(makes_fresh_verifiers),
    };
    return cmocka_run_group_tests(tests, start_secrets, NULL);
}
