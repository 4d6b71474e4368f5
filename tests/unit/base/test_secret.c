#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#include "base/secret.h"
#include "memory_search.h"

static int set_up(void **state)
{
    bool locked;

    return secret_start(&locked);
}

static struct secret *make(const char *text)
{
    struct secret *secret = NULL;

    assert_int_equal(secret_new(text, strlen(text), &secret), 0);
    return secret;
}

static void test_start_again_is_fine(void **state)
{
    bool first, second;

    assert_int_equal(secret_start(&first), 0);
    assert_int_equal(secret_start(&second), 0);
    assert_int_equal(first, second);
}

static void test_new(void **state)
{
    struct secret *secret = make("tok-1");

    assert_int_equal(secret_length(secret), 5);
    assert_string_equal(secret_reveal(secret), "tok-1");
    assert_null(secret_free(secret));
    assert_null(secret_free(NULL));
}

static void test_empty(void **state)
{
    CLEANUP(cleanup_secret) struct secret *secret = NULL;

    assert_int_equal(secret_new(NULL, 0, &secret), 0);
    assert_int_equal(secret_length(secret), 0);
    assert_string_equal(secret_reveal(secret), "");
    assert_true(secret_equal_bytes(secret, "", 0));
}

static void test_refusals(void **state)
{
    static char big[SECRET_MAX + 1];
    struct secret *untouched = (struct secret *)big;
    struct secret *secret = untouched;

    memset(big, 'x', sizeof(big));
    assert_int_equal(secret_new("a\0b", 3, &secret), -EINVAL);
    assert_int_equal(secret_new(big, sizeof(big), &secret), -E2BIG);
    assert_int_equal(secret_random(1 << 20, &secret), -E2BIG);
    assert_ptr_equal(secret, untouched);
}

/* Every length around each size class holds its bytes and its NUL (the sanitizer guards the end).
 */
static void test_all_lengths(void **state)
{
    static char text[SECRET_MAX];
    static const size_t lengths[] = { 1,         58,    59,    60,
                                      61,        123,   124,   127,
                                      128,       129,   4091,  4092,
                                      16379,     16380, 32763, SECRET_MAX - 1,
                                      SECRET_MAX };

    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < LENGTH_OF(lengths); i++) {
        CLEANUP(cleanup_secret) struct secret *secret = NULL;

        assert_int_equal(secret_new(text, lengths[i], &secret), 0);
        assert_int_equal(strlen(secret_reveal(secret)), lengths[i]);
    }
}

static void test_copy_is_its_own(void **state)
{
    struct secret *secret = make("tok-1");
    CLEANUP(cleanup_secret) struct secret *copy = NULL;

    assert_int_equal(secret_copy(secret, &copy), 0);
    assert_ptr_not_equal(secret, copy);
    secret_free(secret);
    assert_string_equal(secret_reveal(copy), "tok-1");
}

static void test_random(void **state)
{
    CLEANUP(cleanup_secret) struct secret *a = NULL;
    CLEANUP(cleanup_secret) struct secret *b = NULL;
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    assert_int_equal(secret_random(32, &a), 0);
    assert_int_equal(secret_random(32, &b), 0);
    assert_int_equal(secret_length(a), 43);
    assert_int_equal(strspn(secret_reveal(a), digits), 43);
    assert_false(secret_equal(a, b));
}

static void test_equal(void **state)
{
    CLEANUP(cleanup_secret) struct secret *a = make("same");
    CLEANUP(cleanup_secret) struct secret *b = make("same");
    CLEANUP(cleanup_secret) struct secret *c = make("samE");
    CLEANUP(cleanup_secret) struct secret *d = make("same+");

    assert_true(secret_equal(a, b));
    assert_false(secret_equal(a, c));
    assert_false(secret_equal(a, d));
    assert_false(secret_equal(a, NULL));
    assert_false(secret_equal(NULL, a));
    assert_false(secret_equal(NULL, NULL));
    assert_true(secret_equal_bytes(a, "same", 4));
    assert_false(secret_equal_bytes(a, "same", 3));
    assert_false(secret_equal_bytes(a, "some", 4));
    assert_false(secret_equal_bytes(NULL, "", 0));
    assert_false(secret_equal_bytes(a, NULL, 4));
}

/* RFC 7636, appendix B. */
static void test_digest_text(void **state)
{
    static const char verifier[] = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    static const char challenge[] = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    CLEANUP(cleanup_secret) struct secret *secret = make(verifier);
    char out[FINGERPRINT_SIZE];

    assert_string_equal(digest_text(verifier, strlen(verifier), out), challenge);
    assert_string_equal(secret_fingerprint(secret, out), challenge);
}

static void test_digest_of_nothing(void **state)
{
    static const unsigned char first[] = { 0xe3, 0xb0, 0xc4, 0x42 };
    unsigned char out[32];

    digest_sha256("", 0, out);
    assert_memory_equal(out, first, sizeof(first));
}

/* RFC 4648, section 10, and lengths around the step. */
static void test_base64(void **state)
{
    static const char *const rows[][2] = {
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" },
        { "\xff\xfe", "//4=" },
        { "foobar", "Zm9vYmFy" },
    };
    char text[100];

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct buffer out CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(20);

        buffer_append_base64(&out, rows[i][0], strlen(rows[i][0]));
        assert_string_equal(buffer_text(&out), rows[i][1]);
    }
    memset(text, 'f', sizeof(text));
    for (size_t length = 47; length <= 97; length++) {
        struct buffer out CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(200);

        buffer_append_base64(&out, text, length);
        assert_int_equal(out.length, (length + 2) / 3 * 4);
        /* "fff" is "ZmZm"; only the very end is padded. */
        assert_int_equal(strspn(buffer_text(&out), "Zm"), length / 3 * 4 + length % 3);
    }
}

static void test_random_below(void **state)
{
    bool seen[7] = { false };

    for (int i = 0; i < 1000; i++) {
        uint32_t number = random_below(LENGTH_OF(seen));

        assert_true(number < LENGTH_OF(seen));
        seen[number] = true;
    }
    for (size_t i = 0; i < LENGTH_OF(seen); i++)
        assert_true(seen[i]);
    assert_int_equal(random_below(1), 0);
}

static void test_random_bytes(void **state)
{
    unsigned char a[32] = { 0 };
    unsigned char b[32] = { 0 };

    random_bytes(a, sizeof(a));
    random_bytes(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
}

/* The region holds as much as it says, gives it all back, and then takes any other size. */
static void test_region_is_bounded_and_comes_back(void **state)
{
    enum { MANY = 300000 };
    static struct secret *secrets[MANY];
    static char text[SECRET_MAX];
    static const size_t lengths[] = { 20, 1000, SECRET_MAX, 20 };
    size_t first_count = 0;

    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < LENGTH_OF(lengths); i++) {
        size_t count = 0;
        int r = 0;

        while (count < MANY && (r = secret_new(text, lengths[i], &secrets[count])) == 0)
            count++;
        assert_int_equal(r, -ENOMEM);
        /* No less than half of the region is usable, whatever the size. */
        assert_true(count * (lengths[i] < 64 ? 64 : lengths[i]) > SECRET_REGION_MAX / 2);
        if (i == 0)
            first_count = count;
        assert_true(i < 3 || count == first_count);
        while (count > 0)
            secret_free(secrets[--count]);
    }
}

/* A random walk over sizes: no two secrets share bytes. */
static void test_secrets_do_not_overlap(void **state)
{
    enum { SLOTS = 200, STEPS = 20000 };
    static struct secret *secrets[SLOTS];
    static char text[SECRET_MAX];
    unsigned seed = 7;

    for (int i = 0; i < STEPS; i++) {
        size_t slot, length;

        seed = seed * 1103515245u + 12345u;
        slot = (seed >> 8) % SLOTS;
        length = (size_t)1 << (seed >> 20) % 13;
        if (secrets[slot]) {
            char mark = (char)('a' + slot % 26);
            const char *bytes = secret_reveal(secrets[slot]);
            char expected[2] = { mark, '\0' };

            assert_int_equal(strspn(bytes, expected), secret_length(secrets[slot]));
        }
        secrets[slot] = secret_free(secrets[slot]);
        memset(text, (char)('a' + slot % 26), length);
        assert_int_equal(secret_new(text, length, &secrets[slot]), 0);
    }
    for (size_t slot = 0; slot < SLOTS; slot++)
        secrets[slot] = secret_free(secrets[slot]);
}

static void *churn(void *argument)
{
    char text[64];
    int id = *(const int *)argument;
    intptr_t wrong = 0;

    for (int i = 0; i < 5000; i++) {
        struct secret *secret = NULL;
        size_t length = (size_t)snprintf(text, sizeof(text), "thread-%d-%d", id, i);

        if (secret_new(text, length, &secret) < 0 || !secret_equal_bytes(secret, text, length))
            wrong++;
        secret_free(secret);
    }
    return (void *)wrong;
}

static void test_from_two_threads(void **state)
{
    pthread_t threads[2];
    int ids[2] = { 1, 2 };

    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &ids[i]), 0);
    for (int i = 0; i < 2; i++) {
        void *wrong;

        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
}

static void test_wiped_when_freed(void **state)
{
    char needle[MEMORY_NEEDLE];
    struct secret *secret, *copy;

    memory_needle(needle, 2);
    assert_int_equal(secret_new(needle, sizeof(needle), &secret), 0);
    explicit_bzero(needle, sizeof(needle));
    assert_int_equal(secret_copy(secret, &copy), 0);
    assert_int_equal(memory_count(), 2);
    secret_free(secret);
    assert_int_equal(memory_count(), 1);
    secret_free(copy);
    assert_int_equal(memory_count(), 0);
}

/* Runs what must end a child by a signal or the sanitizer; returns its wait status. */
static int status_of_child(void (*misuse)(struct secret *secret), struct secret *secret)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit no_core = { 0, 0 };
        int nowhere = open("/dev/null", O_WRONLY);

        /* The report of the sanitizer, and cmocka's handlers, are not wanted here. */
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)dup2(nowhere, STDERR_FILENO);
        (void)signal(SIGSEGV, SIG_DFL);
        (void)signal(SIGABRT, SIG_DFL);
        misuse(secret);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void read_it(struct secret *secret)
{
    volatile const char *bytes = secret_reveal(secret);

    (void)bytes[0];
}

static void test_a_forked_child_has_none(void **state)
{
    CLEANUP(cleanup_secret) struct secret *secret = make("tok-1");

    int status = status_of_child(read_it, secret);

    /* The sanitizer turns the signal into an exit code. */
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}

#if defined(__SANITIZE_ADDRESS__)
static void test_sanitizer_sees_misuse(void **state)
{
    struct secret *secret = make("tok-1");
    const char *bytes = secret_reveal(secret);

    assert_false(__asan_address_is_poisoned(bytes + 5));
    assert_true(__asan_address_is_poisoned(bytes + 6));
    secret_free(secret);
    assert_true(__asan_address_is_poisoned(bytes));
    assert_true(__asan_address_is_poisoned(bytes + 5));
}
#endif

/* The rest of the line of smaps that begins with field, for the mapping around address. */
static void find_in_smaps(const void *address, const char *field, char out[static 256])
{
    FILE *smaps = fopen("/proc/self/smaps", "re");
    char line[256];
    bool inside = false;

    out[0] = '\0';
    assert_non_null(smaps);
    while (fgets(line, sizeof(line), smaps)) {
        uintptr_t start, end;

        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &start, &end) == 2)
            inside = (uintptr_t)address >= start && (uintptr_t)address < end;
        else if (inside && strncmp(line, field, strlen(field)) == 0)
            (void)snprintf(out, 256, "%s", line + strlen(field));
    }
    (void)fclose(smaps);
}

static void test_region_flags(void **state)
{
    CLEANUP(cleanup_secret) struct secret *secret = make("tok-1");
    char flags[256];
    bool locked;

    assert_int_equal(secret_start(&locked), 0);
    find_in_smaps(secret, "VmFlags:", flags);
    assert_non_null(strstr(flags, " dd")); /* not dumped */
    assert_non_null(strstr(flags, " dc")); /* not copied at fork */
    assert_int_equal(strstr(flags, " lo") != NULL, locked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_again_is_fine),
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_all_lengths),
        cmocka_unit_test(test_copy_is_its_own),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_digest_text),
        cmocka_unit_test(test_digest_of_nothing),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_random_below),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_region_is_bounded_and_comes_back),
        cmocka_unit_test(test_secrets_do_not_overlap),
        cmocka_unit_test(test_from_two_threads),
        cmocka_unit_test(test_wiped_when_freed),
        cmocka_unit_test(test_a_forked_child_has_none),
#if defined(__SANITIZE_ADDRESS__)
        cmocka_unit_test(test_sanitizer_sees_misuse),
#endif
        cmocka_unit_test(test_region_flags),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
