/* options/size - amounts of bytes as people write them. */
#ifndef LPD_OPTIONS_SIZE_H
#define LPD_OPTIONS_SIZE_H

#include <stdbool.h>
#include <stdint.h>

#include <lpd/base/str.h>

/* "4096" "64KiB" "1.5GiB" "10MB"; units B, kB KB MB GB TB (powers of 1000) and KiB MiB GiB TiB (of 1024), one
 * blank before them allowed, case ignored.  At most 2^60; a fraction of a byte is dropped. */
bool lp_size_parse(struct lp_span text, int64_t *out);
/* The shortest exact form: "64KiB", "10MB", "4097".  Returns to. */
char *lp_size_text(int64_t bytes, char to[32]);

#endif
