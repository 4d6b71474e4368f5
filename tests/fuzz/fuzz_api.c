/* The socket API, from the bytes of a request to its answer. */

#include "daemon.h"

#include "stage.h"

enum { TEXT_MAX = 96 * 1024 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return start_secrets() || stage_start();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct input input = input_of(data, size);
    CLEANUP(cleanup_string) char *text = input_text(&input);
    CLEANUP(cleanup_buffer) struct buffer answer = BUFFER_WITH_MAXIMUM(4 * STAGE_TEXT_MAX);

    if (size > TEXT_MAX)
        return 0;
    stage_send(DOOR_API, text, size, &answer);
    PROMISE(!answer.failed);
    if (!memmem(text, size, "HEAD", 4)) /* an answer to it ends where its body would begin */
        (void)answers_check(buffer_text(&answer), answer.length);
    return 0;
}
