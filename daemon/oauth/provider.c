#include "oauth/provider.h"

#include <errno.h>
#include <string.h>

#define STRING(member) offsetof(struct provider, member)

/* Every owned string of a provider. */
static const size_t string_offsets[] = {
    STRING(issuer),
    STRING(authorization_endpoint),
    STRING(token_endpoint),
    STRING(refresh_endpoint),
    STRING(revocation_endpoint),
    STRING(device_authorization_endpoint),
    STRING(pushed_authorization_request_endpoint),
    STRING(redirect_uri),
    STRING(client_id),
    STRING(client_key_id),
    STRING(client_key_id_next),
    STRING(client_certificate),
    STRING(scope),
    STRING(scope_separator),
    STRING(identity),
    STRING(present_in),
    STRING(present_name),
    STRING(present_scheme),
    STRING(api_base),
    STRING(ca_file),
    STRING(proxy),
};

enum { STRING_COUNT = sizeof(string_offsets) / sizeof(string_offsets[0]) };

static char **string_at(struct provider *provider, size_t index)
{
    return (char **)(void *)((char *)provider + string_offsets[index]);
}

/* Leaves to with its own plain values and without any pointer of from's. */
static void copy_plain_values(struct provider *to, const struct provider *from)
{
    *to = *from;
    for (size_t i = 0; i < STRING_COUNT; i++)
        *string_at(to, i) = NULL;
    to->resource = (struct parameters){ 0 };
    to->authorize_params = (struct parameters){ 0 };
    to->token_params = (struct parameters){ 0 };
    to->refresh_params = (struct parameters){ 0 };
}

static int copy_strings(struct provider *to, const struct provider *from)
{
    struct provider shallow = *from;
    for (size_t i = 0; i < STRING_COUNT; i++) {
        const char *text = *string_at(&shallow, i);
        if (text == NULL)
            continue;
        char *copy = strdup(text);
        if (copy == NULL)
            return -ENOMEM;
        *string_at(to, i) = copy;
    }
    return 0;
}

int provider_copy(const struct provider *provider, struct provider **ret)
{
    CLEANUP(cleanup_provider) struct provider *copy = malloc(sizeof(*copy));
    if (copy == NULL)
        return -ENOMEM;
    copy_plain_values(copy, provider);
    if (copy_strings(copy, provider) < 0 ||
        parameters_copy(&provider->resource, &copy->resource) < 0 ||
        parameters_copy(&provider->authorize_params, &copy->authorize_params) < 0 ||
        parameters_copy(&provider->token_params, &copy->token_params) < 0 ||
        parameters_copy(&provider->refresh_params, &copy->refresh_params) < 0)
        return -ENOMEM;
    *ret = steal(copy);
    return 0;
}

/* What decides who answers, and what discovery finds there. */
static const size_t server_offsets[] = {
    STRING(issuer),
    STRING(authorization_endpoint),
    STRING(token_endpoint),
    STRING(refresh_endpoint),
    STRING(revocation_endpoint),
    STRING(device_authorization_endpoint),
    STRING(pushed_authorization_request_endpoint),
    STRING(client_id),
    STRING(ca_file),
    STRING(proxy),
};

/* What discovery may find. */
static const size_t endpoint_offsets[] = {
    STRING(authorization_endpoint),
    STRING(token_endpoint),
    STRING(revocation_endpoint),
    STRING(device_authorization_endpoint),
    STRING(pushed_authorization_request_endpoint),
};

static const char *text_at(const struct provider *provider, size_t offset)
{
    return *(char *const *)(const void *)((const char *)provider + offset);
}

bool provider_is_at_same_server(const struct provider *a, const struct provider *b)
{
    for (size_t i = 0; i < sizeof(server_offsets) / sizeof(server_offsets[0]); i++) {
        const char *one = text_at(a, server_offsets[i]);
        const char *other = text_at(b, server_offsets[i]);
        if (one == NULL || other == NULL ? one != other : strcmp(one, other) != 0)
            return false;
    }
    return a->grant == b->grant && a->client_auth == b->client_auth &&
           a->iss_promised == b->iss_promised;
}

int provider_take_discovered(struct provider *to, const struct provider *from)
{
    for (size_t i = 0; i < sizeof(endpoint_offsets) / sizeof(endpoint_offsets[0]); i++) {
        const char *found = text_at(from, endpoint_offsets[i]);
        char **own = (char **)(void *)((char *)to + endpoint_offsets[i]);
        if (found == NULL || *own != NULL)
            continue;
        *own = strdup(found);
        if (*own == NULL)
            return -ENOMEM;
    }
    to->iss_promised = to->iss_promised || from->iss_promised;
    return 0;
}

struct provider *provider_free(struct provider *provider)
{
    if (provider == NULL)
        return NULL;
    for (size_t i = 0; i < STRING_COUNT; i++)
        free(*string_at(provider, i));
    parameters_release(&provider->resource);
    parameters_release(&provider->authorize_params);
    parameters_release(&provider->token_params);
    parameters_release(&provider->refresh_params);
    free(provider);
    return NULL;
}

int parameters_add(struct parameters *parameters, const char *name, const char *value)
{
    CLEANUP(cleanup_string) char *name_copy = strdup(name);
    CLEANUP(cleanup_string) char *value_copy = strdup(value);
    if (name_copy == NULL || value_copy == NULL)
        return -ENOMEM;
    struct parameter *items =
        reallocarray(parameters->items, parameters->count + 1, sizeof(*items));
    if (items == NULL)
        return -ENOMEM;
    parameters->items = items;
    items[parameters->count].name = steal(name_copy);
    items[parameters->count].value = steal(value_copy);
    parameters->count++;
    return 0;
}

const char *parameters_find(const struct parameters *parameters, const char *name)
{
    for (size_t i = 0; i < parameters->count; i++) {
        if (strcmp(parameters->items[i].name, name) == 0)
            return parameters->items[i].value;
    }
    return NULL;
}

int parameters_copy(const struct parameters *from, struct parameters *ret)
{
    struct parameters copy = { 0 };
    for (size_t i = 0; i < from->count; i++) {
        if (parameters_add(&copy, from->items[i].name, from->items[i].value) < 0) {
            parameters_release(&copy);
            return -ENOMEM;
        }
    }
    *ret = copy;
    return 0;
}

void parameters_release(struct parameters *parameters)
{
    if (parameters == NULL)
        return;
    for (size_t i = 0; i < parameters->count; i++) {
        free(parameters->items[i].name);
        free(parameters->items[i].value);
    }
    free(parameters->items);
    *parameters = (struct parameters){ 0 };
}
