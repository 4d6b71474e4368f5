#include "settings/scan.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* What ends a bare word, as "+=" does. */
static const char no_word[] = " #\"'\t\n\r={}(),";

struct scanner {
    const char *next;
    unsigned line;
    unsigned brace_line; /* of the last one that stood in no other */
    unsigned depth;
    struct scan_result *result;
    struct complaint *complaint;
};

static int refuse(struct scanner *scanner, unsigned line, const char *problem)
{
    scanner->line = line;
    complain(scanner->complaint, "%s", problem);
    return SCAN_INVALID;
}

static int refuse_variable(struct scanner *scanner)
{
    return refuse(scanner, scanner->line,
                  "${…} would be replaced from the environment: put the value in single quotes");
}

/* The token's text is what was appended since it began at that place. */
static void add_token(struct scanner *scanner, char mark, size_t began)
{
    struct buffer *texts = &scanner->result->texts;
    const struct token token = { texts->data + began, scanner->line, mark };
    buffer_append_char(texts, '\0');
    buffer_append(&scanner->result->tokens, &token, sizeof token);
}

/* A token that is written as it is meant. */
static void take(struct scanner *scanner, char mark, size_t length)
{
    size_t began = scanner->result->texts.length;
    buffer_append(&scanner->result->texts, scanner->next, length);
    add_token(scanner, mark, began);
    scanner->next += length;
}

static void skip(struct scanner *scanner, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (*scanner->next++ == '\n')
            scanner->line++;
}

static int skip_block_comment(struct scanner *scanner)
{
    const char *end = strstr(scanner->next + 2, "*/");
    if (end == NULL)
        return refuse(scanner, scanner->line, "this comment is never closed");
    skip(scanner, (size_t)(end + 2 - scanner->next));
    return 0;
}

/* What stands behind a backslash. In single quotes it means something only before a quote, another
 * backslash, or a line end, which it takes away. */
static void append_escaped(struct scanner *scanner, char quote, char c)
{
    static const char letters[] = "abefnrtv";
    static const char meant[] = "\a\b\033\f\n\r\t\v";
    struct buffer *texts = &scanner->result->texts;
    const char *letter = quote == '"' ? strchr(letters, c) : NULL;
    if (c == '\n')
        return;
    if (quote == '\'' && c != '\'' && c != '\\')
        buffer_append_char(texts, '\\');
    buffer_append_char(texts, letter != NULL ? meant[letter - letters] : c);
}

/* In double quotes. */
static int check_double_quoted(struct scanner *scanner)
{
    const char *next = scanner->next;
    if (next[0] == '$' && next[1] == '{')
        return refuse_variable(scanner);
    if (next[0] == '\\' && (isdigit((unsigned char)next[1]) || next[1] == 'x'))
        return refuse(scanner, scanner->line, "numeric escapes are not known in quoted texts");
    return 0;
}

static int scan_quoted(struct scanner *scanner)
{
    char quote = *scanner->next++;
    unsigned opened = scanner->line;
    size_t began = scanner->result->texts.length;
    while (*scanner->next != quote) {
        bool escape = *scanner->next == '\\';
        if (*scanner->next == '\n' || scanner->next[escape] == '\0')
            return refuse(scanner, opened, "this quoted text is not closed in its line");
        int r = quote == '"' ? check_double_quoted(scanner) : 0;
        if (r != 0)
            return r;
        if (escape)
            append_escaped(scanner, quote, scanner->next[1]);
        else
            buffer_append_char(&scanner->result->texts, *scanner->next);
        skip(scanner, escape ? 2 : 1);
    }
    add_token(scanner, TOKEN_WORD, began);
    scanner->next++;
    return 0;
}

static int scan_brace(struct scanner *scanner)
{
    bool opens = *scanner->next == '{';
    if (!opens && scanner->depth == 0)
        return refuse(scanner, scanner->line, "this \"}\" closes nothing");
    if (opens && scanner->depth == 0)
        scanner->brace_line = scanner->line;
    scanner->depth += opens ? 1 : -1U;
    take(scanner, *scanner->next, 1);
    return 0;
}

static bool is_append(const char *next)
{
    return next[0] == '+' && next[1] == '=';
}

static int scan_word(struct scanner *scanner)
{
    const char *word = scanner->next;
    size_t length = 0;
    while (strchr(no_word, word[length]) == NULL && !is_append(word + length))
        length++;
    if (memchr(word, ';', length) != NULL)
        return refuse(scanner, scanner->line,
                      "\";\" ends nothing here; a value that holds one stands in quotes");
    /* A comment there would be the rest of a secret, most likely. */
    if (word[length] == '#')
        return refuse(scanner, scanner->line,
                      "a comment stands behind a blank; a value that holds \"#\", in quotes");
    if (word[length - 1] == '$' && word[length] == '{')
        return refuse_variable(scanner);
    take(scanner, TOKEN_WORD, length);
    return 0;
}

static int scan_step(struct scanner *scanner)
{
    const char *next = scanner->next;
    int r = 0;
    if (*next == '"' || *next == '\'')
        r = scan_quoted(scanner);
    else if (*next == '{' || *next == '}')
        r = scan_brace(scanner);
    else if (strchr("()=,", *next) != NULL)
        take(scanner, *next, 1);
    else if (is_append(next))
        take(scanner, TOKEN_APPEND, 2);
    else if (next[0] == '\r' && next[1] != '\n') /* a comment would not end there */
        r = refuse(scanner, scanner->line, "a carriage return alone ends no line");
    else if (strchr(" \t\r\n", *next) != NULL)
        skip(scanner, 1);
    /* "http://host" and the pattern of all accounts are words: a comment opens where none began. */
    else if (*next == '#' || (next[0] == '/' && next[1] == '/'))
        skip(scanner, strcspn(next, "\r\n"));
    else if (next[0] == '/' && next[1] == '*')
        r = skip_block_comment(scanner);
    else
        r = scan_word(scanner);
    return r;
}

int scan_text(const char *text, struct scan_result *ret, unsigned *ret_line,
              struct complaint *complaint)
{
    struct scanner scanner = { .next = text, .line = 1, .result = ret, .complaint = complaint };
    size_t length = strlen(text);
    int r = 0;
    /* Each token takes a character at least, and its text a NUL more: tokens can point to texts. */
    ret->texts.maximum = 2 * length + 1;
    ret->tokens.maximum = (length + 1) * sizeof(struct token);
    buffer_reserve(&ret->texts, ret->texts.maximum);
    while (r == 0 && !ret->texts.failed && *scanner.next != '\0')
        r = scan_step(&scanner);
    if (r == 0 && scanner.depth > 0)
        r = refuse(&scanner, scanner.brace_line, "this \"{\" is never closed");
    if (!ret->texts.failed)
        take(&scanner, TOKEN_END, 0);
    if (r == 0 && (ret->texts.failed || ret->tokens.failed))
        r = -ENOMEM;
    *ret_line = scanner.line;
    return r;
}

void scan_result_release(struct scan_result *result)
{
    buffer_release(&result->tokens);
    buffer_release(&result->texts);
}
