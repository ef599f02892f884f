#include <lpd/market/tender.h>

#include <string.h>

#include <lpd/base/map.h>
#include <lpd/base/mem.h>
#include <lpd/io/reach.h>
#include <lpd/market/refusal.h>

#define APART (200 * LP_MSEC)	/* a second question sooner than that would get the same answer */
#define KEY_MAX 2048

/* One kind of work of one orchestrator. */
struct row {
	struct lp_tenders *tenders;
	struct lp_scope *scope;		/* of the key and the URL */
	struct lp_span key;
	struct lp_url url;
	struct lp_tender *current;	/* NULL: none */
	struct lp_err err;
	struct lp_scope *asking;	/* NULL: no question is under way */
	struct lp_grpc_call *call;
	struct lp_list waiters;
};

struct waiter {
	struct lp_link link;
	struct lp_ready ready;
	void (*on_done)(void *self);
	void *self;
};

struct lp_tenders {
	struct lp_scope *scope;
	struct lp_tenders_want want;
	struct lp_map *rows;
};

void lp_tender_hold(struct lp_tender *tender)
{
	tender->refs++;
}

void lp_tender_let_go(void *tender)
{
	struct lp_tender *t = tender;
	struct lp_scope *scope = t->scope;

	if (--t->refs == 0)
		lp_scope_close(&scope);
}

/* ---- rows ---- */

static struct lp_span key_of(char to[KEY_MAX], const struct lp_tender_work *work)
{
	struct lp_span model = work->model;
	size_t n = 0;

	memcpy(to, &work->capability, sizeof(work->capability));
	n += sizeof(work->capability);
	if (model.len > 512)
		model.len = 512;
	if (model.len)
		memcpy(to + n, model.at, model.len);
	n += model.len;
	to[n++] = 0;
	struct lp_span orch = work->orch;

	if (orch.len > KEY_MAX - n)
		orch.len = KEY_MAX - n;
	memcpy(to + n, orch.at, orch.len);
	return lp_span_of(to, n + orch.len);
}

static struct row *find(const struct lp_tenders *tenders, const struct lp_tender_work *work)
{
	char key[KEY_MAX];

	return lp_map_find(tenders->rows, key_of(key, work));
}

static void drop(struct row *row)
{
	if (row->current)
		lp_tender_let_go(row->current);
	row->current = NULL;
}

static void row_free(void *arg)
{
	struct row *row = arg;
	struct lp_scope *scope = row->scope;

	drop(row);
	lp_list_each(&row->waiters, w, struct waiter, link)
		lp_link_out(&w->link);
	lp_scope_close(&row->asking);
	lp_scope_close(&scope);
}

static void make_room(struct lp_tenders *tenders)
{
	struct lp_span key;
	size_t at = 0;
	void *value;

	while (lp_map_count(tenders->rows) >= tenders->want.most && lp_map_next(tenders->rows, &at, &key, &value)) {
		struct row *row = value;

		if (row->asking || !lp_list_empty(&row->waiters))
			continue;
		lp_map_take(tenders->rows, key);
		row_free(row);
	}
}

static struct row *get(struct lp_tenders *tenders, const struct lp_tender_work *work)
{
	char bytes[KEY_MAX];
	struct lp_span key = key_of(bytes, work);
	struct row *row = lp_map_find(tenders->rows, key);
	struct lp_scope *scope;

	if (row)
		return row;
	make_room(tenders);
	scope = lp_scope_open(NULL, "tender row");
	row = lp_new(scope, struct row);
	row->tenders = tenders;
	row->scope = scope;
	lp_list_init(&row->waiters);
	if (lp_url_parse(scope, &row->url, work->orch, &row->err) != LP_OK)
		row->err.code = LP_BAD_PEER;
	lp_map_put(tenders->rows, key, row);
	return row;
}

/* ---- asking ---- */

enum lp_code lp_tender_read(struct lp_scope *scope, struct lp_orch_info *info, struct lp_grpc_call *call,
			    const struct lp_url *asked, struct lp_err *e)
{
	struct lp_span message;
	struct lp_url url;
	enum lp_code code = lp_grpc_result(call, &message, e);

	if (code != LP_OK)
		return lp_grpc_status(call) > 0 ? lp_refusal_of_grpc(lp_grpc_status(call), lp_grpc_words(call), e) :
						  code;
	code = lp_orch_info_decode(scope, info, message, e);
	if (code != LP_OK)
		return code;
	if (!info->transcoder.len || lp_url_parse(scope, &url, info->transcoder, NULL) != LP_OK)
		return lp_fail(e, LP_BAD_PEER, "the orchestrator names no address for jobs");
	if (!lp_reach_may_name(asked, &url))
		return lp_fail(e, LP_BAD_PEER, "the orchestrator names an address for jobs that is not its to give: "
			       "%.*s", LP_ARG(info->transcoder));
	if (!info->auth_token.present)
		return lp_fail(e, LP_BAD_PEER, "the orchestrator gave no token");
	if (!info->has_capabilities)
		return lp_fail(e, LP_BAD_PEER, "the orchestrator does not say what it can do");
	return LP_OK;
}

/* It is read from the copy of the bytes, so that its spans live as long as it does. */
static struct lp_tender *tender_make(struct row *row, struct lp_err *e)
{
	struct lp_scope *scope = lp_scope_open(NULL, "tender");
	struct lp_tender *tender = lp_new(scope, struct lp_tender);
	struct lp_span message;

	tender->scope = scope;
	tender->refs = 1;
	tender->came = lp_mono(row->tenders->want.loop);
	if (lp_tender_read(scope, &tender->info, row->call, &row->url, e) == LP_OK &&
	    lp_grpc_result(row->call, &message, e) == LP_OK) {
		tender->bytes = lp_span_dup(scope, message);
		return tender;
	}
	lp_scope_close(&scope);
	return NULL;
}

static void wake_waiters(struct row *row)
{
	lp_list_each(&row->waiters, w, struct waiter, link) {
		lp_link_out(&w->link);
		lp_ready(row->tenders->want.loop, &w->ready);
	}
}

/* What is known stays when a question fails: it may still serve. */
static void on_answer(void *self)
{
	struct row *row = self;
	struct lp_err e = { 0 };
	struct lp_tender *tender = tender_make(row, &e);

	row->err = e;
	if (tender) {
		drop(row);
		row->current = tender;
		row->err = (struct lp_err){ 0 };
	}
	row->call = NULL;
	lp_scope_close(&row->asking);
	wake_waiters(row);
}

static void ask(struct row *row, const struct lp_capabilities *need)
{
	const struct lp_tenders_want *with = &row->tenders->want;
	const struct lp_orch_request request = {
		.address = with->address, .sig = with->sig, .has_capabilities = true, .capabilities = *need,
	};
	struct lp_buf question = { 0 };

	lp_orch_request_encode(&question, &request);
	row->asking = lp_scope_open(NULL, "ask");
	row->call = lp_grpc_start(row->asking, with->client, &row->url, &(struct lp_grpc_want){
		.path = "/net.Orchestrator/GetOrchestrator",
		.message = lp_buf_span(&question),
		.timeout = with->timeout,
	}, on_answer, row);
	lp_buf_clear(&question);
}

static void waiter_close(void *arg)
{
	struct waiter *w = arg;

	lp_link_out(&w->link);
	lp_unready(&w->ready);
}

static void waiter_run(void *self)
{
	struct waiter *w = self;

	w->on_done(w->self);
}

static struct waiter *waiter_new(struct lp_scope *scope, const struct lp_tender_ask *want)
{
	struct waiter *w = lp_new(scope, struct waiter);

	w->on_done = want->on_done;
	w->self = want->self;
	w->ready.run = waiter_run;
	w->ready.self = w;
	lp_defer(scope, waiter_close, w);
	return w;
}

static bool is_recent(const struct row *row)
{
	return row->current && lp_mono(row->tenders->want.loop) - row->current->came < APART;
}

void lp_tender_ask(struct lp_scope *scope, struct lp_tenders *tenders, const struct lp_tender_ask *want)
{
	struct row *row = get(tenders, &want->work);
	struct waiter *w = want->on_done ? waiter_new(scope, want) : NULL;

	if (!row->asking && row->url.text.len && !is_recent(row))
		ask(row, want->need);
	if (w && row->asking)
		lp_list_add(&row->waiters, &w->link);
	else if (w)
		lp_ready(tenders->want.loop, &w->ready);
}

/* ---- the rest of the header ---- */

struct lp_tender *lp_tender_find(const struct lp_tenders *tenders, const struct lp_tender_work *work)
{
	const struct row *row = find(tenders, work);

	return row ? row->current : NULL;
}

const struct lp_err *lp_tender_err(const struct lp_tenders *tenders, const struct lp_tender_work *work)
{
	static const struct lp_err none;
	const struct row *row = find(tenders, work);

	return row ? &row->err : &none;
}

void lp_tender_drop(struct lp_tenders *tenders, const struct lp_tender_work *work)
{
	struct row *row = find(tenders, work);

	if (row)
		drop(row);
}

static void tenders_close(void *arg)
{
	struct lp_tenders *tenders = arg;

	lp_map_free_all(&tenders->rows, row_free);
}

struct lp_tenders *lp_tenders_open(struct lp_scope *scope, const struct lp_tenders_want *want)
{
	struct lp_tenders *tenders = lp_new(scope, struct lp_tenders);

	tenders->scope = scope;
	tenders->want = *want;
	tenders->want.timeout = want->timeout ? want->timeout : 2500 * LP_MSEC;
	tenders->want.most = want->most ? want->most : 4096;
	tenders->rows = lp_map_new();
	lp_defer(scope, tenders_close, tenders);
	return tenders;
}
