#pragma once

/* What the files of the pages share: parts with slots, and the card around a text. */

#include "front/pages_text.h"

/* What stands for {{name}} in a part. */
struct slot {
    const char *name;
    const char *text;
    bool markup; /* made here: goes in as it is */
};

/* Appends a part with its {{names}} filled; one that has no slot stays empty. slots ends with a
 * name of NULL. */
void page_fill(struct buffer *out, const char *part, const struct slot *slots);

/* A row of facts, unless detail is NULL or "". */
void page_put_fact(struct buffer *out, const char *term, const char *detail);

/* A row with the words of list that the other (NULL: none) does not hold, each in a box. */
void page_put_words(struct buffer *out, const char *term, const char *list, const char *except);

/* The card around a text; facts and what leads on are markup, where names the machine. */
void page_put_card(struct buffer *out, const struct page_text *text, const struct slot *names,
                   const char *facts, const char *go, const char *where);
