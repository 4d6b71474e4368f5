/* The authority and what it issues; openssl(1) judges by itself. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/local_ca.h"

enum { TEXT_MAX = 16 * 1024, DAY_S = 24 * 60 * 60 };

static char folder[] = "/tmp/tokenbroker-ca-XXXXXX";

static int group_setup(void **state)
{
    bool locked;

    return secret_start(&locked) == 0 && mkdtemp(folder) ? 0 : -1;
}

static int group_teardown(void **state)
{
    char path[128];
    static const char *const names[] = { "ca", "leaf", "key" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

static void write_file(const char *name, const char *text)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Runs openssl(1) in the folder, with what it says in out; returns its exit code. */
static int openssl(const char *const *arguments, char out[static TEXT_MAX])
{
    int ends[2];
    size_t length = 0;
    ssize_t got;

    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (chdir(folder) == 0 && dup2(ends[1], 1) == 1 && dup2(ends[1], 2) == 2)
            (void)execvp("openssl", (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    assert_int_equal(close(ends[1]), 0);
    while (length < TEXT_MAX - 1 && (got = read(ends[0], out + length, TEXT_MAX - 1 - length)) > 0)
        length += (size_t)got;
    out[length] = '\0';
    assert_int_equal(close(ends[0]), 0);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void look_at(const char *name, char out[static TEXT_MAX])
{
    const char *const arguments[] = { "openssl", "x509", "-in", name, "-noout", "-text", NULL };

    assert_int_equal(openssl(arguments, out), 0);
}

static struct certified *new_authority(int64_t now_s)
{
    struct certified *authority = NULL;

    assert_int_equal(local_ca_new(now_s, &authority), 0);
    return authority;
}

static struct certified *issue(const struct certified *authority, const char *const *names,
                               int64_t now_s)
{
    struct certified *leaf = NULL;

    assert_int_equal(local_ca_issue(authority, names, now_s, &leaf), 0);
    return leaf;
}

static void test_what_the_authority_says(void **state)
{
    static const char *const wanted[] = {
        "CA:TRUE, pathlen:0",
        "X509v3 Basic Constraints: critical",
        "X509v3 Key Usage: critical\n                Certificate Sign\n",
        "X509v3 Name Constraints: critical\n",
        "DNS:localhost\n",
        "IP:127.0.0.0/255.0.0.0\n",
        "IP:0:0:0:0:0:0:0:1/FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF\n",
        "NIST CURVE: P-256",
        "ecdsa-with-SHA256",
    };
    CLEANUP(cleanup_certified) struct certified *authority = new_authority(time(NULL));
    char text[TEXT_MAX];

    write_file("ca", authority->certificate);
    look_at("ca", text);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(text, wanted[i]))
            fail_msg("no \"%s\" in:\n%s", wanted[i], text);
    assert_null(strstr(text, "Excluded"));
    assert_int_equal(authority->until_s - authority->from_s - LOCAL_CA_BACKDATED_S,
                     (int64_t)LOCAL_CA_LIFETIME_DAYS * DAY_S);
}

static void test_what_a_leaf_says(void **state)
{
    static const char *const wanted[] = {
        "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1\n",
        "CA:FALSE",
        "Digital Signature\n",
        "TLS Web Server Authentication\n",
        "NIST CURVE: P-256",
    };
    const int64_t now = time(NULL);
    CLEANUP(cleanup_certified) struct certified *authority = new_authority(now);
    CLEANUP(cleanup_certified) struct certified *leaf = issue(authority, local_ca_names, now);
    char text[TEXT_MAX];

    write_file("leaf", leaf->certificate);
    look_at("leaf", text);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strstr(text, wanted[i]))
            fail_msg("no \"%s\" in:\n%s", wanted[i], text);
    assert_true(leaf->from_s < now);
    assert_int_equal(leaf->until_s, now + (int64_t)LOCAL_LEAF_LIFETIME_DAYS * DAY_S);
    assert_true(leaf->until_s - leaf->from_s <= (int64_t)90 * DAY_S);
}

/* What a client that trusts the authority takes. */
static void test_names(void **state)
{
    static const struct {
        const char *names[3];
        const char *expected; /* what the client asks for */
        bool address;
        bool should_fail;
    } rows[] = {
        { { "localhost" }, "localhost", false, false },
        { { "127.0.0.1" }, "127.0.0.1", true, true }, /* its common name is no host name */
        { { "localhost", "127.0.0.1" }, "127.0.0.1", true, false },
        { { "localhost", "127.255.0.9" }, "127.255.0.9", true, false },
        { { "localhost", "::1" }, "::1", true, false },
        { { "localhost" }, "example.com", false, true },
        { { "example.com" }, "example.com", false, true },
        { { "localhost", "example.com" }, "example.com", false, true },
        { { "localhost", "example.com" }, "localhost", false, true },
        { { "localhost.example.com" }, "localhost.example.com", false, true },
        { { "localhost", "128.0.0.1" }, "128.0.0.1", true, true },
        { { "localhost", "10.0.0.1" }, "10.0.0.1", true, true },
        { { "localhost", "::2" }, "::2", true, true },
    };
    const int64_t now = time(NULL);
    CLEANUP(cleanup_certified) struct certified *authority = new_authority(now);
    char text[TEXT_MAX];

    write_file("ca", authority->certificate);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CLEANUP(cleanup_certified)
        struct certified *leaf = issue(authority, rows[i].names, now);
        const char *const arguments[] = {
            "openssl",        "verify",    "-x509_strict",
            "-purpose",       "sslserver", rows[i].address ? "-verify_ip" : "-verify_hostname",
            rows[i].expected, "-CAfile",   "ca",
            "leaf",           NULL
        };
        write_file("leaf", leaf->certificate);
        bool failed = openssl(arguments, text) != 0;
        if (failed != rows[i].should_fail)
            fail_msg("row %zu (%s for %s): %s", i, rows[i].names[0], rows[i].expected, text);
    }
}

/* Nothing below a leaf, and nothing below another authority. */
static void test_strangers(void **state)
{
    static const char *const verify[] = { "openssl", "verify", "-CAfile", "ca", "leaf", NULL };
    const int64_t now = time(NULL);
    CLEANUP(cleanup_certified) struct certified *one = new_authority(now);
    CLEANUP(cleanup_certified) struct certified *other = new_authority(now);
    CLEANUP(cleanup_certified) struct certified *leaf = issue(one, local_ca_names, now);
    struct certificate_facts first, second;
    char text[TEXT_MAX];

    write_file("leaf", leaf->certificate);
    write_file("ca", other->certificate);
    assert_int_not_equal(openssl(verify, text), 0);
    write_file("ca", one->certificate);
    assert_int_equal(openssl(verify, text), 0);
    assert_int_equal(certificate_look(one->certificate, &first), 0);
    assert_int_equal(certificate_look(other->certificate, &second), 0);
    assert_string_not_equal(first.fingerprint, second.fingerprint);
    assert_string_not_equal(first.subject, second.subject);
}

static void test_facts(void **state)
{
    static const char *const arguments[] = { "openssl", "x509",         "-in",     "ca",
                                             "-noout",  "-fingerprint", "-sha256", NULL };
    const int64_t now = time(NULL);
    CLEANUP(cleanup_certified) struct certified *authority = new_authority(now);
    struct certificate_facts facts;
    char text[TEXT_MAX], plain[CERTIFICATE_FINGERPRINT_SIZE] = "";
    size_t length = 0;

    assert_int_equal(certificate_look(authority->certificate, &facts), 0);
    assert_int_equal(facts.until_s, authority->until_s);
    assert_int_equal(facts.from_s, now - LOCAL_CA_BACKDATED_S);
    assert_non_null(strstr(facts.subject, "CN=tokenbroker on this computer "));
    write_file("ca", authority->certificate);
    assert_int_equal(openssl(arguments, text), 0);
    for (const char *at = strchr(text, '=') + 1; *at && length < sizeof plain - 1; at++)
        if (*at != ':' && *at != '\n')
            plain[length++] = (char)(*at >= 'A' && *at <= 'F' ? *at + 32 : *at);
    assert_string_equal(facts.fingerprint, plain);
    assert_int_equal(certificate_look("nonsense", &facts), CERTIFICATE_BROKEN);
    assert_int_equal(certificate_look("", &facts), CERTIFICATE_BROKEN);
}

/* An authority near its end issues nothing that outlives it. */
static void test_ends_with_its_authority(void **state)
{
    const int64_t now = time(NULL);
    const int64_t long_ago = now - (int64_t)(LOCAL_CA_LIFETIME_DAYS - 10) * DAY_S;
    CLEANUP(cleanup_certified) struct certified *authority = new_authority(long_ago);
    CLEANUP(cleanup_certified) struct certified *leaf = issue(authority, local_ca_names, now);

    assert_int_equal(leaf->until_s, authority->until_s);
}

static struct secret *secret_of(const char *text)
{
    struct secret *secret = NULL;

    assert_int_equal(secret_new(text, strlen(text), &secret), 0);
    return secret;
}

static void test_pairs(void **state)
{
    const int64_t now = time(NULL);
    CLEANUP(cleanup_certified) struct certified *one = new_authority(now);
    CLEANUP(cleanup_certified) struct certified *other = new_authority(now);
    CLEANUP(cleanup_secret) struct secret *nonsense = secret_of("no key");
    const struct {
        const char *certificate;
        const struct secret *key;
        const char *complaint; /* NULL: it should work */
    } rows[] = {
        { one->certificate, one->key, NULL },
        { one->certificate, other->key, "does not belong" },
        { one->certificate, nonsense, "no PEM key" },
        { "", one->key, "no PEM certificate" },
        { "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", one->key,
          "no PEM certificate" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CLEANUP(cleanup_certified) struct certified *pair = NULL;
        struct complaint complaint = { "" };
        int r = certified_new(rows[i].certificate, rows[i].key, &pair, &complaint);
        if (r != (rows[i].complaint ? CERTIFICATE_BROKEN : 0))
            fail_msg("row %zu: %d", i, r);
        if (rows[i].complaint && !strstr(complaint.text, rows[i].complaint))
            fail_msg("row %zu: %s", i, complaint.text);
        if (r != 0)
            continue;
        assert_int_equal(pair->until_s, one->until_s);
        CLEANUP(cleanup_certified) struct certified *leaf = issue(pair, local_ca_names, now);
        assert_non_null(leaf);
    }
}

static void test_broken_authority(void **state)
{
    CLEANUP(cleanup_certified) struct certified *authority = new_authority(time(NULL));
    CLEANUP(cleanup_secret) struct secret *nonsense = secret_of("no key");
    struct certified broken = *authority;
    struct certified *leaf = NULL;

    broken.key = nonsense;
    assert_int_equal(local_ca_issue(&broken, local_ca_names, 1, &leaf), CERTIFICATE_BROKEN);
    broken = *authority;
    broken.certificate = (char *)(uintptr_t) "";
    assert_int_equal(local_ca_issue(&broken, local_ca_names, 1, &leaf), CERTIFICATE_BROKEN);
    assert_null(leaf);
    assert_null(certified_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_authority_says),
        cmocka_unit_test(test_what_a_leaf_says),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_ends_with_its_authority),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_broken_authority),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
