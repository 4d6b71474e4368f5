#include "front/asks.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "front/front.h"

/* An id is a serial number above the index of its slot, so that a late answer to a slot's earlier
 * question is told from one to its present question. */
enum { ASKS_SLOT_BITS = 12, ASKS_SLOTS = 1 << ASKS_SLOT_BITS };
static_assert((int)FRONT_INBOX_SLOTS <= (int)ASKS_SLOTS,
              "each reserved slot of the inbox has one here");

struct ask {
    uint64_t id;            /* 0: the slot is free */
    asks_answered answered; /* NULL: whoever asked is gone */
    void *userdata;
    uint32_t next_free; /* in the chain of slots that were used and are free again */
    uid_t uid;
    size_t weight;   /* in uid's quota; 0: in nobody's */
    bool by_visitor; /* in the visitors' quota */
};

struct asks {
    struct mailbox *inbox;
    struct mailbox *back;
    uint64_t serial;
    uint32_t untouched;  /* slots from here on were never used */
    uint32_t first_free; /* ASKS_SLOTS: none */
    size_t weight;       /* of all slots */
    size_t visitors;     /* slots of theirs */
    struct ask slots[ASKS_SLOTS];
};

int asks_new(struct mailbox *inbox, struct mailbox *back, struct asks **ret)
{
    struct asks *asks = calloc(1, sizeof(*asks));
    if (!asks)
        return -ENOMEM;
    asks->inbox = inbox;
    asks->back = back;
    asks->first_free = ASKS_SLOTS;
    *ret = asks;
    return 0;
}

struct asks *asks_free(struct asks *asks)
{
    free(asks);
    return NULL;
}

/* NULL when every slot waits for an answer. */
static struct ask *take_slot(struct asks *asks)
{
    uint32_t index = asks->first_free;

    if (index < ASKS_SLOTS)
        asks->first_free = asks->slots[index].next_free;
    else if (asks->untouched < ASKS_SLOTS)
        index = asks->untouched++;
    else
        return NULL;
    asks->slots[index].id = (++asks->serial << ASKS_SLOT_BITS) | index;
    return &asks->slots[index];
}

static void give_slot(struct asks *asks, struct ask *ask)
{
    asks->weight -= ask->weight;
    asks->visitors -= ask->by_visitor;
    *ask = (struct ask){ .next_free = asks->first_free };
    asks->first_free = (uint32_t)(ask - asks->slots);
}

static size_t weight_of(const struct message *question)
{
    const struct import_request *import = question->import;
    size_t bytes = question->parameters ? secret_length(question->parameters) : 0;

    if (import && import->refresh_token)
        bytes += secret_length(import->refresh_token);
    if (import && import->access_token)
        bytes += secret_length(import->access_token);
    return 1 + bytes / ASKS_SECRET_BYTES;
}

static bool fits_quota(const struct asks *asks, uid_t uid, size_t weight)
{
    size_t own = weight;

    if (asks->weight + weight <= ASKS_PER_UID_MAX)
        return true; /* whosever they are */
    for (uint32_t i = 0; i < asks->untouched; i++)
        own += asks->slots[i].uid == uid ? asks->slots[i].weight : 0;
    return own <= ASKS_PER_UID_MAX;
}

static struct ask *find(struct asks *asks, uint64_t id)
{
    struct ask *ask = &asks->slots[id & (ASKS_SLOTS - 1)];
    return id != 0 && ask->id == id ? ask : NULL;
}

static int send_reserved(struct asks *asks, struct message *question, struct ask *ask)
{
    int r = mailbox_reserve(asks->inbox);
    if (r)
        return r == MAILBOX_FULL ? ASKS_BUSY : r;
    question->id = ask->id;
    r = mailbox_send(asks->back, question);
    if (!r)
        return 0;
    mailbox_unreserve(asks->inbox);
    return r == MAILBOX_FULL ? ASKS_BUSY : r;
}

int asks_send(struct asks *asks, struct message *question, asks_answered answered, void *userdata,
              uint64_t *ret_id)
{
    if (!question)
        return -ENOMEM;
    struct ask *ask = take_slot(asks);
    int r = ask ? send_reserved(asks, question, ask) : ASKS_BUSY;

    if (r) {
        if (ask)
            give_slot(asks, ask);
        message_free(question);
        return r;
    }
    ask->answered = answered;
    ask->userdata = userdata;
    if (ret_id)
        *ret_id = ask->id;
    return 0;
}

int asks_send_for(struct asks *asks, uid_t uid, struct message *question, asks_answered answered,
                  void *userdata, uint64_t *ret_id)
{
    size_t weight = question ? weight_of(question) : 0;
    uint64_t id = 0;

    if (!fits_quota(asks, uid, weight)) {
        message_free(question);
        return ASKS_QUOTA;
    }
    int r = asks_send(asks, question, answered, userdata, &id);
    if (r)
        return r;
    struct ask *ask = find(asks, id);
    ask->uid = uid;
    ask->weight = weight;
    asks->weight += weight;
    *ret_id = id;
    return 0;
}

int asks_send_for_visitor(struct asks *asks, struct message *question, asks_answered answered,
                          void *userdata, uint64_t *ret_id)
{
    uint64_t id = 0;

    if (asks->visitors == ASKS_VISITORS_MAX) {
        message_free(question);
        return ASKS_BUSY;
    }
    int r = asks_send(asks, question, answered, userdata, &id);
    if (r)
        return r;
    find(asks, id)->by_visitor = true;
    asks->visitors++;
    *ret_id = id;
    return 0;
}

static int tell(struct asks *asks, struct message *letter,
                int (*send)(struct mailbox *mailbox, void *letter))
{
    if (!letter)
        return -ENOMEM;
    int r = send(asks->back, letter);
    if (!r)
        return 0;
    message_free(letter);
    return r == MAILBOX_FULL ? ASKS_BUSY : r;
}

int asks_tell(struct asks *asks, struct message *letter)
{
    return tell(asks, letter, mailbox_send);
}

int asks_tell_bulky(struct asks *asks, struct message *letter)
{
    return tell(asks, letter, mailbox_send_bulky);
}

bool asks_take_bulky(const struct asks *asks)
{
    return mailbox_takes_bulky(asks->back);
}

void asks_refusals(const struct asks *asks, uint64_t *ret_front, uint64_t *ret_back)
{
    *ret_front = mailbox_refusals(asks->inbox);
    *ret_back = mailbox_refusals(asks->back);
}

void asks_forget(struct asks *asks, uint64_t id)
{
    struct ask *ask = find(asks, id);
    if (ask)
        ask->answered = NULL;
}

void asks_cancel(struct asks *asks, uint64_t id)
{
    if (!find(asks, id))
        return;
    struct message *letter = message_new(TELL_CANCEL);
    if (letter)
        letter->id = id;
    asks_forget(asks, id);
    (void)asks_tell(asks, letter); /* where it does not arrive, the question comes to its own end */
}

void asks_deliver(struct asks *asks, struct message *answer)
{
    struct ask *found = find(asks, answer->id);
    if (found) {
        struct ask ask = *found;
        give_slot(asks, found);
        if (ask.answered)
            ask.answered(ask.userdata, answer);
    }
    message_free(answer);
}
