/* cli/ledger - `lpd ledger`: what a node paid and earned, from the store in its data directory, also while it runs. */
#include <lpd/cli/command.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lpd/base/json.h>
#include <lpd/base/map.h>
#include <lpd/io/shared_db.h>
#include <lpd/market/pipeline.h>
#include <lpd/market/terms.h>
#include <lpd/money/books.h>

#include "flags.h"

static const char usage[] =
	"lpd ledger [-dataDir FOLDER] [filters] [-by peer,pipeline,model,day,kind] [-json] [-ethUsdPrice RATE]\n"
	"filters: -since DAY, -until DAY (2026-01-31, both included), -peer ADDRESS, -pipeline NAME,\n"
	"         -model NAME, -kind KIND\n"
	"kinds:   paid spent returned given_up (gateway), credited earned won redeemed lost given_up (orchestrator)\n"
	"Without -by each line is listed; with it they are summed.  -by kind is the shortest answer.\n";

enum column { KIND, PEER, PIPELINE, MODEL, DAY, COLUMNS };
static const char *const column_names[COLUMNS] = { "kind", "peer", "pipeline", "model", "day" };

/* One line of the ledger, or one sum. */
struct line {
	char at[24];			/* of a line */
	const char *job;
	const char *text[COLUMNS];	/* NULL: summed over */
	struct lp_amount amount;
	uint64_t tickets, units, lines;
};

struct ledger {
	struct lp_scope *scope;
	const char *folder, *since, *until, *peer, *pipeline, *model, *kind, *by, *rate_text;
	bool json;
	bool grouped[COLUMNS];
	struct lp_price rate;		/* dollars for an ETH */
	struct lp_map *sums;
	int shown;
	bool overflow, bad;
	struct lp_err e;
};

/* ---- one row ---- */

static const char *pipeline_name(struct ledger *l, int64_t capability)
{
	const struct lp_pipeline *p = capability > 0 ? lp_pipeline_of_capability((uint32_t)capability) : NULL;

	if (p)
		return p->name;
	return capability ? lp_fmt(l->scope, "capability %lld", (long long)capability) : "";
}

static bool read_row(struct ledger *l, struct line *out, const struct lp_db_value *v, int n)
{
	struct lp_address peer;
	char text[LP_ADDRESS_TEXT];
	time_t at;
	struct tm utc;

	*out = (struct line){ .lines = 1 };
	if (n != 9 || !lp_address_of(&peer, v[2].bytes) || !lp_amount_read(&out->amount, v[6].bytes))
		return false;
	at = (time_t)v[0].i;
	gmtime_r(&at, &utc);
	strftime(out->at, sizeof(out->at), "%Y-%m-%dT%H:%M:%SZ", &utc);
	out->text[DAY] = lp_fmt(l->scope, "%.10s", out->at);
	out->text[KIND] = lp_strdup(l->scope, v[1].bytes);
	out->text[PEER] = lp_strdup(l->scope, lp_span(lp_address_write(text, peer)));
	out->text[PIPELINE] = pipeline_name(l, v[3].i);
	out->text[MODEL] = lp_strdup(l->scope, v[4].bytes);
	out->job = lp_strdup(l->scope, v[5].bytes);
	out->tickets = (uint64_t)v[7].i;
	out->units = (uint64_t)v[8].i;
	return true;
}

static bool is_wanted(const struct ledger *l, const struct line *line)
{
	return (!*l->since || strcmp(line->text[DAY], l->since) >= 0) &&
	       (!*l->until || strcmp(line->text[DAY], l->until) <= 0) &&
	       (!*l->peer || strcasecmp(line->text[PEER], l->peer) == 0) &&
	       (!*l->pipeline || strcmp(line->text[PIPELINE], l->pipeline) == 0) &&
	       (!*l->model || strcmp(line->text[MODEL], l->model) == 0) &&
	       (!*l->kind || strcmp(line->text[KIND], l->kind) == 0);
}

/* ---- output ---- */

/* Whole wei, towards zero. */
static const char *wei_text(struct ledger *l, struct lp_amount a)
{
	struct lp_amount up = a.below ? lp_amount_neg(a) : a;
	struct lp_wei wei;
	char text[LP_WEI_TEXT];

	if (!lp_amount_wei(&wei, up, LP_DOWN))
		return "?";
	return lp_fmt(l->scope, "%s%s", a.below && !lp_wei_is_zero(wei) ? "-" : "", lp_wei_write(text, wei, LP_IN_WEI));
}

/* To a millionth of a dollar; for people, so a double will do. */
static const char *usd_text(struct ledger *l, const char *wei)
{
	char num[LP_U256_TEXT], den[LP_U256_TEXT];
	double rate = strtod(lp_u256_write(num, l->rate.num), NULL) / strtod(lp_u256_write(den, l->rate.den), NULL);

	return lp_fmt(l->scope, "%.6f", strtod(wei, NULL) / 1e18 * rate);
}

static void print_json(struct ledger *l, const struct line *line)
{
	struct lp_buf out = { 0 };
	char exact[LP_U256_TEXT];
	const char *wei = wei_text(l, line->amount);

	lp_buf_fmt(&out, "%s{", l->shown ? ",\n" : "");
	for (int c = 0; c < COLUMNS; c++) {
		if (!line->text[c])
			continue;
		lp_buf_fmt(&out, "\"%s\":", column_names[c]);
		lp_json_write_str(&out, lp_span(line->text[c]));
		lp_buf_add_char(&out, ',');
	}
	if (line->job) {
		lp_buf_fmt(&out, "\"at\":\"%s\",\"job\":", line->at);
		lp_json_write_str(&out, lp_span(line->job));
		lp_buf_add_char(&out, ',');
	}
	lp_buf_fmt(&out, "\"wei\":\"%s\",\"exact\":\"%s%s\",", wei, line->amount.below ? "-" : "",
		   lp_u256_write(exact, line->amount.n));
	if (*l->rate_text)
		lp_buf_fmt(&out, "\"usd\":\"%s\",", usd_text(l, wei));
	lp_buf_fmt(&out, "\"tickets\":%llu,\"units\":%llu,\"lines\":%llu}", (unsigned long long)line->tickets,
		   (unsigned long long)line->units, (unsigned long long)line->lines);
	fputs(lp_buf_text(&out), stdout);
	lp_buf_clear(&out);
}

static void print_text(struct ledger *l, const struct line *line)
{
	const char *wei = wei_text(l, line->amount);

	if (line->job)
		printf("%-20s  ", line->at);
	for (int c = 0; c < COLUMNS; c++)
		if (line->text[c] && (c != DAY || !line->job))
			printf("%-*s  ", c == PEER ? 42 : 10, line->text[c]);
	printf("%24s wei", wei);
	if (*l->rate_text)
		printf("  %14s usd", usd_text(l, wei));
	printf("  %6llu tickets  %12llu units", (unsigned long long)line->tickets, (unsigned long long)line->units);
	if (line->job)
		printf("  %s\n", line->job);
	else
		printf("  %llu lines\n", (unsigned long long)line->lines);
}

static void print(struct ledger *l, const struct line *line)
{
	if (l->json)
		print_json(l, line);
	else
		print_text(l, line);
	l->shown++;
}

/* ---- sums ---- */

static void sum(struct ledger *l, struct line *line)
{
	struct lp_buf key = { 0 };
	struct line *total;

	for (int c = 0; c < COLUMNS; c++) {
		if (!l->grouped[c])
			line->text[c] = NULL;
		else
			lp_buf_fmt(&key, "%s\n", line->text[c]);
	}
	total = lp_map_find(l->sums, lp_buf_span(&key));
	if (!total) {
		total = lp_new(l->scope, struct line);
		*total = *line;
		total->job = NULL;
		lp_map_put(l->sums, lp_buf_span(&key), total);
	} else {
		if (!lp_amount_add(&total->amount, total->amount, line->amount))
			l->overflow = true;
		total->tickets += line->tickets;
		total->units += line->units;
		total->lines++;
	}
	lp_buf_clear(&key);
}

static void on_row(void *self, const struct lp_db_value *v, int n)
{
	struct ledger *l = self;
	struct line line;

	if (!read_row(l, &line, v, n)) {
		l->bad = true;
		return;
	}
	if (!is_wanted(l, &line))
		return;
	if (*l->by)
		sum(l, &line);
	else
		print(l, &line);
}

static enum lp_code read_by(struct ledger *l)
{
	struct lp_span left = lp_span(l->by), word;

	while (left.len) {
		int c = 0;

		word = lp_span_cut(&left, ',');
		while (c < COLUMNS && !lp_span_is(word, column_names[c]))
			c++;
		if (c == COLUMNS)
			return lp_fail(&l->e, LP_CONFIG, "-by %.*s: peer, pipeline, model, day or kind", LP_ARG(word));
		l->grouped[c] = true;
	}
	return LP_OK;
}

static enum lp_code read_rate(struct ledger *l)
{
	return *l->rate_text ? lp_usd_read(&l->rate, lp_span(l->rate_text), &l->e) : LP_OK;
}

static enum lp_code run(struct ledger *l)
{
	static const struct lp_db_write all = {
		"SELECT at, kind, peer, capability, model, job, amount, tickets, units FROM ledger ORDER BY id", NULL, 0
	};
	struct lp_shared_db *db;
	struct lp_span key;
	void *total;
	size_t at = 0;
	enum lp_code code;

	if (read_by(l) != LP_OK || read_rate(l) != LP_OK ||
	    lp_shared_db_look(l->scope, &db, lp_fmt(l->scope, "%s/lpd.db", l->folder), &l->e) != LP_OK)
		return l->e.code;
	fputs(l->json ? "[" : "", stdout);
	code = lp_shared_db_each(db, &all, &(struct lp_shared_db_rows){ on_row, l }, &l->e);
	while (lp_map_next(l->sums, &at, &key, &total))
		print(l, total);
	fputs(l->json ? "]\n" : "", stdout);
	if (code == LP_OK && l->bad)
		return lp_fail(&l->e, LP_STORE, "some lines are damaged and were left out");
	if (code == LP_OK && l->overflow)
		return lp_fail(&l->e, LP_STORE, "a sum has no room");
	return code;
}

int lp_command_ledger(int argc, char *const *argv)
{
	const char *home = getenv("HOME");
	struct ledger l = { .scope = lp_scope_open(NULL, "ledger"), .since = "", .until = "", .peer = "",
			    .pipeline = "", .model = "", .kind = "", .by = "", .rate_text = "" };
	const struct lp_flag flags[] = {
		{ "dataDir", &l.folder, NULL },
		{ "since", &l.since, NULL },
		{ "until", &l.until, NULL },
		{ "peer", &l.peer, NULL },
		{ "pipeline", &l.pipeline, NULL },
		{ "model", &l.model, NULL },
		{ "kind", &l.kind, NULL },
		{ "by", &l.by, NULL },
		{ "ethUsdPrice", &l.rate_text, NULL },
		{ "json", NULL, &l.json },
		{ 0 },
	};
	struct lp_words words;
	enum lp_code code;

	l.folder = lp_fmt(l.scope, "%s/.lpd", home ? home : ".");
	l.sums = lp_map_new();
	code = lp_flags_read(&words, flags, argc - 1, argv + 1, &l.e);
	if (code == LP_OK && words.n)
		code = lp_fail(&l.e, LP_CONFIG, "%s: this command takes flags only", words.at[0]);
	if (code == LP_OK)
		code = run(&l);
	if (code != LP_OK)
		fprintf(stderr, "lpd ledger: %s\n%s", lp_err_words(&l.e), code == LP_CONFIG ? usage : "");
	lp_map_free(&l.sums);
	lp_scope_close(&l.scope);
	return code == LP_OK ? 0 : 1;
}
