#include "front/callback_answer.h"

struct web_answer callback_new_answer(int status)
{
    return (struct web_answer){
        .status = status,
        .headers = {
            { "Content-Security-Policy", page_policy() },
            { "X-Frame-Options", "DENY" },
            { "Cache-Control", "no-store" },
            { "Referrer-Policy", "no-referrer" },
            { "X-Content-Type-Options", "nosniff" },
        },
    };
}

void callback_add_header(struct web_answer *answer, const char *name, const char *value)
{
    for (size_t i = 0; i < WEB_HEADERS_MAX; i++) {
        if (answer->headers[i].name)
            continue;
        answer->headers[i] = (struct web_header_line){ name, value };
        return;
    }
}

void callback_answer_page(struct web_request *request, int status, const struct buffer *page)
{
    struct web_answer answer = callback_new_answer(page->failed ? 500 : status);
    answer.content_type = "text/html; charset=utf-8";
    answer.body = page->failed ? "" : page->data;
    answer.length = page->failed ? 0 : page->length;
    if (status == 405)
        callback_add_header(&answer, "Allow", "GET, HEAD");
    web_answer(request, &answer);
}

void callback_answer_notice(struct web_request *request, enum page_notice notice)
{
    CLEANUP(cleanup_buffer) struct buffer page = BUFFER_WITH_MAXIMUM(PAGE_MAX);
    int status = page_put_notice(&page, notice);
    callback_answer_page(request, status, &page);
}

void callback_answer_bare(struct web_request *request, int status)
{
    struct web_answer answer = callback_new_answer(status);
    web_answer(request, &answer);
}

void callback_answer_redirect(struct web_request *request, const char *location)
{
    struct web_answer answer = callback_new_answer(303);
    callback_add_header(&answer, "Location", location);
    web_answer(request, &answer);
}
