#include "client/cli/import_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/lines.h"
#include "client/cli/named.h"
#include "client/cli/output.h"
#include "client/cli/patient.h"
#include "client/decode.h"
#include "schema/wire.h"

enum {
    LINE_PATH_SIZE = 256,
    LINE_BODY_MAX = 256 * 1024,
    LINE_REPORT_MAX = 64 * 1024,
    LINE_WHY_SIZE = 128,
    SPOOL_PIECE_SIZE = 16 * 1024,
    MB = 1024 * 1024,
    SPOOL_MAX = 512 * MB,
};

struct import_run {
    struct cli *cli;
    struct named named; /* by every line that could be imported */
    int64_t line;
    int64_t lines; /* that were noted; what is added to the file meanwhile is not looked at */
    int64_t imported;
    int64_t refused;
    int stop; /* not TB_OK: nothing further can be imported */
};

/* What a line says; texts belong to its document. */
struct import_line {
    char account[ACCOUNT_SIZE];
    const char *refresh_token;
    const char *access_token;
    const char *scope;
};

/* --- reports --- */

static void put_words(struct text *out, const struct import_run *run, const char *account,
                      const char *result, const char *why)
{
    CLEANUP(cleanup_text) struct text raw = TEXT_WITH_MAXIMUM(LINE_REPORT_MAX);

    if (why)
        text_append_format(&raw, "line %" PRId64 ": ", run->line);
    text_append_format(&raw, "%s%s%s%s%s", account, *account ? ": " : "", result, why ? ": " : "",
                       why ? why : "");
    output_harmless(out, text_string(&raw));
    text_append_string(out, "\n");
}

static void put_json(struct text *out, const struct import_run *run, const char *account,
                     const char *result, const char *why)
{
    text_append_format(out, "{\"line\":%" PRId64 ",\"result\":", run->line);
    text_append_json(out, result);
    if (*account) {
        text_append_string(out, ",\"account\":");
        text_append_json(out, account);
    }
    if (why) {
        text_append_string(out, ",\"why\":");
        text_append_json(out, why);
    }
    text_append_string(out, "}\n");
}

/* why NULL: it went well. */
static void report(struct import_run *run, const char *account, const char *result, const char *why)
{
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(LINE_REPORT_MAX);
    const bool json = run->cli->arguments.json;

    (json ? put_json : put_words)(&out, run, account, result, why);
    int r = json ? output_json(&out) : output_text(&out);
    if (r != TB_OK)
        run->stop = r;
    *(why ? &run->refused : &run->imported) += 1;
}

/* --- one line --- */

static const char **place_of(struct import_line *line, const char *name, const char **account)
{
    if (strcmp(name, "account") == 0)
        return account;
    if (strcmp(name, "refresh_token") == 0)
        return &line->refresh_token;
    if (strcmp(name, "access_token") == 0)
        return &line->access_token;
    return strcmp(name, "scope") == 0 ? &line->scope : NULL;
}

/* What is wrong with the line, without a word of it; NULL: nothing. */
static const char *read_line(const struct tb_value *object, struct import_line *line)
{
    const char *account = NULL;
    const struct tb_value *member = tb_value_first(object);

    if (tb_value_type(object) != TB_OBJECT)
        return "it is no JSON object";
    for (; member; member = tb_value_next(member)) {
        const char **place = place_of(line, tb_value_name(member), &account);
        if (!place)
            return "it has a member other than account, refresh_token, access_token, scope";
        *place = tb_value_text(member, NULL);
        if (!*place)
            return "a member is no text";
    }
    if (!account)
        return "it names no account";
    if (!account_complete(account, line->account))
        return "its account is not written PROVIDER/LABEL";
    return !line->refresh_token == !line->access_token
               ? "it has to hold either refresh_token or access_token"
               : NULL;
}

static void put_body(struct text *body, const struct import_line *line)
{
    text_append_string(body, line->access_token ? "{\"access_token\":" : "{\"refresh_token\":");
    text_append_json(body, line->access_token ? line->access_token : line->refresh_token);
    if (line->scope) {
        text_append_string(body, ",\"scope\":");
        text_append_json(body, line->scope);
    }
    text_append_string(body, "}");
}

/* The failure is the caller's; without a broker nothing further can be imported. */
static enum tb_status ask(struct import_run *run, const char *method, const char *path,
                          const char *body, struct tb_error **ret_error)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    enum tb_status status = patient_call(run->cli->broker, method, path, body, &reply, ret_error);

    if (status == TB_NO_BROKER)
        run->stop = cli_failed(*ret_error, NULL);
    return status;
}

/* Refreshed once, where that can be; false, and told, when it failed. */
static bool verified(struct import_run *run, const struct import_line *line)
{
    CLEANUP(cleanup_error) struct tb_error *error = NULL;
    char path[LINE_PATH_SIZE];

    if (!run->cli->arguments.verify || line->access_token)
        return true;
    (void)snprintf(path, sizeof path, WIRE_PATH_REFRESH "%s", line->account);
    if (ask(run, "POST", path, NULL, &error) == TB_OK)
        return true;
    report(run, line->account, "imported, but its refresh failed", error->message);
    return false;
}

static void import_one(struct import_run *run, const struct import_line *line)
{
    CLEANUP(cleanup_text) struct text body = TEXT_WITH_MAXIMUM(LINE_BODY_MAX);
    CLEANUP(cleanup_error) struct tb_error *error = NULL;
    char path[LINE_PATH_SIZE];

    put_body(&body, line);
    (void)snprintf(path, sizeof path, WIRE_PATH_ACCOUNTS "/%s", line->account);
    if (body.failed)
        report(run, line->account, "refused", "it is too long");
    else if (ask(run, "PUT", path, text_string(&body), &error) != TB_OK)
        report(run, line->account, "refused", error->message);
    else if (verified(run, line))
        report(run, line->account, "imported", NULL);
}

/* What the line says, or what is wrong with it; NULL where it has nothing to say. */
static const char *decode_line(const struct text *text, struct document *document,
                               struct import_line *line)
{
    if (decode(text_string(text), text->length, document) != 0)
        return "it is no JSON object";
    return read_line(document->values, line);
}

static bool is_empty(const struct text *text)
{
    return strspn(text_string(text), " \t\r") == text->length;
}

/* Nobody but a person knows which of two tokens is the newer; the older one ends the grant. */
static void take_line(struct import_run *run, const struct text *text)
{
    CLEANUP(cleanup_document) struct document document = { 0 };
    struct import_line line = { .account = "" };
    char why[LINE_WHY_SIZE];

    if (text && is_empty(text))
        return;
    const char *flaw = text ? decode_line(text, &document, &line) : "the line is too long";
    const int64_t other = flaw ? 0 : named_elsewhere(&run->named, line.account, run->line);
    (void)snprintf(why, sizeof why, "line %" PRId64 " has a token for it too: leave one", other);
    if (flaw || other > 0)
        report(run, line.account, "refused", flaw ? flaw : why);
    else
        import_one(run, &line);
}

static void note_line(struct import_run *run, const struct text *text)
{
    CLEANUP(cleanup_document) struct document document = { 0 };
    struct import_line line = { .account = "" };

    const bool usable = text && !decode_line(text, &document, &line);
    const int r = usable ? named_add(&run->named, line.account, run->line) : 0;
    run->lines = run->line;
    if (r == 0)
        return;
    if (r == -E2BIG)
        cli_complain("it has more than %d lines with a token: import it in parts", NAMED_MAX);
    else
        cli_complain("out of memory");
    run->stop = TB_FAILED;
}

/* --- all of them --- */

/* text NULL: the line is too long. */
typedef void (*line_function)(struct import_run *run, const struct text *text);

static void each_line(struct import_run *run, int fd, int64_t lines_max, line_function take)
{
    CLEANUP(cleanup_lines) struct lines lines = LINES_OF(fd);

    for (run->line = 1; run->stop == TB_OK && run->line <= lines_max; run->line++) {
        int r = lines_next(&lines);
        if (r == 0)
            break;
        if (r == 1 || r == -EMSGSIZE) {
            take(run, r == 1 ? &lines.line : NULL);
        } else {
            cli_complain("the file cannot be read further: %s", strerrordesc_np(-r));
            run->stop = TB_FAILED;
        }
    }
}

static int take_all(struct import_run *run, int fd)
{
    const off_t begin = lseek(fd, 0, SEEK_CUR);

    each_line(run, fd, INT64_MAX, note_line);
    named_sort(&run->named);
    if (begin < 0 || lseek(fd, begin, SEEK_SET) < 0)
        run->stop = TB_FAILED; /* no file refuses it */
    each_line(run, fd, run->lines, take_line);
    cli_say("imported %" PRId64 ", refused %" PRId64, run->imported, run->refused);
    if (run->stop != TB_OK)
        return run->stop;
    return run->refused > 0 ? TB_FAILED : TB_OK;
}

/* --- the file --- */

/* All bytes into a file in memory; 0 or -errno. */
static int copy_whole(int from, int to)
{
    char piece[SPOOL_PIECE_SIZE];
    ssize_t length = 0;
    int64_t copied = 0;
    int r = 0;

    do {
        length = read(from, piece, sizeof piece);
        if (length < 0 && errno != EINTR)
            r = -errno;
        else if (length > 0 && !output_bytes(to, piece, (size_t)length))
            r = -errno;
        copied += length > 0 ? length : 0;
        if (r == 0 && copied > SPOOL_MAX)
            r = -EFBIG;
    } while (r == 0 && length != 0);
    explicit_bzero(piece, sizeof piece);
    return r == 0 && lseek(to, 0, SEEK_SET) < 0 ? -errno : r;
}

static bool is_file(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

/* What can be read once alone, as a pipe, becomes a file in memory; false, and said. */
static bool make_rereadable(int *fd)
{
    if (is_file(*fd))
        return true;
    CLEANUP(cleanup_fd) int once = *fd;
    *fd = memfd_create("lines", MFD_CLOEXEC);
    const int r = *fd < 0 ? -errno : copy_whole(once, *fd);
    if (r == -EFBIG)
        cli_complain("more than %d MB came: write them into a file, and name it", SPOOL_MAX / MB);
    else if (r != 0)
        cli_complain("the file cannot be read: %s", strerrordesc_np(-r));
    return r == 0;
}

static int open_file(const char *path)
{
    int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                    : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        cli_complain("%s cannot be read: %s", path, strerrordesc_np(errno));
    return fd;
}

int import_lines(struct cli *cli)
{
    struct import_run run = { .cli = cli, .stop = TB_OK };
    CLEANUP(cleanup_fd) int fd = open_file(cli->arguments.jsonl);

    if (fd < 0)
        return TB_FAILED;
    if (!cli_broker(cli))
        return TB_NO_BROKER;
    cli_say("whoever else still holds these refresh tokens must stop using them: from now on the "
            "broker does, and the use of one may end the others");
    int r = make_rereadable(&fd) ? take_all(&run, fd) : TB_FAILED;
    named_release(&run.named);
    return r;
}
