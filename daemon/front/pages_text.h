#pragma once

/* What the pages say: plain data. Sentences may hold {{provider}}, {{account}} and {{until}}, and
 * {{where}}: "on this computer", or "at" public_url's host. */

#include <stdbool.h>

#include "front/pages.h"

enum page_tone { TONE_GOOD, TONE_WARNING, TONE_BAD, TONE_CALM, TONE_WAIT };

struct page_text {
    int status; /* HTTP */
    enum page_tone tone;
    const char *heading;
    const char *lead;
    const char *next;    /* what to do now; NULL: nothing */
    const char *command; /* to copy; NULL: none */
    bool looks_again;    /* the page reloads itself */
};

/* The words of a page that is about no login. Static. */
const struct page_text *page_notice_text(enum page_notice notice);

/* The words of a link's page. Static. They may hold {{host}} too. */
const struct page_text *page_link_text(enum page_link_state state);

/* The same for who logged in by a link, and has neither a terminal here nor a command: ret is
 * filled from text and returned, or text is. */
const struct page_text *page_elsewhere_text(enum page_result result, const struct page_text *text,
                                            struct page_text *ret);

/* fewer_scopes and ends change only the texts of a connected account. */
const struct page_text *page_result_text(enum page_result result, bool fewer_scopes, bool ends);
