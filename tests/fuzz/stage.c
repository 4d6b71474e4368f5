#include "stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon.h"
#include "front/front.h"
#include "io/web.h"
#include "played_back.h"
#include "temporary.h"

enum {
    PATIENCE_MS = 10 * 1000, /* no turn of the front takes longer */
    RESTS_WANTED = 3,        /* turns in which nothing came */
    REST_NS = 200 * 1000,    /* for what the front puts off until nothing else is to do */
    MARK_MAX = 512,
    LOGIN_USES_MAX = 500,
    BACK_SLOTS = 1024,
};

static const char configuration[] =
    "callback { listen = 'http://127.0.0.1:%u' public_url = 'https://hr.example.com/oauth' }\n"
    "provider zenegy { token_endpoint = 'https://auth.example/token' client_id = x"
    " authorization_endpoint = 'https://auth.example/authorize' client_auth = none"
    " redirect_uri = 'http://127.0.0.1:%u/callback/zenegy' identity = company_id }\n"
    "provider link { preset = zenhr client_id = x client_secret = s }\n"
    "provider device { grant = device_code token_endpoint = 'https://x.example/t' client_id = x"
    " device_authorization_endpoint = 'https://x.example/d' client_auth = none }\n"
    "provider own { grant = static present = 'query access_token' api_base = 'https://x.example' "
    "}\n";

/* What the marks stand for. */
enum mark { MARK_STATE, MARK_COOKIES, MARK_LOGIN, MARK_NONCE, MARK_HOST, MARK_COUNT };
static const char mark_letters[MARK_COUNT] = { 'S', 'C', 'L', 'N', 'H' };

static struct {
    char socket[108];
    uint16_t port;
    struct settings *settings; /* the played back's */
    struct mailbox *inbox, *back, *pulses;
    char marks[MARK_COUNT][MARK_MAX];
    unsigned uses; /* of the login */
    bool spent;    /* the login has ended, or may have */
} stage;

/* --- connections --- */

static int connect_to(enum stage_door door)
{
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    struct sockaddr_in loopback = { .sin_family = AF_INET,
                                    .sin_port = htons(stage.port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const bool unix_door = door == DOOR_API;
    /* Reset at the end, so that no port stays taken for a minute. */
    const struct linger reset = { .l_onoff = 1 };
    int fd = socket(unix_door ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(local.sun_path, stage.socket, sizeof local.sun_path);
    PROMISE(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
    const struct sockaddr *to =
        unix_door ? (const struct sockaddr *)&local : (const struct sockaddr *)&loopback;
    const socklen_t length = unix_door ? sizeof local : sizeof loopback;
    int r;
    while ((r = connect(fd, to, length)) < 0 && errno == EINTR)
        continue; /* libFuzzer's alarm */
    const bool connected = r == 0 || errno == EISCONN;
    if (!connected)
        perror("connect");
    PROMISE(connected);
    return fd;
}

static void send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent <= 0)
            return; /* it has hung up, or reads no more */
        bytes += sent;
        length -= (size_t)sent;
    }
}

static bool read_some(int fd, struct buffer *answer)
{
    char piece[4096];
    ssize_t got = recv(fd, piece, sizeof piece, MSG_DONTWAIT);

    if (got > 0)
        buffer_append(answer, piece, (size_t)got);
    return got > 0;
}

/* --- the back, and when the front rests --- */

static bool answer_one(void)
{
    CLEANUP(cleanup_message) struct message *question = mailbox_take(stage.back);
    struct message *answer = question ? played_answer(stage.settings, question) : NULL;

    if (answer)
        mailbox_send_reserved(stage.inbox, answer);
    if (question && question->kind == ASK_EXCHANGE)
        stage.spent = true;
    return question != NULL;
}

/* The front has come round its loop once. */
static void pulse(void)
{
    struct pollfd wait = { .fd = mailbox_fd(stage.pulses), .events = POLLIN };
    int r;

    PROMISE(mailbox_send(stage.inbox, message_new(PULSE)) == 0);
    while ((r = poll(&wait, 1, PATIENCE_MS)) < 0 && errno == EINTR)
        continue;
    PROMISE(r == 1);
    message_free(mailbox_take(stage.pulses));
}

/* True as soon as the client or the back has something to look at. */
static bool something_comes(int fd)
{
    struct pollfd waits[] = { { .fd = fd, .events = POLLIN },
                              { .fd = mailbox_fd(stage.back), .events = POLLIN } };
    const struct timespec rest = { .tv_nsec = REST_NS };

    return ppoll(waits, LENGTH_OF(waits), &rest, NULL) > 0;
}

static void settle(int fd, struct buffer *answer)
{
    for (unsigned rests = 0; rests < RESTS_WANTED;) {
        pulse();
        bool asked = something_comes(fd) && answer_one(), came = read_some(fd, answer);
        rests = asked || came ? 0 : rests + 1;
    }
}

/* always: it is always answered, however long a busy machine takes, and that is waited for. */
static void send_as_it_is(enum stage_door door, const struct buffer *request, bool always,
                          struct buffer *answer)
{
    CLEANUP(cleanup_fd) int fd = connect_to(door);
    const size_t before = answer->length;

    send_all(fd, buffer_text(request), request->length);
    do
        settle(fd, answer);
    while (always && answer->length == before);
}

/* --- the login --- */

static void ask(enum stage_door door, const char *method, const char *path, const char *body,
                struct buffer *answer)
{
    CLEANUP(cleanup_buffer) struct buffer request = BUFFER_WITH_MAXIMUM(STAGE_TEXT_MAX);

    buffer_append_format(&request, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %zu\r\n\r\n%s",
                         method, path, stage.marks[MARK_HOST], strlen(body), body);
    send_as_it_is(door, &request, true, answer);
}

/* What stands in the answer between two texts. */
static void cut_out(const struct buffer *answer, const char *before, const char *ends,
                    char out[static MARK_MAX])
{
    const char *at = strstr(buffer_text(answer), before);
    size_t length = at ? strcspn(at + strlen(before), ends) : 0;

    if (!at || length >= MARK_MAX) {
        fprintf(stderr, "%s is not in:\n%s\n", before, buffer_text(answer));
        abort();
    }
    memcpy(out, at + strlen(before), length);
    out[length] = '\0';
}

static void begin_login(void)
{
    CLEANUP(cleanup_buffer) struct buffer begun = BUFFER_WITH_MAXIMUM(STAGE_TEXT_MAX);
    CLEANUP(cleanup_buffer) struct buffer opened = BUFFER_WITH_MAXIMUM(STAGE_TEXT_MAX);
    CLEANUP(cleanup_buffer) struct buffer path = BUFFER_WITH_MAXIMUM(STAGE_TEXT_MAX);

    ask(DOOR_API, "POST", "/v1/login/zenegy/acme", "{}", &begun);
    cut_out(&begun, "\"login_id\":\"", "\"", stage.marks[MARK_LOGIN]);
    cut_out(&begun, "/start/", "\"", stage.marks[MARK_NONCE]);
    buffer_append_format(&path, "/start/%s", stage.marks[MARK_NONCE]);
    ask(DOOR_CALLBACK, "GET", buffer_text(&path), "", &opened);
    cut_out(&opened, "state=", "&\r", stage.marks[MARK_STATE]);
    cut_out(&opened, "Set-Cookie: ", ";\r", stage.marks[MARK_COOKIES]);
    stage.uses = 0;
    stage.spent = false;
}

static void renew_login(void)
{
    CLEANUP(cleanup_buffer) struct buffer path = BUFFER_WITH_MAXIMUM(STAGE_TEXT_MAX);
    CLEANUP(cleanup_buffer) struct buffer answer = BUFFER_WITH_MAXIMUM(STAGE_TEXT_MAX);

    buffer_append_format(&path, "/v1/logins/%s", stage.marks[MARK_LOGIN]);
    ask(DOOR_API, "DELETE", buffer_text(&path), "", &answer);
    begin_login();
}

/* --- marks --- */

static const char *mark_text(char letter)
{
    for (size_t i = 0; i < MARK_COUNT; i++) {
        if (mark_letters[i] == letter)
            return stage.marks[i];
    }
    return NULL;
}

static void fill_marks(struct buffer *out, const char *bytes, size_t length, size_t body)
{
    for (size_t i = 0; i < length; i++) {
        const char letter = bytes[i] == '$' && i + 1 < length ? bytes[i + 1] : '\0';
        const char *text = mark_text(letter);
        if (text)
            buffer_append_text(out, text);
        else if (letter == 'B')
            buffer_append_format(out, "%zu", body);
        else
            buffer_append_char(out, bytes[i]);
        i += text || letter == 'B';
    }
}

static void send_marked(enum stage_door door, const char *bytes, size_t length, bool always,
                        struct buffer *answer)
{
    CLEANUP(cleanup_buffer) struct buffer head = BUFFER_WITH_MAXIMUM(STAGE_TEXT_MAX);
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(STAGE_TEXT_MAX);
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    const size_t head_length = end ? (size_t)(end + 4 - bytes) : length;

    if (stage.spent || stage.uses++ >= LOGIN_USES_MAX)
        renew_login();
    fill_marks(&body, bytes + head_length, length - head_length, 0);
    fill_marks(&head, bytes, head_length, body.length);
    buffer_append(&head, body.data, body.length);
    if (!head.failed && !body.failed)
        send_as_it_is(door, &head, always, answer);
    /* It may have ended without a code, too. */
    stage.spent |= strstr(buffer_text(answer), "\"status\":\"") != NULL ||
                   strstr(buffer_text(answer), "Location: /done/") != NULL;
}

void stage_send(enum stage_door door, const char *bytes, size_t length, struct buffer *answer)
{
    send_marked(door, bytes, length, false, answer);
}

void stage_ask(enum stage_door door, const char *bytes, size_t length, struct buffer *answer)
{
    send_marked(door, bytes, length, true, answer);
}

void stage_follow(enum stage_door door, const char *path, struct buffer *answer)
{
    CLEANUP(cleanup_buffer) struct buffer filled = BUFFER_WITH_MAXIMUM(STAGE_TEXT_MAX);

    fill_marks(&filled, path, strlen(path), 0);
    ask(door, "GET", buffer_text(&filled), "", answer);
}

/* --- setting it up --- */

static struct settings *read_settings(void)
{
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(STAGE_TEXT_MAX);
    CLEANUP(cleanup_settings_text) struct settings_text *files = NULL;
    const struct settings_places places = { 0 };
    struct complaint complaint = { "" };
    struct settings *settings = NULL;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    buffer_append_format(&text, configuration, stage.port, stage.port);
#pragma GCC diagnostic pop
    int r =
        settings_read(temporary_file(buffer_text(&text), text.length), true, &files, &complaint);
    if (r == 0)
        r = settings_parse(files, &places, false, &settings, &complaint);
    if (r != 0)
        fprintf(stderr, "%s\n", complaint.text);
    return settings;
}

/* One that nobody listens on now. */
static uint16_t free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    CLEANUP(cleanup_fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    PROMISE(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0);
    PROMISE(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    return ntohs(address.sin_port);
}

static void *run_front(void *front)
{
    (void)front_run(front);
    return NULL;
}

static int start_front(struct settings *settings)
{
    struct complaint complaint = { "" };
    struct front *front = NULL;
    pthread_t thread;
    const struct front_options options = {
        .api_fd = web_listen_unix(stage.socket, 0600, &complaint),
        .settings = settings,
        .inbox = stage.inbox,
        .back = stage.back,
        .pulses = stage.pulses,
    };

    if (options.api_fd < 0 || front_new(&options, &front, &complaint) < 0) {
        fprintf(stderr, "%s\n", complaint.text);
        return -1;
    }
    return pthread_create(&thread, NULL, run_front, front) == 0 ? 0 : -1;
}

static int make_mailboxes(void)
{
    int r = mailbox_new(FRONT_INBOX_SLOTS, FRONT_NOTICES_MAX, message_destroy, &stage.inbox);

    if (r == 0)
        r = mailbox_new(BACK_SLOTS, BACK_SLOTS, message_destroy, &stage.back);
    return r == 0 ? mailbox_new(1, 1, message_destroy, &stage.pulses) : r;
}

int stage_start(void)
{
    stage.port = free_port();
    (void)snprintf(stage.socket, sizeof stage.socket, "%s/s", temporary_folder());
    (void)snprintf(stage.marks[MARK_HOST], MARK_MAX, "127.0.0.1:%u", (unsigned)stage.port);
    struct settings *settings = read_settings();
    stage.settings = read_settings();
    if (!settings || !stage.settings || make_mailboxes() < 0 || start_front(settings) < 0)
        return -1;
    begin_login();
    return 0;
}
