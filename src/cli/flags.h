/* cli/flags - the flags of a subcommand: a table of its own for each, and the words that are left. */
#ifndef LPD_CLI_FLAGS_H
#define LPD_CLI_FLAGS_H

#include <stdbool.h>

#include <lpd/base/err.h>

struct lp_flag {
	const char *name;	/* without the dash */
	const char **value;	/* where its value goes; NULL: it has none */
	bool *given;		/* of one without a value */
};

#define LP_WORDS_MAX 8

struct lp_words {
	const char *at[LP_WORDS_MAX];
	int n;
};

/* -name value, -name=value and -name; two dashes are as good as one.  CONFIG in words: a flag that is not in the
 * table (ended by a row without a name), one without its value, too many words. */
enum lp_code lp_flags_read(struct lp_words *words, const struct lp_flag *flags, int argc, char *const *argv,
			   struct lp_err *e) LP_MUST_USE;

#endif
