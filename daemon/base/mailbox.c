#include "base/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>

enum kind { PLAIN, BULKY, NOTICE, OVERFLOW };

/* A place in the queue. All are allocated with the mailbox: to send never needs memory. */
struct node {
    struct node *previous, *next; /* in the queue; a free node uses next alone */
    void *letter;
    enum kind kind;
    char key[MAILBOX_KEY_SIZE]; /* of a notice */
};

struct mailbox {
    pthread_mutex_t mutex; /* guards all that follows, and the state of fd */
    int fd;
    void (*destroy)(void *letter);
    struct node *oldest, *newest; /* the queue */
    struct node *spare;
    size_t slots;
    size_t slots_used; /* plain and reserved letters that wait, and reservations */
    size_t reservations;
    size_t bulky; /* letters that wait */
    uint64_t refusals;
    size_t notices_max;
    size_t notices;        /* that wait */
    struct node *overflow; /* the one that waits, or NULL */
    bool overflow_due;     /* a notice was lost when no overflow letter could be made */
    struct node nodes[];
};

static void lock(struct mailbox *mailbox)
{
    /* A default mutex that its owner never locks twice cannot fail. */
    (void)pthread_mutex_lock(&mailbox->mutex);
}

static void unlock(struct mailbox *mailbox)
{
    (void)pthread_mutex_unlock(&mailbox->mutex);
}

/* The bytes of a mailbox with that many nodes; 0 when they cannot be counted. */
static size_t size_with(size_t slots, size_t notices, size_t *ret_nodes)
{
    size_t nodes, bytes;

    if (__builtin_add_overflow(slots, notices, &nodes) ||
        __builtin_add_overflow(nodes, 1, &nodes) || /* the overflow letter */
        __builtin_mul_overflow(nodes, sizeof(struct node), &bytes) ||
        __builtin_add_overflow(bytes, sizeof(struct mailbox), &bytes))
        return 0;
    *ret_nodes = nodes;
    return bytes;
}

int mailbox_new(size_t slots, size_t notices, void (*destroy)(void *letter), struct mailbox **ret)
{
    size_t nodes = 0;
    size_t bytes = size_with(slots, notices, &nodes);
    struct mailbox *mailbox = bytes ? calloc(1, bytes) : NULL;

    if (!mailbox)
        return -ENOMEM;
    mailbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (mailbox->fd < 0) {
        int r = -errno;
        free(mailbox);
        return r;
    }
    /* Without attributes, glibc's mutex has nothing to allocate and cannot fail. */
    (void)pthread_mutex_init(&mailbox->mutex, NULL);
    mailbox->destroy = destroy;
    mailbox->slots = slots;
    mailbox->notices_max = notices;
    for (size_t i = 0; i < nodes; i++) {
        mailbox->nodes[i].next = mailbox->spare;
        mailbox->spare = &mailbox->nodes[i];
    }
    *ret = mailbox;
    return 0;
}

struct mailbox *mailbox_free(struct mailbox *mailbox)
{
    if (!mailbox)
        return NULL;
    for (struct node *node = mailbox->oldest; node; node = node->next)
        mailbox->destroy(node->letter);
    (void)pthread_mutex_destroy(&mailbox->mutex);
    (void)close(mailbox->fd);
    free(mailbox);
    return NULL;
}

int mailbox_fd(const struct mailbox *mailbox)
{
    return mailbox->fd;
}

/* The queue was empty: the descriptor's count goes from 0 to 1, which cannot fail. */
static void raise_flag(struct mailbox *mailbox)
{
    (void)eventfd_write(mailbox->fd, 1);
}

/* The queue is empty now: the count is 1, and reading it cannot fail. */
static void lower_flag(struct mailbox *mailbox)
{
    eventfd_t count;

    (void)eventfd_read(mailbox->fd, &count);
}

static void append(struct mailbox *mailbox, struct node *node)
{
    node->next = NULL;
    node->previous = mailbox->newest;
    if (mailbox->newest)
        mailbox->newest->next = node;
    else
        mailbox->oldest = node;
    mailbox->newest = node;
}

static void unlink_node(struct mailbox *mailbox, struct node *node)
{
    if (node->previous)
        node->previous->next = node->next;
    else
        mailbox->oldest = node->next;
    if (node->next)
        node->next->previous = node->previous;
    else
        mailbox->newest = node->previous;
}

/* There is always a spare: the counters admit no more letters than there are nodes. */
static struct node *enqueue(struct mailbox *mailbox, enum kind kind, void *letter)
{
    struct node *node = mailbox->spare;
    bool was_empty = !mailbox->oldest;

    mailbox->spare = node->next;
    node->kind = kind;
    node->letter = letter;
    append(mailbox, node);
    if (was_empty)
        raise_flag(mailbox);
    return node;
}

/* Takes the node out of the queue; returns its letter. Leaves the flag as it is. */
static void *dequeue(struct mailbox *mailbox, struct node *node)
{
    if (node->kind == NOTICE)
        mailbox->notices--;
    else if (node->kind == OVERFLOW)
        mailbox->overflow = NULL;
    else
        mailbox->slots_used--;
    if (node->kind == BULKY)
        mailbox->bulky--;
    unlink_node(mailbox, node);
    node->next = mailbox->spare;
    mailbox->spare = node;
    return steal(node->letter);
}

static bool claim_slot(struct mailbox *mailbox)
{
    if (mailbox->slots_used >= mailbox->slots) {
        mailbox->refusals++;
        return false;
    }
    mailbox->slots_used++;
    return true;
}

int mailbox_send(struct mailbox *mailbox, void *letter)
{
    bool free_slot;

    lock(mailbox);
    free_slot = claim_slot(mailbox);
    if (free_slot)
        (void)enqueue(mailbox, PLAIN, letter);
    unlock(mailbox);
    return free_slot ? 0 : MAILBOX_FULL;
}

static bool claim_bulky(struct mailbox *mailbox)
{
    if (mailbox->bulky < MAILBOX_BULKY_MAX)
        return claim_slot(mailbox);
    mailbox->refusals++;
    return false;
}

int mailbox_send_bulky(struct mailbox *mailbox, void *letter)
{
    bool free_slot;

    lock(mailbox);
    free_slot = claim_bulky(mailbox);
    if (free_slot) {
        (void)enqueue(mailbox, BULKY, letter);
        mailbox->bulky++;
    }
    unlock(mailbox);
    return free_slot ? 0 : MAILBOX_FULL;
}

bool mailbox_takes_bulky(struct mailbox *mailbox)
{
    lock(mailbox);
    const bool takes = mailbox->bulky < MAILBOX_BULKY_MAX && mailbox->slots_used < mailbox->slots;
    unlock(mailbox);
    return takes;
}

int mailbox_reserve(struct mailbox *mailbox)
{
    bool free_slot;

    lock(mailbox);
    free_slot = claim_slot(mailbox);
    if (free_slot)
        mailbox->reservations++;
    unlock(mailbox);
    return free_slot ? 0 : MAILBOX_FULL;
}

/* To use what was never reserved would break the bound for everybody: a fault of the program. */
static void use_reservation(struct mailbox *mailbox)
{
    if (mailbox->reservations == 0)
        abort();
    mailbox->reservations--;
}

void mailbox_unreserve(struct mailbox *mailbox)
{
    lock(mailbox);
    use_reservation(mailbox);
    mailbox->slots_used--;
    unlock(mailbox);
}

void mailbox_send_reserved(struct mailbox *mailbox, void *letter)
{
    lock(mailbox);
    use_reservation(mailbox);
    (void)enqueue(mailbox, PLAIN, letter);
    unlock(mailbox);
}

/* Only behind the last letter of another kind: a notice never overtakes an answer that was sent
 * before it, and no answer overtakes it. */
static struct node *find_notice(struct mailbox *mailbox, const char *key)
{
    for (struct node *node = mailbox->newest; node && node->kind == NOTICE; node = node->previous)
        if (strcmp(node->key, key) == 0)
            return node;
    return NULL;
}

/* Enqueues one overflow letter at the end, and drops all notices.
 * When none can be made, the notices stay and the next one tries again. */
static void overflow(struct mailbox *mailbox, void *(*make_overflow)(void))
{
    void *letter = make_overflow();
    struct node *next;

    mailbox->refusals++;
    mailbox->overflow_due = !letter;
    if (!letter)
        return;
    if (mailbox->overflow)
        mailbox->destroy(dequeue(mailbox, mailbox->overflow));
    /* Before the notices go, so that the queue is never empty with its flag up. */
    mailbox->overflow = enqueue(mailbox, OVERFLOW, letter);
    for (struct node *node = mailbox->oldest; node; node = next) {
        next = node->next;
        if (node->kind == NOTICE)
            mailbox->destroy(dequeue(mailbox, node));
    }
}

/* True when the letter lies in the queue now; else an overflow letter stands for it. */
static bool place_notice(struct mailbox *mailbox, const char *key, void *letter,
                         void *(*make_overflow)(void))
{
    struct node *node = find_notice(mailbox, key);

    if (mailbox->overflow_due || (!node && mailbox->notices >= mailbox->notices_max)) {
        overflow(mailbox, make_overflow);
        return false;
    }
    if (node) {
        mailbox->destroy(node->letter);
        node->letter = letter;
        return true;
    }
    node = enqueue(mailbox, NOTICE, letter);
    memcpy(node->key, key, strlen(key) + 1);
    mailbox->notices++;
    return true;
}

void mailbox_notify(struct mailbox *mailbox, const char *key, void *letter,
                    void *(*make_overflow)(void))
{
    /* A cut key could silence another's notice: a fault of the program. */
    if (strlen(key) >= MAILBOX_KEY_SIZE)
        abort();
    lock(mailbox);
    if (!place_notice(mailbox, key, letter, make_overflow))
        mailbox->destroy(letter);
    unlock(mailbox);
}

uint64_t mailbox_refusals(struct mailbox *mailbox)
{
    lock(mailbox);
    uint64_t refusals = mailbox->refusals;
    unlock(mailbox);
    return refusals;
}

void *mailbox_take(struct mailbox *mailbox)
{
    void *letter = NULL;

    lock(mailbox);
    if (mailbox->oldest) {
        letter = dequeue(mailbox, mailbox->oldest);
        if (!mailbox->oldest)
            lower_flag(mailbox);
    }
    unlock(mailbox);
    return letter;
}
