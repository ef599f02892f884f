#include <lpd/options/options.h>

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/time.h>
#include <lpd/options/size.h>

#include "options_priv.h"

/* The table's words for roles, where they are not part of a name. */
#define GATEWAY LP_ROLE_GATEWAY
#define ORCHESTRATOR LP_ROLE_ORCHESTRATOR
#define WORKER LP_ROLE_WORKER
#define SIGNER LP_ROLE_SIGNER
#define ALL LP_ROLE_ALL

const struct option_row lp_option_rows[LP_OPTIONS] = {
#define X(NAME, flag, type, value, roles, kind, arg, help) \
	{ flag, type, value, roles, kind, arg, help },
#include <lpd/options/options.def>
#undef X
};

static const struct option_row *row_of(enum lp_option which)
{
	lp_assert((unsigned)which < LP_OPTIONS);
	return &lp_option_rows[which];
}

/* One of the words in "a|b|c"? */
static bool is_choice(const char *choices, struct lp_span word)
{
	struct lp_span rest = lp_span(choices);

	while (rest.len > 0) {
		if (lp_span_eq(lp_span_cut(&rest, '|'), word))
			return true;
	}
	return false;
}

/* host:port, :port, host, [v6]:port, or a URL, whose scheme is left to the reader.  Only what cannot be an
 * address is refused here; io/http takes it apart. */
static bool is_address(struct lp_span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.at[i] <= ' ' || text.at[i] == ',' || text.at[i] == 0x7f)
			return false;
	}
	ptrdiff_t scheme = lp_span_find(text, LP_SPAN("://"));
	if (scheme >= 0)
		return scheme > 0 && text.len > (size_t)scheme + 3;
	const char *colon = text.len ? memrchr(text.at, ':', text.len) : NULL;
	const char *bracket = text.len ? memrchr(text.at, ']', text.len) : NULL;
	uint64_t port;

	if (!colon || (bracket && bracket > colon))
		return true;
	struct lp_span digits = lp_span_of(colon + 1, (size_t)(text.at + text.len - colon) - 1);
	bool bare_v6 = text.at[0] != '[' && memchr(text.at, ':', (size_t)(colon - text.at));
	return !bare_v6 && lp_span_u64(digits, &port) && port <= 65535;
}

static const char *what_is_wanted(const struct option_row *row)
{
	switch (row->type) {
	case BOOL:
		return "true or false";
	case INT:
		return "a whole number from 1 to 1000000000";
	case DURATION:
		return "a time such as 250ms, 30s or 1h30m";
	case SIZE:
		return "a size such as 4096, 64KiB or 10MB";
	case ADDRESS:
		return "an address such as 127.0.0.1:8935 or [::1]:8935";
	case CHOICE:
	case LIST:
		return row->arg;
	case TEXT:
		break;
	}
	return "text";
}

/* Cut a list at its commas; blanks around items and empty items are dropped. */
static bool read_list(struct lp_scope *scope, const struct option_row *row, struct option_value *value)
{
	struct lp_span rest = lp_span(value->text);
	size_t room = 1;

	for (const char *c = value->text; *c; c++)
		room += *c == ',';
	value->items = lp_new_array(scope, struct lp_span, room);
	while (rest.at && rest.len > 0) {
		struct lp_span item = lp_span_trim(lp_span_cut(&rest, ','));
		if (item.len == 0)
			continue;
		if (strchr(row->arg, '|') && !is_choice(row->arg, item))
			return false;
		value->items[value->n_items++] = item;
	}
	return true;
}

static bool read_int(struct lp_span text, int64_t *out)
{
	uint64_t n;

	if (!lp_span_u64(text, &n) || n < 1 || n > 1000000000)
		return false;
	*out = (int64_t)n;
	return true;
}

static bool read_value(struct lp_scope *scope, const struct option_row *row, struct option_value *value)
{
	struct lp_span text = lp_span(value->text);
	bool truth;

	switch (row->type) {
	case BOOL:
		if (!lp_span_bool(text, &truth))
			return false;
		value->number = truth;
		return true;
	case INT:
		return read_int(text, &value->number);
	case DURATION:
		return lp_duration_parse(text, &value->number);
	case SIZE:
		return lp_size_parse(text, &value->number);
	case LIST:
		return read_list(scope, row, value);
	case ADDRESS:
		return is_address(text);
	case CHOICE:
		return text.len == 0 || is_choice(row->arg, text);
	case TEXT:
		break;
	}
	return true;
}

enum lp_code lp_option_put(struct lp_options *options, enum lp_option which, struct lp_span text,
			   const struct option_origin *from, struct lp_err *e)
{
	const struct option_row *row = row_of(which);
	struct option_value value = { .rank = from->rank, .source = from->source };

	if (text.len > 0 && memchr(text.at, 0, text.len))
		return lp_fail(e, LP_CONFIG, "%s holds a zero byte", from->label);
	value.text = lp_strdup(options->scope, text);
	/* A weaker source is checked all the same: what is wrong in it would show up at some later start. */
	if (!read_value(options->scope, row, &value))
		return lp_fail(e, LP_CONFIG, "%s takes %s, not \"%s\"", from->label, what_is_wanted(row),
			       row->kind == SECRET ? "***" : value.text);
	if (from->rank >= options->values[which].rank)
		options->values[which] = value;
	return LP_OK;
}

struct lp_options *lp_options_open(struct lp_scope *scope)
{
	struct lp_options *options = lp_new(scope, struct lp_options);

	options->scope = scope;
	for (int i = 0; i < LP_OPTIONS; i++) {
		struct option_origin from = { FROM_DEFAULT, "default", lp_option_rows[i].flag };
		enum lp_code code =
			lp_option_put(options, (enum lp_option)i, lp_span(lp_option_rows[i].initial), &from, NULL);
		lp_assert(code == LP_OK);
	}
	return options;
}

const char *const *lp_options_words(const struct lp_options *options, size_t *n)
{
	*n = options->n_words;
	return options->words;
}

const char *lp_option_text(const struct lp_options *options, enum lp_option which)
{
	enum option_type type = row_of(which)->type;

	lp_assert(type == TEXT || type == ADDRESS || type == CHOICE);
	return options->values[which].text;
}

static int64_t number_of(const struct lp_options *options, enum lp_option which, enum option_type type)
{
	lp_assert(row_of(which)->type == type);
	return options->values[which].number;
}

int64_t lp_option_int(const struct lp_options *options, enum lp_option which)
{
	return number_of(options, which, INT);
}

bool lp_option_bool(const struct lp_options *options, enum lp_option which)
{
	return number_of(options, which, BOOL) != 0;
}

int64_t lp_option_duration(const struct lp_options *options, enum lp_option which)
{
	return number_of(options, which, DURATION);
}

int64_t lp_option_size(const struct lp_options *options, enum lp_option which)
{
	return number_of(options, which, SIZE);
}

size_t lp_option_list(const struct lp_options *options, enum lp_option which, const struct lp_span **items)
{
	lp_assert(row_of(which)->type == LIST);
	*items = options->values[which].items;
	return options->values[which].n_items;
}

bool lp_option_given(const struct lp_options *options, enum lp_option which)
{
	return options->values[row_of(which) - lp_option_rows].rank != FROM_DEFAULT;
}

bool lp_option_differs(const struct lp_options *a, const struct lp_options *b, enum lp_option which)
{
	lp_assert((unsigned)which < LP_OPTIONS);
	return strcmp(a->values[which].text, b->values[which].text) != 0;
}

const char *lp_option_source(const struct lp_options *options, enum lp_option which)
{
	return options->values[row_of(which) - lp_option_rows].source;
}

const char *lp_option_flag(enum lp_option which)
{
	return row_of(which)->flag;
}

static unsigned roles_of_mode(const struct option_value *mode)
{
	unsigned roles = 0;

	for (size_t i = 0; i < mode->n_items; i++) {
		if (lp_span_is(mode->items[i], "gateway"))
			roles |= LP_ROLE_GATEWAY;
		else if (lp_span_is(mode->items[i], "orchestrator"))
			roles |= LP_ROLE_ORCHESTRATOR;
		else if (lp_span_is(mode->items[i], "remote-signer"))
			roles |= LP_ROLE_SIGNER;
		else
			roles |= LP_ROLE_WORKER;
	}
	return roles;
}

unsigned lp_options_roles(const struct lp_options *options)
{
	static const struct {
		enum lp_option which;
		unsigned role;
	} aliases[] = {
		{ LP_OPT_GATEWAY, LP_ROLE_GATEWAY },
		{ LP_OPT_BROADCASTER, LP_ROLE_GATEWAY },
		{ LP_OPT_ORCHESTRATOR, LP_ROLE_ORCHESTRATOR },
		{ LP_OPT_AI_WORKER, LP_ROLE_WORKER },
		{ LP_OPT_REMOTE_SIGNER, LP_ROLE_SIGNER },
	};
	unsigned by_rank[FROM_COMMAND_LINE + 1] = { 0 };
	const struct option_value *mode = &options->values[LP_OPT_MODE];

	by_rank[mode->rank] |= roles_of_mode(mode);
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		const struct option_value *value = &options->values[aliases[i].which];
		if (value->number)
			by_rank[value->rank] |= aliases[i].role;
	}
	for (int rank = FROM_COMMAND_LINE; rank > FROM_DEFAULT; rank--) {
		if (by_rank[rank])
			return by_rank[rank];
	}
	return 0;
}

enum lp_level lp_options_level(const struct lp_options *options)
{
	const struct option_value *named = &options->values[LP_OPT_LOG_LEVEL], *number = &options->values[LP_OPT_V];
	bool by_number = number->text[0] && number->rank > named->rank;
	enum lp_level level = LP_INFO;

	/* Both were checked to be among the table's words. */
	if (!lp_level_parse(lp_span(by_number ? number->text : named->text), &level))
		return LP_INFO;
	return level;
}

/* The port in "https://host:8935/", as text; "8935" when there is none. */
static struct lp_span service_port(struct lp_span address)
{
	ptrdiff_t scheme = lp_span_find(address, LP_SPAN("://"));
	struct lp_span rest = lp_span_skip(address, scheme < 0 ? 0 : (size_t)scheme + 3);
	struct lp_span host = lp_span_cut(&rest, '/');
	const char *colon = host.len ? memrchr(host.at, ':', host.len) : NULL;
	const char *bracket = host.len ? memrchr(host.at, ']', host.len) : NULL;

	if (!colon || (bracket && bracket > colon))
		return LP_SPAN("8935");
	return lp_span_skip(host, (size_t)(colon - host.at) + 1);
}

const char *lp_options_http_addr(const struct lp_options *options, enum lp_role_bit role)
{
	const char *given = options->values[LP_OPT_HTTP_ADDR].text;
	bool shared = (lp_options_roles(options) & LP_ROLE_GATEWAY) != 0;

	if (role == LP_ROLE_GATEWAY)
		return given[0] ? given : "127.0.0.1:9935";
	if (role == LP_ROLE_SIGNER)
		return given[0] ? given : "127.0.0.1:8935";
	/* In one process with a gateway the address is the gateway's; two cannot listen there. */
	if (given[0] && !shared)
		return given;
	struct lp_span port = service_port(lp_span(options->values[LP_OPT_SERVICE_ADDR].text));
	return lp_fmt(options->scope, ":%.*s", LP_ARG(port));
}

const char *lp_options_cli_addr(const struct lp_options *options)
{
	const char *given = options->values[LP_OPT_CLI_ADDR].text;
	unsigned roles = lp_options_roles(options);

	if (given[0])
		return given;
	if (roles & LP_ROLE_GATEWAY)
		return "127.0.0.1:5935";
	if (roles & LP_ROLE_SIGNER)
		return "127.0.0.1:3935";
	return roles & LP_ROLE_ORCHESTRATOR ? "127.0.0.1:7935" : "127.0.0.1:4935";
}
