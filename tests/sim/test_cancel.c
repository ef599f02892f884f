/* Asynchronous jobs that their client cancels, wherever they are; and who is blamed for jobs that came to nothing. */
#include <stdio.h>
#include <string.h>

#include <role/gateway_job.h>

#include "sim.h"

extern const struct lp_machine lp_machine_orchestrator_job;

#define CAPABILITY 27		/* text-to-image */

/* ---- DELETE /jobs/ID ---- */

enum stage {
	RUNNING,		/* a runner that needs 5 s */
	FETCHING,		/* an orchestrator with a thin line */
	WAITING,		/* everybody is full */
	STAGES
};

struct play {
	struct sim *s;
	struct sim_node *gateway, *o;
	const struct lp_machine *machine;
	int state;
};

static struct sim_reply *begin(struct sim *s)
{
	static const struct lp_header later = { .name = LP_SPAN("prefer"), .value = LP_SPAN("respond-async") };

	return sim_ask_with(s, &(struct sim_ask_want){ .path = "text-to-image", .body = lp_span(SIM_PICTURE),
						       .headers = &later, .n_headers = 1 });
}

static struct sim_reply *begin_in(struct play *p, enum stage stage, uint64_t seed)
{
	p->s = sim_new(seed);
	p->o = sim_orchestrator(p->s, "orch", .capacity = 2);
	p->gateway = sim_gateway(p->s, .args = SIM_ARGS("-aiProcessingRetryTimeout", "30s", "-jobsTTL", "1m"));
	switch (stage) {
	case RUNNING:
		p->o->runner->does.delay = 5 * LP_SEC;
		break;
	case FETCHING:
		p->o->runner->does.picture = 300000;
		sim_host_get(p->s->net, "orch")->bandwidth = 300000;
		break;
	case WAITING:
		sim_fill(p->o);
		break;
	case STAGES:
		break;
	}
	return begin(p->s);
}

static bool is_there(void *self)
{
	const struct play *p = self;
	struct lp_task *t = sim_task(p->machine == &lp_gateway_machine ? p->gateway : p->o, p->machine);

	return t && t->state == p->state && t->sleeping;
}

static bool is_answered(void *self)
{
	const struct sim_reply *r = self;

	return r->done;
}

static struct sim_reply *ask_page(struct sim *s, const char *method, const char *path)
{
	struct sim_reply *r = sim_ask_with(s, &(struct sim_ask_want){ .path = path, .method = method });

	assert_true(sim_run_until(s, is_answered, r, 5 * LP_SEC));
	return r;
}

static bool has(const struct sim_reply *r, const char *words)
{
	return lp_span_find(lp_buf_span(&r->body), lp_span(words)) >= 0;
}

static bool cancel_in(enum stage stage, const struct lp_machine *machine, int state)
{
	struct play p = { .machine = machine, .state = state };
	struct sim_reply *r = begin_in(&p, stage, 9000 + (uint64_t)stage * 50 + (uint64_t)state);

	/* The 202 as well: it comes before the client can know what to cancel. */
	bool was = sim_run_until(p.s, is_answered, r, 5 * LP_SEC) && sim_run_until(p.s, is_there, &p, 5 * LP_SEC);
	if (was) {
		assert_int_equal(r->status, 202);
		struct lp_span where = sim_header(r, "location");
		const char *path = lp_strdup(p.s->scope, lp_span_skip(where, 1));

		assert_int_equal(ask_page(p.s, "DELETE", path)->status, 204);
		sim_run_for(p.s, LP_SEC);
		assert_int_equal(p.gateway->node->jobs, 0);
		assert_int_equal(p.o->node->jobs, 0);
		assert_int_equal(p.o->runner->jobs, 0);
		assert_int_equal(sim_slots_used(p.o), 0);
		assert_true(has(ask_page(p.s, "GET", path), "\"status\":\"cancelled\""));
	}
	if (stage == WAITING)
		sim_unfill(p.o);
	sim_run_until_quiet(p.s);
	sim_books_balance(p.s);
	sim_end(p.s);
	return was;
}

/* States that an asynchronous job waits in, once its client has been answered. */
static void an_asynchronous_job_is_cancelled_wherever_it_is(void **state)
{
	static const char *const gateway[] = { "select", "relay", "fetch" }, *const orchestrator[] = { "run" };
	int was = 0;

	(void)state;
	for (int stage = 0; stage < STAGES; stage++) {
		for (int i = 0; i < lp_gateway_machine.n_states; i++)
			for (size_t k = 0; k < 3; k++)
				if (strcmp(lp_gateway_machine.states[i].name, gateway[k]) == 0)
					was |= cancel_in((enum stage)stage, &lp_gateway_machine, i) << k;
		for (int i = 0; i < lp_machine_orchestrator_job.n_states; i++)
			if (strcmp(lp_machine_orchestrator_job.states[i].name, orchestrator[0]) == 0)
				was |= cancel_in((enum stage)stage, &lp_machine_orchestrator_job, i) << 3;
	}
	assert_int_equal(was, 15);	/* each of the four was met */
}

static void a_client_that_leaves_after_its_202_cancels_nothing(void **state)
{
	struct play p = { 0 };
	struct sim_reply *r = begin_in(&p, RUNNING, 9500);

	(void)state;
	assert_true(sim_run_until(p.s, is_answered, r, LP_SEC));
	const char *path = lp_strdup(p.s->scope, lp_span_skip(sim_header(r, "location"), 1));

	sim_hang_up(r);
	sim_host_break(sim_host_get(p.s->net, "app"));
	sim_run_until_quiet(p.s);
	sim_run_for(p.s, 6 * LP_SEC);
	assert_true(has(ask_page(p.s, "GET", path), "\"status\":\"complete\""));
	assert_int_equal(p.o->runner->gone, 0);
	sim_books_balance(p.s);
	sim_end(p.s);
}

/* ---- who is blamed ---- */

static int failures(struct sim_node *gateway)
{
	const struct lp_roster *roster = gateway->node->gateway->roster;
	int64_t now = lp_mono(gateway->node->loop);
	struct lp_orch_offer offer;
	struct lp_orch *orch;
	size_t at = 0;

	assert_true(lp_roster_next(roster, &at, &orch));
	lp_orch_offer(orch, &offer, CAPABILITY, LP_SPAN("stabilityai/sdxl-turbo"), now);
	assert_true(offer.failures || strcmp(lp_orch_state(orch, now), "ready") == 0);
	return offer.failures + offer.suspended + offer.busy;
}

static void nobody_is_blamed(struct sim_node *gateway)
{
	assert_int_equal(failures(gateway), 0);
}

static void clients_that_leave_are_nobodys_fault(void **state)
{
	struct sim *s = sim_new(90);
	struct sim_node *o = sim_orchestrator(s, "orch", .capacity = 5);
	struct sim_node *g = sim_gateway(s);

	(void)state;
	o->runner->does.delay = LP_SEC;
	for (int i = 0; i < 60; i++) {
		struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);

		sim_run_for(s, (int64_t)lp_dice_below(s->dice, 990) * LP_MSEC);
		assert_false(r->done);
		sim_hang_up(r);
		sim_run_for(s, 5 * LP_MSEC);
		nobody_is_blamed(g);
	}
	sim_run_until_quiet(s);
	assert_int_equal(sim_jobs(g, LP_GONE), 60);
	sim_books_balance(s);
	sim_end(s);
}

static void a_clients_bad_input_is_its_own_fault_wherever_it_is_found(void **state)
{
	static const int statuses[] = { 400, 422 };
	struct sim *s = sim_new(91);
	struct sim_node *o = sim_orchestrator(s, "orch");
	struct sim_node *g = sim_gateway(s);

	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {	/* by the runner */
		o->runner->does = (struct sim_does){ .status = statuses[i], .body = "{\"detail\":{\"msg\":\"no\"}}" };
		for (int k = 0; k < 5; k++) {
			struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);

			sim_run_until_quiet(s);
			assert_in_range(r->status, 400, 422);
			nobody_is_blamed(g);
		}
	}
	sim_ask(s, "text-to-image", "{\"prompt\":7}");				/* by the gateway */
	sim_run_until_quiet(s);
	nobody_is_blamed(g);
	o->runner->does = (struct sim_does){ .status = 500, .body = "{}" };	/* what is its fault is seen here */
	sim_ask(s, "text-to-image", SIM_PICTURE);
	sim_run_until_quiet(s);
	assert_true(failures(g) > 0);
	sim_books_balance(s);
	sim_end(s);
}

static void a_fault_of_the_gateways_own_is_nobody_elses(void **state)
{
	struct sim *s = sim_new(92);
	struct sim_node *o = sim_orchestrator(s, "orch");
	struct sim_node *g = sim_gateway(s, .args = SIM_ARGS("-mediaBudget", "1MiB"));
	int refused = 0;

	(void)state;
	o->runner->does.picture = 400000;
	for (int i = 0; i < 6; i++) {
		struct sim_reply *r = sim_ask(s, "text-to-image", SIM_PICTURE);

		sim_run_until_quiet(s);
		refused += r->status == 507;
		nobody_is_blamed(g);
	}
	assert_true(refused >= 3);
	sim_books_balance(s);
	sim_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(an_asynchronous_job_is_cancelled_wherever_it_is),
		sim_test(a_client_that_leaves_after_its_202_cancels_nothing),
		sim_test(clients_that_leave_are_nobodys_fault),
		sim_test(a_clients_bad_input_is_its_own_fault_wherever_it_is_found),
		sim_test(a_fault_of_the_gateways_own_is_nobody_elses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
