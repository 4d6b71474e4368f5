#pragma once

/* The socket API: a table of routes, one handler a route and method. */

#include "front/access.h"
#include "front/context.h"
#include "io/web.h"
#include "messages.h"

struct api_request;

/* Must answer request->web with api_answer() or api_fail(), now or later; request itself lives only
 * during the call. */
typedef void (*api_handler)(const struct api_request *request);

/* One request on its way to a handler. */
struct api_request {
    struct context *context;
    struct web_request *web;
    struct asker asker;
    bool has_account;            /* the route carries provider/label */
    struct account_name account; /* valid when has_account */
    const char *rest;            /* what followed the route's prefix, "" when nothing */
    api_handler handler;         /* whose it is */
};

/* The web_handler of the API socket; userdata is a struct context. */
void api_handle(void *context, struct web_request *web);

/* The same for a request of a consumer that has shown its key: of the routes only those for tokens
 * and rejects are there. */
void api_handle_consumer(struct context *context, struct web_request *web,
                         const struct consumer *consumer);

/* 200 with a JSON body. */
void api_answer(struct web_request *web, const struct buffer *body);

/* The failure as JSON with its status and Retry-After. account and start_url may be NULL. */
void api_fail(struct web_request *web, const struct failure *failure, const char *account,
              const char *start_url);

/* The same from a format. */
void api_refuse(struct web_request *web, enum wire_error error, const char *account,
                const char *format, ...) PRINTF_LIKE(4, 5);

/* Answers 403 from a format, with the request's account, and counts it in the audit. */
void api_forbid(const struct api_request *request, const char *format, ...) PRINTF_LIKE(2, 3);

/* Checks that the peer may do `may` with the request's account; if not it answers 403 (the same
 * whether or not the account exists), counts it in the audit, and returns false. A request for a
 * token whose caller has to be approved first may wait: it is answered, or comes back to its
 * handler. */
bool api_allowed(const struct api_request *request, enum may may);

/* For api_allowed(): whoever may do anything at all. */
#define MAY_ANYTHING                                                                               \
    ((enum may)(MAY_TOKEN | MAY_REJECT | MAY_LIST | MAY_LOGIN | MAY_LINK | MAY_IMPORT |            \
                MAY_LOGOUT | MAY_MONITOR | MAY_ADMIN))

/* The same for what is about all accounts of a provider, or of all providers (""): a rule must
 * cover them all. */
bool api_allowed_whole(const struct api_request *request, const char *provider, enum may may);

/* Takes the providers out that the peer may not monitor. */
void api_drop_unseen(const struct api_request *request, struct health *health);

/* Counts in the audit that the peer got this done: with the request's account, or with another. */
void api_count(const struct api_request *request, const char *verdict, uint64_t generation);
void api_count_for(const struct api_request *request, const struct account_name *account,
                   const char *verdict, uint64_t generation);

/* Each file api_*.c has its handlers here. */
void api_token(const struct api_request *request);
void api_accounts(const struct api_request *request);
void api_account(const struct api_request *request);
void api_import(const struct api_request *request);
void api_forget(const struct api_request *request);
void api_refresh(const struct api_request *request);
void api_reject(const struct api_request *request);
void api_retry(const struct api_request *request);
void api_resume(const struct api_request *request);
void api_backup(const struct api_request *request); /* api_backup.c: POST /v1/backups */
void api_backup_look(const struct api_request *request);
void api_backup_end(const struct api_request *request);
void api_rekey(const struct api_request *request);
void api_rekey_progress(const struct api_request *request);
void api_audit(const struct api_request *request);
void api_callers(const struct api_request *request); /* api_callers.c: GET /v1/callers */
void api_approve(const struct api_request *request); /* POST /v1/callers/… */
void api_unapprove(const struct api_request *request);
void api_held(const struct api_request *request);   /* api_held.c: GET /v1/held */
void api_decide(const struct api_request *request); /* POST /v1/held/… */
void api_links(const struct api_request *request);  /* api_links.c: GET /v1/links */
void api_link(const struct api_request *request);
void api_link_make(const struct api_request *request);
void api_link_end(const struct api_request *request);
void api_rename(const struct api_request *request);
void api_events(const struct api_request *request);
void api_health(const struct api_request *request);
void api_metrics(const struct api_request *request);
void api_authority(const struct api_request *request);
void api_login(const struct api_request *request);        /* api_login.c: POST /v1/login/… */
void api_login_follow(const struct api_request *request); /* GET /v1/logins/… */
void api_login_finish(const struct api_request *request); /* POST /v1/logins/… */
void api_login_cancel(const struct api_request *request); /* DELETE /v1/logins/… */
