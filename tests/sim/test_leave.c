/* Whoever leaves, and in whatever state of a job: everything that was taken is given back. */
#include <stdio.h>
#include <string.h>

#include <lpd/pay/ledger_local.h>
#include <lpd/role/money.h>
#include <role/gateway_job.h>

#include "sim.h"
#include "sim_abort.h"
#include "sim_media.h"

extern const struct lp_machine lp_machine_orchestrator_job;

/* ---- jobs that take their time in one place or another ---- */

enum stage {
	PICTURE,		/* a runner that needs a second */
	SLOW_UPLOAD,		/* a form that comes slowly */
	SLOW_FETCH,		/* an orchestrator with a thin line */
	FULL,			/* everybody is full */
	STREAM,			/* events, one every 100 ms */
	INLINE,			/* a large picture in the answer, read slowly */
	CHAT,			/* a small answer */
	RECORDING,		/* whose length takes a second to find, at each node */
	VIDEO,			/* made of frames, in a second */
	PAYING,			/* a gateway that asks for terms of its own */
	OLD_GATEWAY,		/* one that wants data URLs of the orchestrator and reads slowly */
	STAGES
};

struct play {
	struct sim *s;
	struct sim_node *gateway, *o;
	struct sim_reply *r;
	const struct lp_machine *machine;
	int state;
};

static struct sim_reply *ask_inline(struct sim *s)
{
	return sim_ask_with(s, &(struct sim_ask_want){ .path = "text-to-image?media=inline",
						       .body = lp_span(SIM_PICTURE), .pause = 20 * LP_MSEC });
}

/* Sends the job to the orchestrator as the incumbent's old gateways did. */
static struct sim_reply *ask_as_old_gateway(struct play *p);

static void fund(struct play *p, const char *path)
{
	const struct lp_wei much = { { { 0, 1000, 0, 0 } } };
	struct lp_ledger *ledger;
	struct lp_err e;

	assert_int_equal(lp_ledger_open(p->s->scope, &ledger, path, &e), LP_OK);
	assert_int_equal(lp_ledger_fund(ledger, lp_account_address(p->gateway->node->money->account), much, much, &e),
			 LP_OK);
	sim_run_for(p->s, 10 * LP_SEC);
}

static void set_paying(struct play *p)
{
	struct sim *s = p->s;
	const char *ledger = lp_fmt(s->scope, "%s/ledger", s->dir);

	p->o = sim_orchestrator(s, "orch", .capacity = 2,
				.args = SIM_ARGS("-network", "local", "-ledger", ledger, "-pricePerUnit", "1000"));
	p->gateway = sim_gateway(s, .args = SIM_ARGS(SIM_MEDIA, "-network", "local", "-ledger", ledger,
						     "-discoveryInterval", "1s"));
	fund(p, ledger);
}

static void set_nodes(struct play *p, enum stage stage)
{
	struct sim *s = p->s;

	if (stage == PAYING) {
		set_paying(p);
		return;
	}
	p->o = stage == RECORDING || stage == VIDEO ? sim_clip_orchestrator(s, "orch")
						    : sim_orchestrator(s, "orch", .capacity = 2);
	p->gateway = sim_gateway(s, .args = SIM_ARGS(SIM_MEDIA));
}

static void set(struct play *p, enum stage stage, uint64_t seed)
{
	struct sim *s = p->s = sim_new(seed);

	sim_media(s)->does.delay = LP_SEC;
	set_nodes(p, stage);
	struct sim_does *does = &p->o->runner->does;

	switch (stage) {
	case PICTURE:
		does->delay = LP_SEC;
		break;
	case SLOW_UPLOAD:
		does->delay = 100 * LP_MSEC;
		sim_host_get(s->net, "app")->bandwidth = 200000;
		sim_host_get(s->net, "gateway")->bandwidth = 400000;
		p->r = sim_ask_form(s, "upscale", 100000);
		return;
	case SLOW_FETCH:
		does->picture = 300000;
		sim_host_get(s->net, "orch")->bandwidth = 300000;
		break;
	case FULL:
		sim_fill(p->o);
		break;
	case STREAM:
		does->each = 100 * LP_MSEC;
		does->delay = 100 * LP_MSEC;
		p->r = sim_ask(s, "llm", SIM_CHAT_STREAM);
		return;
	case INLINE:
		does->picture = 300000;
		p->r = ask_inline(s);
		return;
	case CHAT:
		p->r = sim_ask(s, "llm", SIM_CHAT);
		return;
	case RECORDING:
		p->r = sim_ask_recording(s, 100000);
		return;
	case VIDEO:
		p->r = sim_ask_video(s);
		return;
	case OLD_GATEWAY:
		does->picture = 400000;
		p->r = ask_as_old_gateway(p);
		return;
	case PAYING:
	case STAGES:
		break;
	}
	p->r = sim_ask(s, "text-to-image", SIM_PICTURE);
}

static bool is_there(void *self)
{
	const struct play *p = self;
	struct lp_task *t = sim_task(p->machine == &lp_gateway_machine ? p->gateway : p->o, p->machine);

	return t && t->state == p->state && t->sleeping;
}

/* ---- the app developer leaves while the job waits in that state ---- */

static bool leave_in(enum stage stage, const struct lp_machine *machine, int state)
{
	struct play p = { .machine = machine, .state = state };

	set(&p, stage, 1000 + (uint64_t)stage * 50 + (uint64_t)state);
	bool was = sim_run_until(p.s, is_there, &p, 30 * LP_SEC);
	if (was) {
		sim_run_for(p.s, (int64_t)lp_dice_below(p.s->dice, 50) * LP_MSEC);
		sim_hang_up(p.r);
		/* Soon nobody works on it any more: the runner has been told as well. */
		sim_run_for(p.s, 2 * LP_SEC);
		assert_int_equal(p.gateway->node->jobs, 0);
		assert_int_equal(p.o->node->jobs, 0);
		assert_int_equal(p.o->runner->jobs, 0);
		assert_int_equal(sim_slots_used(p.o), 0);
		sim_unfill(p.o);
	}
	sim_books_balance(p.s);
	sim_end(p.s);
	return was;
}

/* A state that names itself is one to wait in. */
static void leave_in_every_state(const struct lp_machine *machine)
{
	for (int state = 0; state < machine->n_states; state++) {
		bool waits = (machine->states[state].to & LP_TO(state)) != 0, was = false;

		if (!waits)
			continue;
		for (int stage = 0; stage < STAGES; stage++)
			was = leave_in((enum stage)stage, machine, state) || was;
		if (!was)
			fail_msg("no job ever waited in state %s of %s", machine->states[state].name, machine->name);
	}
}

static void the_client_leaves_in_every_state_of_a_gateway_job(void **state)
{
	(void)state;
	leave_in_every_state(&lp_gateway_machine);
}

static void the_client_leaves_in_every_state_of_an_orchestrator_job(void **state)
{
	(void)state;
	leave_in_every_state(&lp_machine_orchestrator_job);
}

/* ---- a deadline falls into every state, also those that take no time ---- */

static bool abort_in(enum stage stage, const struct lp_machine *machine, int state)
{
	struct play p = { 0 };

	sim_abort_in(machine, state, LP_DEADLINE);
	set(&p, stage, 3000 + (uint64_t)stage * 50 + (uint64_t)state);
	sim_run_until_quiet(p.s);
	bool was = sim_aborted() > 0;
	sim_unfill(p.o);
	sim_books_balance(p.s);
	sim_end(p.s);
	sim_abort_in(NULL, 0, LP_OK);
	return was;
}

static void abort_in_every_state(const struct lp_machine *machine)
{
	for (int state = 0; state < machine->n_states; state++) {
		bool was = false;

		if (!machine->states[state].step)
			continue;
		for (int stage = 0; stage < STAGES; stage++)
			was = abort_in((enum stage)stage, machine, state) || was;
		if (!was)
			fail_msg("no job ever was in state %s of %s", machine->states[state].name, machine->name);
	}
}

static void a_deadline_falls_into_every_state_of_a_gateway_job(void **state)
{
	(void)state;
	abort_in_every_state(&lp_gateway_machine);
}

static void a_deadline_falls_into_every_state_of_an_orchestrator_job(void **state)
{
	(void)state;
	abort_in_every_state(&lp_machine_orchestrator_job);
}

/* ---- somebody leaves, dies or is cut off at every moment ---- */

static void hang_up(struct play *p)
{
	if (!p->r->done)
		sim_hang_up(p->r);
	p->r = NULL;
}

static void kill_orchestrator(struct play *p)
{
	sim_kill(p->o);
}

static void kill_gateway(struct play *p)
{
	sim_kill(p->gateway);
}

static void kill_runner(struct play *p)
{
	sim_runner_stop(p->o->runner);
}

static void break_orchestrator(struct play *p)
{
	sim_host_break(p->o->host);
}

static void break_gateway(struct play *p)
{
	sim_host_break(p->gateway->host);
}

static const struct {
	const char *name;
	void (*strike)(struct play *p);
} strikes[] = {
	{ "the client leaves", hang_up },
	{ "the orchestrator dies", kill_orchestrator },
	{ "the gateway dies", kill_gateway },
	{ "the runner dies", kill_runner },
	{ "the orchestrator's connections break", break_orchestrator },
	{ "the gateway's connections break", break_gateway },
};

static void strike_at(enum stage stage, size_t which, int64_t time)
{
	struct play p = { 0 };

	set(&p, stage, 5000 + (uint64_t)time);
	sim_run_for(p.s, time);
	strikes[which].strike(&p);
	sim_run_for(p.s, LP_MIN);
	if (p.r)
		assert_true(p.r->done);		/* one way or the other, and soon */
	if (p.o->node)
		sim_unfill(p.o);
	sim_books_balance(p.s);
	sim_end(p.s);
}

static void strike_at_every_moment(size_t which)
{
	int64_t step = sim_few() ? 2900 : 700;

	for (int stage = 0; stage < STAGES; stage++) {
		/* Dense where the first packets travel, then ever wider, to over a second. */
		for (int64_t time = 0; time < 1500 * LP_MSEC; time += time < 12 * LP_MSEC ? step : time / 3)
			strike_at((enum stage)stage, which, time);
	}
}

static void the_client_leaves_at_any_moment(void **state)
{
	(void)state;
	strike_at_every_moment(0);
}

static void the_orchestrator_dies_at_any_moment(void **state)
{
	(void)state;
	strike_at_every_moment(1);
}

static void the_gateway_dies_at_any_moment(void **state)
{
	(void)state;
	strike_at_every_moment(2);
}

static void the_runner_dies_at_any_moment(void **state)
{
	(void)state;
	strike_at_every_moment(3);
}

static void connections_break_at_any_moment(void **state)
{
	(void)state;
	strike_at_every_moment(4);
	strike_at_every_moment(5);
}

/* ---- the old gateway ---- */

static struct sim_reply *ask_as_old_gateway(struct play *p)
{
	static const char picture[] = "{\"model_id\":\"stabilityai/sdxl-turbo\",\"prompt\":\"a fox\"}";

	return sim_ask_orchestrator(p->o, "text-to-image", picture,
				    &(struct sim_ask_want){ .pause = 10 * LP_MSEC });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_test(the_client_leaves_in_every_state_of_a_gateway_job),
		sim_test(the_client_leaves_in_every_state_of_an_orchestrator_job),
		sim_test(a_deadline_falls_into_every_state_of_a_gateway_job),
		sim_test(a_deadline_falls_into_every_state_of_an_orchestrator_job),
		sim_test(the_client_leaves_at_any_moment),
		sim_test(the_orchestrator_dies_at_any_moment),
		sim_test(the_gateway_dies_at_any_moment),
		sim_test(the_runner_dies_at_any_moment),
		sim_test(connections_break_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
