#pragma once

/* POST /v1/login/…, between the files that answer it: api_login.c reads what is asked for and
 * begins logins in a browser, api_login_device.c those on another device. */

#include "front/api.h"
#include "front/login.h"

enum { LOGIN_ANSWER_MAX = 64 * 1024 };

/* What the body of a request asks for, while it waits for the back. */
struct starting {
    bool mode_given;
    enum login_mode mode;
    bool own_browser;
    int64_t account_created_at; /* as ASK_PROVIDER told it */
    char *scope;                /* NULL: the provider's */
    struct parameters params;
    struct login_seat *seat;
};

/* NULL is fine; returns NULL. */
struct starting *starting_free(struct starting *starting);

/* The same, as struct api_follow_up wants it. */
void starting_release(void *starting);

DEFINE_CLEANUP(struct starting *, starting, starting_free)

/* Refuses with the request's account. */
void login_refuse(const struct api_request *request, enum wire_error error, const char *text);

/* What login_begin() wants to know; borrows from both. */
struct login_order login_order_of(const struct api_request *request,
                                  const struct starting *starting);

/* Asks the provider for the codes, then answers; takes starting over. */
void api_login_device(const struct api_request *request, struct starting *starting);
