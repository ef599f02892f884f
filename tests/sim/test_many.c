/* Many jobs: how many a second of real time, and that none of them leaves anything behind. */
#include <malloc.h>
#include <stdio.h>
#include <time.h>

#include "sim.h"

struct crowd {
	struct sim *s;
	const char *path, *body;
	int left, good, bad;
	int64_t longest;
};

static void next(struct crowd *c);

static void on_done(struct sim_reply *r, void *self)
{
	struct crowd *c = self;
	int64_t took = r->done_at - r->asked_at;

	c->good += r->status == 200;
	c->bad += r->status != 200;
	c->longest = took > c->longest ? took : c->longest;
	sim_hang_up(r);
	next(c);
}

static void next(struct crowd *c)
{
	if (c->left == 0)
		return;
	c->left--;
	struct sim_reply *r = sim_ask(c->s, c->path, c->body);
	r->on_done = on_done;
	r->self = c;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void run_crowd(struct crowd *c, int jobs, int at_once)
{
	double began = seconds();

	c->left = jobs;
	c->good = c->bad = 0;
	for (int i = 0; i < at_once; i++)
		next(c);
	sim_run_until_quiet(c->s);
	double took = seconds() - began;
	print_message("%s: %d jobs, %d at once: %.0f a second\n", c->path, jobs, at_once, (double)jobs / took);
}

/* Half of the slots that are asked for: most wait for their turn, nobody is turned away. */
static void ten_thousand_jobs_pass_and_leave_nothing(void **state)
{
	struct sim *s = sim_new(500);
	struct crowd c = { .s = s };
	struct sim_node *o[3], *g;
	size_t bytes;

	(void)state;
	s->sink.level = LP_UNUSUAL;
	o[0] = sim_orchestrator(s, "one", .capacity = 60);
	o[1] = sim_orchestrator(s, "two", .capacity = 60);
	o[2] = sim_orchestrator(s, "three", .capacity = 60);
	g = sim_gateway(s);
	for (int i = 0; i < 3; i++)
		o[i]->runner->does.delay = 100 * LP_MSEC;

	c.path = "llm";
	c.body = SIM_CHAT;
	run_crowd(&c, 5000, 150);
	assert_int_equal(c.good, 5000);
	c.body = SIM_CHAT_STREAM;
	run_crowd(&c, 2000, 150);
	assert_int_equal(c.good, 2000);
	c.path = "text-to-image";
	c.body = SIM_PICTURE;
	run_crowd(&c, 3000, 150);
	assert_int_equal(c.good, 3000);
	for (int i = 0; i < 3; i++)
		assert_in_range(o[i]->runner->most_jobs, 1, 60);
	/* Nothing was done twice. */
	assert_int_equal(o[0]->runner->started + o[1]->runner->started + o[2]->runner->started, 10000);
	sim_books_balance(s);

	/* What has been met is remembered by now: the same again takes not a byte. */
	bytes = lp_scope_bytes(g->scope);
	run_crowd(&c, 1000, 150);
	sim_books_balance(s);
	assert_int_equal(lp_scope_bytes(g->scope), bytes);
	sim_end(s);
}

/* Twice as many as there are slots, for longer than a job may wait: some are turned away, in words, and the
 * others are served as if nothing was. */
static void too_many_jobs_are_refused_and_the_others_served(void **state)
{
	struct sim *s = sim_new(501);
	struct crowd c = { .s = s, .path = "llm", .body = SIM_CHAT };
	struct sim_node *o;

	(void)state;
	s->sink.level = LP_UNUSUAL;
	o = sim_orchestrator(s, "orch", .capacity = 20);
	sim_gateway(s);
	o->runner->does.delay = LP_SEC;
	run_crowd(&c, 1000, 100);
	assert_int_equal(c.good + c.bad, 1000);
	assert_true(c.good > 300);
	assert_int_equal(o->runner->most_jobs, 20);
	assert_int_equal(o->runner->answered, c.good);
	assert_true(c.longest < 4 * LP_SEC);
	sim_books_balance(s);
	sim_end(s);
}

static void ask_for_made_up_models(struct sim *s, int from, int to)
{
	struct sim_reply *r[200];
	char json[80];

	for (int i = from; i < to; i += 200) {
		for (int k = 0; k < 200; k++) {
			snprintf(json, sizeof(json), "{\"prompt\":\"a\",\"model_id\":\"made-up-%d\"}", i + k);
			r[k] = sim_ask(s, "text-to-image", json);
		}
		sim_run_until_quiet(s);
		for (int k = 0; k < 200; k++) {
			assert_int_equal(r[k]->status, 503);
			sim_hang_up(r[k]);
		}
	}
}

/* A name that nobody offers is nothing to remember, at either node. */
static void a_hundred_thousand_made_up_models_leave_nothing(void **state)
{
	struct sim *s = sim_new(502);
	struct sim_node *o, *g;
	size_t gateway, orchestrator, heap;

	(void)state;
	s->sink.level = LP_UNUSUAL;
	o = sim_orchestrator(s, "orch");
	g = sim_gateway(s);
	sim_run_for(s, LP_MIN);
	ask_for_made_up_models(s, 0, 4000);
	gateway = lp_scope_bytes(g->scope);
	orchestrator = lp_scope_bytes(o->scope);
	heap = mallinfo2().uordblks;
	ask_for_made_up_models(s, 4000, 100000);
	assert_in_range(lp_scope_bytes(g->scope), 0, gateway + 1024);
	assert_in_range(lp_scope_bytes(o->scope), 0, orchestrator + 1024);
	assert_in_range(mallinfo2().uordblks, 0, heap + (256 << 10));
	sim_books_balance(s);
	sim_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(a_hundred_thousand_made_up_models_leave_nothing),
		sim_test(ten_thousand_jobs_pass_and_leave_nothing),
		sim_test(too_many_jobs_are_refused_and_the_others_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
