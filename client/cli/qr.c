#include "client/cli/qr.h"

#include <dlfcn.h>

enum { LEVEL_LOW = 0, DARK = 1 };

#define BLACK_ON_WHITE "\033[38;5;16;48;5;231m" /* the fixed colours that no theme changes */
#define AS_BEFORE "\033[0m"

size_t qr_columns(const struct qr *qr)
{
    return (size_t)qr->width + 2 * (size_t)QR_QUIET;
}

/* Light outside of the code. */
static bool is_dark(const struct qr *qr, int row, int column)
{
    if (row < 0 || row >= qr->width || column < 0 || column >= qr->width)
        return false;
    return qr->modules[row * qr->width + column] & DARK;
}

static void draw_line(struct text *out, const struct qr *qr, int row)
{
    static const char *const blocks[] = { " ", "\xe2\x96\x84", "\xe2\x96\x80", "\xe2\x96\x88" };

    text_append_string(out, BLACK_ON_WHITE);
    for (int column = -QR_QUIET; column < qr->width + QR_QUIET; column++) {
        const int upper = is_dark(qr, row, column), lower = is_dark(qr, row + 1, column);
        text_append_string(out, blocks[upper * 2 + lower]);
    }
    text_append_string(out, AS_BEFORE "\n");
}

void qr_draw(struct text *out, const struct qr *qr)
{
    for (int row = -QR_QUIET; row < qr->width + QR_QUIET; row += 2)
        draw_line(out, qr, row);
}

typedef struct qr *(*encode_function)(const char *text, int version, int level);
typedef void (*free_function)(struct qr *qr);

void qr_append(struct text *out, const char *content, size_t columns)
{
    void *library = dlopen("libqrencode.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return;
    /* dlsym() gives functions as data, which C alone does not convert. */
    union {
        void *symbol;
        encode_function call;
    } encode = { .symbol = dlsym(library, "QRcode_encodeString8bit") };
    union {
        void *symbol;
        free_function call;
    } release = { .symbol = dlsym(library, "QRcode_free") };
    struct qr *qr = encode.symbol && release.symbol ? encode.call(content, 0, LEVEL_LOW) : NULL;

    if (qr && qr->width > 0 && qr->width <= QR_MODULES_MAX && qr_columns(qr) <= columns)
        qr_draw(out, qr);
    if (qr)
        release.call(qr);
    (void)dlclose(library);
}
