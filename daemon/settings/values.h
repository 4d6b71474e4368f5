#pragma once

/* What a key's values mean: one take() for each kind of value. The field at key->offset is given in
 * brackets. */

#include "settings/syntax.h"

take_function take_text;         /* [char *] not empty */
take_function take_url;          /* [char *] https, or http to a loopback host */
take_function take_path;         /* [char *] an absolute path */
take_function take_proxy;        /* [char *] http, https, socks5 or socks5h, without a password */
take_function take_choice;       /* [an enum] one of key->words */
take_function take_flag;         /* [bool] one of key->words */
take_function take_duration;     /* [int64_t, milliseconds] "14d" */
take_function take_parameters;   /* [struct parameters] "name=value" each, or one of key->words */
take_function take_resources;    /* [struct parameters] "https://…" each, named "resource" */
take_function take_rate_limit;   /* [none: struct provider] "15/4s" */
take_function take_concurrency;  /* [unsigned] from 1 to 64 */
take_function take_presentation; /* [none: struct provider] "header NAME [SCHEME]", "query NAME" */

/* Words of a flag. */
extern const struct word flag_words[];

/* The value of a word, or a complaint with the nearest one. */
int word_value(const struct setting *setting, const struct word *words, const char *text,
               int *ret_value, struct complaint *complaint);
