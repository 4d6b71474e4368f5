#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#include "base/mailbox.h"

/* A letter is a text; what was destroyed is counted. */
static int destroyed;
static bool memory_is_short;

static void destroy(void *letter)
{
    __atomic_add_fetch(&destroyed, 1, __ATOMIC_RELAXED);
    free(letter);
}

static void *letter(const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        abort();
    return copy;
}

static void *make_overflow(void)
{
    return memory_is_short ? NULL : letter("OVERFLOW");
}

static struct mailbox *box(size_t slots, size_t notices)
{
    struct mailbox *mailbox = NULL;

    destroyed = 0;
    memory_is_short = false;
    assert_int_equal(mailbox_new(slots, notices, destroy, &mailbox), 0);
    return mailbox;
}

static bool readable(struct mailbox *mailbox)
{
    struct pollfd fd = { .fd = mailbox_fd(mailbox), .events = POLLIN };

    assert_true(poll(&fd, 1, 0) >= 0);
    return fd.revents & POLLIN;
}

static void assert_next(struct mailbox *mailbox, const char *expected)
{
    char *text;

    assert_int_equal(readable(mailbox), expected != NULL);
    text = mailbox_take(mailbox);
    if (!expected) {
        assert_null(text);
        return;
    }
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void notify(struct mailbox *mailbox, const char *key, const char *text)
{
    mailbox_notify(mailbox, key, letter(text), make_overflow);
}

static void test_in_order(void **state)
{
    CLEANUP(cleanup_mailbox) struct mailbox *mailbox = box(3, 0);

    assert_next(mailbox, NULL);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(mailbox_send(mailbox, letter("a")), 0);
        assert_int_equal(mailbox_send(mailbox, letter("b")), 0);
        assert_next(mailbox, "a");
        assert_int_equal(mailbox_send(mailbox, letter("c")), 0);
        assert_next(mailbox, "b");
        assert_next(mailbox, "c");
        assert_next(mailbox, NULL);
    }
    assert_int_equal(destroyed, 0);
}

static void test_descriptor_is_private(void **state)
{
    CLEANUP(cleanup_mailbox) struct mailbox *mailbox = box(1, 0);

    assert_true(fcntl(mailbox_fd(mailbox), F_GETFD) & FD_CLOEXEC);
}

static void test_full(void **state)
{
    CLEANUP(cleanup_mailbox) struct mailbox *mailbox = box(2, 0);
    CLEANUP(cleanup_string) char *refused = letter("c");

    assert_int_equal(mailbox_send(mailbox, letter("a")), 0);
    assert_int_equal(mailbox_send(mailbox, letter("b")), 0);
    assert_int_equal(mailbox_send(mailbox, refused), MAILBOX_FULL);
    assert_int_equal(mailbox_reserve(mailbox), MAILBOX_FULL);
    assert_next(mailbox, "a");
    assert_int_equal(mailbox_send(mailbox, steal(refused)), 0);
    assert_next(mailbox, "b");
    assert_next(mailbox, "c");
}

static void test_reserved_slots_are_kept(void **state)
{
    CLEANUP(cleanup_mailbox) struct mailbox *mailbox = box(2, 0);
    CLEANUP(cleanup_string) char *refused = letter("x");

    assert_int_equal(mailbox_reserve(mailbox), 0);
    assert_int_equal(mailbox_send(mailbox, letter("a")), 0);
    assert_int_equal(mailbox_send(mailbox, refused), MAILBOX_FULL);
    assert_int_equal(mailbox_reserve(mailbox), MAILBOX_FULL);
    mailbox_send_reserved(mailbox, letter("b"));
    /* A letter that waits still holds its slot. */
    assert_int_equal(mailbox_send(mailbox, refused), MAILBOX_FULL);
    assert_next(mailbox, "a");
    assert_next(mailbox, "b");
    assert_next(mailbox, NULL);

    assert_int_equal(mailbox_reserve(mailbox), 0);
    assert_int_equal(mailbox_reserve(mailbox), 0);
    mailbox_unreserve(mailbox);
    assert_int_equal(mailbox_send(mailbox, letter("c")), 0);
    assert_int_equal(mailbox_send(mailbox, refused), MAILBOX_FULL);
    mailbox_unreserve(mailbox);
    assert_next(mailbox, "c");
}

/* Those that wait are few; others have their slots all the same. */
static void test_bulky(void **state)
{
    CLEANUP(cleanup_mailbox) struct mailbox *mailbox = box(MAILBOX_BULKY_MAX + 2, 0);
    CLEANUP(cleanup_string) char *refused = letter("refused");

    assert_int_equal(mailbox_send(mailbox, letter("plain")), 0);
    for (int i = 0; i < MAILBOX_BULKY_MAX; i++)
        assert_int_equal(mailbox_send_bulky(mailbox, letter("bulky")), 0);
    assert_int_equal(mailbox_send_bulky(mailbox, refused), MAILBOX_FULL);
    assert_int_equal(mailbox_refusals(mailbox), 1);
    assert_next(mailbox, "plain");
    assert_int_equal(mailbox_send_bulky(mailbox, refused), MAILBOX_FULL);
    assert_next(mailbox, "bulky");
    assert_int_equal(mailbox_send_bulky(mailbox, letter("bulky")), 0);
    assert_int_equal(mailbox_send(mailbox, letter("plain")), 0);
    assert_int_equal(mailbox_send(mailbox, letter("plain")), 0);
    for (int i = 0; i < MAILBOX_BULKY_MAX; i++)
        assert_next(mailbox, "bulky");
    /* No slot at all. */
    for (int i = 0; i < MAILBOX_BULKY_MAX; i++)
        assert_int_equal(mailbox_send(mailbox, letter("plain")), 0);
    assert_int_equal(mailbox_send_bulky(mailbox, refused), MAILBOX_FULL);
}

static void test_notices_replace(void **state)
{
    CLEANUP(cleanup_mailbox) struct mailbox *mailbox = box(0, 3);

    notify(mailbox, "p/a", "a1");
    notify(mailbox, "p/b", "b1");
    notify(mailbox, "p/a", "a2");
    notify(mailbox, "p/a", "a3");
    assert_int_equal(destroyed, 2);
    assert_next(mailbox, "a3");
    assert_next(mailbox, "b1");
    assert_next(mailbox, NULL);
    notify(mailbox, "p/a", "a4");
    assert_next(mailbox, "a4");
}

/* What a notice says must neither overtake an answer nor be overtaken by one. */
static void test_notices_keep_their_order_with_letters(void **state)
{
    CLEANUP(cleanup_mailbox) struct mailbox *mailbox = box(2, 4);

    notify(mailbox, "p/a", "new token");
    assert_int_equal(mailbox_send(mailbox, letter("answer")), 0);
    notify(mailbox, "p/a", "rejected");
    notify(mailbox, "p/a", "rejected again");
    assert_next(mailbox, "new token");
    assert_next(mailbox, "answer");
    assert_next(mailbox, "rejected again");
    assert_next(mailbox, NULL);
    assert_int_equal(destroyed, 1);
}

static void test_notices_take_no_slots(void **state)
{
    CLEANUP(cleanup_mailbox) struct mailbox *mailbox = box(1, 1);

    notify(mailbox, "p/a", "a");
    assert_int_equal(mailbox_reserve(mailbox), 0);
    notify(mailbox, "p/b", "b");
    mailbox_send_reserved(mailbox, letter("answer"));
    assert_next(mailbox, "OVERFLOW");
    assert_next(mailbox, "answer");
    assert_next(mailbox, NULL);
}

static void test_overflow(void **state)
{
    CLEANUP(cleanup_mailbox) struct mailbox *mailbox = box(2, 2);

    notify(mailbox, "p/a", "a");
    assert_int_equal(mailbox_send(mailbox, letter("answer")), 0);
    notify(mailbox, "p/b", "b");
    notify(mailbox, "p/c", "c");
    assert_int_equal(destroyed, 3);
    notify(mailbox, "p/a", "a after");
    assert_next(mailbox, "answer");
    assert_next(mailbox, "OVERFLOW");
    assert_next(mailbox, "a after");
    assert_next(mailbox, NULL);
}

/* However many come, one overflow letter waits, and it stands behind all that it replaces. */
static void test_overflow_again_and_again(void **state)
{
    CLEANUP(cleanup_mailbox) struct mailbox *mailbox = box(1, 2);
    char key[16];

    for (int i = 0; i < 1000; i++) {
        (void)snprintf(key, sizeof(key), "p/%d", i);
        notify(mailbox, key, key);
        if (i == 500)
            assert_int_equal(mailbox_send(mailbox, letter("answer")), 0);
    }
    assert_next(mailbox, "answer");
    assert_next(mailbox, "OVERFLOW");
    assert_next(mailbox, "p/999"); /* 0 to 2 overflow, then every third */
    assert_next(mailbox, NULL);
}

static void test_overflow_when_memory_is_short(void **state)
{
    CLEANUP(cleanup_mailbox) struct mailbox *mailbox = box(0, 1);

    notify(mailbox, "p/a", "a");
    memory_is_short = true;
    notify(mailbox, "p/b", "lost");
    assert_int_equal(destroyed, 1);
    notify(mailbox, "p/a", "lost too");
    assert_int_equal(destroyed, 2);
    memory_is_short = false;
    /* The next one tries again, even with a key that waits: b is to be forgotten too. */
    notify(mailbox, "p/a", "a2");
    assert_next(mailbox, "OVERFLOW");
    assert_next(mailbox, NULL);
    notify(mailbox, "p/a", "a3");
    assert_next(mailbox, "a3");
}

static void test_overflow_due_after_all_was_taken(void **state)
{
    CLEANUP(cleanup_mailbox) struct mailbox *mailbox = box(0, 1);

    notify(mailbox, "p/a", "a");
    memory_is_short = true;
    notify(mailbox, "p/b", "lost");
    assert_next(mailbox, "a");
    assert_next(mailbox, NULL);
    memory_is_short = false;
    notify(mailbox, "p/c", "c");
    assert_next(mailbox, "OVERFLOW");
    assert_next(mailbox, NULL);
}

static void test_no_room_for_notices(void **state)
{
    CLEANUP(cleanup_mailbox) struct mailbox *mailbox = box(0, 0);

    notify(mailbox, "p/a", "a");
    notify(mailbox, "p/b", "b");
    assert_next(mailbox, "OVERFLOW");
    assert_next(mailbox, NULL);
}

static void test_longest_key(void **state)
{
    CLEANUP(cleanup_mailbox) struct mailbox *mailbox = box(0, 2);
    char key[128], other[128];

    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    memcpy(other, key, sizeof(key));
    other[sizeof(key) - 2] = 'x';
    notify(mailbox, key, "a");
    notify(mailbox, other, "b");
    notify(mailbox, key, "c");
    assert_next(mailbox, "c");
    assert_next(mailbox, "b");
}

static void test_free_destroys_what_is_left(void **state)
{
    struct mailbox *mailbox = box(2, 2);

    assert_int_equal(mailbox_send(mailbox, letter("a")), 0);
    notify(mailbox, "p/a", "b");
    assert_int_equal(mailbox_reserve(mailbox), 0);
    mailbox_send_reserved(mailbox, letter("c"));
    assert_null(mailbox_free(mailbox));
    assert_int_equal(destroyed, 3);
    assert_null(mailbox_free(NULL));
}

static void test_too_large(void **state)
{
    struct mailbox *untouched = (struct mailbox *)&destroyed;
    struct mailbox *mailbox = untouched;

    assert_int_equal(mailbox_new(SIZE_MAX, 1, destroy, &mailbox), -ENOMEM);
    assert_int_equal(mailbox_new(SIZE_MAX / 2, SIZE_MAX / 2, destroy, &mailbox), -ENOMEM);
    assert_int_equal(mailbox_new(SIZE_MAX / 64, 1, destroy, &mailbox), -ENOMEM);
    assert_ptr_equal(mailbox, untouched);
}

/* Two threads: one sends letters of all kinds, the other takes them and sends slots back. */
enum { LETTERS = 20000 };

struct pair {
    struct mailbox *there, *back;
};

static void wait_for(struct mailbox *mailbox)
{
    struct pollfd fd = { .fd = mailbox_fd(mailbox), .events = POLLIN };

    (void)poll(&fd, 1, 100);
}

/* Asks LETTERS questions, each with a reserved slot for its answer, and notes the order. */
static void *ask(void *argument)
{
    struct pair *pair = argument;
    int asked = 0;
    int answered = 0;
    intptr_t wrong = 0;

    while (answered < LETTERS) {
        char text[16];
        void *question;
        char *answer = mailbox_take(pair->back);

        if (answer) {
            wrong += strtol(answer, NULL, 10) != answered++;
            free(answer);
            continue;
        }
        if (asked == LETTERS || mailbox_reserve(pair->back) == MAILBOX_FULL) {
            wait_for(pair->back);
            continue;
        }
        (void)snprintf(text, sizeof(text), "%d", asked);
        mailbox_notify(pair->there, text, letter("notice"), make_overflow);
        question = letter(text);
        if (mailbox_send(pair->there, question) == 0) {
            asked++;
        } else {
            free(question);
            mailbox_unreserve(pair->back);
            wait_for(pair->back);
        }
    }
    return (void *)wrong;
}

static void *serve(void *argument)
{
    struct pair *pair = argument;
    int served = 0;

    while (served < LETTERS) {
        char *text = mailbox_take(pair->there);

        if (!text) {
            wait_for(pair->there);
        } else if (text[0] >= '0' && text[0] <= '9') {
            mailbox_send_reserved(pair->back, text);
            served++;
        } else {
            free(text);
        }
    }
    return NULL;
}

static void test_two_threads(void **state)
{
    CLEANUP(cleanup_mailbox) struct mailbox *there = box(16, 4);
    CLEANUP(cleanup_mailbox) struct mailbox *back = box(8, 0);
    struct pair pair = { .there = there, .back = back };
    pthread_t asker, server;
    void *wrong;

    assert_int_equal(pthread_create(&server, NULL, serve, &pair), 0);
    assert_int_equal(pthread_create(&asker, NULL, ask, &pair), 0);
    assert_int_equal(pthread_join(asker, &wrong), 0);
    assert_int_equal(pthread_join(server, NULL), 0);
    assert_null(wrong);
    assert_next(back, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_descriptor_is_private),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_reserved_slots_are_kept),
        cmocka_unit_test(test_bulky),
        cmocka_unit_test(test_notices_replace),
        cmocka_unit_test(test_notices_keep_their_order_with_letters),
        cmocka_unit_test(test_notices_take_no_slots),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_overflow_again_and_again),
        cmocka_unit_test(test_overflow_when_memory_is_short),
        cmocka_unit_test(test_overflow_due_after_all_was_taken),
        cmocka_unit_test(test_no_room_for_notices),
        cmocka_unit_test(test_longest_key),
        cmocka_unit_test(test_free_destroys_what_is_left),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
