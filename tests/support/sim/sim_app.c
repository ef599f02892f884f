/* App developers: real calls from the host "app", read as fast or as slowly as the test wants. */
#include <stdio.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/market/pipeline.h>
#include <lpd/market/segment.h>
#include <role/orchestrator_priv.h>

#include "sim.h"

#define READ 4096
#define GATEWAY_PORT 9935

static void finish(struct sim_reply *r)
{
	if (r->done)
		return;
	r->done = true;
	r->done_at = sim_now(r->s);
	r->s->waiting--;
	lp_timer_clear(&r->timer);
	if (r->on_done)
		r->on_done(r, r->self);
}

static size_t may_read(const struct sim_reply *r, size_t there)
{
	size_t left = r->read_most > r->body.len ? r->read_most - r->body.len : 0;
	size_t n = there < left ? there : left;

	return r->pause && n > READ ? READ : n;
}

/* False: it waits, for the timer or for ever. */
static bool read_some(struct sim_reply *r)
{
	struct lp_span there = lp_call_read(r->call);
	size_t n = may_read(r, there.len);

	if (there.len && !r->first_at)
		r->first_at = sim_now(r->s);
	if (n) {
		lp_buf_add_span(&r->body, lp_span_of(there.at, n));
		lp_call_consume(r->call, n);
	}
	return n == there.len;
}

static void look(struct sim_reply *r)
{
	bool all = true;

	if (r->done)
		return;
	if (lp_call_status(r->call) && !r->status) {
		r->status = lp_call_status(r->call);
		r->head_at = sim_now(r->s);
	}
	if (!r->pause || !lp_timer_is_set(&r->timer)) {
		all = read_some(r);
		if (r->pause)
			lp_timer_set(&r->timer, r->s->loop, r->pause);
	} else {
		all = lp_call_read(r->call).len == 0;
	}
	if (lp_call_state(r->call) == LP_CALL_FAILED)
		r->failed = lp_call_err(r->call)->code;
	if ((all && lp_call_state(r->call) == LP_CALL_DONE) || r->failed != LP_OK)
		finish(r);
}

static void on_call(void *self)
{
	look(self);
}

static void forget_reply(void *arg)
{
	struct sim_reply *r = arg;

	r->call = NULL;
	if (!r->done)
		r->s->waiting--;
	r->done = true;
	lp_timer_clear(&r->timer);
	lp_link_out(&r->link);
	lp_buf_clear(&r->body);
}

static struct sim_reply *reply_new(struct sim *s, const struct sim_ask_want *want)
{
	struct lp_scope *scope = lp_scope_open(s->app_scope, "ask");
	struct sim_reply *r = lp_new(scope, struct sim_reply);

	r->s = s;
	r->scope = scope;
	r->timer = (struct lp_timer){ .fire = on_call, .self = r };
	r->pause = want->pause;
	r->read_most = want->read_most ? want->read_most : SIZE_MAX;
	r->asked_at = sim_now(s);
	s->waiting++;
	lp_list_add(&s->replies, &r->link);
	lp_defer(scope, forget_reply, r);
	return r;
}

static void url_of(struct sim_reply *r, struct lp_url *url, const struct sim_ask_want *want)
{
	const char *path = want->path;
	const char *text = want->url;
	struct lp_err e;

	while (path && *path == '/')
		path++;
	if (!text)
		text = lp_fmt(r->scope, "http://%s:%d/%s", want->gateway->host->name, GATEWAY_PORT, path);
	lp_assert(lp_url_parse(r->scope, url, lp_span(text), &e) == LP_OK);
}

static struct lp_client *client_on(struct sim_reply *r, struct sim_host *host)
{
	struct sim_host *before = r->s->net->here;

	if (!host)
		return r->s->app;
	sim_net_enter(r->s->net, host);
	struct lp_client *client = lp_client_open(r->scope, r->s->loop, &(struct lp_client_want){ 0 });
	sim_net_enter(r->s->net, before);
	return client;
}

struct sim_reply *sim_ask_with(struct sim *s, const struct sim_ask_want *given)
{
	struct sim_ask_want want = *given;
	struct lp_header headers[8];
	int n = 0;
	struct lp_url url;

	if (!want.url && !want.gateway && !s->gateway)
		sim_gateway(s);
	if (!want.gateway)
		want.gateway = s->gateway;
	struct sim_reply *r = reply_new(s, &want);
	url_of(r, &url, &want);
	if (want.body.len)
		headers[n++] = (struct lp_header){ .name = LP_SPAN("content-type"),
						   .value = lp_span(want.type ? want.type : "application/json") };
	for (int i = 0; i < want.n_headers && n < 8; i++)
		headers[n++] = want.headers[i];
	const struct lp_call_want call = {
		.method = want.method ? want.method : "POST",
		.url = &url,
		.headers = headers,
		.n_headers = n,
		.body = want.body,
		.h1_only = !want.url,
		.connect_time = 5 * LP_SEC,
		.stall_time = LP_NEVER,
		.window = want.pause || want.read_most ? READ : 0,
	};
	r->call = lp_call_start(r->scope, client_on(r, want.from), &call, on_call, r);
	return r;
}

struct sim_reply *sim_ask(struct sim *s, const char *path, const char *json)
{
	return sim_ask_with(s, &(struct sim_ask_want){ .path = path, .body = lp_span(json) });
}

struct sim_reply *sim_get(struct sim *s, struct sim_node *n, const char *path)
{
	return sim_ask_with(s, &(struct sim_ask_want){ .gateway = n, .path = path, .method = "GET" });
}

/* The first bytes of a PNG of 8 by 8, so that its size can be read; the rest is filling. */
static void add_picture(struct lp_buf *to, size_t n)
{
	static const char start[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\b\0\0\0\b\b\2\0\0\0";
	size_t have = n < sizeof(start) - 1 ? n : sizeof(start) - 1;

	lp_buf_add(to, start, have);
	memset(lp_buf_room(to, n - have), 'x', n - have);
	lp_buf_grew(to, n - have);
}

struct sim_reply *sim_ask_form(struct sim *s, const char *path, size_t picture)
{
	static const char front[] = "--cut\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nsharper\r\n--cut\r\n"
				    "Content-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n"
				    "Content-Type: image/png\r\n\r\n";
	struct lp_buf body = { 0 };

	lp_buf_add_text(&body, front);
	add_picture(&body, picture);
	lp_buf_add_text(&body, "\r\n--cut--\r\n");
	struct sim_reply *r = sim_ask_with(s, &(struct sim_ask_want){
		.path = path, .body = lp_buf_span(&body), .type = "multipart/form-data; boundary=cut" });
	lp_buf_clear(&body);
	return r;
}

void sim_hang_up(struct sim_reply *r)
{
	struct lp_scope *scope = r->scope;

	lp_scope_close(&scope);
}

struct sim_reply *sim_admin(struct sim_node *n, const char *page)
{
	const char *url = lp_fmt(n->s->scope, "http://127.0.0.1:%u/%s", lp_admin_port(n->node->admin), page);

	return sim_ask_with(n->s, &(struct sim_ask_want){ .url = url, .method = "GET", .from = n->host });
}

/* The credentials of an off-chain gateway (network-protocol 5.1). */
struct lp_span sim_segment(struct lp_scope *scope, struct sim_node *o, const char *pipeline)
{
	const struct lp_pipeline *row = lp_pipeline_find(lp_span(pipeline));
	struct lp_segment segment = { .has_capabilities = true };
	const struct lp_model_terms terms = { .model = lp_span(row->default_model), .capacity = 1 };
	struct lp_buf text = { 0 };

	lp_token_make(scope, &segment.auth_token, o->node->orchestrator->secret, lp_wall(o->s->loop) / LP_SEC);
	lp_capabilities_init(&segment.capabilities, scope, LP_SPAN("0.9.1"));
	lp_capabilities_add_model(scope, &segment.capabilities, row->capability, &terms);
	segment.manifest_id = lp_span(lp_fmt(scope, "%u_%s", row->capability, row->default_model));
	lp_segment_encode(&text, &segment);
	struct lp_span kept = lp_span_dup(scope, lp_buf_span(&text));
	lp_buf_clear(&text);
	return kept;
}

struct sim_reply *sim_ask_orchestrator(struct sim_node *o, const char *pipeline, const char *json,
				       const struct sim_ask_want *given)
{
	struct sim_ask_want want = given ? *given : (struct sim_ask_want){ 0 };
	struct lp_scope *scope = lp_scope_open(o->s->scope, "credentials");
	struct lp_header headers[6] = {
		{ .name = LP_SPAN("livepeer-payment"), .value = LP_SPAN("") },
		{ .name = LP_SPAN("livepeer-segment"), .value = sim_segment(scope, o, pipeline) },
	};
	int n = 2;

	for (int i = 0; i < want.n_headers && n < 6; i++)
		headers[n++] = want.headers[i];
	want.headers = headers;
	want.n_headers = n;
	want.body = lp_span(json);
	want.url = lp_fmt(scope, "https://%s:8935/%s", o->host->name, pipeline);
	struct sim_reply *r = sim_ask_with(o->s, &want);
	lp_scope_close(&scope);
	return r;
}

struct lp_span sim_header(const struct sim_reply *r, const char *name)
{
	return lp_headers_find(lp_call_headers(r->call), name);
}

const char *sim_media_path(struct sim_reply *r)
{
	struct lp_span body = lp_buf_span(&r->body);
	ptrdiff_t at = lp_span_find(body, LP_SPAN("/stream/"));

	assert_true(at >= 0);
	struct lp_span rest = lp_span_skip(body, (size_t)at);
	return lp_strdup(r->scope, lp_span_cut(&rest, '"'));
}

int sim_events(const struct sim_reply *r)
{
	struct lp_span rest = lp_buf_span(&r->body);
	int n = 0;

	while (rest.len) {
		struct lp_span line = lp_span_cut(&rest, '\n');

		n += lp_span_starts(line, "data:") && !lp_span_is(line, "data: [DONE]");
	}
	return n;
}
