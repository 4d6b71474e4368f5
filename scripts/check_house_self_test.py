"""Proves that each rule of check-house fails on a tree that breaks it, and on nothing else."""

import tempfile
from pathlib import Path

# A tree that keeps all rules, and holds what looks like a breach but is none.
GOOD = {
    "schema/wire.h": "#pragma once\n#include <stdint.h>\n",
    "daemon/base/error.h": """#pragma once
/* Replaces the text. It never calls strcpy(). */
void complain(char *text, const char *format, ...) PRINTF_LIKE(2, 3);

/* Two that
 * belong together. */
int one(void);
int two(void); int three(int (*callback)(void *userdata),
          void *userdata);

int four(void); /* said behind it */

typedef int (*callback)(const char *format, ...);
typedef void handler(void);
struct thing {
    int (*function)(void);

    int field;
};
static inline int inline_one(void)
{
    return 0;
}

#define DECLARE(name)     \\
    int name##_new(void); \\
    int name##_free(void);

DEFINE_CLEANUP(int, thing, free)
extern const int number;
""",
    "daemon/base/error.c": """#include "base/error.h"
#include <string.h>
#include "schema/wire.h"
static const char text[] = "strcpy(a, b) and secret_reveal(c)"; // atoi(x)
static const char quote = '"'; /* system("x") */
static void say(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));
static void say(const char *format, va_list arguments)
{
    object->system(1);
    my_strcpy(1);
}
void complain(char *text, const char *format, ...)
{
}
int open_it(int fd, const char *path, int mode)
{
    struct point p = {
        1,
    };
}
""",
    "daemon/base/secret.c": "#include <sodium.h>\nint x = secret_reveal(y);\n",
    "daemon/oauth/url.c": '#include "base/error.h"\n',
    "daemon/io/loop.h": '#pragma once\n#include "base/error.h"\n',
    "daemon/io/loop.c": '#include <systemd/sd-event.h>\n#include "loop.h"\n',
    "daemon/io/web.h": '#pragma once\n#include "io/loop.h"\n',
    "daemon/io/web_listen.c": '#include "io/web.h"\n#include <microhttpd.h>\n',
    "daemon/io/store.h": "#pragma once\n",
    "daemon/settings/settings.h": "#pragma once\n",
    "daemon/settings/parse.c": '#include "settings/settings.h"\n',
    "daemon/messages.h": '#pragma once\n#include "io/store.h"\n#include "settings/settings.h"\n',
    "daemon/front/front.h": '#pragma once\n#include "messages.h"\n',
    "daemon/back/back.h": '#pragma once\n#include "messages.h"\n',
    "daemon/main/main.c": '#include "front/front.h"\n#include "back/back.h"\n',
    "client/tokenbroker.h": "#pragma once\n",
    "client/cli/list.c": '#include "client/tokenbroker.h"\n#include "../tokenbroker.h"\n'
                         '#include "schema/wire.h"\n',
    "tests/unit/base/test_error.c": '#include <cmocka.h>\n#include "base/error.h"\n',
}


def long_function(lines, head="static int\nlong_one(void)"):
    return f"{head}\n{{\n" + "    call();\n" * (lines - 3 - head.count("\n")) + "}\n"


# What is added to the good tree: (rule, path, its text, words of the complaint).
BAD = [
    # up a floor, and across
    ("include", "daemon/base/new.c", '#include "io/loop.h"\n', "base may not"),
    ("include", "daemon/base/new.c", '#include "../settings/settings.h"\n', "base may not"),
    ("include", "daemon/base/new.c", '  #  include "messages.h"\n', "base may not"),
    ("include", "daemon/oauth/new.c", '#include "io/store.h"\n', "oauth may not"),
    ("include", "daemon/io/web_new.c", '#include "oauth/provider.h"\n', "io/web may not"),
    ("include", "daemon/io/web_new.c", '#include "io/store.h"\n', "io/web may not"),
    ("include", "daemon/io/web_new.c", '#include "store.h"\n', "io/web may not"),
    ("include", "daemon/io/loop_new.c", '#include "io/web.h"\n', "io/loop may not"),
    ("include", "daemon/io/store_new.c", '#include "settings/settings.h"\n', "io/store may not"),
    ("include", "daemon/settings/new.c", '#include "messages.h"\n', "settings may not"),
    ("include", "daemon/messages.c", '#include "front/front.h"\n', "messages may not"),
    ("include", "daemon/front/new.c", '#include "back/back.h"\n', "front may not"),
    ("include", "daemon/back/new.c", '#include "front/front.h"\n', "back may not"),
    ("include", "daemon/back/new.c", '#include "main/options.h"\n', "back may not"),
    ("include", "daemon/main/new.c", '#include "client/tokenbroker.h"\n', "main may not"),
    ("include", "client/new.c", '#include "base/error.h"\n', "client may not"),
    ("include", "client/new.c", '#include "daemon/base/error.h"\n', "client may not"),
    ("include", "client/cli/new.c", '#include "../../daemon/messages.h"\n', "client may not"),
    ("include", "schema/new.h", '#include "base/error.h"\n', "schema may not"),
    ("include", "daemon/base/new.c", '#include "tests/help.h"\n', "no room"),
    ("include", "daemon/io/webby.c", "int x;\n", "no room"),
    ("include", "daemon/attic/new.c", "int x;\n", "no room"),
    ("cycle", "daemon/base/a.h", '#pragma once\n#include "base/a.h"\n', "base/a.h"),
    # libraries
    ("library", "daemon/base/log.c", "#include <systemd/sd-journal.h>\n", "io/loop"),
    ("library", "daemon/front/new.c", "#include <microhttpd.h>\n", "io/web"),
    ("library", "daemon/back/new.c", "#include <curl/curl.h>\n", "io/http"),
    ("library", "daemon/base/json_write.h", "#include <json-c/json.h>\n", "no table"),
    ("library", "daemon/back/new.c", "#include <sqlite3.h>\n", "io/store"),
    ("library", "daemon/oauth/pkce_new.c", "#include <sodium.h>\n", "io/seal"),
    ("library", "daemon/io/web_head.c", "#include <gnutls/x509.h>\n", "io/local_ca"),
    ("library", "daemon/settings/new.c", "#include <confuse.h>\n", "no table"),
    ("library", "client/new.c", "#include <curl/curl.h>\n", "io/http"),
    ("library", "daemon/base/new.c", "#include <glib.h>\n", "no table"),
    # secrets
    ("reveal", "daemon/front/new.c", "void f(void)\n{\n    log(secret_reveal(s));\n}\n", "reason"),
    ("reveal", "daemon/back/new.c", "get = secret_reveal;\n", "reason"),
    ("reveal", "daemon/base/secret.c", "int x;\n", "take it off"),
    # documentation
    ("document", "daemon/base/new.h", "int bare(void);\n", "bare()"),
    ("document", "daemon/base/new.h", "/* Another. */\nint a(void);\n\nint bare(int a,\n"
                                      "         int b);\n", "bare()"),
    ("document", "daemon/base/new.h", "/* The file. */\n\nstruct a *bare(void);\n", "bare()"),
    ("document", "client/new.h", "int bare(void) __attribute__((visibility(\"default\")));\n",
     "bare()"),
    ("document", "daemon/base/new.h", "struct a {\n    int b; /* c */\n};\n\nvoid bare(void);\n",
     "bare()"),
    ("document", "daemon/base/new.h", "DEFINE_CLEANUP(int, a, b)\n\nint bare(void);\n", "bare()"),
    # formats
    ("format", "daemon/base/new.c", "static void say(int a, const char *format, ...)\n{\n}\n",
     "say()"),
    ("format", "daemon/base/new.h", "/* Says. */\nvoid say(const char *format,\n    ...);\n",
     "say()"),
    ("format", "daemon/base/new.c", "void say(const char *text, va_list list)\n{\n}\n", "say()"),
    ("format", "tests/unit/new.c", "static void say(const char *, ...);\n", "say()"),
    # lengths
    ("length", "daemon/base/new.c", "int x;\n" * 501, "501 lines"),
    ("length", "tests/unit/new.c", "\n" * 501, "501 lines"),
    ("length", "daemon/base/new.c", long_function(81), "long_one() has 81"),
    ("length", "daemon/base/new.c", "int x;\n" + long_function(100, "int long_one(void)"),
     "long_one() has 100"),
    ("length", "client/new.h", long_function(81, "static inline int long_one(void)"),
     "long_one() has 81"),
]


def banned_cases(house):
    for name in house.BANNED:
        yield ("banned", "daemon/back/new.c", f"void f(void)\n{{\n    x = {name}(a);\n}}\n", name)
    yield "banned", "client/new.c", "void f(void)\n{\n    strcpy (a,\n b);\n}\n", "strcpy"
    yield "banned", "tests/unit/new.c", "int x = atoi(y);\n", "atoi"


def breaches_of(house, files):
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            file = Path(folder) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return house.check_tree(Path(folder))


def run(house):
    house.REVEALERS = {"daemon/base/secret.c": "defines it"}
    wrong = [f"the good tree: {breach}" for breach in breaches_of(house, GOOD)]
    allowed = {"daemon/base/just_80.c": long_function(80), "daemon/base/just_500.c": "\n" * 500}
    wrong += [f"at the limit: {breach}" for breach in breaches_of(house, GOOD | allowed)]
    cases = BAD + list(banned_cases(house))
    for rule, path, text, words in cases:
        found = breaches_of(house, GOOD | {path: text})
        if [breach.rule for breach in found] != [rule] or words not in found[0].what \
                or found[0].path != path:
            wrong.append(f"{path} {text!r}: expected {rule}: …{words}…, found "
                         f"{[str(breach) for breach in found]}")
    untested = {"include", "cycle", "library", "banned", "reveal", "document", "format", "length"}
    untested -= {case[0] for case in cases}
    wrong += [f"no case for {rule}" for rule in untested]
    for line in wrong:
        print("check-house --self-test:", line)
    print(f"check-house --self-test: {len(cases)} breaches tried, {len(wrong)} wrong")
    return 1 if wrong else 0
