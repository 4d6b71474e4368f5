#pragma once

/* A page of accounts for a client, made of the rows that it may see. The back is asked again and
 * again, a bounded number of times, until the page is full or the store at its end: where a page
 * ended before, what comes next would be told from a row that the client may not see. */

#include "front/api.h"

/* What is listed, as which member, for whom, and how. */
struct api_listing {
    enum message_kind question; /* after `account`, limit → rows */
    const char *member;
    enum may may;
    void (*append)(const struct api_request *request, struct buffer *out,
                   const struct account_row *row);
};

/* Answers the request, whose query may hold after and limit, now or later. listing must live on. */
void api_list(const struct api_request *request, const struct api_listing *listing);
