#include "client/cli/quote.h"

#include <string.h>

void quote_shell(struct text *out, const char *value)
{
    text_append_string(out, "'");
    for (const char *c = value; *c; c++) {
        if (*c == '\'')
            text_append_string(out, "'\\''");
        else
            text_append(out, c, 1);
    }
    text_append_string(out, "'");
}

void quote_curl(struct text *out, const char *value)
{
    text_append_string(out, "\"");
    for (const char *c = value; *c; c++) {
        if (*c == '"' || *c == '\\')
            text_append_string(out, "\\");
        text_append(out, c, 1);
    }
    text_append_string(out, "\"");
}

bool quote_one_line(const char *value)
{
    for (const char *c = value; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return false;
    }
    return true;
}
