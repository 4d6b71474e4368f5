#pragma once

/* Logins with everything around them but the back: the test answers the questions itself. */

#include "../base/unit.h"

#include "base/mailbox.h"
#include "front/asks.h"
#include "front/context.h"
#include "front/login.h"
#include "messages.h"

enum { FIXTURE_PROVIDERS = 5, FIXTURE_INBOX_SLOTS = 128, FIXTURE_TEXT_MAX = 1024 };

/* In this order, sorted by name. */
enum {
    PROVIDER_ABSENT, /* state = absent, PKCE off, no issuer */
    PROVIDER_PASTED, /* a redirect URI that is not on this machine */
    PROVIDER_PUSHED, /* wants requests pushed */
    PROVIDER_STRICT, /* promises iss */
    PROVIDER_ZENEGY, /* the ordinary one */
};

struct fixture {
    uint16_t port; /* of the callback */
    struct mailbox *inbox;
    struct mailbox *back;
    struct settings settings;
    struct callback_listener listener;
    struct provider *providers[FIXTURE_PROVIDERS];
    struct context context;
    char public_url[64];
};

/* port: of the redirect URIs and of the one listener, http://127.0.0.1:port. */
void fixture_start(struct fixture *f, uint16_t port);
void fixture_stop(struct fixture *f);

/* A reverse proxy stands in front from now on, at that address, as after a reload. */
void fixture_go_public(struct fixture *f, const char *public_url);

/* A login of uid 1000 at that provider, with the label "acme". */
struct login *fixture_begin(struct fixture *f, size_t provider, enum login_mode mode);

/* The Cookie header of the browser that opened the login. */
void fixture_cookies(const struct login *login, char out[static FIXTURE_TEXT_MAX]);

/* Opens the login's start address as a browser that brings those cookies. */
enum login_opening fixture_open(struct fixture *f, struct login *login, const char *cookies);

/* A redirect's query, parsed. Released by the caller. */
struct authorization_response fixture_response(const char *query);

/* The next question to the back, NULL when there is none; the caller frees it. */
struct message *fixture_question(struct fixture *f);

/* An answer to it that holds nothing yet. */
struct message *fixture_answer_to(const struct message *question);
/* An answer that the consent was given. */
struct message *fixture_consent_for(const struct message *question, enum consent_outcome outcome);
/* An answer that the request was pushed. */
struct message *fixture_pushed_for(const struct message *question, const char *request_uri);
/* Sends the answer as the back does, and lets the front take it. */
void fixture_deliver(struct fixture *f, struct message *answer);

static inline void cleanup_response(struct authorization_response *response)
{
    authorization_response_release(response);
}
