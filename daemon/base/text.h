#pragma once

/* Owned texts that may be absent (NULL). */

/* Sets *ret to a copy of from; NULL is no text: *ret stays as it is. Returns 0 or -ENOMEM. */
int text_copy(const char *from, char **ret);

/* Puts a copy of from (NULL: none) in the place of *slot, which is freed. Returns 0, or -ENOMEM and
 * *slot stays as it is. */
int text_replace(char **slot, const char *from);
