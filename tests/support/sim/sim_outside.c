/* Child processes and fetches: nothing is started and nothing leaves the machine; the test says what happens. */
#include "sim_outside.h"

#include <string.h>

#include <lpd/io/timer.h>

#include "sim_net.h"

/* ---- children ---- */

struct lp_process {
	struct lp_loop *loop;
	struct lp_process_want want;
	struct lp_ready row;
	int pid, status, signal;
	bool over;
};

void sim_children(struct lp_loop *loop, const struct sim_children *script)
{
	sim_loop_net(loop)->children = *script;
}

static void tell_exit(void *self)
{
	struct lp_process *child = self;

	child->want.on_exit(child->want.self, child->status, child->signal);
}

void sim_child_exit(struct lp_process *child, int status, int signal)
{
	if (child->over)
		return;
	child->over = true;
	child->status = status;
	child->signal = signal;
	if (child->want.on_exit)
		lp_ready(child->loop, &child->row);
}

static void tell_script(struct lp_process *child)
{
	const struct sim_children *script = &sim_loop_net(child->loop)->children;

	if (!child->over && script->stopped)
		script->stopped(script->self, child);
}

static void forget_child(void *arg)
{
	struct lp_process *child = arg;

	lp_unready(&child->row);
	tell_script(child);
	child->over = true;
}

enum lp_code lp_process_start(struct lp_scope *scope, struct lp_process **out, struct lp_loop *loop,
			      const struct lp_process_want *want, struct lp_err *e)
{
	struct sim_net *net = sim_loop_net(loop);
	struct lp_process *child = lp_new(scope, struct lp_process);

	child->loop = loop;
	child->want = *want;
	child->pid = ++net->last_pid;
	child->row = (struct lp_ready){ .run = tell_exit, .self = child };
	if (!net->children.start || !net->children.start(net->children.self, child, want))
		return lp_fail(e, LP_CONFIG, "%s cannot be started", want->argv[0]);
	lp_defer(scope, forget_child, child);
	*out = child;
	return LP_OK;
}

int lp_process_pid(const struct lp_process *child)
{
	return child->pid;
}

void lp_process_stop(struct lp_process *child)
{
	tell_script(child);
	sim_child_exit(child, 0, 15);
}

/* ---- pages ---- */

struct lp_fetcher {
	struct lp_loop *loop;
};

struct lp_fetch {
	struct lp_timer timer;
	struct sim_page page;
	struct lp_buf body;
	void (*on_done)(void *self);
	void *self;
};

void sim_pages(struct lp_loop *loop, const struct sim_pages *script)
{
	sim_loop_net(loop)->pages = *script;
}

struct lp_fetcher *lp_fetcher_open(struct lp_scope *scope, struct lp_loop *loop)
{
	struct lp_fetcher *fetcher = lp_new(scope, struct lp_fetcher);

	fetcher->loop = loop;
	return fetcher;
}

static void fetched(void *self)
{
	struct lp_fetch *fetch = self;

	fetch->on_done(fetch->self);
}

static void forget_fetch(void *arg)
{
	struct lp_fetch *fetch = arg;

	lp_timer_clear(&fetch->timer);
	lp_buf_clear(&fetch->body);
}

struct lp_fetch *lp_fetch_start(struct lp_scope *scope, struct lp_fetcher *fetcher, const struct lp_fetch_want *want,
				void (*on_done)(void *self), void *self)
{
	const struct sim_pages *script = &sim_loop_net(fetcher->loop)->pages;
	struct lp_fetch *fetch = lp_new(scope, struct lp_fetch);

	fetch->on_done = on_done;
	fetch->self = self;
	fetch->timer = (struct lp_timer){ .fire = fetched, .self = fetch };
	fetch->page.code = LP_CONNECT;
	if (script->find)
		script->find(script->self, want, &fetch->page);
	if (want->limit && fetch->page.body.len > want->limit)
		fetch->page.code = LP_TOO_LARGE;
	lp_buf_add_span(&fetch->body, fetch->page.body);
	if (want->total_time && fetch->page.delay > want->total_time) {
		fetch->page.delay = want->total_time;
		fetch->page.code = LP_TIMEOUT;
	}
	lp_defer(scope, forget_fetch, fetch);
	lp_timer_set(&fetch->timer, fetcher->loop, fetch->page.delay);
	return fetch;
}

enum lp_code lp_fetch_result(const struct lp_fetch *fetch, int *status, struct lp_span *body, struct lp_err *e)
{
	*status = fetch->page.status;
	*body = lp_buf_span(&fetch->body);
	if (fetch->page.code == LP_OK)
		return LP_OK;
	return lp_fail(e, fetch->page.code, "%s", lp_code_words(fetch->page.code));
}
