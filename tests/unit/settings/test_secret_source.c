#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "settings/sections.h"
#include "support.h"

struct kind_row {
    const char *source;
    enum secret_kind kind;
    const char *rest;
};

static const struct kind_row kind_rows[] = {
    { "file:/a", SECRET_FILE, "/a" },
    { "file:", SECRET_FILE, "" },
    { "credential:a", SECRET_CREDENTIAL, "a" },
    { "command:/bin/a b", SECRET_COMMAND, "/bin/a b" },
    { "files:/a", SECRET_LITERAL, "files:/a" },
    { "file", SECRET_LITERAL, "file" },
    { "File:/a", SECRET_LITERAL, "File:/a" },
    { "a file:/a", SECRET_LITERAL, "a file:/a" },
    { "", SECRET_LITERAL, "" },
};

static void tells_sources_apart(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(kind_rows); i++) {
        const char *rest = NULL;
        if (secret_kind_of(kind_rows[i].source, &rest) != kind_rows[i].kind)
            fail_row(i, "kind");
        assert_string_equal(rest, kind_rows[i].rest);
    }
}

/* The secret of a source; NULL with a complaint. The caller frees it. */
static struct secret *resolve(const char *source, struct complaint *complaint)
{
    struct settings_places places = { .credentials_directory = path_of("credentials") };
    struct secret *secret = NULL;
    complaint->text[0] = '\0';
    int r = settings_resolve_secret(source, &places, "x.conf:7: key", &secret, complaint);
    assert_true((r == 0 && secret != NULL) || (r == SETTINGS_INVALID && secret == NULL));
    return secret;
}

static void assert_resolves(const char *source, const char *wanted)
{
    struct complaint complaint;
    CLEANUP(cleanup_secret) struct secret *secret = resolve(source, &complaint);
    if (secret == NULL)
        fail_msg("%s: %s", source, complaint.text);
    assert_string_equal(secret_reveal(secret), wanted);
}

static void assert_unresolved(const char *source, const char *part)
{
    struct complaint complaint;
    CLEANUP(cleanup_secret) struct secret *secret = resolve(source, &complaint);
    if (secret != NULL || strstr(complaint.text, part) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", source, complaint.text, part);
    assert_ptr_equal(strstr(complaint.text, "x.conf:7: key: "), complaint.text);
    assert_null(strstr(complaint.text, "hunter2"));
}

/* "PREFIXFOLDER/name"; valid until the next call. */
static const char *at(const char *prefix, const char *name)
{
    static char source[300];
    (void)snprintf(source, sizeof source, "%s%s", prefix, path_of(name));
    return source;
}

static void literals_are_themselves(void **state)
{
    assert_resolves("hunter2", "hunter2");
    assert_resolves("a:b", "a:b");
    assert_unresolved("", "the secret is empty");
}

static void files_lose_one_line_end(void **state)
{
    write_file("secret", "hunter2\n", 0600);
    assert_resolves(at("file:", "secret"), "hunter2");
    write_file("secret", "hunter2", 0400);
    assert_resolves(at("file:", "secret"), "hunter2");
    write_file("secret", "hunter2\n\n", 0600);
    assert_resolves(at("file:", "secret"), "hunter2\n");
}

static void files_must_be_private(void **state)
{
    char wanted[COMPLAINT_MAX];
    write_file("open", "hunter2\n", 0644);
    (void)snprintf(wanted, sizeof wanted, "others can read %s: chmod 600 %s", path_of("open"),
                   path_of("open"));
    assert_unresolved(at("file:", "open"), wanted);
    write_file("open", "hunter2\n", 0606);
    assert_unresolved(at("file:", "open"), "others can write");
    write_file("open", "hunter2\n", 0640);
    if (geteuid() == 0 && getegid() == 0)
        assert_resolves(at("file:", "open"), "hunter2"); /* root's, and our own group */
}

static void files_may_be_refused(void **state)
{
    assert_unresolved(at("file:", "missing"), "cannot be opened: No such file");
    assert_unresolved("file:secret", "file: wants an absolute path");
    assert_unresolved("file:", "file: wants an absolute path");
    write_file("empty", "", 0600);
    assert_unresolved(at("file:", "empty"), "the secret is empty");
    write_file("empty", "\n", 0600);
    assert_unresolved(at("file:", "empty"), "the secret is empty");
    assert_unresolved(at("file:", "."), "is no regular file");
}

static void files_have_a_largest_size(void **state)
{
    FILE *file = fopen(path_of("large"), "w");
    for (size_t i = 0; i <= SECRET_MAX; i++)
        assert_int_equal(fputc('a', file), 'a');
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path_of("large"), 0600), 0);
    assert_unresolved(at("file:", "large"), "is larger than 32768 bytes");
    assert_int_equal(truncate(path_of("large"), SECRET_MAX), 0);
    struct complaint complaint;
    CLEANUP(cleanup_secret)
    struct secret *secret = resolve(at("file:", "large"), &complaint);
    assert_non_null(secret);
    assert_int_equal(secret_length(secret), SECRET_MAX);
}

static void credentials_come_from_systemds_folder(void **state)
{
    /* systemd's access list makes the group's bit show. */
    write_file("credentials/zenegy", "hunter2\n", 0440);
    assert_resolves("credential:zenegy", "hunter2");
    assert_unresolved("credential:gusto", "cannot be opened");
    assert_unresolved("credential:", "wants the name of a credential");
    assert_unresolved("credential:../secret", "wants the name of a credential");
    assert_unresolved("credential:..", "wants the name of a credential");
}

static void without_systemd_there_are_no_credentials(void **state)
{
    struct complaint complaint = { "" };
    struct settings_places none = { NULL };
    struct secret *secret = NULL;
    assert_int_equal(settings_resolve_secret("credential:a", &none, "x", &secret, &complaint),
                     SETTINGS_NO_CREDENTIALS);
    assert_string_equal(complaint.text,
                        "x: there are no credentials: the service has no LoadCredential= line");
    assert_int_equal(settings_resolve_secret("credential:a", NULL, "x", &secret, &complaint),
                     SETTINGS_NO_CREDENTIALS);
    assert_null(secret);
}

static void commands_are_split_at_spaces(void **state)
{
    assert_resolves("command:/bin/echo  hunter2 ", "hunter2");
    assert_resolves("command:echo a  b", "a b");
    assert_resolves("command:echo $PATH;true", "$PATH;true");
    assert_unresolved("command:", "wants a program");
    assert_unresolved("command:  ", "wants a program");
    assert_unresolved("command:/no/such/program", "the command /no/such/program could not be "
                                                  "started");
    assert_unresolved("command:/bin/true", "the secret is empty");
    assert_unresolved("command:/bin/cat /no/such/hunter2", "the command /bin/cat failed");
}

static bool once(void *userdata)
{
    return ++*(int *)userdata < 2;
}

/* Whoever waits for them may have enough. */
static void commands_end_when_no_further_one_is_wanted(void **state)
{
    int count = 0;
    struct complaint complaint = { "" };
    const struct settings_places places = { .ran = once, .userdata = &count };
    CLEANUP(cleanup_secret) struct secret *secret = NULL;
    struct secret *second = NULL;
    assert_int_equal(settings_resolve_secret("command:echo a", &places, "x", &secret, &complaint),
                     0);
    assert_int_equal(settings_resolve_secret("command:echo a", &places, "x", &second, &complaint),
                     SETTINGS_STOPPED);
    assert_null(second);
    assert_non_null(strstr(complaint.text, "told to stop"));
}

static void commands_have_a_longest_line(void **state)
{
    char source[300] = "command:echo";
    for (size_t i = 0; i < 64; i++)
        (void)strncat(source, " a", sizeof source - strlen(source) - 1);
    assert_unresolved(source, "too many words");
}

static void slips_in_a_source_are_no_literals(void **state)
{
    static const char *const slips[][2] = {
        { "credentials:zenegy", "credential" },
        { "Command:/bin/x", "command" },
        { "files:/x", "file" },
        { "fiel:/x", "file" },
        { "comand:/bin/x", "command" },
    };
    for (size_t i = 0; i < LENGTH_OF(slips); i++) {
        char text[300], refused[300];
        (void)snprintf(text, sizeof text,
                       "provider p { client_id = x issuer = 'https://p.example'\n"
                       "client_secret = '%s' }",
                       slips[i][0]);
        (void)snprintf(refused, sizeof refused,
                       "2: client_secret has an unknown source: did you mean \"%s:\"?",
                       slips[i][1]);
        check_row(i, text, refused);
    }
    CLEANUP(cleanup_settings)
    struct settings *settings = parsed("provider p { client_id = x issuer = 'https://p.example'\n"
                                       "client_secret = 'a1b2:c3d4' }");
    assert_int_equal(settings->provider_count, 1);
}

static void the_sealing_key_is_no_literal(void **state)
{
    static const char *const good[] = { "auto", "file:/k", "credential:k", "command:/bin/k x" };
    for (size_t i = 0; i < LENGTH_OF(good); i++) {
        char text[100];
        (void)snprintf(text, sizeof text, "broker { key = '%s' }", good[i]);
        CLEANUP(cleanup_settings) struct settings *settings = parsed(text);
        assert_string_equal(settings->key, good[i]);
    }
    assert_refused("broker { key = 'hunter2' }",
                   "1: key wants \"auto\", \"file:…\", \"credential:…\" or \"command:…\"");
    assert_refused("broker { key = '' }",
                   "1: key wants \"auto\", \"file:…\", \"credential:…\" or \"command:…\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_sources_apart),
        cmocka_unit_test(literals_are_themselves),
        cmocka_unit_test(files_lose_one_line_end),
        cmocka_unit_test(files_must_be_private),
        cmocka_unit_test(files_may_be_refused),
        cmocka_unit_test(files_have_a_largest_size),
        cmocka_unit_test(credentials_come_from_systemds_folder),
        cmocka_unit_test(without_systemd_there_are_no_credentials),
        cmocka_unit_test(commands_are_split_at_spaces),
        cmocka_unit_test(commands_end_when_no_further_one_is_wanted),
        cmocka_unit_test(commands_have_a_longest_line),
        cmocka_unit_test(slips_in_a_source_are_no_literals),
        cmocka_unit_test(the_sealing_key_is_no_literal),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
