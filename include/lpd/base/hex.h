/* base/hex - bytes as text: hexadecimal and base64 (RFC 4648 section 4, with padding). */
#ifndef LPD_BASE_HEX_H
#define LPD_BASE_HEX_H

#include <stdbool.h>
#include <stdint.h>

#include <lpd/base/buf.h>
#include <lpd/base/scope.h>

/* 2 * len lower-case digits and a zero byte.  Returns to. */
char *lp_hex_write(char *to, const void *at, size_t len);
/* What a digit of either case is worth; -1: it is none. */
int lp_hex_digit(char c);
/* Exactly 2 * len digits, either case, an optional 0x before them. */
bool lp_hex_read(void *to, size_t len, struct lp_span text);

#define LP_B64_LEN(n) (((n) + 2) / 3 * 4)
void lp_b64_write(struct lp_buf *to, struct lp_span bytes);
/* Strict: padding required, no blanks, no stray bits.  to has room for len * 3 / 4; *out is what was written. */
bool lp_b64_read(void *to, size_t *out, struct lp_span text);
bool lp_b64_read_dup(struct lp_scope *scope, struct lp_span *out, struct lp_span text);

#endif
