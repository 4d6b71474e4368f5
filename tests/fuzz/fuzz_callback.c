/* The callback: start links, redirects, results and links of people elsewhere. Pages show nothing
 * unescaped of what was sent. */

#include "daemon.h"

#include "stage.h"

enum { TEXT_MAX = 96 * 1024 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return start_secrets() || stage_start();
}

/* No page has a script, so none can come from what was sent. */
static void shows_no_markup(const char *answer)
{
    PROMISE(!strcasestr(answer, "<script") && !strcasestr(answer, "<img"));
    PROMISE(!strchr(answer, '\x1b'));
}

/* A browser is sent to our own pages and to the provider, never to where the request says. */
static void leads_nowhere_else(const char *answer)
{
    static const char location[] = "\r\nLocation: ";
    static const char *const starts[] = { "https://auth.example/authorize?", "/done/", "/start/",
                                          "/oauth/" };

    for (const char *at = answer; (at = strstr(at, location));) {
        bool known = false;
        at += sizeof location - 1;
        for (size_t i = 0; i < LENGTH_OF(starts); i++)
            known |= strncmp(at, starts[i], strlen(starts[i])) == 0;
        PROMISE(known);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct input input = input_of(data, size);
    CLEANUP(cleanup_string) char *text = input_text(&input);
    CLEANUP(cleanup_buffer) struct buffer answer = BUFFER_WITH_MAXIMUM(4 * STAGE_TEXT_MAX);

    if (size > TEXT_MAX)
        return 0;
    stage_send(DOOR_CALLBACK, text, size, &answer);
    if (strstr(buffer_text(&answer), "\r\nLocation: /done/"))
        stage_follow(DOOR_CALLBACK, "/done/$L", &answer);
    PROMISE(!answer.failed);
    shows_no_markup(buffer_text(&answer));
    leads_nowhere_else(buffer_text(&answer));
    if (!memmem(text, size, "HEAD", 4)) /* an answer to it ends where its body would begin */
        (void)answers_check(buffer_text(&answer), answer.length);
    return 0;
}
