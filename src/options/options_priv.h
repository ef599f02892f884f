/* What the files of options/ share: the table's columns and the values read so far. */
#ifndef LPD_OPTIONS_PRIV_H
#define LPD_OPTIONS_PRIV_H

#include <lpd/options/options.h>

enum option_type { BOOL, INT, DURATION, SIZE, TEXT, LIST, ADDRESS, CHOICE };
enum option_kind { PLAIN, SECRET, HERE };

struct option_row {
	const char *flag;
	enum option_type type;
	const char *initial;
	unsigned roles;
	enum option_kind kind;
	const char *arg;
	const char *help;
};

/* Weakest first: a value is replaced only by one that is at least as strong. */
enum option_rank { FROM_DEFAULT, FROM_FILE, FROM_ENV, FROM_COMMAND_LINE };

struct option_value {
	const char *text;
	int64_t number;		/* BOOL INT DURATION SIZE */
	struct lp_span *items;	/* LIST */
	size_t n_items;
	enum option_rank rank;
	const char *source;
};

enum { MAX_WORDS = 32, MAX_NOTES = 100 };

/* legacy.def */
enum legacy_kind { LEGACY_ALIAS, LEGACY_IDLE, LEGACY_UNPAID, LEGACY_REFUSED };
enum legacy_shape { LEGACY_FLAG, LEGACY_VALUE };

struct option_legacy {
	const char *flag;
	enum legacy_kind kind;
	enum legacy_shape shape;
	const char *words;
};
extern const struct option_legacy lp_option_legacy[];	/* ended by one without a flag */

struct lp_options {
	struct lp_scope *scope;
	struct option_value values[LP_OPTIONS];
	const char *words[MAX_WORDS + 1];
	size_t n_words;
	struct lp_option_note notes[MAX_NOTES];
	int n_notes;
};

extern const struct option_row lp_option_rows[LP_OPTIONS];

/* Where a value comes from, and how a message about it begins: "-httpAddr", "LP_HTTP_ADDR",
 * "gateway.conf:12: httpAddr". */
struct option_origin {
	enum option_rank rank;
	const char *source;
	const char *label;
};

/* Check and keep a value; the text is copied. */
enum lp_code lp_option_put(struct lp_options *options, enum lp_option which, struct lp_span text,
			   const struct option_origin *from, struct lp_err *e) LP_MUST_USE;

/* By its name on the command line and in files, and in the environment; NULL: none of those either. */
const struct option_legacy *lp_option_legacy_find(struct lp_span name);
const struct option_legacy *lp_option_legacy_find_env(struct lp_span name);
/* Accept with a note, or refuse; not for an ALIAS. */
enum lp_code lp_option_legacy_take(struct lp_options *options, const struct option_legacy *row, struct lp_span value,
				   const struct option_origin *from, struct lp_err *e) LP_MUST_USE;

/* "LP_HTTP_ADDR" of "httpAddr". */
char *lp_option_env_name(const char *flag, char to[64]);

#endif
