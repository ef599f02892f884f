/* What is said about options: -help, the document, and the values in force. */
#include <lpd/options/options.h>

#include <string.h>

#include "options_priv.h"

enum {
	HELP_COLUMN = 34,
	WIDTH = 80,
};

static void write_heading(struct lp_buf *to, unsigned roles)
{
	static const struct {
		unsigned role;
		const char *name;
	} names[] = {
		{ LP_ROLE_GATEWAY, "gateway" },
		{ LP_ROLE_ORCHESTRATOR, "orchestrator" },
		{ LP_ROLE_WORKER, "worker" },
		{ LP_ROLE_SIGNER, "remote signer" },
	};
	size_t start = to->len;

	if (roles == LP_ROLE_ALL) {
		lp_buf_add_text(to, "Every mode");
		return;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!(roles & names[i].role))
			continue;
		if (to->len > start)
			lp_buf_add_text(to, " and ");
		lp_buf_add_text(to, names[i].name);
	}
	/* "Gateway and worker" */
	char *first = lp_buf_room(to, 1) - (to->len - start);
	*first = (char)(*first - 'a' + 'A');
}

/* The groups stand in the order of their first rows; at[] gets the set of roles of each. */
static size_t groups(unsigned at[LP_ROLE_ALL])
{
	size_t n = 0;

	for (int i = 0; i < LP_OPTIONS; i++) {
		bool known = false;
		for (size_t k = 0; k < n; k++)
			known |= at[k] == lp_option_rows[i].roles;
		if (!known)
			at[n++] = lp_option_rows[i].roles;
	}
	return n;
}

static void write_blanks(struct lp_buf *to, size_t n)
{
	for (; n > 0; n--)
		lp_buf_add_char(to, ' ');
}

/* Words at HELP_COLUMN, broken before WIDTH; column is where the line stands now. */
static void write_wrapped(struct lp_buf *to, struct lp_span words, size_t *column)
{
	while (words.len > 0) {
		struct lp_span word = lp_span_cut(&words, ' ');
		if (*column > HELP_COLUMN && *column + 1 + word.len > WIDTH) {
			lp_buf_add_char(to, '\n');
			*column = 0;
		}
		if (*column < HELP_COLUMN) {
			write_blanks(to, HELP_COLUMN - *column);
			*column = HELP_COLUMN;
		} else if (*column > HELP_COLUMN) {
			lp_buf_add_char(to, ' ');
			++*column;
		}
		lp_buf_add_span(to, word);
		*column += word.len;
	}
}

static bool tells_default(const struct option_row *row)
{
	return row->initial[0] && row->type != BOOL;
}

static void write_option(struct lp_buf *to, const struct option_row *row)
{
	size_t start = to->len;

	lp_buf_fmt(to, "  -%s", row->flag);
	if (row->arg[0])
		lp_buf_fmt(to, " %s", row->arg);
	size_t column = to->len - start;
	if (column + 2 > HELP_COLUMN) {
		lp_buf_add_char(to, '\n');
		column = 0;
	}
	write_wrapped(to, lp_span(row->help), &column);
	if (tells_default(row)) {
		struct lp_buf words = { 0 };
		lp_buf_fmt(&words, "(default %s)", row->initial);
		write_wrapped(to, lp_buf_span(&words), &column);
		lp_buf_clear(&words);
	}
	lp_buf_add_char(to, '\n');
}

/* How a page shows its groups of options. */
struct page {
	unsigned roles;			/* a group is shown when it has one of these */
	const char *before, *after;	/* of a heading */
	void (*write)(struct lp_buf *to, const struct option_row *row);
};

static void write_groups(struct lp_buf *to, const struct page *page)
{
	unsigned sets[LP_ROLE_ALL];
	size_t n = groups(sets);

	for (size_t k = 0; k < n; k++) {
		if (!(sets[k] & page->roles))
			continue;
		lp_buf_add_text(to, page->before);
		write_heading(to, sets[k]);
		lp_buf_add_text(to, page->after);
		for (int i = 0; i < LP_OPTIONS; i++) {
			if (lp_option_rows[i].roles == sets[k])
				page->write(to, &lp_option_rows[i]);
		}
	}
}

void lp_options_help(struct lp_buf *to, unsigned roles)
{
	lp_buf_add_text(to, "usage: lpd -mode gateway|orchestrator|worker|remote-signer [options]\n"
			    "       lpd COMMAND ...\n\n"
			    "Each option can also stand in the environment (-httpAddr as LP_HTTP_ADDR) or in\n"
			    "the file that -config names (httpAddr 127.0.0.1:9935); the command line wins,\n"
			    "then the environment.\n");
	if (!roles)
		lp_buf_add_text(to, "With a -mode this page shows the options of that mode only.\n");
	write_groups(to, &(struct page){ roles ? roles : LP_ROLE_ALL, "\n", ":\n", write_option });
}

/* A cell of a Markdown table, where | ends it. */
static void write_cell(struct lp_buf *to, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			lp_buf_add_char(to, '\\');
		lp_buf_add_char(to, *text);
	}
}

static void write_row(struct lp_buf *to, const struct option_row *row)
{
	char env[64];

	lp_buf_fmt(to, "| `-%s` | ", row->flag);
	write_cell(to, row->arg);
	lp_buf_add_text(to, " | ");
	if (tells_default(row))
		lp_buf_fmt(to, "`%s`", row->initial);
	lp_buf_add_text(to, " | ");
	if (row->kind != HERE)
		lp_buf_fmt(to, "`%s`", lp_option_env_name(row->flag, env));
	lp_buf_add_text(to, " | ");
	write_cell(to, row->help);
	if (row->kind == SECRET)
		lp_buf_add_text(to, " Never shown.");
	lp_buf_add_text(to, " |\n");
}

static void write_legacy(struct lp_buf *to, const struct option_legacy *row)
{
	lp_buf_fmt(to, "| `-%s` | ", row->flag);
	switch (row->kind) {
	case LEGACY_ALIAS:
		lp_buf_fmt(to, "the old name of `-%s`", row->words);
		break;
	case LEGACY_IDLE:
		lp_buf_add_text(to, "warning: ");
		write_cell(to, row->words);
		break;
	case LEGACY_UNPAID:
		lp_buf_add_text(to, "warning: on `-network offchain` nothing is paid");
		break;
	case LEGACY_REFUSED:
		lp_buf_add_text(to, "refused: ");
		write_cell(to, row->words);
		break;
	}
	lp_buf_add_text(to, " |\n");
}

/* The second half of the document: what operators bring along. */
static void write_all_legacy(struct lp_buf *to)
{
	lp_buf_add_text(to, "\n## Options of go-livepeer\n\nThose of the same name above mean the same. "
			    "These are known as well, so that a command line or compose file moves over:\n\n"
			    "| option | here |\n|---|---|\n");
	for (const struct option_legacy *row = lp_option_legacy; row->flag; row++)
		write_legacy(to, row);
}

void lp_options_doc(struct lp_buf *to)
{
	lp_buf_add_text(to, "# Options\n\nGenerated from `include/lpd/options/options.def`; do not edit.\n\n"
			    "On the command line `-x value`, `-x=value` or `--x value`; true/false options also `-x` "
			    "alone. In the file that\n`-config` names one `x value` a line, `#` begins a comment. "
			    "Command line beats environment beats file beats default.\n");
	write_groups(to, &(struct page){ LP_ROLE_ALL, "\n## ",
					 "\n\n| option | value | default | environment | meaning |\n"
					 "|---|---|---|---|---|\n", write_row });
	write_all_legacy(to);
}

void lp_options_write(const struct lp_options *options, struct lp_buf *to)
{
	for (int i = 0; i < LP_OPTIONS; i++) {
		const struct option_value *value = &options->values[i];
		if (value->rank == FROM_DEFAULT)
			continue;
		const char *shown = lp_option_rows[i].kind == SECRET ? "***" : value->text;
		lp_buf_fmt(to, "%s %s  (%s)\n", lp_option_rows[i].flag, shown, value->source);
	}
}
