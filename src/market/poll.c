#include <lpd/market/poll.h>

#include <string.h>

#include <lpd/eth/keccak.h>
#include <lpd/io/timer.h>

#define RETRY (5 * LP_SEC)	/* after a failure; doubled each time, up to the interval */

struct poll {
	struct lp_poll_want want;
	struct lp_scope *scope, *asking;
	struct lp_fetch *fetch;
	struct lp_timer timer;
	struct lp_hash last;		/* of the last good body */
	bool any;
	int failures;			/* in a row */
};

static enum lp_code taken(struct poll *p, struct lp_err *e)
{
	struct lp_span body;
	struct lp_hash hash;
	int status;

	if (lp_fetch_result(p->fetch, &status, &body, e) != LP_OK)
		return e->code;
	if (status < 200 || status > 299)
		return lp_fail(e, LP_BAD_PEER, "it answers %d", status);
	lp_keccak256(hash.bytes, body.at, body.len);
	if (p->any && memcmp(&hash, &p->last, sizeof(hash)) == 0)
		return LP_OK;
	if (p->want.on_body(p->want.self, body, e) != LP_OK)
		return e->code;
	p->last = hash;
	p->any = true;
	return LP_OK;
}

static int64_t next(const struct poll *p)
{
	int64_t wait = RETRY;

	if (!p->failures)
		return p->want.interval;
	for (int i = 1; i < p->failures && wait < p->want.interval; i++)
		wait *= 2;
	return wait < p->want.interval ? wait : p->want.interval;
}

static void on_done(void *self)
{
	struct poll *p = self;
	struct lp_err e = { 0 };
	bool good = taken(p, &e) == LP_OK;

	if (!good) {
		lp_log_kv(p->want.log, p->failures ? LP_DEBUG : LP_UNUSUAL, "not fetched", "option", p->want.name,
			  "code", lp_code_name(e.code), "why", lp_err_words(&e), NULL);
		if (p->want.on_failure)
			p->want.on_failure(p->want.self);
	}
	p->failures = good ? 0 : p->failures + 1;
	p->fetch = NULL;
	lp_scope_close(&p->asking);
	lp_timer_set(&p->timer, p->want.loop, next(p));
}

static void ask(void *self)
{
	struct poll *p = self;
	const struct lp_fetch_want want = {
		.method = "GET",
		.url = p->want.url,
		.limit = p->want.limit,
		.total_time = p->want.timeout,
	};

	p->asking = lp_scope_open(p->scope, "fetch");
	p->fetch = lp_fetch_start(p->asking, p->want.fetcher, &want, on_done, p);
}

static void poll_close(void *arg)
{
	struct poll *p = arg;

	lp_timer_clear(&p->timer);
}

void lp_poll_open(struct lp_scope *scope, const struct lp_poll_want *want)
{
	struct poll *p = lp_new(scope, struct poll);

	p->want = *want;
	p->scope = scope;
	p->timer.fire = ask;
	p->timer.self = p;
	lp_defer(scope, poll_close, p);
	lp_timer_set(&p->timer, want->loop, 0);
}
