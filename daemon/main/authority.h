#pragma once

/* tokenbrokerd --check-authority: for `tokenbroker trust`, which believes no broker. Reads a PEM
 * certificate on stdin; on stdout come "fingerprint", "until" and "subject", a line each, where it
 * vouches for this computer alone, else why it does not on stderr. Returns the exit code. */
int check_authority(void);
