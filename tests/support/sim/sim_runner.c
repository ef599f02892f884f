/* The scripted runner: real exchanges and a real router; what it answers is made up. */
#include "sim_runner.h"

#include <stdio.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/hex.h>

#include "sim.h"

#define PORT 8000

struct work {
	struct sim_runner *r;
	struct lp_exchange *ex;
	struct sim_does does;
	struct lp_timer timer;
	const char *pipeline;
	size_t body;			/* bytes that came */
	char start[512];		/* the first of them */
	bool begun, stream, over;
	int event;
};

/* ---- answers ---- */

static void write_pictures(struct lp_buf *to, const struct sim_does *does)
{
	size_t n = does->picture ? does->picture : 1000;
	int count = does->pictures ? does->pictures : 1;
	static const char text[] = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk";

	lp_buf_add_text(to, "{\"images\":[");
	for (int i = 0; i < count; i++) {
		size_t left = (n + 2) / 3 * 4;	/* base64 of n bytes, rounded up to whole groups */

		lp_buf_fmt(to, "%s{\"url\":\"data:image/png;base64,", i ? "," : "");
		while (left) {
			size_t piece = left < sizeof(text) - 1 ? left : sizeof(text) - 1;

			lp_buf_add(to, text, piece);
			left -= piece;
		}
		lp_buf_fmt(to, "\",\"seed\":%d,\"nsfw\":false}", 100 + i);
	}
	lp_buf_add_text(to, "]}");
}

/* One answer of a kind is made once: thousands of jobs ask for the same. */
static struct lp_span good_pictures(struct sim_runner *r, const struct sim_does *does)
{
	if (!r->good.len || r->good_of.picture != does->picture || r->good_of.pictures != does->pictures) {
		lp_buf_reset(&r->good);
		write_pictures(&r->good, does);
		r->good_of = *does;
	}
	return lp_buf_span(&r->good);
}

static const char chat[] =
	"{\"id\":\"c1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"
	"\"message\":{\"role\":\"assistant\",\"content\":\"hello there\"},\"finish_reason\":\"stop\"}],"
	"\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7,\"total_tokens\":12}}";

static const char film[] = "{\"warning\":\"a \\\"stand-in\\\" drew\",\"frames\":[[{\"url\":\"data:image/png;base64,AAAA\",\"seed\":7,\"nsfw\":false},"
	"{\"url\":\"data:image/png;base64,BBBB\",\"seed\":7,\"nsfw\":false}]]}";

/* The last two are lpd-media's. */
static const struct {
	const char *pipeline, *body;
} others[] = {
	{ "audio-to-text", "{\"chunks\":[],\"text\":\"hello there\"}" },
	{ "image-to-video", film },
	{ "duration", "{\"milliseconds\":5400}" },
	{ "video", "no video, but bytes" },
};

static struct lp_span answer_of(struct work *w)
{
	if (w->does.body)
		return lp_span(w->does.body);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (strcmp(w->pipeline, others[i].pipeline) == 0)
			return lp_span(others[i].body);
	if (strcmp(w->pipeline, "llm") == 0)
		return lp_span(chat);
	return good_pictures(w->r, &w->does);
}

static void over(struct work *w)
{
	if (w->over)
		return;
	w->over = true;
	lp_timer_clear(&w->timer);
	w->r->jobs--;
}

static void die(struct work *w)
{
	over(w);
	lp_exchange_watch(w->ex, NULL, NULL);
	lp_reply_abort(w->ex, LP_INTERNAL);
}

static void head(struct work *w, const char *type, int64_t length)
{
	struct lp_header h = { .name = LP_SPAN("content-type"),
			       .value = lp_span(w->does.type ? w->does.type : type) };

	lp_reply_head(w->ex, w->does.status ? w->does.status : 200, length, &h, 1);
}

static void end(struct work *w)
{
	over(w);
	w->r->answered++;
	lp_reply_end(w->ex);
}

static void answer_whole(struct work *w)
{
	struct lp_span body = answer_of(w);
	bool half = w->does.how != SIM_ANSWERS;

	head(w, "application/json", (int64_t)body.len);
	if (half)
		body.len /= 2;
	lp_reply_write(w->ex, body);
	if (!half)
		end(w);
	else if (w->does.how != SIM_STOPS_MIDWAY)
		lp_timer_set(&w->timer, w->r->s->loop, 5 * LP_MSEC);	/* and then it dies */
}

static void write_event(struct work *w, bool last)
{
	struct lp_buf text = { 0 };
	size_t large = w->does.large && w->event == 3 ? w->does.large : 0;

	if (large) {
		lp_buf_add_text(&text, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"");
		memset(lp_buf_room(&text, large), 'x', large);
		lp_buf_grew(&text, large);
		lp_buf_add_text(&text, "\"},\"finish_reason\":null}]}\n\n");
		lp_reply_write(w->ex, lp_buf_span(&text));
		lp_buf_clear(&text);
		return;
	}
	lp_buf_fmt(&text,
		   "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":"
		   "[{\"index\":0,\"delta\":{\"content\":\"word%d \"},\"finish_reason\":%s}]%s}\n\n",
		   w->event, last ? "\"stop\"" : "null",
		   last ? ",\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7,\"total_tokens\":12}" : "");
	lp_reply_write(w->ex, lp_buf_span(&text));
	lp_buf_clear(&text);
}

/* Half of them are out, and this one does not go on as it should. */
static bool break_stream(struct work *w)
{
	switch (w->does.how) {
	case SIM_DIES_MIDWAY:
		die(w);
		return true;
	case SIM_ENDS_MIDWAY:
		end(w);
		return true;
	case SIM_ERROR_EVENT:
		lp_reply_write(w->ex, LP_SPAN("data: {\"error\":\"the engine caught fire\"}\n\n"));
		end(w);
		return true;
	case SIM_STOPS_MIDWAY:
		return true;
	case SIM_ANSWERS:
	case SIM_HANGS:
	case SIM_DIES:
		break;
	}
	return false;
}

static void next_event(struct work *w)
{
	int events = w->does.events ? w->does.events : 5;

	if (!w->event)
		head(w, "text/event-stream", -1);
	if (w->event >= events / 2 && break_stream(w))
		return;
	w->event++;
	write_event(w, w->event == events);
	if (w->event < events)
		lp_timer_set(&w->timer, w->r->s->loop, w->does.each);
	else
		end(w);
}

static void on_time(void *self)
{
	struct work *w = self;
	bool good = !w->does.status && !w->does.body;

	if (w->does.how == SIM_DIES || (!w->event && lp_reply_started(w->ex)))
		die(w);
	else if (w->stream && good)
		next_event(w);
	else
		answer_whole(w);
}

/* ---- a job ---- */

static void draw_does(struct work *w)
{
	struct sim_runner *r = w->r;

	w->does = r->does;
	if (!r->n_script)
		return;
	w->does = *r->script++;
	r->n_script--;
}

static void begin(struct work *w)
{
	w->begun = true;
	w->stream = strstr(w->start, "\"stream\":true") != NULL;
	if (w->does.how != SIM_HANGS)
		lp_timer_set(&w->timer, w->r->s->loop, w->does.delay);
}

static void on_exchange(void *self)
{
	struct work *w = self;
	struct lp_span got = lp_exchange_read(w->ex);
	size_t have = w->body < sizeof(w->start) - 1 ? w->body : sizeof(w->start) - 1;
	size_t n = sizeof(w->start) - 1 - have;

	if (lp_exchange_gone(w->ex)) {
		w->r->gone += !w->over;
		over(w);
		return;
	}
	memcpy(w->start + have, got.len ? got.at : "", got.len < n ? got.len : n);
	w->body += got.len;
	lp_exchange_consume(w->ex, got.len);
	if (!w->begun && !w->over && lp_exchange_body(w->ex) == LP_BODY_END)
		begin(w);
}

static void forget_work(void *arg)
{
	struct work *w = arg;

	over(w);
}

static void start_work(struct sim_runner *r, const char *pipeline, struct lp_exchange *ex)
{
	struct work *w = lp_new(lp_exchange_scope(ex), struct work);

	w->r = r;
	w->ex = ex;
	w->pipeline = pipeline;
	w->timer = (struct lp_timer){ .fire = on_time, .self = w };
	draw_does(w);
	r->started++;
	r->jobs++;
	r->most_jobs = r->jobs > r->most_jobs ? r->jobs : r->most_jobs;
	lp_defer(lp_exchange_scope(ex), forget_work, w);
	lp_exchange_watch(ex, on_exchange, w);
}

static void on_picture(void *self, struct lp_exchange *ex)
{
	start_work(self, "text-to-image", ex);
}

static void on_upscale(void *self, struct lp_exchange *ex)
{
	start_work(self, "upscale", ex);
}

static void on_llm(void *self, struct lp_exchange *ex)
{
	start_work(self, "llm", ex);
}

static void on_other(void *self, struct lp_exchange *ex)
{
	struct lp_span path = lp_span_skip(lp_exchange_path(ex), 1);

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (lp_span_is(path, others[i].pipeline))
			start_work(self, others[i].pipeline, ex);
}

/* ---- what it says of itself ---- */

static void on_health(void *self, struct lp_exchange *ex)
{
	struct sim_runner *r = self;
	char text[200];

	r->asked++;
	if (r->deaf || (r->busy_is_silent && r->jobs))
		return;
	snprintf(text, sizeof(text), "{\"status\":\"%s\"%s%s}", r->health, r->models ? ",\"models\":" : "",
		 r->models ? r->models : "");
	lp_reply(ex, 200, "application/json", lp_span(text));
}

static void on_version(void *self, struct lp_exchange *ex)
{
	(void)self;
	lp_reply(ex, 200, "application/json",
		 LP_SPAN("{\"pipeline\":\"any\",\"model_id\":\"any\",\"version\":\"0.14.1\"}"));
}

static void on_hardware(void *self, struct lp_exchange *ex)
{
	(void)self;
	lp_reply(ex, 200, "application/json", LP_SPAN("{\"pipeline\":\"any\",\"model_id\":\"any\",\"gpu_info\":{}}"));
}

/* ---- its life ---- */

static struct lp_router *routes(struct sim_runner *r)
{
	const struct lp_route all[] = {
		{ "POST", "/text-to-image", 1 << 20, on_picture, r },
		{ "POST", "/upscale", 1 << 28, on_upscale, r },
		{ "POST", "/llm", 1 << 20, on_llm, r },
		{ "POST", "/audio-to-text", 1 << 28, on_other, r },
		{ "POST", "/image-to-video", 1 << 28, on_other, r },
		{ "POST", "/duration", 1 << 28, on_other, r },
		{ "POST", "/video", 1 << 28, on_other, r },
		{ "GET", "/health", 0, on_health, r },
		{ "GET", "/version", 0, on_version, r },
		{ "GET", "/hardware/info", 0, on_hardware, r },
	};
	struct lp_router *router = lp_router_open(r->scope);

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		lp_router_add(router, &all[i]);
	return router;
}

void sim_runner_start(struct sim_runner *r)
{
	struct lp_server_want want = { .handle = lp_router_handle };
	struct lp_err e;

	lp_assert(!r->scope);
	r->scope = lp_scope_open(r->s->scope, "runner");
	want.self = routes(r);
	want.address.port = PORT;
	want.address.unix_path = r->unix_path;
	struct sim_host *before = r->s->net->here;	/* a node may be starting it as its child */
	sim_net_enter(r->s->net, r->host);
	lp_assert(lp_server_open(r->scope, &r->server, r->s->loop, &want, &e) == LP_OK);
	sim_net_enter(r->s->net, before);
}

void sim_runner_stop(struct sim_runner *r)
{
	lp_scope_close(&r->scope);
}

static void forget_runner(void *arg)
{
	struct sim_runner *r = arg;

	lp_buf_clear(&r->good);
}

struct sim_runner *sim_runner_at(struct sim *s, const char *name, const char *unix_path)
{
	struct sim_runner *r = lp_new(s->scope, struct sim_runner);

	r->s = s;
	r->name = lp_strdup(s->scope, lp_span(name));
	r->host = sim_host_get(s->net, name);
	r->unix_path = unix_path ? lp_strdup(s->scope, lp_span(unix_path)) : NULL;
	r->url = lp_fmt(s->scope, "http://%s:%d", name, PORT);
	r->health = "OK";
	lp_list_add(&s->runners, &r->link);
	lp_defer(s->scope, forget_runner, r);
	sim_runner_start(r);
	return r;
}

struct sim_runner *sim_runner(struct sim *s, const char *name)
{
	return sim_runner_at(s, name, NULL);
}
