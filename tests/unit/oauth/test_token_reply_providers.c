/* The replies of the providers that come first, as their own pages show them. */

#include "oauth/token_reply.h"

#include "support.h"

static char space[] = " ", company_id[] = "company_id", user_id[] = "userId",
            company_uuid[] = "company_uuid";

struct row {
    const char *name;
    char *identity_path;
    const char *body;
    bool should_fail;
    int64_t lifetime_ms;
    const char *token_type;
    const char *refresh_token, *scope, *extra, *identity;
};

static const struct row rows[] = {
    { .name = "ZenHR",
      .body = "{\n\"access_token\": \"xxxx\",\n\"token_type\": \"Bearer\",\n\"expires_in\": 3600,\n"
              "\"refresh_token\": \"xxxx\"\n}",
      .lifetime_ms = 3600000,
      .token_type = "Bearer",
      .refresh_token = "xxxx",
      .extra = "{}" },
    { .name = "Zenegy",
      .identity_path = company_id,
      .body = "{\n\"access_token\":\n\"eyJhbGci.eyJpZCI6.rnYv\",\n\"token_type\": \"bearer\",\n"
              "\"expires_in\": 1799,\n"
              "\"refresh_token\": \"OWViZWNhYWE4NDkzNDNkZDhjYjQ3M2Q1NzI0MmM5OTM=\",\n"
              "\"company_id\": \"ba8d4080-5828-42d1-a702-96615b527c67\"\n}",
      .lifetime_ms = 1799000,
      .token_type = "Bearer",
      .refresh_token = "OWViZWNhYWE4NDkzNDNkZDhjYjQ3M2Q1NzI0MmM5OTM=",
      .extra = "{\"company_id\":\"ba8d4080-5828-42d1-a702-96615b527c67\"}",
      .identity = "ba8d4080-5828-42d1-a702-96615b527c67" },
    { .name = "enableHR",
      .identity_path = user_id,
      .body = "{\n\"access_token\": \"test_access_token_in_jwt_format\",\n"
              "\"token_type\": \"bearer\",\n\"refresh_token\": \"test_refresh_token\",\n"
              "\"expires_in\": \"1799\",\n"
              "\"scope\": \"manage:employees read:accounts:referencedata\",\n"
              "\"accountIds\": [],\n\"userId\": \"ea71599908794e6b9eaf7ff84dbcd8cf\",\n"
              "\"jti\": \"ovLgx1bV/aRWVGNylJ4zgQn+p6Q=\"\n}",
      .lifetime_ms = 1799000,
      .token_type = "Bearer",
      .refresh_token = "test_refresh_token",
      .scope = "manage:employees read:accounts:referencedata",
      .extra = "{\"accountIds\":[],\"userId\":\"ea71599908794e6b9eaf7ff84dbcd8cf\","
               "\"jti\":\"ovLgx1bV/aRWVGNylJ4zgQn+p6Q=\"}",
      .identity = "ea71599908794e6b9eaf7ff84dbcd8cf" },
    { .name = "enableHR, its table's spelling",
      .identity_path = user_id,
      .body = "{\"access_token\":\"a\",\"expires_in\":\"1799\",\"userid\":\"ea71\"}",
      .lifetime_ms = 1799000,
      .token_type = "Bearer",
      .extra = "{\"userid\":\"ea71\"}",
      .identity = "ea71" },
    /* The sample to the letter: the comma after refresh_token is missing. */
    { .name = "enableHR's sample",
      .identity_path = user_id,
      .body = "{\n\"access_token\": \"test_access_token_in_jwt_format\",\n"
              "\"token_type\": \"bearer\",\n\"refresh_token\": \"test_refresh_token\"\n"
              "\"expires_in\": \"1799\",\n"
              "\"scope\": \"manage:employees read:accounts:referencedata\",\n"
              "\"accountIds\": [],\n\"userId\": \"ea71599908794e6b9eaf7ff84dbcd8cf\",\n"
              "\"jti\": \"ovLgx1bV/aRWVGNylJ4zgQn+p6Q=\"\n}",
      .should_fail = true },
    { .name = "ZenPayroll",
      .body = "  {\n   \"access_token\": \"de6780bc506a0446309bd9362820ba8aed28\",\n"
              "   \"token_type\": \"bearer\",\n   \"expires_in\": 7200,\n"
              "   \"refresh_token\": \"8257e65c97202ed1726cf9571600918f3bff\"\n  }\n",
      .lifetime_ms = 7200000,
      .token_type = "Bearer",
      .refresh_token = "8257e65c97202ed1726cf9571600918f3bff",
      .extra = "{}" },
    { .name = "Gusto",
      .identity_path = company_uuid,
      .body = "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":7200,"
              "\"refresh_token\":\"r\",\"created_at\":1700000000,\"scope\":\"public\","
              "\"company_uuid\":\"c-1\"}",
      .lifetime_ms = 7200000,
      .token_type = "Bearer",
      .refresh_token = "r",
      .scope = "public",
      .extra = "{\"created_at\":1700000000,\"company_uuid\":\"c-1\"}",
      .identity = "c-1" },
    { .name = "Gusto, the time as a text; system_access has no refresh token",
      .body = "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":7200,"
              "\"refresh_token\":null,\"created_at\":\"2026-01-01T00:00:00Z\"}",
      .lifetime_ms = 7200000,
      .token_type = "Bearer",
      .extra = "{\"created_at\":\"2026-01-01T00:00:00Z\"}" },
};

static void check_grant(const struct row *row, const struct token_reply *reply)
{
    assert_int_equal(reply->verdict, VERDICT_GRANTED);
    assert_non_null(reply->grant.access_token);
    assert_false(reply->grant.expires_in_odd);
    assert_false(reply->unreadable);
    assert_int_equal(reply->grant.lifetime_ms, row->lifetime_ms);
    assert_string_equal(reply->grant.token_type, row->token_type);
    assert_secret_text(reply->grant.refresh_token, row->refresh_token);
    assert_text(reply->grant.scope, row->scope);
    assert_string_equal(reply->grant.extra, row->extra);
    assert_text(reply->grant.identity, row->identity);
}

/* The old refresh token stays: nothing is taken from the reply, which is kept for a person. */
static void check_unreadable(const struct token_reply *reply)
{
    assert_int_equal(reply->verdict, VERDICT_NO_ANSWER);
    assert_string_equal(reply->error, "not_json");
    assert_non_null(strstr(reply->description, "is not JSON"));
    assert_true(reply->unreadable);
    assert_null(reply->rescued_refresh_token);
    assert_null(reply->grant.access_token);
    assert_null(reply->grant.refresh_token);
}

static void reads_their_replies(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const struct provider provider = { .name = "x",
                                           .scope_separator = space,
                                           .identity = rows[i].identity_path };
        const struct token_answer answer = { .status = 200,
                                             .body = rows[i].body,
                                             .length = strlen(rows[i].body),
                                             .content_type = "application/json" };
        struct token_reply reply;
        assert_int_equal(token_reply_judge(&provider, &answer, &reply), 0);
        if ((reply.verdict != VERDICT_GRANTED) != rows[i].should_fail)
            print_error("row: %s: %s\n", rows[i].name, reply.description);
        if (rows[i].should_fail)
            check_unreadable(&reply);
        else
            check_grant(&rows[i], &reply);
        token_reply_release(&reply);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_their_replies),
    };
    return cmocka_run_group_tests(tests, start_secrets, NULL);
}
