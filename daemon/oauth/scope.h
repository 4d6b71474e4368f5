#pragma once

/* Lists of scopes (RFC 6749 3.3): words separated by spaces here, by the provider's own separator
 * at some providers. scope_holds() stands in authorize.h. */

#include "base/buffer.h"

/* Appends the words of scope (separated by spaces; NULL: none) with separator between them. */
void scope_append(struct buffer *out, const char *scope, const char *separator);

/* Appends the words of a provider's scope, separated by the characters of separators, spaces or
 * controls, with one space between them. A word that would pass maximum bytes ends the list. */
void scope_append_normal(struct buffer *out, const char *scope, const char *separators,
                         size_t maximum);
