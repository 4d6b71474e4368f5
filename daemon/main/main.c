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
#include "main/certificate.h"
#include "main/harden.h"
#include "main/hooks.h"
#include "main/keys.h"
#include "main/notify.h"
#include "main/opening.h"
#include "main/restore.h"
#include "main/threads.h"
#include "main/unsupported.h"
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

/* Both settings from one reading of the files; and the callback's certificate, where files of the
 * configuration hold it. watchdog: NULL where no manager waits. */
static int load_settings(const struct places *places, struct watchdog *watchdog,
                         struct settings **ret_front, struct settings **ret_back,
                         struct message **ret_certificate, struct complaint *complaint)
{
    CLEANUP(cleanup_settings_text) struct settings_text *text = NULL;
    CLEANUP(cleanup_settings) struct settings *front = NULL;
    CLEANUP(cleanup_settings) struct settings *back = NULL;
    const struct settings_places where = { .credentials_directory = places->credentials_directory,
                                           .ran = watchdog ? watchdog_look : NULL,
                                           .userdata = watchdog };
    int r = settings_read(places->config, places->config_expected, &text, complaint);
    if (r == 0)
        r = settings_parse(text, &where, false, &front, complaint);
    if (r == 0)
        r = refuse_unsupported(front, complaint);
    if (r == 0)
        r = settings_parse(text, &where, true, &back, complaint);
    if (r == 0)
        r = certificate_read(front, ret_certificate, complaint);
    if (r != 0)
        return r;
    settings_hand_over_keys(back, front);
    *ret_front = steal(front);
    *ret_back = steal(back);
    return 0;
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
    CLEANUP(cleanup_settings) struct settings *front = NULL;
    CLEANUP(cleanup_settings) struct settings *back = NULL;
    CLEANUP(cleanup_message) struct message *certificate = NULL;
    CLEANUP(cleanup_seal_key) struct seal_key *key_next = NULL;
    notify_manager("RELOADING=1");
    if (load_settings(&daemon->places, daemon->watchdog, &front, &back, &certificate, &complaint) !=
            0 ||
        keys_read_next(&daemon->places, back, &key_next, &complaint) != 0)
        log_error("the configuration stays as it was: %s", complaint.text);
    else if (configure_hooks(daemon->hooks, front) != 0 ||
             threads_reload(daemon->threads, steal(front), steal(back), steal(key_next),
                            steal(certificate)) != 0)
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

static int open_parts(struct daemon *daemon, struct thread_parts *parts,
                      struct complaint *complaint)
{
    const struct places *places = &daemon->places;
    int r = reserve_descriptors(&parts->clients_max, complaint);
    if (r == 0)
        r = load_settings(places, daemon->watchdog, &parts->for_front, &parts->for_back,
                          &parts->certificate, complaint);
    if (r == 0)
        r = open_store(places, &parts->store, complaint);
    if (r == 0)
        r = keys_open(places, parts->for_back, parts->store, &parts->keys, complaint);
    if (r == 0)
        r = origin_check(places, parts->store, &parts->origin, complaint);
    if (r == 0) {
        r = open_socket(places, &daemon->socket_is_ours, complaint);
        parts->api_fd = r;
        r = r < 0 ? r : 0;
    }
    return r;
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
        fail(&complaint);
        give_up_socket(daemon);
        close_parts(&parts);
    }
    return result;
}

static int check_config(const struct places *places)
{
    struct complaint complaint = { "" };
    CLEANUP(cleanup_settings) struct settings *front = NULL;
    CLEANUP(cleanup_settings) struct settings *back = NULL;
    CLEANUP(cleanup_message) struct message *certificate = NULL;
    bool locked = false;
    int r = secret_start(&locked);
    if (r == 0)
        r = load_settings(places, NULL, &front, &back, &certificate, &complaint);
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

int main(int argc, char **argv)
{
    struct options options = { 0 };
    struct daemon daemon = { 0 };
    struct complaint complaint = { "" };
    keep_standard_files();
    int result = options_parse(argc, argv, &options);
    if (result != 0) {
        options_release(&options);
        return result == OPTIONS_DONE ? EXIT_SUCCESS : EXIT_USAGE;
    }
    log_start(options.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
    block_signals();
    harden(argv);
    if (options.check_authority)
        result = check_authority();
    else if (places_find(&options, &daemon.places, &complaint) != 0)
        result = fail(&complaint);
    else if (options.check_config)
        result = check_config(&daemon.places);
    else if (options.restore)
        result = restore(&daemon.places, options.restore);
    else
        result = serve(&daemon);
    release(&daemon);
    options_release(&options);
    return result;
}
