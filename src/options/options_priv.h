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

enum { MAX_WORDS = 32 };

struct lp_options {
	struct lp_scope *scope;
	struct option_value values[LP_OPTIONS];
	const char *words[MAX_WORDS + 1];
	size_t n_words;
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

/* "LP_HTTP_ADDR" of "httpAddr". */
char *lp_option_env_name(const char *flag, char to[64]);

#endif
