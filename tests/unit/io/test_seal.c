#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/seal.h"

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

#define CONTEXT "zenegy/acme 7"

static const unsigned char key_bytes[SEAL_KEY_BYTES] = "0123456789abcdefghijklmnopqrstu\n";

static const char key_hex[] = "303132333435363738396162636465666768696a6b6c6d6e6f7071727374750a";
static const char key_base64[] = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dQo=";

static struct seal_key *make_key(void)
{
    struct seal_key *key = NULL;

    assert_int_equal(seal_key_new(key_bytes, &key), 0);
    return key;
}

/* True when both keys are the same: what one seals, the other opens. */
static bool same_key(const struct seal_key *a, const struct seal_key *b)
{
    struct buffer sealed CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);
    struct buffer plain CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);

    assert_int_equal(seal(a, "", "x", 1, &sealed), 0);
    return unseal(b, "", sealed.data, sealed.length, &plain) == 0;
}

static void test_round_trip(void **state)
{
    static char large[SEAL_PLAIN_MAX];
    static const size_t lengths[] = { 0, 1, 16, 1000, sizeof(large) };
    CLEANUP(cleanup_seal_key) struct seal_key *key = make_key();

    memset(large, 'x', sizeof(large));
    for (size_t i = 0; i < LENGTH_OF(lengths); i++) {
        struct buffer sealed CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(SEAL_PLAIN_MAX + 100);
        struct buffer plain CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(SEAL_PLAIN_MAX);

        assert_int_equal(seal(key, CONTEXT, large, lengths[i], &sealed), 0);
        assert_int_equal(sealed.length, lengths[i] + SEAL_OVERHEAD);
        assert_int_equal(unseal(key, CONTEXT, sealed.data, sealed.length, &plain), 0);
        assert_int_equal(plain.length, lengths[i]);
        assert_memory_equal(buffer_text(&plain), large, lengths[i]);
    }
}

static void test_appends(void **state)
{
    struct buffer sealed CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);
    struct buffer plain CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);
    CLEANUP(cleanup_seal_key) struct seal_key *key = make_key();

    buffer_append_text(&sealed, "head");
    buffer_append_text(&plain, "head");
    assert_int_equal(seal(key, CONTEXT, "a\0b", 3, &sealed), 0);
    assert_memory_equal(sealed.data, "head\x02", 5);
    assert_int_equal(unseal(key, CONTEXT, sealed.data + 4, sealed.length - 4, &plain), 0);
    assert_int_equal(plain.length, 7);
    assert_memory_equal(plain.data, "heada\0b", 7);
}

static void test_never_the_same_twice(void **state)
{
    struct buffer first CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);
    struct buffer second CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);
    CLEANUP(cleanup_seal_key) struct seal_key *key = make_key();

    assert_int_equal(seal(key, CONTEXT, "secret", 6, &first), 0);
    assert_int_equal(seal(key, CONTEXT, "secret", 6, &second), 0);
    /* Not the nonce, and not the sealed bytes. */
    assert_memory_not_equal(first.data + 1, second.data + 1, 24);
    assert_memory_not_equal(first.data + 25, second.data + 25, 6);
    assert_null(memmem(first.data, first.length, "secret", 6));
}

static void test_every_changed_bit_breaks(void **state)
{
    struct buffer sealed CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);
    CLEANUP(cleanup_seal_key) struct seal_key *key = make_key();

    assert_int_equal(seal(key, CONTEXT, "secret", 6, &sealed), 0);
    for (size_t bit = 0; bit < sealed.length * 8; bit++) {
        struct buffer plain CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);

        sealed.data[bit / 8] = (char)(sealed.data[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(unseal(key, CONTEXT, sealed.data, sealed.length, &plain), SEAL_BROKEN);
        assert_int_equal(plain.length, 0);
        sealed.data[bit / 8] = (char)(sealed.data[bit / 8] ^ 1 << bit % 8);
    }
}

static void test_every_length_breaks(void **state)
{
    struct buffer sealed CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);
    struct buffer plain CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);
    CLEANUP(cleanup_seal_key) struct seal_key *key = make_key();

    assert_int_equal(seal(key, CONTEXT, "secret", 6, &sealed), 0);
    for (size_t length = 0; length < sealed.length; length++)
        assert_int_equal(unseal(key, CONTEXT, sealed.data, length, &plain), SEAL_BROKEN);
    buffer_append_char(&sealed, '\0');
    assert_int_equal(unseal(key, CONTEXT, sealed.data, sealed.length, &plain), SEAL_BROKEN);
    assert_int_equal(plain.length, 0);
}

static void test_another_context_breaks(void **state)
{
    static const char *const contexts[] = { "", "zenegy/acme 8", "zenegy/acme 77", "zenegy/acme " };
    struct buffer sealed CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);
    struct buffer plain CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);
    CLEANUP(cleanup_seal_key) struct seal_key *key = make_key();

    assert_int_equal(seal(key, CONTEXT, "secret", 6, &sealed), 0);
    for (size_t i = 0; i < LENGTH_OF(contexts); i++)
        assert_int_equal(unseal(key, contexts[i], sealed.data, sealed.length, &plain), SEAL_BROKEN);
    assert_int_equal(plain.length, 0);
}

static void test_another_key_breaks(void **state)
{
    unsigned char other_bytes[SEAL_KEY_BYTES];
    CLEANUP(cleanup_seal_key) struct seal_key *key = make_key();
    CLEANUP(cleanup_seal_key) struct seal_key *other = NULL;

    memcpy(other_bytes, key_bytes, sizeof(other_bytes));
    other_bytes[31] ^= 1;
    assert_int_equal(seal_key_new(other_bytes, &other), 0);
    assert_true(same_key(key, key));
    assert_false(same_key(key, other));
}

static void test_caps(void **state)
{
    static char large[SEAL_PLAIN_MAX + SEAL_OVERHEAD + 1] = { 1 };
    struct buffer out CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(SEAL_OVERHEAD + 5);
    CLEANUP(cleanup_seal_key) struct seal_key *key = make_key();

    assert_int_equal(seal(key, CONTEXT, large, SEAL_PLAIN_MAX + 1, &out), -E2BIG);
    assert_int_equal(unseal(key, CONTEXT, large, sizeof(large), &out), SEAL_BROKEN);
    assert_false(out.failed);
    assert_int_equal(seal(key, CONTEXT, "secret", 6, &out), -ENOMEM);
    assert_int_equal(out.length, 0);
}

static void test_plain_that_does_not_fit(void **state)
{
    struct buffer sealed CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);
    struct buffer plain CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(5);
    CLEANUP(cleanup_seal_key) struct seal_key *key = make_key();

    assert_int_equal(seal(key, CONTEXT, "secret", 6, &sealed), 0);
    assert_int_equal(unseal(key, CONTEXT, sealed.data, sealed.length, &plain), -ENOMEM);
    assert_int_equal(plain.length, 0);
}

/* What was sealed by this program's first release must open for ever. */
static void test_known_bytes(void **state)
{
    static const unsigned char sealed[] = {
        0x01, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a,
        0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16,
        0x17, 0xfd, 0x16, 0x49, 0x89, 0xb9, 0x31, 0xd6, 0x6e, 0x8b, 0x13, 0xe0,
        0x3d, 0x68, 0x89, 0xb6, 0x08, 0x11, 0xbb, 0x87, 0x4a, 0x3b, 0x4d,
    };
    struct buffer plain CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);
    CLEANUP(cleanup_seal_key) struct seal_key *key = make_key();

    assert_int_equal(unseal(key, CONTEXT, sealed, sizeof(sealed), &plain), 0);
    assert_string_equal(buffer_text(&plain), "secret");
}

/* The forms of a key, in a text and in a file. */
static const struct form {
    const char *what;
    const char *bytes;
    size_t length;
    bool should_fail;
} forms[] = {
    { "raw", (const char *)key_bytes, 32, false },
    { "hex", key_hex, 64, false },
    { "base64", key_base64, 44, false },
    { "base64 without padding", key_base64, 43, false },
    { "raw, cut", (const char *)key_bytes, 31, true },
    { "hex, cut", key_hex, 63, true },
    { "hex, by a whole byte", key_hex, 62, true },
    { "base64, cut", key_base64, 42, true },
    { "nothing", "", 0, true },
    { "a newline", "\n", 1, true },
    { "64 that are not hex", "x03132333435363738396162636465666768696a6b6c6d6e6f7071727374750a", 64,
      true },
    { "43 that are not base64", "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dQ!", 43, true },
    { "hex, newline, more", "303132333435363738396162636465666768696a6b6c6d6e6f7071727374750a\nx",
      66, true },
    { "too long", "303132333435363738396162636465666768696a6b6c6d6e6f7071727374750a00\n", 67,
      true },
};

static void test_id(void **state)
{
    CLEANUP(cleanup_seal_key) struct seal_key *key = make_key();
    char id[SEAL_KEY_ID_SIZE];

    seal_key_id(key, id);
    assert_string_equal(id, "cf1dfca4273b7b00");
}

static void test_key_from_text(void **state)
{
    CLEANUP(cleanup_seal_key) struct seal_key *expected = make_key();

    for (size_t i = 0; i < LENGTH_OF(forms); i++) {
        CLEANUP(cleanup_secret) struct secret *text = NULL;
        CLEANUP(cleanup_seal_key) struct seal_key *key = NULL;
        int r;

        assert_int_equal(secret_new(forms[i].bytes, forms[i].length, &text), 0);
        r = seal_key_from_text(text, &key);
        if (r != (forms[i].should_fail ? -EINVAL : 0) || (key != NULL) != (r == 0) ||
            (key && !same_key(key, expected)))
            fail_msg("%s", forms[i].what);
    }
}

static void test_both_base64_alphabets(void **state)
{
    static const char *const texts[] = {
        "//////////////////////////////////////////8=",
        "__________________________________________8=",
        "//////////////////////////////////////////8",
        "__________________________________________8",
    };
    unsigned char bytes[SEAL_KEY_BYTES];
    CLEANUP(cleanup_seal_key) struct seal_key *expected = NULL;

    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(seal_key_new(bytes, &expected), 0);
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        CLEANUP(cleanup_secret) struct secret *text = NULL;
        CLEANUP(cleanup_seal_key) struct seal_key *key = NULL;

        assert_int_equal(secret_new(texts[i], strlen(texts[i]), &text), 0);
        assert_int_equal(seal_key_from_text(text, &key), 0);
        assert_true(same_key(key, expected));
    }
}

static char folder[] = "/tmp/test-seal-XXXXXX";
static char path[sizeof(folder) + 8];

static void write_file(const char *bytes, size_t length, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static void test_key_from_file(void **state)
{
    CLEANUP(cleanup_seal_key) struct seal_key *expected = make_key();

    for (size_t i = 0; i < LENGTH_OF(forms) * 2; i++) {
        const struct form *form = &forms[i / 2];
        CLEANUP(cleanup_seal_key) struct seal_key *key = NULL;
        struct complaint complaint = { "" };
        char bytes[100];
        /* Each form with a newline too; a raw key is just 32 bytes, whatever they are. */
        bool newline = i % 2 == 1 && form->length != 32 && form->length != 31;
        int r;

        memcpy(bytes, form->bytes, form->length);
        bytes[form->length] = '\n';
        write_file(bytes, form->length + newline, 0600);
        r = seal_key_from_file(path, false, &key, &complaint);
        if (r != (form->should_fail ? -EINVAL : 0) || (key && !same_key(key, expected)) ||
            (complaint.text[0] != '\0') != form->should_fail ||
            (r < 0 && !strstr(complaint.text, path)))
            fail_msg("%s: %s", form->what, complaint.text);
    }
}

static void test_file_that_others_may_read(void **state)
{
    static const mode_t modes[] = { 0640, 0604, 0620, 0602, 0610, 0644, 0666 };

    for (size_t i = 0; i < LENGTH_OF(modes); i++) {
        struct seal_key *key = NULL;
        struct complaint complaint = { "" };

        write_file((const char *)key_bytes, 32, modes[i]);
        assert_int_equal(seal_key_from_file(path, true, &key, &complaint), -EPERM);
        assert_null(key);
        assert_non_null(strstr(complaint.text, "chmod 600"));
    }
}

static void test_read_only_file_is_fine(void **state)
{
    CLEANUP(cleanup_seal_key) struct seal_key *key = NULL;

    write_file((const char *)key_bytes, 32, 0400);
    assert_int_equal(seal_key_from_file(path, false, &key, NULL), 0);
}

static void test_file_of_somebody_else(void **state)
{
    struct seal_key *key = NULL;
    struct complaint complaint = { "" };

    if (geteuid() != 0)
        skip();
    write_file((const char *)key_bytes, 32, 0600);
    assert_int_equal(chown(path, 65534, 65534), 0);
    assert_int_equal(seal_key_from_file(path, false, &key, &complaint), -EPERM);
    assert_non_null(strstr(complaint.text, "65534"));
}

static void test_not_a_file(void **state)
{
    struct seal_key *key = NULL;
    struct complaint complaint = { "" };

    assert_int_equal(seal_key_from_file(folder, true, &key, &complaint), -EINVAL);
    assert_non_null(strstr(complaint.text, "not a regular file"));
    assert_int_equal(mkfifo(path, 0600), 0); /* must not wait for a writer */
    assert_int_equal(seal_key_from_file(path, true, &key, &complaint), -EINVAL);
}

static void test_missing_file(void **state)
{
    struct seal_key *key = NULL;
    struct complaint complaint = { "" };

    assert_int_equal(seal_key_from_file(path, false, &key, &complaint), -ENOENT);
    assert_non_null(strstr(complaint.text, path));
    assert_non_null(strstr(complaint.text, "put the copy of it there"));
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(seal_key_from_file("/nonexistent/key", true, &key, &complaint), -ENOENT);
    assert_non_null(strstr(complaint.text, "/nonexistent/key"));
    assert_null(key);
}

static void test_creates(void **state)
{
    CLEANUP(cleanup_seal_key) struct seal_key *created = NULL;
    CLEANUP(cleanup_seal_key) struct seal_key *again = NULL;
    struct stat status;
    char aside[sizeof(path) + 4];

    (void)snprintf(aside, sizeof(aside), "%s.new", path);
    assert_int_equal(seal_key_from_file(path, true, &created, NULL), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_size, SEAL_KEY_BYTES);
    assert_int_equal(access(aside, F_OK), -1);
    assert_int_equal(seal_key_from_file(path, true, &again, NULL), 0);
    assert_true(same_key(created, again));

    assert_int_equal(unlink(path), 0);
    again = seal_key_free(again);
    assert_int_equal(seal_key_from_file(path, true, &again, NULL), 0);
    assert_false(same_key(created, again));
}

static void test_creates_after_a_crash(void **state)
{
    CLEANUP(cleanup_seal_key) struct seal_key *key = NULL;
    char aside[sizeof(path) + 4];

    (void)snprintf(aside, sizeof(aside), "%s.new", path);
    write_file("half", 4, 0600);
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(seal_key_from_file(path, true, &key, NULL), 0);
    assert_int_equal(access(aside, F_OK), -1);
}

/* All who start at once get the same key: each child seals with what it got. */
static void test_creates_once(void **state)
{
    enum { CHILDREN = 8, SEALED = SEAL_OVERHEAD + 1 };
    CLEANUP(cleanup_seal_key) struct seal_key *key = NULL;
    char aside[sizeof(path) + 4];
    int ends[2], status;

    (void)snprintf(aside, sizeof(aside), "%s.new", path);
    assert_int_equal(pipe(ends), 0);
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0) {
            struct buffer sealed = BUFFER_WITH_MAXIMUM(100);

            _exit(seal_key_from_file(path, true, &key, NULL) < 0 ||
                  seal(key, CONTEXT, "x", 1, &sealed) < 0 ||
                  write(ends[1], sealed.data, sealed.length) < 0);
        }
    }
    assert_int_equal(close(ends[1]), 0);
    for (int i = 0; i < CHILDREN; i++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(seal_key_from_file(path, false, &key, NULL), 0);
    for (int i = 0; i < CHILDREN; i++) {
        struct buffer plain CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(1);
        char sealed[SEALED];

        assert_int_equal(read(ends[0], sealed, sizeof(sealed)), sizeof(sealed));
        assert_int_equal(unseal(key, CONTEXT, sealed, sizeof(sealed), &plain), 0);
    }
    assert_int_equal(close(ends[0]), 0);
    /* Who came when the key was just there may have left an empty one: it was never used. */
    assert_true(unlink(aside) == 0 || errno == ENOENT);
}

static void test_creates_in_the_current_folder(void **state)
{
    CLEANUP(cleanup_seal_key) struct seal_key *key = NULL;
    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_int_equal(chdir(folder), 0);
    assert_int_equal(seal_key_from_file("key", true, &key, NULL), 0);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(fchdir(before), 0);
    assert_int_equal(close(before), 0);
}

static int set_up_folder(void **state)
{
    (void)snprintf(folder, sizeof(folder), "/tmp/test-seal-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/key", folder);
    return 0;
}

static int tear_down_folder(void **state)
{
    (void)unlink(path);
    return rmdir(folder);
}

static int set_up(void **state)
{
    bool locked;

    return secret_start(&locked);
}

int main(void)
{
#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_folder, tear_down_folder)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_never_the_same_twice),
        cmocka_unit_test(test_every_changed_bit_breaks),
        cmocka_unit_test(test_every_length_breaks),
        cmocka_unit_test(test_another_context_breaks),
        cmocka_unit_test(test_another_key_breaks),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_plain_that_does_not_fit),
        cmocka_unit_test(test_known_bytes),
        cmocka_unit_test(test_id),
        cmocka_unit_test(test_key_from_text),
        cmocka_unit_test(test_both_base64_alphabets),
        FOLDER_TEST(test_key_from_file),
        FOLDER_TEST(test_file_that_others_may_read),
        FOLDER_TEST(test_read_only_file_is_fine),
        FOLDER_TEST(test_file_of_somebody_else),
        FOLDER_TEST(test_not_a_file),
        FOLDER_TEST(test_missing_file),
        FOLDER_TEST(test_creates),
        FOLDER_TEST(test_creates_after_a_crash),
        FOLDER_TEST(test_creates_once),
        FOLDER_TEST(test_creates_in_the_current_folder),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
