#include "oauth/provider.h"

#include <errno.h>
#include <string.h>

/* What a member is there for, beside being copied. */
enum {
    OF_SERVER = 1 << 0,  /* decides who answers, and what discovery finds there */
    OF_FINDS = 1 << 1,   /* discovery may find it */
    OF_REQUEST = 1 << 2, /* shapes a request for a token, or takes it to the server */
};

struct member {
    const char *name;
    size_t offset;
    unsigned use;
};

#define MEMBER(name, use)                                                                          \
    {                                                                                              \
#name, offsetof(struct provider, name), use                                                \
    }

/* Every owned string of a provider. */
static const struct member strings[] = {
    MEMBER(issuer, OF_SERVER | OF_REQUEST), /* an assertion's audience */
    MEMBER(authorization_endpoint, OF_SERVER | OF_FINDS),
    MEMBER(token_endpoint, OF_SERVER | OF_FINDS | OF_REQUEST),
    MEMBER(refresh_endpoint, OF_SERVER | OF_REQUEST),
    MEMBER(revocation_endpoint, OF_SERVER | OF_FINDS),
    MEMBER(device_authorization_endpoint, OF_SERVER | OF_FINDS),
    MEMBER(pushed_authorization_request_endpoint, OF_SERVER | OF_FINDS),
    MEMBER(redirect_uri, OF_REQUEST),
    MEMBER(client_id, OF_SERVER | OF_REQUEST),
    MEMBER(client_key_id, OF_REQUEST),
    MEMBER(client_key_id_next, OF_REQUEST),
    MEMBER(client_certificate, 0), /* what stands in that file comes with the secret */
    MEMBER(scope, OF_REQUEST),
    MEMBER(scope_separator, OF_REQUEST),
    MEMBER(identity, 0),
    MEMBER(present_in, 0),
    MEMBER(present_name, 0),
    MEMBER(present_scheme, 0),
    MEMBER(api_base, 0),
    MEMBER(ca_file, OF_SERVER | OF_REQUEST),
    MEMBER(proxy, OF_SERVER | OF_REQUEST),
};

/* Every list of parameters. */
static const struct member lists[] = {
    MEMBER(resource, OF_REQUEST),
    MEMBER(authorize_params, 0),
    MEMBER(token_params, OF_REQUEST),
    MEMBER(refresh_params, OF_REQUEST),
};

enum {
    STRING_COUNT = sizeof(strings) / sizeof(strings[0]),
    LIST_COUNT = sizeof(lists) / sizeof(lists[0]),
};

static char **string_of(struct provider *provider, const struct member *member)
{
    return (char **)(void *)((char *)provider + member->offset);
}

static const char *text_of(const struct provider *provider, const struct member *member)
{
    return *(char *const *)(const void *)((const char *)provider + member->offset);
}

static struct parameters *list_of(struct provider *provider, const struct member *member)
{
    return (struct parameters *)(void *)((char *)provider + member->offset);
}

static const struct parameters *items_of(const struct provider *provider,
                                         const struct member *member)
{
    return (const struct parameters *)(const void *)((const char *)provider + member->offset);
}

/* Leaves to with its own plain values and without any pointer of from's. */
static void copy_plain_values(struct provider *to, const struct provider *from)
{
    *to = *from;
    for (size_t i = 0; i < STRING_COUNT; i++)
        *string_of(to, &strings[i]) = NULL;
    for (size_t i = 0; i < LIST_COUNT; i++)
        *list_of(to, &lists[i]) = (struct parameters){ 0 };
}

static int copy_strings(struct provider *to, const struct provider *from)
{
    for (size_t i = 0; i < STRING_COUNT; i++) {
        const char *text = text_of(from, &strings[i]);
        if (text == NULL)
            continue;
        char *copy = strdup(text);
        if (copy == NULL)
            return -ENOMEM;
        *string_of(to, &strings[i]) = copy;
    }
    return 0;
}

int provider_copy(const struct provider *provider, struct provider **ret)
{
    CLEANUP(cleanup_provider) struct provider *copy = malloc(sizeof(*copy));
    if (copy == NULL)
        return -ENOMEM;
    copy_plain_values(copy, provider);
    int r = copy_strings(copy, provider);
    for (size_t i = 0; r == 0 && i < LIST_COUNT; i++)
        r = parameters_copy(items_of(provider, &lists[i]), list_of(copy, &lists[i]));
    if (r == 0)
        *ret = steal(copy);
    return r;
}

static bool is_same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool provider_is_at_same_server(const struct provider *a, const struct provider *b)
{
    for (size_t i = 0; i < STRING_COUNT; i++)
        if ((strings[i].use & OF_SERVER) != 0 &&
            !is_same_text(text_of(a, &strings[i]), text_of(b, &strings[i])))
            return false;
    return a->grant == b->grant && a->client_auth == b->client_auth &&
           a->iss_promised == b->iss_promised;
}

int provider_take_discovered(struct provider *to, const struct provider *from)
{
    to->token_endpoint_found = to->token_endpoint_found || to->token_endpoint == NULL;
    for (size_t i = 0; i < STRING_COUNT; i++) {
        const char *found = text_of(from, &strings[i]);
        char **own = string_of(to, &strings[i]);
        if ((strings[i].use & OF_FINDS) == 0 || found == NULL || *own != NULL)
            continue;
        *own = strdup(found);
        if (*own == NULL)
            return -ENOMEM;
    }
    to->iss_promised = to->iss_promised || from->iss_promised;
    return 0;
}

/* SHA-256 of what was folded in so far, of a name, and of its value. */
struct digest {
    unsigned char bytes[32];
};

static void fold(struct digest *all, const char *name, const void *value, size_t length)
{
    struct digest step[3] = { *all };
    digest_sha256(name, strlen(name), step[1].bytes);
    digest_sha256(value, length, step[2].bytes);
    digest_sha256(step, sizeof(step), all->bytes);
}

static void fold_list(struct digest *all, const char *name, const struct parameters *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct parameter *item = &list->items[i];
        fold(all, name, item->name, strlen(item->name));
        fold(all, name, item->value, strlen(item->value));
    }
}

/* What discovery found is not the section's. */
static bool shapes_requests(const struct provider *provider, const struct member *member)
{
    const bool is_found = (member->use & OF_FINDS) != 0 && provider->token_endpoint_found;
    return (member->use & OF_REQUEST) != 0 && !is_found;
}

/* Nothing is folded in for a key that is not given: one that is new changes no other section's. */
void provider_fingerprint(const struct provider *provider, char out[static FINGERPRINT_SIZE])
{
    struct digest all = { { 0 } };
    fold(&all, "grant", &provider->grant, sizeof(provider->grant));
    fold(&all, "client_auth", &provider->client_auth, sizeof(provider->client_auth));
    fold(&all, "token_request", &provider->token_request, sizeof(provider->token_request));
    for (size_t i = 0; i < STRING_COUNT; i++) {
        const char *text = text_of(provider, &strings[i]);
        if (text != NULL && shapes_requests(provider, &strings[i]))
            fold(&all, strings[i].name, text, strlen(text));
    }
    for (size_t i = 0; i < LIST_COUNT; i++)
        if (shapes_requests(provider, &lists[i]))
            fold_list(&all, lists[i].name, items_of(provider, &lists[i]));
    digest_text(all.bytes, sizeof(all.bytes), out);
}

void provider_audience(const struct provider *provider, char out[static FINGERPRINT_SIZE])
{
    const char *const words[] = { provider->client_id, provider->issuer, provider->token_endpoint };
    struct digest all = { { 0 } };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const char *word = words[i] != NULL ? words[i] : "";
        fold(&all, "audience", word, strlen(word));
    }
    digest_text(all.bytes, sizeof(all.bytes), out);
}

struct provider *provider_free(struct provider *provider)
{
    if (provider == NULL)
        return NULL;
    for (size_t i = 0; i < STRING_COUNT; i++)
        free(*string_of(provider, &strings[i]));
    for (size_t i = 0; i < LIST_COUNT; i++)
        parameters_release(list_of(provider, &lists[i]));
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
