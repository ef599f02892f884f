#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lpd/base/assert.h>
#include <lpd/io/task.h>

#include "real_loop.h"

enum { BEGIN, WORK, SETTLE, REPLY, DONE };

/* A job whose steps do what the test says. */
struct job {
	struct real_loop *r;
	struct lp_task task;
	struct lp_buf walked;		/* first letters of the steps run */
	int says[DONE];			/* what the step of a state returns */
	int again[DONE];		/* so often it awaits itself before */
	bool wake_in_step;
	enum lp_code abort_in;		/* aborted inside WORK's step */
	enum lp_code abort_settling;	/* inside SETTLE's first step */
	int settled_times;
	bool done;
};

static int take(struct job *job, int state, const char *letter)
{
	lp_buf_add_text(&job->walked, letter);
	if (job->wake_in_step)
		lp_task_wake(&job->task);
	if (job->again[state] > 0) {
		job->again[state]--;
		return LP_AWAIT(state);
	}
	return job->says[state];
}

static int begin(void *self)
{
	return take(self, BEGIN, "b");
}

static int work(void *self)
{
	struct job *job = self;

	if (job->abort_in != LP_OK)
		lp_task_abort(&job->task, job->abort_in);
	return take(job, WORK, "w");
}

static int settle(void *self)
{
	struct job *job = self;

	job->settled_times++;
	if (job->settled_times == 1 && job->abort_settling != LP_OK)
		lp_task_abort(&job->task, job->abort_settling);
	int said = take(job, SETTLE, "s");
	return job->task.aborted != LP_OK && said >= 0 ? REPLY : said;
}

static int reply(void *self)
{
	return take(self, REPLY, "r");
}

static const struct lp_state states[] = {
	[BEGIN] = { "begin", begin, LP_TO(BEGIN) | LP_TO(WORK) },
	[WORK] = { "work", work, LP_TO(WORK) | LP_TO(SETTLE) },
	[SETTLE] = { "settle", settle, LP_TO(SETTLE) | LP_TO(WORK) | LP_TO(REPLY) },
	[REPLY] = { "reply", reply, LP_TO(REPLY) | LP_TO(DONE) },
	[DONE] = { "done", NULL, 0 },
};
static const struct lp_machine machine = { "test-job", states, DONE + 1, SETTLE };

static void on_done(void *self)
{
	struct job *job = self;

	job->done = true;
	lp_loop_stop(job->r->loop);
}

static struct job *job_new(struct real_loop *r)
{
	struct job *job = lp_new(r->scope, struct job);

	*job = (struct job){ .r = r, .says = { WORK, SETTLE, REPLY, DONE } };
	job->task.on_done = on_done;
	return job;
}

static void job_start(struct job *job)
{
	lp_task_start(&job->task, job->r->loop, &machine, job);
}

static void job_check(struct job *job, const char *walked)
{
	assert_string_equal(lp_buf_text(&job->walked), walked);
	lp_buf_clear(&job->walked);
}

static int setup(void **state)
{
	static struct real_loop r;

	real_loop_open(&r);
	*state = &r;
	return 0;
}

static int teardown(void **state)
{
	real_loop_close(*state);
	return 0;
}

static void a_task_walks_to_its_end_and_nothing_runs_inline(void **state)
{
	struct job *job = job_new(*state);

	job_start(job);
	assert_int_equal(job->walked.len, 0);
	real_loop_run(job->r);
	assert_true(job->done);
	assert_int_equal(job->task.aborted, LP_OK);
	job_check(job, "bwsr");
}

static void an_awaiting_task_sleeps_until_woken(void **state)
{
	struct job *job = job_new(*state);

	job->again[WORK] = 2;
	job_start(job);
	real_loop_run_for(job->r, 3 * LP_MSEC);
	assert_string_equal(lp_buf_text(&job->walked), "bw");
	lp_task_wake(&job->task);
	lp_task_wake(&job->task);
	assert_string_equal(lp_buf_text(&job->walked), "bw");
	real_loop_run_for(job->r, 3 * LP_MSEC);
	assert_string_equal(lp_buf_text(&job->walked), "bww");
	lp_task_wake(&job->task);
	real_loop_run(job->r);
	job_check(job, "bwwwsr");
	lp_task_wake(&job->task);	/* too late: nothing happens */
}

static void a_wake_inside_the_step_is_not_lost(void **state)
{
	struct job *job = job_new(*state);

	job->wake_in_step = true;
	job->again[WORK] = 3;
	job_start(job);
	real_loop_run(job->r);
	job_check(job, "bwwwwsr");
}

static void a_task_that_always_wakes_itself_lets_others_run(void **state)
{
	struct job *job = job_new(*state);

	job->wake_in_step = true;
	job->again[WORK] = 1 << 30;
	job_start(job);
	real_loop_run_for(job->r, 5 * LP_MSEC);
	lp_task_drop(&job->task);
	lp_buf_clear(&job->walked);
}

static void an_abort_leads_a_sleeper_to_on_abort(void **state)
{
	struct job *job = job_new(*state);

	job->again[WORK] = 1;
	job_start(job);
	real_loop_run_for(job->r, 2 * LP_MSEC);
	lp_task_abort(&job->task, LP_GONE);
	lp_task_abort(&job->task, LP_DEADLINE);
	real_loop_run(job->r);
	assert_int_equal(job->task.aborted, LP_GONE);
	job_check(job, "bwsr");
}

static void an_abort_before_the_first_step_skips_it(void **state)
{
	struct job *job = job_new(*state);

	job_start(job);
	lp_task_abort(&job->task, LP_DRAINING);
	real_loop_run(job->r);
	assert_int_equal(job->task.aborted, LP_DRAINING);
	job_check(job, "sr");
}

static void an_abort_inside_a_step_overrules_what_it_says(void **state)
{
	struct job *job = job_new(*state);

	job->abort_in = LP_TIMEOUT;
	job->says[WORK] = LP_AWAIT(SETTLE);	/* and would sleep there for ever */
	job_start(job);
	real_loop_run(job->r);
	assert_int_equal(job->task.aborted, LP_TIMEOUT);
	job_check(job, "bwsr");
}

static void an_abort_while_settling_changes_nothing(void **state)
{
	struct job *job = job_new(*state);

	job->abort_settling = LP_GONE;
	job->again[REPLY] = 1;
	job_start(job);
	real_loop_run_for(job->r, 2 * LP_MSEC);
	lp_task_abort(&job->task, LP_DEADLINE);
	real_loop_run_for(job->r, 2 * LP_MSEC);
	lp_task_wake(&job->task);
	real_loop_run(job->r);
	assert_int_equal(job->task.aborted, LP_OK);
	job_check(job, "bwsrr");
}

static int settle_back_once(void *self)
{
	struct job *job = self;
	int said = settle(self);

	return job->settled_times == 1 ? WORK : said;
}

static const struct lp_state retry_states[] = {
	[BEGIN] = { "begin", begin, LP_TO(BEGIN) | LP_TO(WORK) },
	[WORK] = { "work", work, LP_TO(WORK) | LP_TO(SETTLE) },
	[SETTLE] = { "settle", settle_back_once, LP_TO(SETTLE) | LP_TO(WORK) | LP_TO(REPLY) },
	[REPLY] = { "reply", reply, LP_TO(REPLY) | LP_TO(DONE) },
	[DONE] = { "done", NULL, 0 },
};
static const struct lp_machine retry_machine = { "retry-job", retry_states, DONE + 1, SETTLE };

static void a_second_try_can_be_aborted_again(void **state)
{
	struct job *job = job_new(*state);

	lp_task_start(&job->task, job->r->loop, &retry_machine, job);
	job->says[WORK] = LP_AWAIT(SETTLE);
	real_loop_run_for(job->r, 2 * LP_MSEC);
	lp_task_wake(&job->task);		/* settles, goes back to work, awaits to settle again */
	job->again[WORK] = 1;
	real_loop_run_for(job->r, 2 * LP_MSEC);
	assert_string_equal(lp_buf_text(&job->walked), "bwsw");
	lp_task_abort(&job->task, LP_GONE);
	real_loop_run(job->r);
	assert_int_equal(job->task.aborted, LP_GONE);
	job_check(job, "bwswsr");
}

static void an_abort_while_settling_counts_when_the_machine_goes_back(void **state)
{
	struct job *job = job_new(*state);

	job->abort_settling = LP_GONE;
	lp_task_start(&job->task, job->r->loop, &retry_machine, job);
	real_loop_run(job->r);
	assert_int_equal(job->task.aborted, LP_GONE);
	job_check(job, "bwssr");
}

static void a_deadline_aborts_and_can_be_taken_away(void **state)
{
	struct job *job = job_new(*state), *other = job_new(*state);

	job->again[WORK] = other->again[WORK] = 1;
	job_start(job);
	job_start(other);
	lp_task_deadline(&job->task, 5 * LP_MSEC, LP_DEADLINE);
	lp_task_deadline(&other->task, 5 * LP_MSEC, LP_DEADLINE);
	lp_task_deadline(&other->task, LP_NEVER, LP_DEADLINE);
	real_loop_run(job->r);
	assert_int_equal(job->task.aborted, LP_DEADLINE);
	real_loop_run_for(job->r, 10 * LP_MSEC);
	assert_false(other->done);
	job_check(job, "bwsr");
	lp_task_drop(&other->task);
	lp_buf_clear(&other->walked);
}

static void a_dropped_task_runs_no_more(void **state)
{
	struct job *job = job_new(*state);
	struct lp_task never = { .done = false };

	job_start(job);
	lp_task_deadline(&job->task, LP_MSEC, LP_DEADLINE);
	lp_task_drop(&job->task);
	lp_task_drop(&job->task);
	lp_task_drop(&never);
	real_loop_run_for(job->r, 5 * LP_MSEC);
	assert_false(job->done);
	assert_int_equal(job->walked.len, 0);
}

static void a_finished_task_may_start_again(void **state)
{
	struct job *job = job_new(*state);

	job_start(job);
	real_loop_run(job->r);
	job_start(job);
	real_loop_run(job->r);
	job_check(job, "bwsrbwsr");
}

static void the_trail_names_the_states_and_their_times(void **state)
{
	struct job *job = job_new(*state);
	struct lp_buf trail = { .len = 0 };

	job->again[WORK] = 2;
	job_start(job);
	real_loop_run_for(job->r, 15 * LP_MSEC);
	lp_task_wake(&job->task);
	real_loop_run_for(job->r, 15 * LP_MSEC);
	lp_task_trail(&job->task, &trail);
	assert_memory_equal(lp_buf_text(&trail), "begin 0ms > work ", 17);
	assert_int_equal(lp_task_age(&job->task) >= 30 * LP_MSEC, true);
	lp_task_wake(&job->task);
	real_loop_run(job->r);
	lp_buf_reset(&trail);
	lp_task_trail(&job->task, &trail);
	unsigned ms = 0;
	int end = 0;
	assert_int_equal(sscanf(lp_buf_text(&trail), "begin 0ms > work %ums > settle 0ms > reply 0ms > done%n", &ms,
				&end), 1);
	assert_int_equal(end, trail.len);
	assert_true(ms >= 30);
	lp_buf_clear(&trail);
	lp_buf_clear(&job->walked);
}

static int hop(void *self)
{
	struct job *job = self;

	return ++job->settled_times < 60 ? 1 - job->task.state : 2;
}

static void a_long_trail_keeps_its_end(void **state)
{
	static const struct lp_state hops[] = {
		{ "tick", hop, LP_TO(1) | LP_TO(2) },
		{ "tock", hop, LP_TO(0) | LP_TO(2) },
		{ "end", NULL, 0 },
	};
	static const struct lp_machine clockwork = { "clockwork", hops, 3, 2 };
	struct job *job = job_new(*state);
	struct lp_buf trail = { .len = 0 };

	lp_task_start(&job->task, job->r->loop, &clockwork, job);
	real_loop_run(job->r);
	lp_task_trail(&job->task, &trail);
	assert_memory_equal(lp_buf_text(&trail), "... > ", 6);
	assert_true(lp_span_ends(lp_buf_span(&trail), "tock 0ms > end"));
	int names = 0;
	for (size_t i = 0; i < trail.len; i++)
		names += trail.mem[trail.off + i] == '>';
	assert_int_equal(names, LP_TRAIL);
	lp_buf_clear(&trail);
}

static void state_times_are_counted(void **state)
{
	struct job *job = job_new(*state);
	struct lp_buf text = { .len = 0 };

	job->task.metrics = lp_metrics_open(job->r->scope);
	job_start(job);
	real_loop_run(job->r);
	lp_metrics_write(job->task.metrics, &text);
	const char *all = lp_buf_text(&text);
	assert_non_null(strstr(all, "lpd_job_state_seconds_count{machine=\"test-job\",state=\"work\"} 1"));
	assert_non_null(strstr(all, "lpd_job_state_seconds_count{machine=\"test-job\",state=\"reply\"} 1"));
	assert_null(strstr(all, "state=\"done\""));
	lp_buf_clear(&text);
	lp_buf_clear(&job->walked);
}

/* What a child process that fails prints on stderr. */
static void dies_saying(struct real_loop *r, int says, const char *want1, const char *want2)
{
	int fds[2];
	char said[4096];
	size_t len = 0;

	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		struct job *job = job_new(r), *other = job_new(r);
		other->again[BEGIN] = 1;
		lp_task_start(&other->task, r->loop, &retry_machine, other);
		job->says[WORK] = says;
		job_start(job);
		real_loop_run(r);
		_exit(0);
	}
	close(fds[1]);
	for (ssize_t n; len < sizeof(said) - 1 && (n = read(fds[0], said + len, sizeof(said) - 1 - len)) > 0;)
		len += (size_t)n;
	said[len] = '\0';
	close(fds[0]);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
	assert_non_null(strstr(said, want1));
	assert_non_null(strstr(said, want2));
}

static void an_illegal_transition_dies_and_tells_every_live_task(void **state)
{
	dies_saying(*state, REPLY, "test-job: state work may not lead to reply",
		    "task machine=test-job state=work");
	dies_saying(*state, 17, "test-job: state work may not lead to nowhere (17)",
		    "task machine=retry-job state=begin sleeping trail=\"begin\"");
	dies_saying(*state, LP_AWAIT(BEGIN), "state work may not lead to begin", "trail=\"begin 0ms > work\"");
}

static void a_machine_prints_as_a_table(void **state)
{
	struct lp_buf doc = { .len = 0 };

	(void)state;
	lp_machine_doc(&machine, &doc);
	assert_string_equal(lp_buf_text(&doc), "### test-job\n\n"
					       "An abort leads to `settle`.\n\n"
					       "| state | leads to |\n"
					       "|---|---|\n"
					       "| `begin` | `begin`, `work` |\n"
					       "| `work` | `work`, `settle` |\n"
					       "| `settle` | `work`, `settle`, `reply` |\n"
					       "| `reply` | `reply`, `done` |\n"
					       "| `done` | the end |\n");
	lp_buf_clear(&doc);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_task_walks_to_its_end_and_nothing_runs_inline),
		TEST(an_awaiting_task_sleeps_until_woken),
		TEST(a_wake_inside_the_step_is_not_lost),
		TEST(a_task_that_always_wakes_itself_lets_others_run),
		TEST(an_abort_leads_a_sleeper_to_on_abort),
		TEST(an_abort_before_the_first_step_skips_it),
		TEST(an_abort_inside_a_step_overrules_what_it_says),
		TEST(an_abort_while_settling_changes_nothing),
		TEST(a_second_try_can_be_aborted_again),
		TEST(an_abort_while_settling_counts_when_the_machine_goes_back),
		TEST(a_deadline_aborts_and_can_be_taken_away),
		TEST(a_dropped_task_runs_no_more),
		TEST(a_finished_task_may_start_again),
		TEST(the_trail_names_the_states_and_their_times),
		TEST(a_long_trail_keeps_its_end),
		TEST(state_times_are_counted),
		TEST(an_illegal_transition_dies_and_tells_every_live_task),
		TEST(a_machine_prints_as_a_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
