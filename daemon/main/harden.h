#pragma once

/* What the process takes care of before it reads anything: its environment, its memory, how many
 * files it may have open. */

#include "base/cleanup.h"
#include "base/error.h"

enum {
    DESCRIPTORS_WANTED = 8192,
    DESCRIPTORS_NEEDED =
        4096,                /* for clients, the callback's browsers and providers at their caps */
    DESCRIPTORS_LEAST = 256, /* of them half for everything but the socket's clients */
};

/* Variables that would change what the libraries do, such as write down TLS keys, are taken away;
 * where one was there the program begins anew, since libraries have looked at some already. No core
 * dump, no debugger of another process of this user. */
void harden(char **argv);

/* Opens what is closed of standard input, output and error, before anything else is opened. */
void keep_standard_files(void);

/* Raises the limit of open files. ret_clients: how many connections the API socket may have so that
 * the rest still has descriptors; 0: as many as it likes. Returns 0 or -EMFILE; complaint says what
 * to do. */
int reserve_descriptors(unsigned *ret_clients, struct complaint *complaint);
