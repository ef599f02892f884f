/* Conservation: after any scenario everything that was taken has been given back. */
#include <stdio.h>
#include <string.h>

#include <io/timer_priv.h>
#include <role/gateway_job.h>
#include <role/orchestrator_priv.h>

#include "sim.h"

#define SLACK (24 * 1024)	/* bytes of caches that grow with what was met */

static void wrong(const struct sim_node *n, const char *what, long long is)
{
	fprintf(stderr, "%s: %s: %lld\n", n->name, what, is);
	fail_msg("the books do not balance");
}

static void check_gateway(const struct sim_node *n)
{
	const struct lp_gateway *gw = n->node->gateway;
	struct lp_roster_count c;

	lp_roster_count(gw->roster, &c, sim_now(n->s));
	if (c.in_flight)
		wrong(n, "jobs in flight at orchestrators", c.in_flight);
	if (gw->n_jobs || !lp_list_empty(&gw->jobs))
		wrong(n, "jobs of the gateway", gw->n_jobs);
	if (!lp_list_empty(&gw->waiting))
		wrong(n, "jobs that wait for an orchestrator", 1);
	if (sim_metric(n, LP_M_JOBS_ACTIVE, LP_LABELS("gateway")))
		wrong(n, "lpd_jobs_active", sim_metric(n, LP_M_JOBS_ACTIVE, LP_LABELS("gateway")));
}

static void check_orchestrator(const struct sim_node *n)
{
	if (sim_slots_used(n))
		wrong(n, "slots in use", sim_slots_used(n));
	if (n->node->orchestrator->jobs)
		wrong(n, "jobs of the orchestrator", n->node->orchestrator->jobs);
	if (sim_metric(n, LP_M_JOBS_ACTIVE, LP_LABELS("orchestrator")))
		wrong(n, "lpd_jobs_active", sim_metric(n, LP_M_JOBS_ACTIVE, LP_LABELS("orchestrator")));
}

static void check_node(const struct sim_node *n)
{
	const struct lp_spool_budget *media = lp_media_budget(n->node->media);
	size_t bytes = lp_scope_bytes(n->scope);

	if (n->node->jobs)
		wrong(n, "jobs", n->node->jobs);
	if (n->node->gateway)
		check_gateway(n);
	if (n->node->orchestrator)
		check_orchestrator(n);
	if (media->used || media->used_memory)
		wrong(n, "bytes of media long after their time", media->used);
	if (bytes > n->idle + SLACK)
		wrong(n, "bytes in scopes more than when it was idle", (long long)(bytes - n->idle));
}

/* What may be alive when nothing is going on. */
static void check_tasks(struct sim *s)
{
	struct lp_timers *timers = lp_loop_timers(s->loop);

	lp_list_each(&timers->tasks, t, struct lp_task, live) {
		if (strcmp(t->machine->name, "runner-watch") == 0)
			continue;
		fprintf(stderr, "a task %s lives on in state %s\n", t->machine->name,
			t->machine->states[t->state].name);
		fail_msg("the books do not balance");
	}
}

static bool no_streams(void *self)
{
	const struct sim *s = self;

	return s->net->n_streams == 0;
}

static void tell_streams(struct sim *s)
{
	lp_list_each(&s->net->conns, conn, struct sim_conn, link) {
		lp_list_each(&conn->streams, stream, struct sim_stream, link)
			fprintf(stderr, "a request from %s to %s is still under way:%s%s%s%s%s\n", conn->peer,
				conn->to->name, stream->call ? " call" : "", stream->ex ? " exchange" : "",
				stream->ex_open ? " its scope" : "", lp_list_empty(&stream->up.flight) ? "" : " up",
				lp_list_empty(&stream->down.flight) ? "" : " down");
	}
}

void sim_books_balance(struct sim *s)
{
	sim_run_until_quiet(s);
	sim_run_for(s, 12 * LP_MIN);	/* media are kept for ten */
	if (!sim_run_until(s, no_streams, s, 30 * LP_SEC)) {
		tell_streams(s);
		fail_msg("the books do not balance");
	}
	check_tasks(s);
	lp_list_each(&s->nodes, n, struct sim_node, link) {
		if (n->node)
			check_node(n);
	}
}
