#include "main/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

enum { EVENT_JSON_MAX = 4096, USER_BUFFER_SIZE = 16 * 1024, COMMAND_SIZE = 64 };

struct hooks {
    struct loop *loop;
    struct mailbox *mailbox;
    struct loop_source *letters;
    struct loop_source *child_ended;
    struct loop_source *impatience;
    char *on_event, *on_caller;
    struct hook_listeners listeners;
    size_t running;
    struct child {
        pid_t pid;
        int64_t end_by;
        int64_t caller_id;      /* whom it decides about; 0: on_event */
        struct message *letter; /* that it was given */
    } children[HOOKS_AT_ONCE];
};

static void put_user(struct json_writer *json, uint32_t uid)
{
    struct passwd entry, *found = NULL;
    CLEANUP(cleanup_string) char *space = malloc(USER_BUFFER_SIZE);

    if (space)
        (void)getpwuid_r(uid, &entry, space, USER_BUFFER_SIZE, &found);
    json_put_string(json, "user", found ? found->pw_name : NULL);
}

static void put_caller(struct json_writer *event, const struct caller_row *caller)
{
    struct json_writer json = json_put_nested(event, "caller", '{');
    char command[COMMAND_SIZE];

    json_put_integer(&json, "id", caller->id);
    json_put_integer(&json, "uid", caller->uid);
    put_user(&json, caller->uid);
    json_put_string(&json, "unit", *caller->unit ? caller->unit : NULL);
    json_put_string(&json, "rule", caller->rule);
    (void)snprintf(command, sizeof command, "tokenbroker approve %lld", (long long)caller->id);
    json_put_string(&json, "approve", command);
    json_writer_end(&json);
}

static int describe(const struct message *letter)
{
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(EVENT_JSON_MAX);
    char account[ACCOUNT_TEXT_SIZE];
    struct json_writer json = json_writer_begin(&text, '{');
    json_put_string(&json, "event", letter->event.name);
    if (letter->account.provider[0])
        json_put_string(&json, "provider", letter->account.provider);
    if (letter->account.label[0])
        json_put_string(&json, "account", account_text(&letter->account, account));
    json_put_string(&json, "description", letter->event.text);
    json_put_string(&json, "start_url", letter->start_url);
    if (letter->caller_count == 1)
        put_caller(&json, &letter->callers[0]);
    json_writer_end(&json);
    buffer_append_char(&text, '\n');
    CLEANUP(cleanup_fd) int fd = memfd_create("event", MFD_CLOEXEC);
    if (fd < 0 || text.failed)
        return fd < 0 ? -errno : -ENOMEM;
    /* A memfd takes a few hundred bytes whole or fails. */
    if (write(fd, text.data, text.length) != (ssize_t)text.length || lseek(fd, 0, SEEK_SET) < 0)
        return -EIO;
    return steal_fd(&fd);
}

/* None of our descriptors but the event and, for what it has to say, our standard error. */
static int add_actions(posix_spawn_file_actions_t *actions, int input)
{
    int r = posix_spawn_file_actions_adddup2(actions, input, STDIN_FILENO);
    if (r == 0)
        r = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (r == 0)
        r = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
    return r;
}

/* Signals as for any new program; a process group of its own, so that all of it can be ended. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int r = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                     POSIX_SPAWN_SETSIGDEF);
    if (r == 0)
        r = posix_spawnattr_setpgroup(attributes, 0);
    if (r == 0)
        r = posix_spawnattr_setsigmask(attributes, &none);
    if (r == 0)
        r = posix_spawnattr_setsigdefault(attributes, &all);
    return r;
}

static int spawn_with(const char *program, int input, pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *environment[] = { path, NULL };
    CLEANUP(cleanup_string) char *name = strdup(program);
    char *arguments[] = { name, NULL };
    if (!name)
        return -ENOMEM;
    int r = posix_spawn_file_actions_init(&actions);
    if (r != 0)
        return -r;
    r = posix_spawnattr_init(&attributes);
    if (r == 0) {
        r = add_actions(&actions, input);
        if (r == 0)
            r = set_attributes(&attributes);
        if (r == 0)
            r = posix_spawn(ret, program, &actions, &attributes, arguments, environment);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return -r;
}

static void watch_the_slow(struct hooks *hooks)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < HOOKS_AT_ONCE; i++)
        if (hooks->children[i].pid != 0 && hooks->children[i].end_by < first)
            first = hooks->children[i].end_by;
    const int64_t left = first - clock_now();
    if (hooks->running > 0)
        (void)loop_timer_set(hooks->impatience, left > 0 ? left : 0);
}

/* Takes the letter over. */
static void note_child(struct hooks *hooks, pid_t pid, int64_t caller_id, struct message *letter)
{
    for (size_t i = 0; i < HOOKS_AT_ONCE; i++) {
        if (hooks->children[i].pid != 0)
            continue;
        hooks->children[i].pid = pid;
        hooks->children[i].caller_id = caller_id;
        hooks->children[i].letter = letter;
        hooks->children[i].end_by = clock_now() + HOOK_TIME_MS;
        hooks->running++;
        watch_the_slow(hooks);
        return;
    }
}

/* Whatever is wrong with the program: nobody is approved by it. */
static void decide(struct hooks *hooks, int64_t caller_id, bool approved)
{
    if (caller_id != 0 && hooks->listeners.decided)
        hooks->listeners.decided(hooks->listeners.userdata, caller_id, approved);
}

/* Whoever told of it goes on telling until then. Takes the letter over. */
static void say_heard(struct hooks *hooks, struct message *letter, bool heard)
{
    if (letter->id == 0 || !hooks->listeners.heard) {
        message_free(letter);
        return;
    }
    letter->kind = TELL_HEARD;
    letter->accept = heard;
    hooks->listeners.heard(hooks->listeners.userdata, letter);
}

/* Takes the letter over. */
static void call(struct hooks *hooks, struct message *letter)
{
    const bool decides = letter->caller_count == 1 && hooks->on_caller;
    const int64_t caller_id = decides ? letter->callers[0].id : 0;
    const char *program = decides ? hooks->on_caller : hooks->on_event;
    pid_t pid = 0;
    if (!program) {
        say_heard(hooks, letter, true);
        return;
    }
    CLEANUP(cleanup_fd) int input = describe(letter);
    int r = input < 0 ? input : spawn_with(program, input, &pid);
    if (r == 0) {
        note_child(hooks, pid, caller_id, letter);
        return;
    }
    log_error("%s program %s cannot be started for %s: %s", decides ? "on_caller" : "on_event",
              program, letter->event.name, strerror(-r));
    decide(hooks, caller_id, false);
    say_heard(hooks, letter, false);
}

static void take_letters(void *userdata, int fd, uint32_t events)
{
    struct hooks *hooks = userdata;
    (void)fd;
    (void)events;
    while (hooks->running < HOOKS_AT_ONCE) {
        struct message *letter = mailbox_take(hooks->mailbox);
        if (!letter)
            return;
        call(hooks, letter);
    }
    (void)loop_source_set_events(hooks->letters, 0); /* until a child has ended */
}

static void ended(struct hooks *hooks, struct child *child, int status)
{
    const bool success = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (child->caller_id != 0)
        decide(hooks, child->caller_id, success);
    else if (!success)
        log_warning("on_event program %s failed", hooks->on_event ? hooks->on_event : "");
    say_heard(hooks, child->letter, true);
    *child = (struct child){ 0 };
    hooks->running--;
}

static void reap(void *userdata, int signal)
{
    struct hooks *hooks = userdata;
    (void)signal;
    for (size_t i = 0; i < HOOKS_AT_ONCE; i++) {
        struct child *child = &hooks->children[i];
        int status = 0;
        if (child->pid != 0 && waitpid(child->pid, &status, WNOHANG) == child->pid)
            ended(hooks, child, status);
    }
    (void)loop_source_set_events(hooks->letters, EPOLLIN);
}

static void end_the_slow(void *userdata)
{
    struct hooks *hooks = userdata;
    const int64_t now = clock_now();
    for (size_t i = 0; i < HOOKS_AT_ONCE; i++) {
        struct child *child = &hooks->children[i];
        if (child->pid == 0 || child->end_by > now)
            continue;
        (void)kill(-child->pid, SIGKILL);
        child->end_by = now + HOOK_TIME_MS; /* until it is reaped */
    }
    watch_the_slow(hooks);
}

static int build(struct hooks *hooks, const struct hook_programs *programs)
{
    int r = hooks_configure(hooks, programs);
    if (r == 0)
        r = mailbox_new(EVENTS_WAITING_MAX, 1, message_destroy, &hooks->mailbox);
    if (r == 0)
        r = loop_add_fd(hooks->loop, mailbox_fd(hooks->mailbox), EPOLLIN, take_letters, hooks,
                        &hooks->letters);
    if (r == 0)
        r = loop_add_signal(hooks->loop, SIGCHLD, reap, hooks, &hooks->child_ended);
    if (r == 0)
        r = loop_add_timer(hooks->loop, end_the_slow, hooks, &hooks->impatience);
    return r;
}

int hooks_new(struct loop *loop, const struct hook_programs *programs, struct hooks **ret)
{
    struct hooks *hooks = calloc(1, sizeof *hooks);
    if (!hooks)
        return -ENOMEM;
    hooks->loop = loop;
    int r = build(hooks, programs);
    if (r != 0) {
        hooks_free(hooks);
        return r;
    }
    *ret = hooks;
    return 0;
}

/* What has an id is told again by the next start. Takes the letter over. */
static void drop(struct message *letter, const char *what)
{
    char account[ACCOUNT_TEXT_SIZE];
    if (letter->id == 0)
        log_warning("at the end, %s for %s %s: %s", what, letter->event.name,
                    letter->account.label[0] ? account_text(&letter->account, account)
                                             : letter->account.provider,
                    letter->event.text);
    message_free(letter);
}

static void drop_all(struct hooks *hooks)
{
    struct message *letter = NULL;
    for (size_t i = 0; i < HOOKS_AT_ONCE; i++) {
        if (hooks->children[i].pid == 0)
            continue;
        (void)kill(-hooks->children[i].pid, SIGTERM);
        drop(hooks->children[i].letter, "the program was ended");
    }
    while (hooks->mailbox && (letter = mailbox_take(hooks->mailbox)))
        drop(letter, "no program was run");
}

struct hooks *hooks_free(struct hooks *hooks)
{
    if (!hooks)
        return NULL;
    drop_all(hooks);
    loop_source_free(hooks->letters);
    loop_source_free(hooks->child_ended);
    loop_source_free(hooks->impatience);
    mailbox_free(hooks->mailbox);
    free(hooks->on_event);
    free(hooks->on_caller);
    free(hooks);
    return NULL;
}

struct mailbox *hooks_mailbox(struct hooks *hooks)
{
    return hooks->mailbox;
}

void hooks_set_listeners(struct hooks *hooks, const struct hook_listeners *listeners)
{
    hooks->listeners = *listeners;
}

static void check(const char *key, const char *program)
{
    struct stat st;
    if (!program)
        return;
    if (stat(program, &st) < 0 || access(program, X_OK) < 0)
        log_warning("%s program %s cannot be started: %s", key, program, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        log_warning("%s program %s cannot be started: it is no file", key, program);
}

void hooks_check(const struct hook_programs *programs)
{
    check("on_event", programs->on_event);
    check("on_caller", programs->on_caller);
}

int hooks_configure(struct hooks *hooks, const struct hook_programs *programs)
{
    CLEANUP(cleanup_string) char *on_event = NULL;
    CLEANUP(cleanup_string) char *on_caller = NULL;
    int r = text_copy(programs->on_event, &on_event);
    if (r == 0)
        r = text_copy(programs->on_caller, &on_caller);
    if (r != 0)
        return r;
    hooks_check(programs);
    free(hooks->on_event);
    free(hooks->on_caller);
    hooks->on_event = steal(on_event);
    hooks->on_caller = steal(on_caller);
    return 0;
}
