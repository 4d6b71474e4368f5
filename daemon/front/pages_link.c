/* The page of a link for a person elsewhere. */

#include "base/clock.h"
#include "front/pages_data.h"
#include "front/pages_private.h"

static void put_facts(struct buffer *out, const struct page_link *link, const char *until)
{
    CLEANUP(cleanup_buffer) struct buffer rows = BUFFER_WITH_MAXIMUM(PAGE_MAX);
    page_put_fact(&rows, "Provider", link->provider);
    page_put_fact(&rows, "Account", link->account);
    if (link->state == PAGE_LINK_OPEN) {
        page_put_fact(&rows, "Connected to", link->host);
        page_put_fact(&rows, "Asked for", link->expected);
        page_put_words(&rows, "Rights", link->scope, NULL);
        page_put_fact(&rows, "Works until", until);
    }
    page_fill(out, page_facts, (struct slot[]){ { "rows", buffer_text(&rows), true }, { NULL } });
}

int page_put_link(struct buffer *out, const struct page_link *link)
{
    CLEANUP(cleanup_buffer) struct buffer until = BUFFER_WITH_MAXIMUM(128);
    CLEANUP(cleanup_buffer) struct buffer facts = BUFFER_WITH_MAXIMUM(PAGE_MAX);
    CLEANUP(cleanup_buffer) struct buffer go = BUFFER_WITH_MAXIMUM(PAGE_MAX);
    CLEANUP(cleanup_buffer) struct buffer where = BUFFER_WITH_MAXIMUM(PAGE_WHERE_MAX);
    const struct page_text *text = page_link_text(link->state);
    page_put_time(&until, link->until, clock_to_wall(clock_now()));
    const struct slot names[] = { { "provider", link->provider },
                                  { "host", link->host },
                                  { "until", buffer_text(&until) },
                                  { NULL } };
    put_facts(&facts, link, buffer_text(&until));
    buffer_append_format(&where, "at %s", link->host);
    if (link->state == PAGE_LINK_OPEN)
        page_fill(
            &go, page_go,
            (struct slot[]){ { "address", link->go }, { "provider", link->provider }, { NULL } });
    page_put_card(out, text, names, buffer_text(&facts), buffer_text(&go), buffer_text(&where));
    return text->status;
}
