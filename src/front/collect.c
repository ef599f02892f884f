#include <lpd/front/collect.h>

#include <ctype.h>
#include <string.h>

#include "collect_priv.h"

#define PIECE (48 * 1024)	/* what is pushed at once: the most by which a spool's room is overdrawn */
#define FETCHES 4

/* ---- the end ---- */

static void tell(struct lp_collect *c)
{
	c->done = true;
	c->on_event(c->self);
}

static void fail(struct lp_collect *c, const struct lp_err *e)
{
	c->err = *e;
	for (int i = 0; i < c->n; i++)
		lp_scope_close(&c->items[i]->fetch);
	tell(c);
}

static void finish(struct lp_collect *c)
{
	for (int i = 0; i < c->n; i++)
		if (!c->items[i]->passed_on)
			c->items[i]->size = lp_spool_size(c->items[i]->spool);
	tell(c);
}

/* ---- media ---- */

static void poke(void *self)
{
	lp_collect_poke(self);
}

static struct collect_item *item_begin(struct lp_collect *c, struct lp_span type)
{
	struct collect_item *item = lp_new(c->scope, struct collect_item);

	item->type = lp_span_dup(c->scope, type);
	c->items[c->n++] = item;
	return item;
}

static void item_open(struct lp_collect *c, struct collect_item *item)
{
	item->spool = lp_spool_open(c->scope, c->want.loop, lp_media_budget(c->want.media));
	lp_spool_watch(item->spool, poke, c);
}

static enum lp_code item_write(struct lp_collect *c, struct collect_item *item, struct lp_span bytes,
			       struct lp_err *e)
{
	if (lp_spool_size(item->spool) + (int64_t)bytes.len > c->want.media_limit)
		return lp_fail(e, LP_BAD_PEER, "a result is larger than %lld bytes",
			       (long long)c->want.media_limit);
	return lp_spool_write(item->spool, bytes, e);
}

static enum lp_code item_end(struct collect_item *item, struct lp_err *e)
{
	item->ended = true;
	lp_spool_end(item->spool);
	if (lp_spool_size(item->spool) == 0)
		return lp_fail(e, LP_BAD_PEER, "a result is empty");
	return LP_OK;
}

/* ---- reading the answer ---- */

static enum lp_code took(struct lp_collect *c, enum lp_answer_event event, const struct lp_answer_item *got,
			 struct lp_err *e)
{
	struct collect_item *item;

	switch (event) {
	case LP_ANSWER_MEDIA:
		item_open(c, item_begin(c, got->type));
		return LP_OK;
	case LP_ANSWER_SLICE:
		return item_write(c, c->items[c->n - 1], got->slice, e);
	case LP_ANSWER_MEDIA_END:
		return item_end(c->items[c->n - 1], e);
	case LP_ANSWER_URL:
		item = item_begin(c, LP_SPAN(""));
		item->url = lp_span_dup(c->scope, got->url);
		if (!c->want.client) {
			item->path = item->url;
			item->passed_on = item->ended = true;
		}
		return LP_OK;
	case LP_ANSWER_DONE:
		c->scanned = true;
		if (lp_answer_media(c->answer) == 0)	/* whatever else it says, it is not what was asked for */
			return lp_fail(e, LP_BAD_PEER, "the answer holds no media");
		return LP_OK;
	case LP_ANSWER_BAD:
		return e->code;
	case LP_ANSWER_NEED:
		break;
	}
	return LP_OK;
}

/* Everything that the bytes pushed last can give. */
static enum lp_code drain(struct lp_collect *c, struct lp_err *e)
{
	struct lp_answer_item got;
	enum lp_answer_event event;

	while (!c->scanned && (event = lp_answer_pull(c->answer, &got, e)) != LP_ANSWER_NEED) {
		enum lp_code code = took(c, event, &got, e);

		if (code != LP_OK)
			return code;
	}
	return LP_OK;
}

static bool has_room(const struct lp_collect *c)
{
	const struct collect_item *last = c->n ? c->items[c->n - 1] : NULL;

	/* A spool tells of room only after there was none, so any room must do. */
	return !last || !last->spool || last->ended || lp_spool_room(last->spool) > 0;
}

static enum lp_code scan(struct lp_collect *c, struct lp_err *e)
{
	while (!c->scanned && has_room(c)) {
		struct lp_span bytes = lp_call_read(c->want.call);
		enum lp_call_state state = lp_call_state(c->want.call);
		enum lp_code code;

		if (!bytes.len && state == LP_CALL_FAILED) {
			*e = *lp_call_err(c->want.call);
			return e->code;
		}
		if (!bytes.len && state != LP_CALL_DONE)
			return LP_OK;
		if (bytes.len > PIECE)
			bytes.len = PIECE;
		if (bytes.len)
			lp_answer_push(c->answer, bytes);
		else
			lp_answer_finish(c->answer);
		code = drain(c, e);
		if (code != LP_OK)
			return code;
		if (bytes.len)
			lp_call_consume(c->want.call, bytes.len);
	}
	return LP_OK;
}

/* ---- fetching what the answer points to ---- */

static bool is_below(struct lp_span host, struct lp_span name)
{
	return lp_span_eq(host, name) || (lp_span_starts(name, ".") && host.len > name.len &&
					  lp_span_eq(lp_span_skip(host, host.len - name.len), name));
}

/* An orchestrator that could name any address would have us knock at doors inside our own network: its own
 * place and what the operator listed, no other. */
static bool may_fetch(const struct lp_collect *c, const struct lp_url *url)
{
	const struct lp_url *own = c->want.base;

	if (lp_span_eq(url->host, own->host) && url->port == own->port)
		return true;
	for (int i = 0; i < c->want.n_hosts; i++)
		if (is_below(url->host, c->want.hosts[i]))
			return true;
	return false;
}

static enum lp_code resolve(struct lp_collect *c, struct lp_scope *scope, const struct collect_item *item,
			    struct lp_url *url)
{
	struct lp_err *e = &c->err;

	if (item->url.len && item->url.at[0] == '/') {
		*url = *c->want.base;
		url->path = item->url;
		return LP_OK;
	}
	if (lp_url_parse(scope, url, item->url, e) != LP_OK || url->unix_path)
		return lp_fail(e, LP_BAD_PEER, "the answer points to something that is no URL");
	if (!may_fetch(c, url))
		return lp_fail(e, LP_BAD_PEER, "the answer points to another host, %.*s:%u", LP_ARG(url->host), url->port);
	url->outside = c->want.base->outside && lp_span_eq(url->host, c->want.base->host);
	return LP_OK;
}

/* A result is there when its URL is: who does not send it soon will not send it at all. */
#define FETCH_STALL (15 * LP_SEC)

static void fetch_call(struct lp_collect *c, struct collect_item *item, const struct lp_url *url)
{
	const struct lp_call_want want = { .method = "GET", .url = url, .idempotent = true,
					   .total_time = c->want.fetch_time, .first_byte_time = FETCH_STALL,
					   .stall_time = FETCH_STALL };

	item->call = lp_call_start(item->fetch, c->want.client, &want, poke, c);
}

static enum lp_code fetch_start(struct lp_collect *c, struct collect_item *item, struct lp_err *e)
{
	struct lp_url url;

	item->fetch = lp_scope_open(c->scope, "fetch");
	if (resolve(c, item->fetch, item, &url) != LP_OK) {
		*e = c->err;
		return e->code;
	}
	c->fetching++;
	item_open(c, item);
	fetch_call(c, item, &url);
	return LP_OK;
}

/* The work is done and paid for: one that broke before a byte of it came is asked for once more. */
static bool fetch_again(struct lp_collect *c, struct collect_item *item)
{
	struct lp_url url;

	if (item->again || lp_spool_size(item->spool) > 0)
		return false;
	item->again = true;
	lp_scope_close(&item->fetch);
	item->fetch = lp_scope_open(c->scope, "fetch");
	if (resolve(c, item->fetch, item, &url) != LP_OK)
		return false;
	fetch_call(c, item, &url);
	return true;
}

/* It will stand inside a data URL inside a JSON string. */
static bool is_plain(struct lp_span type)
{
	if (!type.len || type.len > 100 || !memchr(type.at, '/', type.len))
		return false;
	for (size_t i = 0; i < type.len; i++)
		if (!isalnum((unsigned char)type.at[i]) && !strchr("/+.-", type.at[i]))
			return false;
	return true;
}

static enum lp_code fetch_head(struct lp_collect *c, struct collect_item *item, struct lp_err *e)
{
	struct lp_span type = lp_headers_find(lp_call_headers(item->call), "content-type");

	if (lp_call_status(item->call) != 200)
		return lp_fail(e, LP_MEDIA_LOST, "the orchestrator answered %d for a result",
			       lp_call_status(item->call));
	if (!is_plain(type))
		type = lp_span(lp_media_type_of(item->url));
	item->type = lp_span_dup(c->scope, type);
	return LP_OK;
}

static enum lp_code fetch_end(struct lp_collect *c, struct collect_item *item, struct lp_err *e)
{
	item->call = NULL;
	lp_scope_close(&item->fetch);
	c->fetching--;
	return item_end(item, e);
}

static enum lp_code fetch_read(struct lp_collect *c, struct collect_item *item, struct lp_err *e)
{
	enum lp_call_state state = lp_call_state(item->call);
	struct lp_span bytes;

	if (state == LP_CALL_FAILED && fetch_again(c, item))
		return LP_OK;
	if (state == LP_CALL_FAILED)
		return lp_fail(e, LP_MEDIA_LOST, "a result could not be fetched: %s",
			       lp_err_words(lp_call_err(item->call)));
	if (state == LP_CALL_SENDING)
		return LP_OK;
	if (!item->type.len && fetch_head(c, item, e) != LP_OK)
		return e->code;
	while ((bytes = lp_call_read(item->call)).len) {
		size_t room = lp_spool_room(item->spool);

		if (!room)
			return LP_OK;
		if (bytes.len > room)
			bytes.len = room;
		if (item_write(c, item, bytes, e) != LP_OK)
			return e->code;
		lp_call_consume(item->call, bytes.len);
	}
	return lp_call_state(item->call) == LP_CALL_DONE ? fetch_end(c, item, e) : LP_OK;
}

static enum lp_code fetch_all(struct lp_collect *c, struct lp_err *e)
{
	for (int i = 0; i < c->n; i++) {
		struct collect_item *item = c->items[i];
		enum lp_code code = LP_OK;

		if (item->ended || !item->url.at)
			continue;
		if (item->call)
			code = fetch_read(c, item, e);
		else if (c->fetching < FETCHES)
			code = fetch_start(c, item, e);
		if (code != LP_OK)
			return code;
	}
	return LP_OK;
}

static bool all_ready(const struct lp_collect *c, struct lp_err *e)
{
	bool ready = c->scanned;

	for (int i = 0; i < c->n; i++) {
		const struct collect_item *item = c->items[i];

		if (item->passed_on)
			continue;
		if (item->spool && lp_spool_err(item->spool)->code != LP_OK)
			*e = *lp_spool_err(item->spool);
		if (!item->ended || !lp_spool_ready(item->spool))
			ready = false;
	}
	return ready;
}

static void pump(void *self)
{
	struct lp_collect *c = self;
	struct lp_err e = { .code = LP_OK };
	bool scanned = c->scanned;

	if (c->done)
		return;
	if (scan(c, &e) != LP_OK || fetch_all(c, &e) != LP_OK) {
		fail(c, &e);
		return;
	}
	bool ready = all_ready(c, &e);

	if (e.code != LP_OK)
		fail(c, &e);
	else if (ready)
		finish(c);
	else if (c->scanned && !scanned)
		c->on_event(c->self);	/* what follows is fetching */
}

/* ---- the outside ---- */

static void closed(void *arg)
{
	struct lp_collect *c = arg;

	lp_unready(&c->pump);
}

struct lp_collect *lp_collect_start(struct lp_scope *scope, const struct lp_collect_want *want,
				    void (*on_event)(void *self), void *self)
{
	struct lp_collect *c = lp_new(scope, struct lp_collect);

	c->want = *want;
	c->scope = scope;
	c->on_event = on_event;
	c->self = self;
	c->answer = lp_answer_open(scope);
	c->pump = (struct lp_ready){ .run = pump, .self = c };
	lp_defer(scope, closed, c);
	lp_collect_poke(c);
	return c;
}

void lp_collect_poke(struct lp_collect *c)
{
	if (!c->done)
		lp_ready(c->want.loop, &c->pump);
}

bool lp_collect_done(const struct lp_collect *c)
{
	return c->done;
}

bool lp_collect_fetching(const struct lp_collect *c)
{
	return c->scanned && !c->done;
}

const struct lp_err *lp_collect_err(const struct lp_collect *c)
{
	return &c->err;
}

void lp_collect_keep(struct lp_collect *c)
{
	for (int i = 0; i < c->n; i++) {
		struct collect_item *item = c->items[i];

		if (!item->passed_on)
			item->path = lp_media_keep(c->scope, c->want.media,
						   &(struct lp_media_put){ c->want.id, item->type, item->spool });
	}
}

int64_t lp_collect_size(const struct lp_collect *c)
{
	int64_t sum = 0;

	for (int i = 0; i < c->n; i++)
		sum += c->items[i]->size;
	return sum;
}

int lp_collect_count(const struct lp_collect *c)
{
	return c->n;
}

struct lp_spool *lp_collect_spool(const struct lp_collect *c, int i)
{
	return c->items[i]->spool;
}

void lp_collect_text(const struct lp_collect *c, struct lp_buf *to)
{
	for (int i = 0; i <= c->n; i++)
		lp_buf_add_span(to, lp_answer_text(c->answer, i));
}

void lp_collect_write(const struct lp_collect *c, struct lp_buf *to, struct lp_span prefix)
{
	for (int i = 0; i < c->n; i++) {
		lp_buf_add_span(to, lp_answer_text(c->answer, i));
		if (!c->items[i]->passed_on)
			lp_buf_add_span(to, prefix);
		lp_buf_add_span(to, c->items[i]->path);
	}
	lp_buf_add_span(to, lp_answer_text(c->answer, c->n));
	if (!lp_span_ends(lp_buf_span(to), "\n"))
		lp_buf_add_char(to, '\n');	/* as the network's other nodes do */
}
