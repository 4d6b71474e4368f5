#include "client/cli/prompt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/output.h"
#include "client/connection.h"

enum { PIECE_SIZE = 1024, MS_PER_S = 1000 };

/* What the terminal was like, for the handler too. */
static struct termios terminal_before;

bool prompt_possible(void)
{
    return isatty(STDIN_FILENO);
}

/* --- without echo --- */

/* A signal that ends us must not leave the terminal silent. */
static void restore_and_die(int signal_number)
{
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal_before);
    (void)raise(signal_number);
}

static void on_signals(void (*handler)(int), int flags)
{
    static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

    /* These signals can be caught: it cannot fail. */
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        (void)sigaction(ending[i], &action, NULL);
}

/* Canonical mode cuts lines at 4095 bytes, and tokens are longer: it goes too. */
static bool silence(void)
{
    if (tcgetattr(STDIN_FILENO, &terminal_before) < 0)
        return false;
    struct termios silent = terminal_before;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
    silent.c_cc[VMIN] = 1;
    silent.c_cc[VTIME] = 0;
    on_signals(restore_and_die, (int)SA_RESETHAND);
    return tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
}

static void unsilence(void)
{
    /* If this fails the terminal is gone. */
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal_before);
    on_signals(SIG_DFL, 0);
    (void)output_bytes(STDERR_FILENO, "\n", 1);
}

/* --- reading --- */

static const struct prompt_ends endless = { .interrupt_fd = -1, .timeout_s = -1 };

static int wait_for_input(const struct prompt_ends *ends, int64_t deadline_ms)
{
    const int64_t longest = ends->is_over ? PROMPT_LOOK_MS : INT32_MAX;

    for (;;) {
        struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
                                { .fd = ends->interrupt_fd, .events = POLLIN } };
        int64_t left = deadline_ms - connection_now();
        if (left <= 0)
            return PROMPT_TIMEOUT;
        int ready = poll(fds, 2, (int)(left > longest ? longest : left));
        if (ready < 0 && errno != EINTR)
            return -1;
        if (ready > 0 && fds[1].revents)
            return PROMPT_INTERRUPTED;
        if (ready > 0)
            return 0;
        if (ready == 0 && ends->is_over && ends->is_over(ends->userdata))
            return PROMPT_OVER;
    }
}

enum { KEY_END = 4, KEY_BACKSPACE = 8, KEY_KILL = 21, KEY_DELETE = 127 };

/* Takes a byte of a line; false when it ends the line. Without canonical mode the editing keys are
 * ours. */
static bool take_byte(struct text *out, char c, bool terminal)
{
    if (c == '\n' || (terminal && (c == '\r' || c == KEY_END)))
        return false;
    if (terminal && (c == KEY_BACKSPACE || c == KEY_DELETE))
        text_cut(out, out->length ? out->length - 1 : 0);
    else if (terminal && c == KEY_KILL)
        text_cut(out, 0);
    else
        text_append(out, &c, 1);
    return true;
}

static int read_line(const struct prompt_ends *ends, bool terminal, struct text *out)
{
    const int64_t deadline_ms =
        ends->timeout_s < 0 ? INT64_MAX : connection_now() + ends->timeout_s * MS_PER_S;
    char piece[PIECE_SIZE];
    bool more = true;

    while (more && !out->failed) {
        int r = wait_for_input(ends, deadline_ms);
        if (r < 0)
            return r;
        ssize_t length = read(STDIN_FILENO, piece, terminal ? 1 : sizeof piece);
        if (length < 0 && errno != EINTR && errno != EAGAIN)
            return -1;
        more = length != 0;
        for (ssize_t i = 0; more && i < length; i++)
            more = take_byte(out, piece[i], terminal);
    }
    explicit_bzero(piece, sizeof piece);
    return out->failed ? -1 : 0;
}

/* What is wrong with what was read; NULL: nothing. Behind a NUL, of UTF-16 say, the rest would be
 * left out in silence. */
static const char *flaw_of(const struct text *out, int r)
{
    if (out->failed)
        return "what came on stdin is too long";
    if (r < 0 || out->length == 0)
        return "nothing came on stdin";
    return memchr(out->data, '\0', out->length)
               ? "what came on stdin is no text: there is a NUL in it"
               : NULL;
}

static void trim(struct text *out)
{
    while (out->length > 0 && strchr(" \t\r", out->data[out->length - 1]))
        text_cut(out, out->length - 1);
}

int prompt_secret(const char *prompt, const struct prompt_ends *ends, struct text *out)
{
    bool terminal = prompt_possible();

    /* Silent before it asks: whoever answers at once is not shown either. */
    if (terminal) {
        terminal = silence();
        (void)output_bytes(STDERR_FILENO, prompt, strlen(prompt));
    }
    int r = read_line(ends ? ends : &endless, terminal, out);
    if (terminal)
        unsilence();
    if (r == 0)
        trim(out);
    if (r < -1)
        return r;
    const char *flaw = flaw_of(out, r);
    if (flaw)
        cli_complain("%s", flaw);
    return flaw ? -1 : 0;
}

bool prompt_yes(const char *question)
{
    CLEANUP(cleanup_text) struct text answer = TEXT_WITH_MAXIMUM(PIECE_SIZE);

    (void)output_bytes(STDERR_FILENO, question, strlen(question));
    if (read_line(&endless, false, &answer) < 0)
        return false;
    return strcmp(text_string(&answer), "y") == 0 || strcmp(text_string(&answer), "yes") == 0;
}

bool prompt_confirmed(bool yes, const char *question)
{
    if (yes)
        return true;
    if (!prompt_possible()) {
        cli_complain("nobody can be asked here: nothing was changed; add --yes");
        return false;
    }
    if (prompt_yes(question))
        return true;
    cli_complain("nothing was changed");
    return false;
}
