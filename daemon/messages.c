#include "messages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

struct issued_token *issued_token_free(struct issued_token *token)
{
    if (!token)
        return NULL;
    secret_free(token->access_token);
    free(token->token_type);
    free(token->scope);
    free(token->extra);
    free(token);
    return NULL;
}

int issued_token_copy(const struct issued_token *token, struct issued_token **ret)
{
    CLEANUP(cleanup_issued_token) struct issued_token *copy = calloc(1, sizeof(*copy));
    if (!copy)
        return -ENOMEM;

    *copy = *token;
    copy->access_token = NULL;
    copy->token_type = copy->scope = copy->extra = NULL;
    int r = text_copy(token->token_type, &copy->token_type);
    if (r == 0)
        r = text_copy(token->scope, &copy->scope);
    if (r == 0)
        r = text_copy(token->extra, &copy->extra);
    if (r == 0)
        r = secret_copy(token->access_token, &copy->access_token);
    if (r == 0)
        *ret = steal(copy);
    return r;
}

static void exchange_free(struct exchange_request *exchange)
{
    if (!exchange)
        return;
    secret_free(exchange->code);
    secret_free(exchange->verifier);
    secret_free(exchange->nonce);
    free(exchange->redirect_uri);
    free(exchange->scope);
    free(exchange);
}

static void device_request_free(struct device_request *request)
{
    if (!request)
        return;
    free(request->scope);
    parameters_release(&request->params);
    free(request);
}

static void import_free(struct import_request *import)
{
    if (!import)
        return;
    secret_free(import->refresh_token);
    secret_free(import->access_token);
    free(import->scope);
    free(import);
}

static void link_order_free(struct link_order *order)
{
    if (!order)
        return;
    free(order->expect);
    free(order->scope);
    free(order->params);
    free(order);
}

struct consent *consent_free(struct consent *consent)
{
    if (!consent)
        return NULL;
    free(consent->scope);
    free(consent->identity);
    free(consent);
    return NULL;
}

static void health_free(struct health *health)
{
    if (!health)
        return;
    free(health->providers);
    free(health);
}

static void rows_free(struct account_row *rows, size_t count)
{
    for (size_t i = 0; rows && i < count; i++)
        account_row_release(&rows[i]);
    free(rows);
}

struct message *message_new(enum message_kind kind)
{
    struct message *message = calloc(1, sizeof(*message));
    if (message)
        message->kind = kind;
    return message;
}

struct message *message_free(struct message *message)
{
    if (!message)
        return NULL;
    secret_free(message->parameters);
    secret_free(message->request_uri);
    exchange_free(message->exchange);
    device_request_free(message->device_request);
    device_authorization_free(message->device);
    import_free(message->import);
    link_order_free(message->link_order);
    settings_free(message->settings);
    seal_key_free(message->key_next);
    issued_token_free(message->token);
    rows_free(message->rows, message->row_count);
    provider_free(message->provider);
    consent_free(message->consent);
    health_free(message->health);
    free(message->piece);
    free(message->audit);
    free(message->callers);
    certified_free(message->certified);
    free(message->authority);
    if (message->start_url)
        explicit_bzero(message->start_url, strlen(message->start_url));
    free(message->start_url);
    explicit_bzero(&message->failure.link, sizeof(message->failure.link));
    free(message);
    return NULL;
}

void message_destroy(void *letter)
{
    message_free(letter);
}

void message_fail(struct message *message, enum wire_error error, const char *format, ...)
{
    va_list arguments;

    message->failed = true;
    message->failure = (struct failure){ .error = error };
    va_start(arguments, format);
    /* A text that is too long is cut: it is for a person. */
    (void)vsnprintf(message->failure.description, sizeof(message->failure.description), format,
                    arguments);
    va_end(arguments);
}
