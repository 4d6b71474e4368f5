/* A pasted address: only one with the login's own state, or a refusal in words, ends the login. */

#include "daemon.h"

#include "base/json.h"
#include "stage.h"

enum { TEXT_MAX = 16 * 1024 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return start_secrets() || stage_start();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct input input = input_of(data, size);
    CLEANUP(cleanup_string) char *text = input_text(&input);
    CLEANUP(cleanup_buffer) struct buffer request = BUFFER_WITH_MAXIMUM(STAGE_TEXT_MAX);
    CLEANUP(cleanup_buffer) struct buffer answer = BUFFER_WITH_MAXIMUM(STAGE_TEXT_MAX);

    if (size > TEXT_MAX)
        return 0;
    buffer_append_text(&request,
                       "POST /v1/logins/$L HTTP/1.1\r\nContent-Length: $B\r\n\r\n{\"redirect\":");
    json_append_string(&request, text);
    buffer_append_text(&request, "}");
    stage_ask(DOOR_API, buffer_text(&request), request.length, &answer);
    int status = answers_check(buffer_text(&answer), answer.length);
    PROMISE(status == 200 || (status >= 400 && status < 500));
    if (status == 200)
        PROMISE(strstr(text, "$S") || strstr(text, "error") || strchr(text, '%'));
    return 0;
}
