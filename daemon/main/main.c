/*
 * The main thread: options, settings, signals, notify; it wires the others. It alone may block.
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/loop.h"
#include "main/authority.h"
#include "main/harden.h"
#include "main/hooks.h"
#include "main/keys.h"
#include "main/notify.h"
#include "main/opening.h"
#include "main/reading.h"
#include "main/restore.h"
#include "main/threads.h"
#include "main/watchdog.h"

enum { SIGNAL_COUNT = 3, EXIT_USAGE = 2 };
static const int signals[SIGNAL_COUNT] = { SIGTERM, SIGINT, SIGHUP };

struct daemon {
    struct places places;
    struct loop *loop;
    struct loop_source *signal_sources[SIGNAL_COUNT];
    struct watchdog *watchdog;
    struct hooks *hooks;
    struct threads *threads;
    bool socket_is_ours; /* to be taken away at the end */
};

static int fail(const struct complaint *complaint)
{
    log_error("%s", complaint->text);
    (void)sd_notifyf(0, "STATUS=%s", complaint->text);
    return EXIT_FAILURE;
}

static struct hook_programs programs_of(const struct settings *settings)
{
    return (struct hook_programs){ settings->on_event, settings->on_caller };
}

static int configure_hooks(struct hooks *hooks, const struct settings *settings)
{
    const struct hook_programs programs = programs_of(settings);
    return hooks_configure(hooks, &programs);
}

static void caller_decided(void *userdata, int64_t caller_id, bool approved)
{
    const struct daemon *daemon = userdata;
    if (threads_tell_decision(daemon->threads, caller_id, approved) != 0)
        log_warning("caller %lld: what on_caller said was lost", (long long)caller_id);
}

static void event_heard(void *userdata, struct message *letter)
{
    const struct daemon *daemon = userdata;
    threads_tell_heard(daemon->threads, letter);
}

/* A file that vanishes, in an editor's hands say, is not taken for an empty one. */
static void expect_configuration(struct places *places)
{
    if (access(places->config, F_OK) == 0)
        places->config_expected = true;
}

static void reload(struct daemon *daemon)
{
    struct complaint complaint = { "" };
    CLEANUP(cleanup_reading) struct reading new = { .text = NULL };
    CLEANUP(cleanup_seal_key) struct seal_key *key_next = NULL;
    notify_manager("RELOADING=1");
    int r = reading_all(&daemon->places, daemon->watchdog, &new, &complaint);
    if (r == SETTINGS_STOPPED)
        return;
    if (r != 0 || keys_read_next(&daemon->places, new.back, &key_next, &complaint) != 0)
        log_error("the configuration stays as it was: %s", complaint.text);
    else if (configure_hooks(daemon->hooks, new.front) != 0 ||
             threads_reload(daemon->threads, steal(new.front), steal(new.back), steal(key_next),
                            steal(new.certificate)) != 0)
        log_error("the configuration stays as it was: too much is under way, reload again");
    else
        log_info("the configuration was read anew; the callback's listeners, key and folders "
                 "need a restart");
    expect_configuration(&daemon->places);
    watchdog_ready_when_settled(daemon->watchdog);
}

static void got_signal(void *userdata, int signal)
{
    struct daemon *daemon = userdata;
    if (signal == SIGHUP) {
        reload(daemon);
        return;
    }
    log_info("stopping");
    /* A sign of life that crosses systemd's own order to stop would have it watch again. */
    notify_manager("STOPPING=1\nWATCHDOG_USEC=0");
    loop_exit(daemon->loop, 0);
}

static int add_signals(struct daemon *daemon)
{
    int r = loop_new(&daemon->loop);
    for (size_t i = 0; i < SIGNAL_COUNT && r == 0; i++)
        r = loop_add_signal(daemon->loop, signals[i], got_signal, daemon,
                            &daemon->signal_sources[i]);
    return r == 0 ? watchdog_new(daemon->loop, &daemon->watchdog) : r;
}

/* Signals go to the main thread's loop alone; every thread inherits the mask. */
static void block_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set); /* these fail for bad signal numbers alone */
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        (void)sigaddset(&set, signals[i]);
    (void)sigaddset(&set, SIGCHLD);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* A thread ended by itself: the process goes down with it, and its manager starts it anew. */
static void thread_ended(void *userdata)
{
    const struct daemon *daemon = userdata;
    (void)daemon;
    (void)kill(getpid(), SIGTERM);
}

static int open_places(struct daemon *daemon, const struct settings *settings,
                       struct thread_parts *parts, struct complaint *complaint)
{
    const struct places *places = &daemon->places;
    int r = open_store(places, &parts->store, complaint);
    if (r == 0)
        r = keys_open(places, settings, parts->store, &parts->keys, complaint);
    if (r == 0)
        r = origin_check(places, parts->store, &parts->origin, complaint);
    if (r == 0) {
        r = open_socket(places, &daemon->socket_is_ours, complaint);
        parts->api_fd = r;
        r = r < 0 ? r : 0;
    }
    return r;
}

/* The secrets come last: a start that fails is tried again and again, and each time a vault might
 * count, or charge for. The key of the store alone is read before. */
static int open_parts(struct daemon *daemon, struct thread_parts *parts,
                      struct complaint *complaint)
{
    const struct places *places = &daemon->places;
    CLEANUP(cleanup_reading) struct reading reading = { .text = NULL };
    int r = reserve_descriptors(&parts->clients_max, complaint);
    if (r == 0)
        r = reading_configuration(places, &reading, complaint);
    if (r == 0)
        r = open_places(daemon, reading.front, parts, complaint);
    if (r == 0)
        r = reading_secrets(places, daemon->watchdog, &reading, complaint);
    if (r != 0)
        return r;
    parts->for_front = steal(reading.front);
    parts->for_back = steal(reading.back);
    parts->certificate = steal(reading.certificate);
    return 0;
}

static void close_parts(struct thread_parts *parts)
{
    settings_free(parts->for_front);
    settings_free(parts->for_back);
    seal_key_free(parts->keys.key);
    seal_key_free(parts->keys.next);
    guard_close(parts->origin.guard);
    store_close(parts->store);
    message_free(parts->certificate);
    cleanup_fd(&parts->api_fd);
}

/* Before it is closed: from then on its path may be another broker's. What stays is replaced at the
 * next start. */
static void give_up_socket(struct daemon *daemon)
{
    if (daemon->socket_is_ours)
        (void)unlink(daemon->places.socket);
}

static int run(struct daemon *daemon)
{
    log_info("tokenbrokerd " TOKENBROKER_VERSION " answers on %s", daemon->places.socket);
    notify_manager("READY=1\nSTATUS=Answering.");
    expect_configuration(&daemon->places);
    watchdog_start(daemon->watchdog, daemon->threads);
    int r = loop_run(daemon->loop);
    if (r < 0)
        log_error("the main loop ended with: %s", strerror(-r));
    give_up_socket(daemon);
    const int ended = threads_stop(daemon->threads);
    if (ended != 0)
        log_error("a thread ended with: %s", strerror(-ended));
    return r == 0 && ended == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int serve(struct daemon *daemon)
{
    struct complaint complaint = { "the daemon cannot be set up: memory is short" };
    struct thread_parts parts = { .api_fd = -1,
                                  .system_service = daemon->places.system_service,
                                  .state_dir = daemon->places.state_dir };
    bool locked = true;
    int r = secret_start(&locked);
    if (r == 0 && !locked)
        log_warning("secrets may be swapped out: raise the limit of locked memory (ulimit -l)");
    if (r == 0)
        r = add_signals(daemon);
    if (r == 0)
        r = open_parts(daemon, &parts, &complaint);
    if (r == 0) {
        const struct hook_programs programs = programs_of(parts.for_front);
        r = hooks_new(daemon->loop, &programs, &daemon->hooks);
    }
    if (r == 0) {
        parts.events = hooks_mailbox(daemon->hooks);
        parts.pulses = watchdog_pulses(daemon->watchdog);
        r = threads_start(&parts, thread_ended, daemon, &daemon->threads, &complaint);
    }
    if (r == 0)
        hooks_set_listeners(daemon->hooks, &(struct hook_listeners){ .decided = caller_decided,
                                                                     .heard = event_heard,
                                                                     .userdata = daemon });
    int result = EXIT_FAILURE;
    if (r == 0)
        result = run(daemon);
    else {
        result = r == SETTINGS_STOPPED ? EXIT_SUCCESS : fail(&complaint);
        give_up_socket(daemon);
        close_parts(&parts);
    }
    return result;
}

static int check_config(const struct places *places)
{
    struct complaint complaint = { "" };
    CLEANUP(cleanup_reading) struct reading reading = { .text = NULL };
    bool locked = false;
    int r = secret_start(&locked);
    if (r == 0)
        r = reading_all(places, NULL, &reading, &complaint);
    if (r == SETTINGS_NO_CREDENTIALS) {
        (void)printf("%s: fine; its secrets are not looked at, as systemd gives credentials to the "
                     "service alone\n",
                     places->config);
        return EXIT_SUCCESS;
    }
    if (r != 0) {
        (void)fprintf(stderr, "%s\n", complaint.text);
        return EXIT_FAILURE;
    }
    const struct settings *front = reading.front;
    const struct hook_programs programs = programs_of(front);
    const bool there = access(places->config, F_OK) == 0;
    hooks_check(&programs);
    (void)printf("%s: %s, %zu provider%s, %zu access rule%s\n", places->config,
                 there ? "fine" : "there is no such file", front->provider_count,
                 front->provider_count == 1 ? "" : "s", front->rule_count,
                 front->rule_count == 1 ? "" : "s");
    return EXIT_SUCCESS;
}

static int restore(const struct places *places, const char *path)
{
    struct complaint complaint = { "secrets have no place in memory" };
    CLEANUP(cleanup_settings_text) struct settings_text *text = NULL;
    CLEANUP(cleanup_settings) struct settings *settings = NULL;
    const struct settings_places where = { .credentials_directory = places->credentials_directory };
    bool locked = false;
    /* Of all secrets the key alone is read: those of providers may be for the service only. */
    if (secret_start(&locked) == 0 &&
        settings_read(places->config, places->config_expected, &text, &complaint) == 0 &&
        settings_parse(text, &where, false, &settings, &complaint) == 0 &&
        restore_backup(places, settings, path, &complaint) == 0)
        return EXIT_SUCCESS;
    (void)fprintf(stderr, "tokenbrokerd: %s\n", complaint.text);
    return EXIT_FAILURE;
}

static void release(struct daemon *daemon)
{
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        loop_source_free(daemon->signal_sources[i]);
    watchdog_free(daemon->watchdog);
    hooks_free(daemon->hooks);
    loop_free(daemon->loop);
    places_release(&daemon->places);
}

static int work(const struct options *options, struct daemon *daemon)
{
    struct complaint complaint = { "" };
    block_signals();
    if (places_find(options, &daemon->places, &complaint) != 0)
        return fail(&complaint);
    if (options->check_config)
        return check_config(&daemon->places);
    return options->restore ? restore(&daemon->places, options->restore) : serve(daemon);
}

int main(int argc, char **argv)
{
    struct options options = { 0 };
    struct daemon daemon = { 0 };
    keep_standard_files();
    int result = options_parse(argc, argv, &options);
    if (result != 0) {
        options_release(&options);
        return result == OPTIONS_DONE ? EXIT_SUCCESS : EXIT_USAGE;
    }
    log_start(options.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
    harden(argv);
    /* It reads what a person pastes, and can be ended like any program. */
    result = options.check_authority ? check_authority() : work(&options, &daemon);
    release(&daemon);
    options_release(&options);
    return result;
}
