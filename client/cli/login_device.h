#pragma once

#include "client/cli/cli.h"

/* What a person sees of a login that is finished on another device. */

/* Says where to go and what to enter there; with a QR code where stderr can show one. */
void device_announce(const char *account, const struct tb_value *started);

/* How long it goes on, in one line that is written over again and again; only on a terminal. */
void device_count_down(int64_t left_s);
void device_count_end(void);
