#include "settings/scan.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SECTIONS_STEP = 16 };

/* Where the look is. Lists have braces too, so a section's brace is one that follows no '='. */
struct scanner {
    const char *next;
    unsigned line;
    unsigned brace_line; /* of the innermost open brace */
    unsigned depth;
    bool in_word;      /* the character before belongs to a bare word */
    bool after_equals; /* a value comes next */
    struct scan_result *result;
    struct complaint *complaint;
};

/* Hands length bytes on as they are, or as blanks; line ends always stay. */
static void hand_on(struct scanner *scanner, size_t length, bool blank)
{
    for (size_t i = 0; i < length; i++, scanner->next++) {
        bool line_end = *scanner->next == '\n';
        if (line_end)
            scanner->line++;
        buffer_append_char(&scanner->result->text, blank && !line_end ? ' ' : *scanner->next);
    }
}

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

static bool at_variable(const char *text)
{
    return text[0] == '$' && text[1] == '{';
}

static int scan_line_comment(struct scanner *scanner)
{
    hand_on(scanner, strcspn(scanner->next, "\n"), true);
    return 0;
}

static int scan_block_comment(struct scanner *scanner)
{
    const char *end = strstr(scanner->next + 2, "*/");
    if (end == NULL)
        return refuse(scanner, scanner->line, "this comment is never closed");
    hand_on(scanner, (size_t)(end + 2 - scanner->next), true);
    return 0;
}

static int scan_quoted(struct scanner *scanner)
{
    char quote = *scanner->next;
    unsigned opened = scanner->line;
    hand_on(scanner, 1, false);
    while (*scanner->next != quote) {
        bool escape = *scanner->next == '\\';
        if (*scanner->next == '\0' || (escape && scanner->next[1] == '\0'))
            return refuse(scanner, opened, "this quoted text is never closed");
        if (quote == '"' && at_variable(scanner->next))
            return refuse_variable(scanner);
        if (quote == '"' && escape &&
            (isdigit((unsigned char)scanner->next[1]) || scanner->next[1] == 'x'))
            return refuse(scanner, scanner->line, "numeric escapes are not known in quoted texts");
        hand_on(scanner, escape ? 2 : 1, false);
    }
    hand_on(scanner, 1, false);
    scanner->after_equals = false;
    return 0;
}

static int remember_section(struct scanner *scanner)
{
    struct scan_result *result = scanner->result;
    if (result->section_count % SECTIONS_STEP == 0) {
        unsigned *lines = reallocarray(result->section_lines, result->section_count + SECTIONS_STEP,
                                       sizeof *lines);
        if (lines == NULL)
            return -ENOMEM;
        result->section_lines = lines;
    }
    result->section_lines[result->section_count++] = scanner->line;
    return 0;
}

static int scan_opening_brace(struct scanner *scanner)
{
    int r = scanner->after_equals ? 0 : remember_section(scanner);
    scanner->after_equals = false;
    scanner->depth++;
    scanner->brace_line = scanner->line;
    hand_on(scanner, 1, false);
    return r;
}

/* One character that belongs to no quoted text and no comment. */
static int scan_plain(struct scanner *scanner)
{
    char c = *scanner->next;
    if (c == '{')
        return scan_opening_brace(scanner);
    if (c == '}' && scanner->depth == 0)
        return refuse(scanner, scanner->line, "this \"}\" closes nothing");
    if (c == '}')
        scanner->depth--;
    if (c == '=')
        scanner->after_equals = true;
    else if (!isspace((unsigned char)c))
        scanner->after_equals = false;
    if (c == ';')
        return refuse(scanner, scanner->line,
                      "\";\" ends nothing here; a value that holds one stands in quotes");
    hand_on(scanner, 1, false);
    return 0;
}

/* What libconfuse takes for a part of a bare word. */
static bool word_character(char c)
{
    return c != '\0' && strchr(" #\"'\t\n\r={}()+,*", c) == NULL;
}

static int scan_step(struct scanner *scanner)
{
    const char *next = scanner->next;
    bool was_in_word = scanner->in_word;
    scanner->in_word = word_character(*next);

    if (at_variable(next))
        return refuse_variable(scanner);
    if (*next == '"' || *next == '\'')
        return scan_quoted(scanner);
    if (*next == '#')
        return scan_line_comment(scanner);
    /* "http://host" is one bare word: slashes open a comment only where no word goes on. */
    if (!was_in_word && next[0] == '/' && (next[1] == '/' || next[1] == '*')) {
        scanner->in_word = false;
        return next[1] == '/' ? scan_line_comment(scanner) : scan_block_comment(scanner);
    }
    return scan_plain(scanner);
}

int scan_text(const char *text, struct scan_result *ret, unsigned *ret_line,
              struct complaint *complaint)
{
    struct scanner scanner = { .next = text, .line = 1, .result = ret, .complaint = complaint };
    int r = 0;
    while (r == 0 && *scanner.next != '\0')
        r = scan_step(&scanner);
    if (r == 0 && scanner.depth > 0)
        r = refuse(&scanner, scanner.brace_line, "this \"{\" is never closed");
    if (r == 0 && ret->text.failed)
        r = -ENOMEM;
    *ret_line = scanner.line;
    return r;
}

void scan_result_release(struct scan_result *result)
{
    buffer_release(&result->text);
    free(result->section_lines);
    *result = (struct scan_result){ .text = BUFFER_WITH_MAXIMUM(result->text.maximum) };
}
