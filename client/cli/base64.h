#pragma once

#include <stdbool.h>

#include "client/text.h"

/* Appends the bytes of a text in standard base64 with padding (RFC 4648 4); false when it is none
 * (some bytes may be appended then). */
bool base64_decode(const char *base64, struct text *out);
