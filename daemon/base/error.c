#include "base/error.h"

#include <stdio.h>

#include "base/printable.h"

void complain(struct complaint *complaint, const char *format, ...)
{
    /* Formatted aside first, so that the old text may be one of the arguments. */
    char text[COMPLAINT_MAX];
    va_list arguments;

    if (!complaint)
        return;
    va_start(arguments, format);
    if (vsnprintf(text, sizeof(text), format, arguments) < 0)
        text[0] = '\0';
    va_end(arguments);
    printable_line(text, PRINTABLE_ALL_WORDS, complaint->text, sizeof(complaint->text));
}
