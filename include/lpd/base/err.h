/* base/err - every way things go wrong, in one table (errors.def).
 *
 * Three kinds: a bug is lp_assert; the world at start-up is one clear sentence and exit status 1; the
 * expected (peer, client, network, money) is an enum lp_code with words in a struct lp_err. */
#ifndef LPD_BASE_ERR_H
#define LPD_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

enum lp_code {
#define X(NAME, code, status, fault, next, words) LP_##NAME,
#include <lpd/base/errors.def>
#undef X
	LP_CODES
};

enum lp_fault { LP_FAULT_NOBODY, LP_FAULT_CLIENT, LP_FAULT_PEER, LP_FAULT_US };
enum lp_next { LP_NEXT_GO_ON, LP_NEXT_GIVE_UP, LP_NEXT_TRY_OTHER, LP_NEXT_REFRESH, LP_NEXT_SUSPEND };

struct lp_err {
	enum lp_code code;
	char words[220];	/* for a human: what was wrong with what; printable, cut to fit */
};

/* Fill in *e and return code, so that a check reads: return lp_fail(e, LP_TIMEOUT, "..."); e may be NULL.
 * Control characters in the result are shown as '?': words from a peer cannot forge a log line. */
enum lp_code lp_fail(struct lp_err *e, enum lp_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Columns of the table. */
const char *lp_code_name(enum lp_code code);		/* "no_capacity": stable, for clients, logs and metrics */
int lp_code_status(enum lp_code code);
enum lp_fault lp_code_fault(enum lp_code code);
enum lp_next lp_code_next(enum lp_code code);
const char *lp_code_words(enum lp_code code);
bool lp_code_find(const char *name, enum lp_code *out);	/* the row of a stable code */

/* What a human should read: the words given, else the table's. */
const char *lp_err_words(const struct lp_err *e);

#define LP_MUST_USE __attribute__((warn_unused_result))

#endif
