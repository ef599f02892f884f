/* The world: made from a seed, run in virtual time, and told about when a test fails. */
#include "sim.h"
#include "sim_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <fault_vfs.h>
#include <temp_dir.h>

#include <lpd/base/assert.h>

#define LOG_KEPT (24 * 1024)
#define QUIET_AFTER (2 * LP_HOUR)

/* The simulation of the running test: cmocka's failures jump out of it. */
static struct sim *live;

/* ---- the log ---- */

static void write_line(void *self, const char *line, size_t len)
{
	struct sim *s = self;

	if (s->loud)
		fwrite(line, 1, len, stderr);
	lp_buf_add(&s->log, line, len);
	if (s->log.len > 2 * LOG_KEPT)
		lp_buf_eat(&s->log, s->log.len - LOG_KEPT);
}

static int64_t wall_clock(void *self)
{
	struct sim *s = self;

	return lp_wall(s->loop);
}

static void tell(void *self, int fd)
{
	struct sim *s = self;

	dprintf(fd, "---- the last lines of the nodes:\n%s----\nseed %llu, t=%.6f s; again: SIM_SEED=%llu\n",
		lp_buf_text(&s->log), (unsigned long long)s->seed,
		(double)(sim_now(s) - 1000 * LP_SEC) / (double)LP_SEC, (unsigned long long)s->seed);
}

/* ---- beginning and end ---- */

static uint64_t choose_seed(uint64_t given)
{
	const char *wanted = getenv("SIM_SEED");
	uint64_t seed;

	return wanted && lp_span_u64(lp_span(wanted), &seed) ? seed : given;
}

/* The nodes' stores are on a disk that can fail, and that nobody has to wait for. */
static void open_disk(void)
{
	sim_disk_room(-1);
	fault_vfs_open();
	fault_vfs_for_all();
}

static void close_disk(const struct sim *s)
{
	struct temp_dir dir;

	fault_vfs_close();
	snprintf(dir.path, sizeof(dir.path), "%s", s->dir);
	temp_dir_remove(&dir);
}

static void open_app(struct sim *s)
{
	const struct lp_client_want want = { .tls = lp_tls_client_open(s->scope), .connections_per_peer = 20000 };

	s->app_scope = lp_scope_open(s->scope, "app");
	sim_net_enter(s->net, sim_host_get(s->net, "app"));
	s->app = lp_client_open(s->app_scope, s->loop, &want);
}

struct sim *sim_new(uint64_t seed)
{
	struct lp_scope *scope = lp_scope_open(NULL, "simulation");
	struct sim *s = lp_new(scope, struct sim);
	struct temp_dir dir;

	assert_null(live);
	live = s;
	s->scope = scope;
	s->seed = choose_seed(seed);
	s->loud = getenv("SIM_LOG") != NULL;
	s->sink = (struct lp_log_sink){ LP_DEBUG, write_line, wall_clock, s, false };
	/* In memory where there is such a place: a run opens thousands of stores. */
	snprintf(dir.path, sizeof(dir.path), "%s/lpd-sim-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(dir.path));
	snprintf(s->dir, sizeof(s->dir), "%s", dir.path);
	s->loop = lp_loop_open(scope);
	s->net = sim_loop_net(s->loop);
	s->dice = sim_loop_dice(s->loop);
	sim_loop_seed(s->loop, s->seed);
	lp_list_init(&s->nodes);
	lp_list_init(&s->runners);
	lp_list_init(&s->replies);
	open_disk();
	s->witness = (struct lp_witness){ .tell = tell, .self = s };
	lp_witness_add(&s->witness);
	open_app(s);
	return s;
}

void sim_end(struct sim *s)
{
	struct lp_scope *scope = s->scope;

	live = NULL;
	lp_witness_remove(&s->witness);
	lp_scope_close(&s->app_scope);
	lp_list_each(&s->nodes, n, struct sim_node, link)
		lp_scope_close(&n->scope);
	lp_list_each(&s->runners, r, struct sim_runner, link)
		sim_runner_stop(r);
	close_disk(s);
	lp_buf_clear(&s->log);
	lp_scope_close(&scope);
}

/* The test jumped out somewhere: its world is still standing, and is told about before it is left behind. */
int sim_after(void **state)
{
	struct sim *s = live;

	(void)state;
	if (!s)
		return 0;
	live = NULL;
	tell(s, STDERR_FILENO);
	lp_witness_remove(&s->witness);
	close_disk(s);
	return 0;
}

bool sim_few(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
	return true;
#endif
#endif
	return getenv("SIM_FEW") != NULL;
}

/* ---- running ---- */

int64_t sim_now(const struct sim *s)
{
	return lp_mono(s->loop);
}

/* A node that has drained stops "its" loop, which is everybody's here. */
static void look_for_drained(struct sim *s)
{
	if (!sim_loop_stopped(s->loop))
		return;
	lp_list_each(&s->nodes, n, struct sim_node, link) {
		if (n->node && n->node->draining && !lp_timer_is_set(&n->node->drain_timer))
			n->drained = true;
	}
}

static bool turn(struct sim *s, int64_t until)
{
	bool more = sim_loop_turn(s->loop, until);

	look_for_drained(s);
	return more;
}

void sim_run_for(struct sim *s, int64_t time)
{
	int64_t until = sim_now(s) + time;

	while (turn(s, until))
		;
}

bool sim_run_until(struct sim *s, bool (*holds)(void *self), void *self, int64_t time)
{
	int64_t until = sim_now(s) + time;

	while (!holds(self)) {
		if (!turn(s, until))
			return holds(self);
	}
	return true;
}

static bool is_quiet(void *self)
{
	const struct sim *s = self;

	if (s->waiting)
		return false;
	lp_list_each(&s->nodes, n, struct sim_node, link) {
		if (n->node && n->node->jobs)
			return false;
	}
	return true;
}

void sim_run_until_quiet(struct sim *s)
{
	if (!sim_run_until(s, is_quiet, s, QUIET_AFTER)) {
		fprintf(stderr, "%d replies are still waited for\n", s->waiting);
		fail_msg("the simulation does not come to rest");
	}
	sim_run_for(s, 10 * LP_MSEC);
}
