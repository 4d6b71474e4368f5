#include "main/authority.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/read.h"
#include "io/local_ca.h"

static int fail(const char *why)
{
    (void)fprintf(stderr, "%s\n", why);
    return EXIT_FAILURE;
}

static int print(const struct certificate_facts *facts)
{
    const time_t until_s = (time_t)facts->until_s;
    char until[32];
    struct tm parts;

    if (!gmtime_r(&until_s, &parts) || strftime(until, sizeof until, "%F", &parts) == 0)
        return fail("its end cannot be shown");
    bool printed = printf("fingerprint %s\nuntil %s\nsubject %s\n", facts->fingerprint, until,
                          facts->subject) > 0;
    return printed && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int check_authority(void)
{
    char text[CERTIFICATES_PEM_MAX + 2]; /* a byte more, to see that it is too large, and NUL */
    struct complaint complaint = { "memory is short" };
    struct certificate_facts facts;
    ssize_t length = read_up_to(STDIN_FILENO, text, sizeof text - 1);

    if (length < 0)
        return fail(strerror((int)-length));
    text[length] = '\0';
    return local_ca_check(text, (size_t)length, &facts, &complaint) == 0 ? print(&facts)
                                                                         : fail(complaint.text);
}
