#include "io/store.h"

#include <errno.h>
#include <string.h>

void account_row_release(struct account_row *row)
{
    if (!row)
        return;

    free(row->last_error);
    free(row->last_error_description);
    free(row->scope);
    free(row->identity);
    free(row->identity_before);
    free(row->held_identity);
    free(row->sealed);
    link_row_free(row->link);
    *row = (struct account_row){ 0 };
}

static bool copy_text(const char *from, char **ret)
{
    *ret = from ? strdup(from) : NULL;
    return !from || *ret;
}

static bool copy_bytes(const void *from, size_t length, void **ret)
{
    *ret = NULL;
    if (!from)
        return true;

    *ret = malloc(length > 0 ? length : 1);
    if (*ret)
        memcpy(*ret, from, length);
    return *ret != NULL;
}

int account_row_copy(const struct account_row *from, struct account_row *ret)
{
    struct account_row copy = *from;

    copy.link = NULL;
    /* All are tried, so that none is left pointing at the original's. */
    bool copied = copy_text(from->last_error, &copy.last_error);
    copied &= copy_text(from->last_error_description, &copy.last_error_description);
    copied &= copy_text(from->scope, &copy.scope);
    copied &= copy_text(from->identity, &copy.identity);
    copied &= copy_text(from->identity_before, &copy.identity_before);
    copied &= copy_text(from->held_identity, &copy.held_identity);
    copied &= copy_bytes(from->sealed, from->sealed_length, &copy.sealed);
    if (!copied) {
        account_row_release(&copy);
        return -ENOMEM;
    }

    *ret = copy;
    return 0;
}

void held_row_release(struct held_row *row)
{
    if (!row)
        return;

    free(row->scope);
    free(row->identity);
    free(row->sealed);
    *row = (struct held_row){ 0 };
}

void link_row_release(struct link_row *row)
{
    if (!row)
        return;

    free(row->expect);
    free(row->scope);
    free(row->params);
    free(row->sealed);
    if (row->token)
        explicit_bzero(row->token, strlen(row->token));
    free(row->token);
    *row = (struct link_row){ 0 };
}

int link_row_copy(const struct link_row *from, struct link_row *ret)
{
    struct link_row copy = *from;

    copy.token = NULL;
    bool copied = copy_text(from->expect, &copy.expect);
    copied &= copy_text(from->scope, &copy.scope);
    copied &= copy_text(from->params, &copy.params);
    copied &= copy_bytes(from->sealed, from->sealed_length, &copy.sealed);
    if (!copied) {
        link_row_release(&copy);
        return -ENOMEM;
    }
    *ret = copy;
    return 0;
}

struct link_row *link_row_free(struct link_row *row)
{
    link_row_release(row);
    free(row);
    return NULL;
}

void kept_row_release(struct kept_row *row)
{
    if (!row)
        return;

    free(row->sealed);
    *row = (struct kept_row){ 0 };
}
