/* Anything at any time: worlds drawn from a seed, in which jobs come and everybody misbehaves.  No answer is
 * expected to be good while that goes on; but every job ends, afterwards all is well again, and the books
 * balance.  SIM_SEED=n SIM_LOG=1 runs one world again and tells of it; SIM_WORLDS=n runs so many. */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define WORLDS 120
#define FEW_WORLDS 15

#define ORCHESTRATORS 4
#define GATEWAYS 2

struct world {
	struct sim *s;
	struct sim_node *o[ORCHESTRATORS], *g[GATEWAYS];
	int n_o, n_g;
	int asked;
};

static uint64_t below(struct world *w, uint64_t n)
{
	return lp_dice_below(w->s->dice, n);
}

static bool one_in(struct world *w, uint64_t n)
{
	return below(w, n) == 0;
}

/* ---- what may happen ---- */

static void draw_does(struct world *w, struct sim_does *does)
{
	*does = (struct sim_does){
		.delay = (int64_t)below(w, 3000) * LP_MSEC,
		.each = (int64_t)below(w, 200) * LP_MSEC,
		.events = 1 + (int)below(w, 30),
		.picture = one_in(w, 4) ? 100000 + (size_t)below(w, 1500000) : 1 + (size_t)below(w, 3000),
		.pictures = 1 + (int)below(w, 3),
	};
	if (one_in(w, 3))
		does->how = (enum sim_how)below(w, SIM_STOPS_MIDWAY + 1);
	if (one_in(w, 8))
		does->status = (int[]){ 400, 422, 429, 500, 503 }[below(w, 5)];
	if (does->status || one_in(w, 12))
		does->body = (const char *[]){ "{\"detail\":\"no\"}", "", "<p>no</p>", "{\"images\":[]}" }[below(w, 4)];
}

static void change_runner(struct world *w, struct sim_node *o)
{
	struct sim_runner *r = o->runner;

	draw_does(w, &r->does);
	r->busy_is_silent = one_in(w, 2);
	r->deaf = one_in(w, 6);
	r->health = one_in(w, 6) ? "LOADING" : one_in(w, 8) ? "ERROR" : "OK";
}

static void change_host(struct world *w, struct sim_host *host)
{
	host->latency = (int64_t)below(w, one_in(w, 4) ? 300000 : 5000);
	host->jitter = (int64_t)below(w, 2000);
	host->bandwidth = one_in(w, 4) ? 100000 + (int64_t)below(w, 2000000) : 0;
	host->refuses = one_in(w, 6);
}

static void kill_or_start(struct world *w, struct sim_node *n)
{
	if (!n->node)
		sim_start(n);
	else if (one_in(w, 2))
		sim_kill(n);
	else if (!n->node->draining)
		sim_drain(n);
}

static void fill_or_free(struct sim_node *o)
{
	if (!o->node)
		return;
	if (o->filled)
		sim_unfill(o);
	else
		sim_fill(o);
}

static struct sim_node *any_o(struct world *w)
{
	return w->o[below(w, (uint64_t)w->n_o)];
}

static struct sim_node *any_g(struct world *w)
{
	return w->g[below(w, (uint64_t)w->n_g)];
}

static void something_happens(struct world *w)
{
	struct sim_node *o = any_o(w), *g = any_g(w);

	switch (below(w, 12)) {
	case 0:
	case 1:
	case 2:
		change_runner(w, o);
		break;
	case 3:
		change_host(w, o->host);
		break;
	case 4:
		change_host(w, o->runner->host);
		break;
	case 5:
		kill_or_start(w, o);
		break;
	case 6:
		if (one_in(w, 3))
			kill_or_start(w, g);
		break;
	case 7:
		sim_net_cut(w->s->net, g->host, o->host, one_in(w, 2));
		break;
	case 8:
		sim_host_silence(o->host, one_in(w, 3));
		break;
	case 9:
		sim_host_break(one_in(w, 2) ? o->host : g->host);
		break;
	case 10:
		fill_or_free(o);
		break;
	case 11:
		if (o->runner->scope)
			sim_runner_stop(o->runner);
		else
			sim_runner_start(o->runner);
		break;
	}
}

/* ---- who asks ---- */

static void somebody_asks(struct world *w)
{
	struct sim_ask_want want = { .gateway = any_g(w), .path = "text-to-image", .body = lp_span(SIM_PICTURE) };

	w->asked++;
	switch (below(w, 6)) {
	case 0:
	case 1:
		want.path = "llm";
		want.body = lp_span(one_in(w, 2) ? SIM_CHAT : SIM_CHAT_STREAM);
		break;
	case 2:
		if (w->s->gateway->node)
			sim_ask_form(w->s, "upscale", 1 + (size_t)below(w, 600000));
		return;
	case 3:
		want.path = "text-to-image?media=inline";
		break;
	case 4:
		want.body = lp_span(one_in(w, 2) ? "{\"prompt\":" : "{\"prompt\":\" \"}");
		break;
	case 5:
		break;
	}
	if (one_in(w, 4))
		want.pause = 1 + (int64_t)below(w, 100) * LP_MSEC;
	if (one_in(w, 12))
		want.read_most = 1 + (size_t)below(w, 5000);
	sim_ask_with(w->s, &want);
}

static void somebody_leaves(struct world *w)
{
	lp_list_each(&w->s->replies, r, struct sim_reply, link) {
		if (one_in(w, 3)) {
			sim_hang_up(r);
			return;
		}
	}
}

/* ---- a world ---- */

static void make(struct world *w)
{
	struct sim *s = w->s;

	s->sink.level = s->loud ? LP_DEBUG : LP_INFO;
	w->n_o = 1 + (int)below(w, ORCHESTRATORS);
	w->n_g = 1 + (int)below(w, GATEWAYS);
	for (int i = 0; i < w->n_o; i++) {
		char name[8] = { 'o', (char)('0' + i), 0 };

		w->o[i] = sim_orchestrator(s, name, .capacity = 1 + (int)below(w, 4));
		change_runner(w, w->o[i]);
	}
	for (int i = 0; i < w->n_g; i++) {
		char name[8] = { 'g', (char)('0' + i), 0 };
		const struct sim_node_want want = { .args = SIM_ARGS("-jobTimeout=90s", "-mediaTTL=2m") };

		w->g[i] = sim_gateway_with(s, name, &want);
	}
	if (one_in(w, 2))
		s->net->faults = (struct sim_faults){ .resets = (unsigned)below(w, 100000),
						      .reset_within = (int64_t)below(w, 3000000),
						      .refusals = (unsigned)below(w, 50000) };
}

static void live(struct world *w)
{
	for (int i = 0; i < 150; i++) {
		if (one_in(w, 2))
			somebody_asks(w);
		if (one_in(w, 4))
			something_happens(w);
		if (one_in(w, 6))
			somebody_leaves(w);
		sim_run_for(w->s, (int64_t)below(w, 2 * LP_SEC));
	}
}

static void heal_node(struct world *w, struct sim_node *n)
{
	n->host->latency = 500;
	n->host->bandwidth = 0;
	n->host->refuses = false;
	sim_host_silence(n->host, false);
	for (int i = 0; i < w->n_o; i++)
		sim_net_cut(w->s->net, n->host, w->o[i]->host, false);
	if (n->node && n->node->draining)
		sim_kill(n);
	if (!n->node)
		sim_start(n);
	if (n->filled)
		sim_unfill(n);
}

static void heal(struct world *w)
{
	w->s->net->faults = (struct sim_faults){ 0 };
	for (int i = 0; i < w->n_o; i++) {
		struct sim_runner *r = w->o[i]->runner;

		r->does = (struct sim_does){ 0 };
		r->health = "OK";
		r->deaf = r->busy_is_silent = false;
		r->host->latency = 500;
		r->host->bandwidth = 0;
		r->host->refuses = false;
		if (!r->scope)
			sim_runner_start(r);
		heal_node(w, w->o[i]);
	}
	for (int i = 0; i < w->n_g; i++)
		heal_node(w, w->g[i]);
	lp_list_each(&w->s->replies, r, struct sim_reply, link) {
		if (!r->done && r->read_most != SIZE_MAX)
			sim_hang_up(r);	/* who does not read is never done */
	}
}

/* Long after: every gateway gets every kind of answer at its first asking. */
static void all_is_well(struct world *w)
{
	sim_run_for(w->s, 6 * LP_MIN);
	for (int i = 0; i < w->n_g; i++) {
		const struct sim_ask_want asks[] = {
			{ .gateway = w->g[i], .path = "text-to-image", .body = lp_span(SIM_PICTURE) },
			{ .gateway = w->g[i], .path = "llm", .body = lp_span(SIM_CHAT) },
			{ .gateway = w->g[i], .path = "llm", .body = lp_span(SIM_CHAT_STREAM) },
		};

		for (size_t k = 0; k < sizeof(asks) / sizeof(*asks); k++) {
			struct sim_reply *r = sim_ask_with(w->s, &asks[k]);

			sim_run_until_quiet(w->s);
			if (r->status != 200)
				print_error("%s\n", lp_buf_text(&r->body));
			assert_int_equal(r->status, 200);
		}
	}
}

static uint64_t run_world(uint64_t seed)
{
	struct world w = { .s = sim_new(seed) };
	uint64_t fingerprint;

	make(&w);
	live(&w);
	heal(&w);
	sim_run_until_quiet(w.s);
	sim_books_balance(w.s);
	all_is_well(&w);
	sim_books_balance(w.s);
	fingerprint = sim_loop_fingerprint(w.s->loop);
	sim_end(w.s);
	return fingerprint;
}

/* ---- memory ---- */

/* Everything that happens, but that nobody is killed: one pair lives on. */
static void misbehave(struct world *w, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		if (one_in(w, 2))
			somebody_asks(w);
		if (one_in(w, 4))
			change_runner(w, w->o[0]);
		if (one_in(w, 8))
			change_host(w, w->o[0]->runner->host);
		if (one_in(w, 16))
			change_host(w, w->o[0]->host);
		if (one_in(w, 16))
			sim_host_break(one_in(w, 2) ? w->o[0]->host : w->g[0]->host);
		sim_run_for(w->s, LP_MSEC);	/* what broke has to end before its other end goes */
		if (one_in(w, 12) && w->o[0]->runner->scope)
			sim_runner_stop(w->o[0]->runner);
		else if (!w->o[0]->runner->scope && one_in(w, 3))
			sim_runner_start(w->o[0]->runner);
		if (one_in(w, 6))
			somebody_leaves(w);
		sim_run_for(w->s, (int64_t)below(w, 2 * LP_SEC));
	}
	heal(w);
	sim_run_until_quiet(w->s);
	sim_run_for(w->s, 6 * LP_MIN);
}

static void faults_without_end_leave_no_memory_behind(void **state)
{
	struct world w = { .s = sim_new(4242), .n_o = 1, .n_g = 1 };
	const struct sim_node_want want = { .args = SIM_ARGS("-jobTimeout=90s", "-mediaTTL=2m") };
	size_t o, g;

	(void)state;
	w.s->sink.level = LP_BROKEN;
	w.o[0] = sim_orchestrator(w.s, "o0", .capacity = 2);
	w.g[0] = sim_gateway_with(w.s, "g0", &want);
	misbehave(&w, 500);
	o = lp_scope_bytes(w.o[0]->scope);
	g = lp_scope_bytes(w.g[0]->scope);
	misbehave(&w, 3000);
	assert_true(w.asked > 1000);
	assert_in_range(lp_scope_bytes(w.o[0]->scope), 0, o + 4096);
	assert_in_range(lp_scope_bytes(w.g[0]->scope), 0, g + 4096);
	sim_end(w.s);
}

static void any_world_comes_to_rest_and_balances(void **state)
{
	const char *wanted = getenv("SIM_WORLDS");
	uint64_t worlds = sim_few() ? FEW_WORLDS : WORLDS;

	(void)state;
	if (wanted && !lp_span_u64(lp_span(wanted), &worlds))
		fail_msg("SIM_WORLDS is no number");
	if (getenv("SIM_SEED"))
		worlds = 1;
	for (uint64_t i = 0; i < worlds; i++)
		run_world(1000 + i);
}

static void the_same_seed_is_the_same_world(void **state)
{
	uint64_t once = run_world(77);

	(void)state;
	assert_true(run_world(77) == once);
	if (!getenv("SIM_SEED"))
		assert_false(run_world(78) == once);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(the_same_seed_is_the_same_world),
		sim_test(faults_without_end_leave_no_memory_behind),
		sim_test(any_world_comes_to_rest_and_balances),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
