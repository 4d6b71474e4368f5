#include "settings/scan.h"

#include "support.h"

struct scan_row {
    const char *text;
    const char *scanned; /* words in brackets; NULL: refused */
    const char *problem;
    unsigned line; /* of the problem; of the end */
};

static const char variable[] =
    "${…} would be replaced from the environment: put the value in single quotes";
static const char quoted[] = "this quoted text is not closed in its line";
static const char comment[] =
    "a comment stands behind a blank; a value that holds \"#\", in quotes";
static const char carriage[] = "a carriage return alone ends no line";
static const char semicolon[] = "\";\" ends nothing here; a value that holds one stands in quotes";

static const struct scan_row rows[] = {
    { "", "", NULL, 1 },
    { "a {\n}\n", "[a]{}", NULL, 3 },
    { "# c\na", "[a]", NULL, 2 },
    { "a # c\n", "[a]", NULL, 2 },
    { "'a'#c\n{}#c\n", "[a]{}", NULL, 3 },
    { "a#c\n", NULL, comment, 1 },
    { "\nsecret = ab/cd#", NULL, comment, 2 },
    { "https://h/p#f\n", NULL, comment, 1 },
    { "// c\na", "[a]", NULL, 2 },
    { "a // c\n", "[a]", NULL, 2 },
    { "u = https://h//p\n", "[u]=[https://h//p]", NULL, 2 },
    { "u=//c\n", "[u]=", NULL, 2 },
    { "/* a\n b */c", "[c]", NULL, 2 },
    { "x/* c */", "[x/*][c][*/]", NULL, 1 },
    { "{p/x, */*-test, p/*}\n{*/*, *}", "{[p/x],[*/*-test],[p/*]}{[*/*],[*]}", NULL, 2 },
    { "user:a+group:b +c d+ ++", "[user:a+group:b][+c][d+][++]", NULL, 1 },
    { "a+=b,(c)d+=+e*f ++=\r\n", "[a]+=[b],([c])[d]+=[+e*f][+]+=", NULL, 2 },
    { "# a\r\nb\r\n", "[b]", NULL, 3 },
    { "# a\rb\n", NULL, carriage, 1 },
    { "a\n// b\rc\n", NULL, carriage, 2 },
    { "a\r", NULL, carriage, 1 },
    { "\"# // /* ' */\" '# // /* \" */'", "[# // /* ' */][# // /* \" */]", NULL, 1 },
    { "a'b'c\"d\"''", "[a][b][c][d][]", NULL, 1 },
    { "'${HOME}'", "[${HOME}]", NULL, 1 },
    { "\"\\${HOME}\"", "[${HOME}]", NULL, 1 },
    { "\"$HOME\" $x a$b", "[$HOME][$x][a$b]", NULL, 1 },
    { "# ${HOME}; }\n", "", NULL, 2 },
    { "'it\\'s' # x\n", "[it's]", NULL, 2 },
    { "'\\\\ \\n \\\" \\\na'", "[\\ \\n \\\" a]", NULL, 2 },
    { "\"a\\\"b\\\\\" # x\n", "[a\"b\\]", NULL, 2 },
    { "\"\\a\\b\\e\\f\\n\\r\\t\\v\"", "[\a\b\033\f\n\r\t\v]", NULL, 1 },
    { "\"\\'\\q\\\nab\"", "['qab]", NULL, 2 },
    { "\n'a\nb'\n", NULL, quoted, 2 },
    { "a = \"b\nc = \"d\"\n", NULL, quoted, 1 },
    { "a\\b \xff\x01", "[a\\b][\xff\x01]", NULL, 1 },
    { "l = {\"a\", 'b'}", "[l]={[a],[b]}", NULL, 1 },
    { "\"${HOME}\"", NULL, variable, 1 },
    { "\n\"a\\\\${HOME}\"", NULL, variable, 2 },
    { "\"a\\\n${\"", NULL, variable, 2 },
    { "${HOME}", NULL, variable, 1 },
    { "a = x${HOME}", NULL, variable, 1 },
    { "a\n\"b\nc", NULL, quoted, 2 },
    { "'b", NULL, quoted, 1 },
    { "'b\\", NULL, quoted, 1 },
    { "'b\\'", NULL, quoted, 1 },
    { "\n/* b\n", NULL, "this comment is never closed", 2 },
    { "/*/", NULL, "this comment is never closed", 1 },
    { "a {\n b {\n", NULL, "this \"{\" is never closed", 1 },
    { "a { }\nb {\n c = {}\n\nd {\n e = {}\n}\n", NULL, "this \"{\" is never closed", 2 },
    { "a {\n", NULL, "this \"{\" is never closed", 1 },
    { "a {\n}\n}\n", NULL, "this \"}\" closes nothing", 3 },
    { "\"\\0\"", NULL, "numeric escapes are not known in quoted texts", 1 },
    { "\"\\x41\"", NULL, "numeric escapes are not known in quoted texts", 1 },
    { "a = b;\n", NULL, semicolon, 1 },
    { "a;${", NULL, semicolon, 1 },
};

/* The tokens one after the other. */
static void write_tokens(const struct scan_result *result, struct buffer *out)
{
    for (const struct token *token = scan_tokens(result); token->mark != TOKEN_END; token++)
        if (token->mark == TOKEN_WORD)
            buffer_append_format(out, "[%s]", token->text);
        else
            buffer_append_text(out, token->text);
}

static void scans(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const struct scan_row *row = &rows[i];
        CLEANUP(cleanup_scan_result) struct scan_result result = { 0 };
        CLEANUP(cleanup_buffer) struct buffer tokens = BUFFER_WITH_MAXIMUM(1000);
        struct complaint complaint = { "" };
        unsigned line = 0;
        int r = scan_text(row->text, &result, &line, &complaint);
        if (r != (row->scanned != NULL ? 0 : SCAN_INVALID))
            fail_row(i, row->text);
        if (row->scanned != NULL)
            write_tokens(&result, &tokens);
        if (row->scanned != NULL && strcmp(buffer_text(&tokens), row->scanned) != 0)
            fail_row(i, buffer_text(&tokens));
        if (row->scanned == NULL && strcmp(complaint.text, row->problem) != 0)
            fail_row(i, complaint.text);
        if (line != row->line)
            fail_row(i, "the line");
    }
}

static void tokens_have_the_line_of_their_end(void **state)
{
    static const char text[] = "a\n'b\\\nc' # {\n{ /* \n */ d}";
    static const unsigned lines[] = { 1, 3, 4, 5, 5, 5 };
    CLEANUP(cleanup_scan_result) struct scan_result result = { 0 };
    unsigned line = 0;
    assert_int_equal(scan_text(text, &result, &line, NULL), 0);
    assert_int_equal(result.tokens.length, LENGTH_OF(lines) * sizeof(struct token));
    for (size_t i = 0; i < LENGTH_OF(lines); i++)
        assert_int_equal(scan_tokens(&result)[i].line, lines[i]);
}

/* The most that a text can become: each character a token. */
static void each_character_may_be_a_token(void **state)
{
    char text[1000 + 1] = "";
    CLEANUP(cleanup_scan_result) struct scan_result result = { 0 };
    unsigned line = 0;
    memset(text, ',', sizeof text - 1);
    assert_int_equal(scan_text(text, &result, &line, NULL), 0);
    assert_int_equal(result.tokens.length, sizeof text * sizeof(struct token));
    for (size_t i = 0; i < sizeof text - 1; i++)
        assert_string_equal(scan_tokens(&result)[i].text, ",");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scans),
        cmocka_unit_test(tokens_have_the_line_of_their_end),
        cmocka_unit_test(each_character_may_be_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
