#include "oauth/identity.h"

#include "support.h"

/* {"alg":"none"} . {"sub":"user-1","nonce":"n-1","n":42,"org":{"id":7}} . signature */
#define CLAIMS "eyJzdWIiOiJ1c2VyLTEiLCJub25jZSI6Im4tMSIsIm4iOjQyLCJvcmciOnsiaWQiOjd9fQ"
#define ID_TOKEN "eyJhbGciOiJub25lIn0." CLAIMS ".c2ln"

struct row {
    const char *reply;
    const char *path;
    const char *identity;
};

static const struct row rows[] = {
    { "{\"company_id\":\"ba8d4080-5828\"}", "company_id", "ba8d4080-5828" },
    { "{\"userId\":\"ea71\"}", "userId", "ea71" },
    { "{\"userid\":\"ea71\"}", "userId", "ea71" },             /* enableHR's table */
    { "{\"userid\":\"a\",\"userId\":\"b\"}", "userId", "b" },  /* exact first */
    { "{\"userid\":\"a\",\"USERID\":\"b\"}", "userId", NULL }, /* which one? */
    { "{\"user\":{\"id\":\"u\"}}", "user.id", "u" },
    { "{\"user\":{\"id\":\"u\"}}", "user", "{\"id\":\"u\"}" },
    { "{\"id\":42}", "id", "42" },
    { "{\"id\":90071992547409931}", "id", "90071992547409931" }, /* more than a double holds */
    { "{\"id\":true}", "id", "true" },
    { "{\"accountIds\":[]}", "accountIds", "[]" },
    { "{\"accountIds\":[1, \"b\"]}", "accountIds", "[1,\"b\"]" },
    { "{\"id\":null}", "id", NULL },
    { "{\"id\":\"\"}", "id", NULL },
    { "{}", "id", NULL },
    { "{\"id\":\"text\"}", "id.more", NULL },
    { "{\"user\":{}}", "user.id", NULL },
    { "{\"a\":1}", "", NULL },
    { "{\"access_token\":\"a\"}", "access_token", NULL },
    { "{\"refresh_token\":\"a\"}", "Refresh_Token", NULL },
    { "{\"id_token\":\"a\"}", "id_token", NULL },
    { "{\"\":1}", ".", NULL },
    { "{\"id_token\":\"" ID_TOKEN "\"}", "id_token.sub", "user-1" },
    { "{\"id_token\":\"" ID_TOKEN "\"}", "id_token.n", "42" },
    { "{\"id_token\":\"" ID_TOKEN "\"}", "id_token.org.id", "7" },
    { "{\"id_token\":\"" ID_TOKEN "\"}", "id_token.absent", NULL },
    { "{\"id_token\":\"x." CLAIMS "==.y\"}", "id_token.sub", "user-1" }, /* padded */
    { "{}", "id_token.sub", NULL },
    { "{\"id_token\":7}", "id_token.sub", NULL },
    { "{\"id_token\":{\"sub\":\"s\"}}", "id_token.sub", NULL },
    { "{\"id_token\":\"\"}", "id_token.sub", NULL },
    { "{\"id_token\":\"" CLAIMS "\"}", "id_token.sub", NULL },
    { "{\"id_token\":\"x." CLAIMS "\"}", "id_token.sub", NULL },
    { "{\"id_token\":\"x." CLAIMS ".y.z.e\"}", "id_token.sub", NULL }, /* encrypted */
    { "{\"id_token\":\"x..y\"}", "id_token.sub", NULL },
    { "{\"id_token\":\"x.+/+/.y\"}", "id_token.sub", NULL },        /* not base64url */
    { "{\"id_token\":\"x.bm90IEpTT04.y\"}", "id_token.sub", NULL }, /* "not JSON" */
};

static void reads_identities(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        CLEANUP(cleanup_json) struct json *reply = NULL;
        CLEANUP(cleanup_string) char *identity = NULL;
        assert_int_equal(json_parse(rows[i].reply, strlen(rows[i].reply), &reply, NULL), 0);
        assert_int_equal(identity_read(reply, rows[i].path, &identity), 0);
        if (rows[i].identity == NULL && identity != NULL)
            print_error("row: %s %s\n", rows[i].reply, rows[i].path);
        assert_text(identity, rows[i].identity);
    }
}

static void reads_nonces(void **state)
{
    static const char *const replies[][2] = {
        { "{\"id_token\":\"" ID_TOKEN "\"}", "n-1" },
        { "{\"nonce\":\"n-1\"}", NULL },
    };
    for (size_t i = 0; i < LENGTH_OF(replies); i++) {
        CLEANUP(cleanup_json) struct json *reply = NULL;
        CLEANUP(cleanup_string) char *nonce = NULL;
        assert_int_equal(json_parse(replies[i][0], strlen(replies[i][0]), &reply, NULL), 0);
        assert_int_equal(identity_read_nonce(reply, &nonce), 0);
        assert_text(nonce, replies[i][1]);
    }
}

static char *identity_of_length(size_t length)
{
    char *value = repeated('i', length);
    char *text = NULL, *identity = NULL;
    CLEANUP(cleanup_json) struct json *reply = NULL;
    assert_true(asprintf(&text, "{\"id\":\"%s\"}", value) > 0);
    assert_int_equal(json_parse(text, strlen(text), &reply, NULL), 0);
    assert_int_equal(identity_read(reply, "id", &identity), 0);
    free(text);
    free(value);
    return identity;
}

static void caps_identities(void **state)
{
    char *identity = identity_of_length(IDENTITY_MAX);
    assert_non_null(identity);
    free(identity);
    assert_null(identity_of_length(IDENTITY_MAX + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_identities),
        cmocka_unit_test(reads_nonces),
        cmocka_unit_test(caps_identities),
    };
    return cmocka_run_group_tests(tests, start_secrets, NULL);
}
