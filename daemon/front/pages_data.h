#pragma once

/* The parts of the pages, embedded from pages/ by the build. Each {{name}} is filled by pages.c. */

extern const char page_layout[];
extern const char page_refresh[];
extern const char page_facts[];
extern const char page_fact[];
extern const char page_quote[];
extern const char page_words[];
extern const char page_word[];
extern const char page_next[];
extern const char page_command[];
extern const char page_go[];
extern const char page_icon_good[];
extern const char page_icon_warning[];
extern const char page_icon_bad[];
extern const char page_icon_calm[];
extern const char page_icon_wait[];
extern const char page_style[];

/* The Content-Security-Policy of every page, with the hash of page_style. */
extern const char page_content_policy[];
