#pragma once

#include "client/text.h"

/* QR codes on a terminal (ISO/IEC 18004). */

enum { QR_QUIET = 4, QR_MODULES_MAX = 177 }; /* light modules around it; of the largest one */

/* What libqrencode returns: bit 0 of each byte is set where a module is dark. */
struct qr {
    int version;
    int width;
    unsigned char *modules;
};

/* How many columns its drawing takes. */
size_t qr_columns(const struct qr *qr);

/* Draws it in half blocks, black on white whatever the terminal's colours are. */
void qr_draw(struct text *out, const struct qr *qr);

/* Appends the code of a content, if libqrencode is there and the drawing fits in so many columns;
 * else nothing. The library is loaded for this call alone: the command links libc and nothing more.
 */
void qr_append(struct text *out, const char *content, size_t columns);
