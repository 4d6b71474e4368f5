/* client/cli/import_lines: each line becomes one request whose body is what the line said, or a
 * report that steers no terminal. */

#include "fuzz.h"

#include <sys/mman.h>

#include "client/cli/cli.h"
#include "client/cli/output.h"
#include "client/cli/patient.h"
#include "client/http.h"

/* What the lines are handed on to, in place of a broker and a terminal. */
static enum tb_status take_call(struct tb_broker *broker, const char *method, const char *path,
                                const char *body, struct tb_reply **ret_reply,
                                struct tb_error **ret_error);
static int take_output(const struct text *text);

#define patient_call take_call
#define output_text take_output
#include "../../client/cli/import_lines.c"
#undef patient_call
#undef output_text

static enum tb_status take_call(struct tb_broker *broker, const char *method, const char *path,
                                const char *body, struct tb_reply **ret_reply,
                                struct tb_error **ret_error)
{
    CLEANUP(cleanup_document) struct document document = { 0 };

    PROMISE(strcmp(method, "PUT") == 0 && http_path_valid(path) && !strchr(path, '?'));
    PROMISE(strncmp(path, WIRE_PATH_ACCOUNTS "/", strlen(WIRE_PATH_ACCOUNTS "/")) == 0);
    PROMISE(decode(body, strlen(body), &document) == 0);
    PROMISE(!member_text(&document, "refresh_token") != !member_text(&document, "access_token"));
    return TB_OK;
}

static int take_output(const struct text *text)
{
    CLEANUP(cleanup_text) struct text line = TEXT_WITH_MAXIMUM(LINE_REPORT_MAX);

    PROMISE(text->length > 0 && text_string(text)[text->length - 1] == '\n');
    text_append(&line, text_string(text), text->length - 1);
    PROMISE(is_printable_line(text_string(&line)));
    return TB_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);
    struct cli cli = { .arguments = { .json = input_choice(&input, 2) } };
    struct import_run run = { .cli = &cli, .stop = TB_OK };
    CLEANUP(cleanup_fd) int fd = memfd_create("lines", MFD_CLOEXEC);

    PROMISE(fd >= 0 && write(fd, input.at, input.left) == (ssize_t)input.left);
    PROMISE(lseek(fd, 0, SEEK_SET) == 0);
    each_line(&run, fd, INT64_MAX, note_line);
    named_sort(&run.named);
    PROMISE(lseek(fd, 0, SEEK_SET) == 0);
    each_line(&run, fd, run.lines, take_line);
    PROMISE(run.stop == TB_OK && run.imported + run.refused <= run.line);
    named_release(&run.named);
    return 0;
}
