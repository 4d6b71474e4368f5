/* io/http_transfer: Retry-After, by a number or a date, beside the server's own Date. */

#include "daemon.h"

#include "../../daemon/io/http_transfer.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct input input = input_of(data, size);
    CLEANUP(cleanup_string) char *text = input_text(&input);
    char *date = strchr(text, '\n');

    if (date)
        *date++ = '\0';
    int64_t seconds = read_retry_after(text, date);
    PROMISE(seconds >= -1 && seconds <= retry_after_max_s);
    if (*text && strspn(text, "0123456789") == strlen(text) && strlen(text) < 9)
        PROMISE(seconds == (atoll(text) < retry_after_max_s ? atoll(text) : retry_after_max_s));
    if (!*text)
        PROMISE(seconds == -1);
    return 0;
}
