#include "main/threads.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "back/back.h"
#include "back/warn.h"
#include "base/mailbox.h"
#include "front/front.h"
#include "messages.h"

struct threads {
    struct mailbox *to_front;
    struct mailbox *to_back;
    struct message *front_stop; /* until it is sent */
    struct message *back_stop;
    struct front *front;
    struct back *back;
    pthread_t front_thread;
    pthread_t back_thread;
    bool front_runs;
    bool back_runs;
    int front_result;
    int back_result;
    void (*ended)(void *userdata);
    void *userdata;
};

static void *run_front(void *userdata)
{
    struct threads *threads = userdata;
    (void)pthread_setname_np(pthread_self(), "front");
    threads->front_result = front_run(threads->front);
    threads->ended(threads->userdata);
    return NULL;
}

static void *run_back(void *userdata)
{
    struct threads *threads = userdata;
    (void)pthread_setname_np(pthread_self(), "back");
    threads->back_result = back_run(threads->back);
    threads->ended(threads->userdata);
    return NULL;
}

/* A STOP must arrive, however full the mailbox is and however short memory: its slot is reserved,
 * and the letter written, at the start. */
static void send_stop(struct mailbox *mailbox, struct message **stop, bool runs, pthread_t thread)
{
    if (!runs)
        return;
    mailbox_send_reserved(mailbox, steal(*stop));
    (void)pthread_join(thread, NULL);
}

static int make_mailboxes(struct threads *threads)
{
    enum { SETTINGS_AND_STOP = 4 };
    int r = mailbox_new(FRONT_INBOX_SLOTS + SETTINGS_AND_STOP, FRONT_NOTICES_MAX, message_destroy,
                        &threads->to_front);
    if (r == 0)
        r = mailbox_new(BACK_INBOX_SLOTS + SETTINGS_AND_STOP, WARN_CALLS_MAX, message_destroy,
                        &threads->to_back);
    if (r == 0)
        r = mailbox_reserve(threads->to_front);
    if (r == 0)
        r = mailbox_reserve(threads->to_back);
    threads->front_stop = message_new(STOP);
    threads->back_stop = message_new(STOP);
    return r == 0 && !(threads->front_stop && threads->back_stop) ? -ENOMEM : r;
}

/* What a room took over is not the caller's any more, even if the next room fails. */
static int make_rooms(struct threads *threads, struct thread_parts *parts,
                      struct complaint *complaint)
{
    const struct back_options back = { .store = parts->store,
                                       .key = parts->keys.key,
                                       .key_next = parts->keys.next,
                                       .key_folder = parts->state_dir,
                                       .guard = parts->origin.guard,
                                       .machine = parts->origin.machine,
                                       .settings = parts->for_back,
                                       .inbox = threads->to_back,
                                       .front = threads->to_front,
                                       .main = parts->events,
                                       .pulses = parts->pulses };
    const struct front_options front = { .api_fd = parts->api_fd,
                                         .settings = parts->for_front,
                                         .inbox = threads->to_front,
                                         .back = threads->to_back,
                                         .pulses = parts->pulses,
                                         .system_service = parts->system_service,
                                         .connections_max = parts->clients_max };
    int r = front_new(&front, &threads->front, complaint);
    if (r != 0)
        return r;
    parts->api_fd = -1;
    parts->for_front = NULL;
    r = back_new(&back, &threads->back, complaint);
    if (r != 0)
        return r;
    parts->for_back = NULL;
    parts->store = NULL;
    parts->keys = (struct keys){ NULL, NULL };
    parts->origin.guard = NULL;
    return 0;
}

static int start_both(struct threads *threads)
{
    int r = pthread_create(&threads->back_thread, NULL, run_back, threads);
    if (r != 0)
        return -r;
    threads->back_runs = true;
    r = pthread_create(&threads->front_thread, NULL, run_front, threads);
    if (r != 0)
        return -r;
    threads->front_runs = true;
    return 0;
}

/* Takes the letter over. */
static int send_certificate(struct threads *threads, struct message *letter)
{
    if (!letter || mailbox_send(threads->to_front, letter) == 0)
        return 0;
    message_free(letter);
    return -EAGAIN;
}

int threads_start(struct thread_parts *parts, void (*ended)(void *userdata), void *userdata,
                  struct threads **ret, struct complaint *complaint)
{
    struct threads *threads = calloc(1, sizeof *threads);
    if (!threads)
        return -ENOMEM;
    threads->ended = ended;
    threads->userdata = userdata;
    int r = make_mailboxes(threads);
    if (r == 0)
        r = make_rooms(threads, parts, complaint);
    if (r == 0)
        r = send_certificate(threads, steal(parts->certificate));
    if (r == 0) {
        r = start_both(threads);
        if (r != 0)
            complain(complaint, "a thread cannot be started: %s", strerror(-r));
    }
    if (r != 0) {
        (void)threads_stop(threads);
        return r > 0 ? -ENOMEM : r;
    }
    *ret = threads;
    return 0;
}

int threads_reload(struct threads *threads, struct settings *for_front, struct settings *for_back,
                   struct seal_key *key_next, struct message *certificate)
{
    CLEANUP(cleanup_settings) struct settings *front_settings = for_front;
    CLEANUP(cleanup_settings) struct settings *back_settings = for_back;
    CLEANUP(cleanup_seal_key) struct seal_key *key = key_next;
    CLEANUP(cleanup_message) struct message *front_letter = message_new(NEW_SETTINGS);
    CLEANUP(cleanup_message) struct message *back_letter = message_new(NEW_SETTINGS);
    int r = send_certificate(threads, certificate);
    if (r != 0)
        return r;
    if (!front_letter || !back_letter)
        return -ENOMEM;
    if (mailbox_reserve(threads->to_front) != 0)
        return -EAGAIN;
    if (mailbox_reserve(threads->to_back) != 0) {
        mailbox_unreserve(threads->to_front);
        return -EAGAIN;
    }
    front_letter->settings = steal(front_settings);
    back_letter->settings = steal(back_settings);
    back_letter->key_next = steal(key);
    mailbox_send_reserved(threads->to_back, steal(back_letter));
    mailbox_send_reserved(threads->to_front, steal(front_letter));
    return 0;
}

int threads_tell_decision(struct threads *threads, int64_t caller_id, bool approved)
{
    struct message *letter = message_new(TELL_DECISION);
    if (!letter)
        return -ENOMEM;
    letter->caller_id = caller_id;
    letter->accept = approved;
    if (mailbox_send(threads->to_back, letter) == 0)
        return 0;
    message_free(letter);
    return -EAGAIN;
}

/* Never: no more of them wait than the mailbox takes. */
static void *make_no_overflow(void)
{
    return NULL;
}

void threads_tell_heard(struct threads *threads, struct message *letter)
{
    char key[MAILBOX_KEY_SIZE];
    (void)snprintf(key, sizeof key, "heard %" PRIu64, letter->id);
    mailbox_notify(threads->to_back, key, letter, make_no_overflow);
}

static bool send_pulse(struct mailbox *mailbox, uint64_t id)
{
    struct message *pulse = message_new(PULSE);
    if (!pulse)
        return false;
    pulse->id = id;
    if (mailbox_send(mailbox, pulse) == 0)
        return true;
    message_free(pulse);
    return false;
}

void threads_ask_pulse(struct threads *threads)
{
    (void)send_pulse(threads->to_front, 0); /* none comes back then, which is an answer too */
}

int threads_ask_both(struct threads *threads, uint64_t id)
{
    return send_pulse(threads->to_front, id) + send_pulse(threads->to_back, id);
}

int threads_stop(struct threads *threads)
{
    send_stop(threads->to_front, &threads->front_stop, threads->front_runs, threads->front_thread);
    /* Its sockets with it: the back may wait for a provider, with nobody behind them any more. */
    threads->front = front_free(threads->front);
    send_stop(threads->to_back, &threads->back_stop, threads->back_runs, threads->back_thread);
    const int result = threads->front_result != 0 ? threads->front_result : threads->back_result;
    back_free(threads->back);
    mailbox_free(threads->to_front);
    mailbox_free(threads->to_back);
    message_free(threads->front_stop);
    message_free(threads->back_stop);
    free(threads);
    return result;
}
