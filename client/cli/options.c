#include "client/cli/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/cleanup.h"
#include "client/cli/duration.h"
#include "client/cli/nearest.h"

enum { NUMBER_DIGITS_MAX = 18 };

const struct option_row options_global[] = {
    OPTION_ROW("--socket", OPTION_TEXT, socket, "PATH", "ask the broker on this socket alone"),
    OPTION_ROW("--help", OPTION_FLAG, help, NULL, "print this"),
    OPTIONS_END,
};

void arguments_init(struct arguments *arguments)
{
    *arguments = (struct arguments){
        .min_ttl = TB_DEFAULT,
        .wait = TB_DEFAULT,
        .expires = TB_DEFAULT,
        .limit = TB_DEFAULT,
        .forget = TB_DEFAULT,
        .before = TB_DEFAULT,
        .id = TB_DEFAULT,
    };
}

/* The first thing that is wrong is told: what comes of it later would only confuse. */
PRINTF_LIKE(2, 3)
static bool object(struct objection *objection, const char *format, ...)
{
    va_list arguments;

    if (*objection->text)
        return false;
    va_start(arguments, format);
    (void)vsnprintf(objection->text, sizeof objection->text, format, arguments);
    va_end(arguments);
    return false;
}

static const struct option_row *find_row(const struct option_row *rows, const char *name,
                                         size_t length, const char **nearest)
{
    for (; rows && rows->name; rows++) {
        if (strlen(rows->name) == length && memcmp(rows->name, name, length) == 0)
            return rows;
        *nearest = nearest_of(name, *nearest, rows->name);
    }
    return NULL;
}

static const struct option_row *find_option(const struct option_row *rows, const char *word,
                                            struct objection *objection)
{
    char name[64];
    const char *nearest = NULL;

    (void)snprintf(name, sizeof name, "%s", word);
    name[strcspn(name, "=")] = '\0';
    if (strcmp(name, "-h") == 0)
        return find_row(options_global, "--help", strlen("--help"), &nearest);
    const struct option_row *row = find_row(rows, name, strlen(name), &nearest);
    if (!row)
        row = find_row(options_global, name, strlen(name), &nearest);
    if (!row && nearest)
        object(objection, "unknown option %s: did you mean %s?", name, nearest);
    else if (!row)
        object(objection, "unknown option %s", name);
    return row;
}

static bool set_duration(const struct option_row *row, void *field, const char *value,
                         struct objection *objection)
{
    return duration_parse(value, field) ||
           object(objection, "%s takes a duration such as 90, 90s or 5min, not '%s'", row->name,
                  value);
}

static bool set_number(const struct option_row *row, void *field, const char *value,
                       struct objection *objection)
{
    const size_t digits = strspn(value, "0123456789");
    int64_t number = 0;

    for (size_t i = 0; digits <= NUMBER_DIGITS_MAX && !value[digits] && i < digits; i++)
        number = number * 10 + (value[i] - '0');
    if (number < 1)
        return object(objection, "%s takes a number, not '%s'", row->name, value);
    *(int64_t *)field = number;
    return true;
}

static bool add_param(struct arguments *arguments, const char *value, struct objection *objection)
{
    if (!strchr(value, '=') || *value == '=')
        return object(objection, "--param takes NAME=VALUE, not '%s'", value);
    if (arguments->param_count == PARAMS_MAX)
        return object(objection, "more than %d times --param", PARAMS_MAX);
    arguments->params[arguments->param_count++] = value;
    return true;
}

static bool set_value(const struct option_row *row, struct arguments *arguments, const char *value,
                      struct objection *objection)
{
    void *field = (char *)arguments + row->place;

    switch (row->kind) {
    case OPTION_MAYBE:
    case OPTION_TEXT:
        if (!*value) /* that of a variable which is not set */
            return object(objection, "%s needs %s", row->name, row->metavar);
        *(const char **)field = value;
        return true;
    case OPTION_DURATION:
        return set_duration(row, field, value, objection);
    case OPTION_NUMBER:
        return set_number(row, field, value, objection);
    case OPTION_PARAM:
        return add_param(arguments, value, objection);
    case OPTION_FLAG:
    case OPTION_END:
        break;
    }
    return object(objection, "%s takes no value", row->name);
}

/* A variable that is not set leaves the next option where a value should be. */
static bool is_option(const struct option_row *rows, const char *word)
{
    const size_t length = strcspn(word, "=");
    const char *nearest = NULL;

    return strcmp(word, "--") == 0 || find_row(rows, word, length, &nearest) ||
           find_row(options_global, word, length, &nearest);
}

static bool take_option(char **argv, int *index, const struct option_row *rows,
                        struct arguments *arguments, struct objection *objection)
{
    const char *word = argv[(*index)++];
    const struct option_row *row = find_option(rows, word, objection);
    const char *equals = strchr(word, '=');

    if (!row)
        return false;
    if (equals)
        return set_value(row, arguments, equals + 1, objection);
    if (row->kind == OPTION_FLAG) {
        *(bool *)((char *)arguments + row->place) = true;
        return true;
    }
    if (row->kind == OPTION_MAYBE) {
        *(const char **)((char *)arguments + row->place) = "";
        return true;
    }
    if (!argv[*index] || is_option(rows, argv[*index]))
        return object(objection, "%s needs %s", row->name, row->metavar);
    return set_value(row, arguments, argv[(*index)++], objection);
}

static bool take_operand(const char *word, struct arguments *arguments, struct objection *objection)
{
    if (arguments->operand_count == OPERANDS_MAX)
        return object(objection, "unexpected argument '%s'", word);
    arguments->operands[arguments->operand_count++] = word;
    return true;
}

bool options_take(char **argv, int *index, const struct option_row *rows, bool operands,
                  struct arguments *arguments, struct objection *objection)
{
    while (argv[*index]) {
        const char *word = argv[*index];
        if (strcmp(word, "--") == 0) {
            arguments->rest = argv + ++*index;
            break;
        }
        if (word[0] == '-' && word[1]) {
            (void)take_option(argv, index, rows, arguments, objection);
            continue;
        }
        if (!operands)
            break;
        (*index)++;
        (void)take_operand(word, arguments, objection);
    }
    return !*objection->text;
}
