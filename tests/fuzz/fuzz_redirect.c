/* oauth/authorization_response: the query of a redirect, by browser or pasted. */

#include "daemon.h"

#include "oauth/authorize.h"

static const char *const names[] = { "code", "state", "iss", "error", "error_description" };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return start_secrets();
}

static int hex(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;
    return (c >= '0' && c <= '9') || (c | 0x20) >= 'a' ? (at ? (int)(at - digits) : -1) : -1;
}

/* A second reading: the value of a parameter, decoded; NULL when it is not there exactly once. */
static char *read_parameter(const char *query, const char *name)
{
    CLEANUP(cleanup_string) char *copy = strdup(query);
    char *rest = copy, *pair, *found = NULL;

    while ((pair = strsep(&rest, "&"))) {
        char *value = pair, *part = strsep(&value, "="), *to;
        for (char *text = part; text; text = text == part ? value : NULL) {
            to = text;
            for (const char *from = text; *from; from++) {
                const int high = *from == '%' ? hex(from[1]) : -1;
                const int low = high >= 0 ? hex(from[2]) : -1;
                *to++ = (char)(low >= 0 ? high * 16 + low : (*from == '+' ? ' ' : *from));
                from += low >= 0 ? 2 : 0;
            }
            *to = '\0';
        }
        if (strcmp(part, name) != 0)
            continue;
        PROMISE(!found);
        found = strdup(value ? value : "");
    }
    return found;
}

static void is_what_was_sent(const char *query, const char *name, const struct secret *secret)
{
    CLEANUP(cleanup_string) char *sent = read_parameter(query, name);

    if (sent && *sent)
        PROMISE(secret_equal_bytes(secret, sent, strlen(sent)));
    else
        PROMISE(!secret);
}

/* Written anew, it is read as the same. */
static void is_written_as_read(const struct authorization_response *response)
{
    CLEANUP(cleanup_buffer) struct buffer query = BUFFER_WITH_MAXIMUM(8 * AUTHORIZE_PARAMETER_MAX);
    struct authorization_response again = { 0 };

    if (!response->code)
        return;
    buffer_append_text(&query, "code=");
    buffer_append_form(&query, secret_reveal(response->code), secret_length(response->code));
    if (response->iss) {
        buffer_append_text(&query, "&iss=");
        buffer_append_form(&query, response->iss, strlen(response->iss));
    }
    PROMISE(!query.failed);
    PROMISE(authorization_response_parse(buffer_text(&query), query.length, &again, NULL) == 0);
    PROMISE(secret_equal(response->code, again.code) && same_text(response->iss, again.iss));
    authorization_response_release(&again);
}

static void is_sound(const struct authorization_response *response, const char *query)
{
    PROMISE(!response->code || !response->error);
    PROMISE((response->kind == RESPONSE_CODE) == (response->code != NULL));
    PROMISE((response->kind == RESPONSE_ERROR) == (response->error != NULL));
    PROMISE(!response->iss || is_printable_line(response->iss));
    PROMISE(!response->error || is_printable_line(response->error));
    PROMISE(!response->error_description || is_printable_line(response->error_description));
    is_what_was_sent(query, "code", response->code);
    is_what_was_sent(query, "state", response->state);
    is_written_as_read(response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct input input = input_of(data, size);
    CLEANUP(cleanup_string) char *query = input_text(&input);
    struct authorization_response response = { .kind = RESPONSE_NEITHER, .iss = query };
    struct complaint complaint = { "" };

    int r = authorization_response_parse(query, size, &response, &complaint);
    PROMISE(r == 0 || r == RESPONSE_MALFORMED);
    if (r == RESPONSE_MALFORMED) {
        PROMISE(response.iss == query && *complaint.text && is_printable_line(complaint.text));
        return 0;
    }
    PROMISE(strlen(query) == size);
    is_sound(&response, query);
    for (size_t i = 0; i < LENGTH_OF(names); i++)
        free(read_parameter(query, names[i])); /* none is there twice */
    authorization_response_release(&response);
    return 0;
}
