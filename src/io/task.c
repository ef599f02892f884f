/* The driver of state machines: run steps until one awaits, keep the trail, lead aborts to their state. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <lpd/base/assert.h>
#include <lpd/io/task.h>

#include "timer_priv.h"

/* Steps that a task takes in a row before others get their turn. */
#define STEPS 32

/* How many live tasks a crash report lists. */
#define TOLD 200

static const struct lp_state *state_of(const struct lp_task *t)
{
	return &t->machine->states[t->state];
}

static void leave_trail(struct lp_task *t)
{
	t->trail[t->trailed % LP_TRAIL].state = (int8_t)t->state;
	t->trail[t->trailed % LP_TRAIL].at = t->entered;
	t->trailed++;
}

static void count_time(struct lp_task *t, int64_t now)
{
	if (t->metrics)
		lp_metric_time(t->metrics, LP_M_STATE_SECONDS, LP_LABELS(t->machine->name, state_of(t)->name),
			       now - t->entered);
}

/* Staying in a state is not entering it: a relay that was woken a thousand times is one line of the trail. */
static void enter(struct lp_task *t, int state)
{
	if (state == t->state)
		return;
	int64_t now = lp_mono(t->loop);
	count_time(t, now);
	t->state = state;
	t->entered = now;
	if (state == t->machine->on_abort)
		t->settled = true;
	leave_trail(t);
}

static void take_out(struct lp_task *t)
{
	lp_timer_clear(&t->deadline);
	lp_unready(&t->ready);
	lp_link_out(&t->live);
	t->done = true;
}

static void finish(struct lp_task *t)
{
	take_out(t);
	if (t->on_done)
		t->on_done(t->self);	/* t may be gone now */
}

/* An abort leads to on_abort, whatever the step said; and so does one that came while settled, once the
 * machine wants to go back to before it settled.  True: *state was changed so, and does not wait. */
static bool redirect(struct lp_task *t, int *state)
{
	if (t->settled && *state < t->machine->on_abort) {
		t->settled = false;
		if (t->late != LP_OK && t->aborted == LP_OK) {
			t->aborted = t->late;
			t->aborting = true;
		}
	}
	if (!t->aborting)
		return false;
	t->aborting = false;
	t->settled = true;
	*state = t->machine->on_abort;
	return true;
}

static void check_move(const struct lp_task *t, int state)
{
	bool known = state >= 0 && state < t->machine->n_states;

	if (known && (state_of(t)->to & LP_TO(state)))
		return;
	fprintf(stderr, "%s: state %s may not lead to %s (%d)\n", t->machine->name, state_of(t)->name,
		known ? t->machine->states[state].name : "nowhere", state);
	lp_assert(known && (state_of(t)->to & LP_TO(state)));
}

/* One step.  False: the task sleeps. */
static bool take_step(struct lp_task *t)
{
	t->woken = false;
	t->in_step = true;
	int said = state_of(t)->step(t->self);
	t->in_step = false;
	int to = said < 0 ? -1 - said : said;
	check_move(t, to);
	bool led = redirect(t, &to);
	enter(t, to);
	return said >= 0 || t->woken || led;
}

static void run(void *self)
{
	struct lp_task *t = self;

	t->sleeping = false;
	int to = t->state;
	if (redirect(t, &to))
		enter(t, to);
	for (int i = 0; i < STEPS; i++) {
		if (!state_of(t)->step) {
			finish(t);
			return;
		}
		if (!take_step(t)) {
			t->sleeping = true;
			return;
		}
	}
	lp_ready(t->loop, &t->ready);
}

static void on_deadline(void *self)
{
	struct lp_task *t = self;

	lp_task_abort(t, t->deadline_code);
}

static void tell_all(void *self, int fd);

static void join_live(struct lp_task *t)
{
	struct lp_timers *timers = lp_loop_timers(t->loop);

	if (!timers->told) {
		timers->told = true;
		timers->witness.tell = tell_all;
		timers->witness.self = timers;
		lp_witness_add(&timers->witness);
	}
	lp_list_add(&timers->tasks, &t->live);
}

void lp_task_start(struct lp_task *t, struct lp_loop *loop, const struct lp_machine *m, void *self)
{
	lp_assert(m->n_states > 0 && m->n_states <= 32 && m->on_abort >= 0 && m->on_abort < m->n_states);
	lp_assert(!lp_link_in(&t->live));
	t->machine = m;
	t->loop = loop;
	t->self = self;
	t->state = 0;
	t->aborted = t->late = t->deadline_code = LP_OK;
	t->woken = t->sleeping = t->aborting = t->in_step = t->done = false;
	t->settled = m->on_abort == 0;
	t->ready = (struct lp_ready){ .run = run, .self = t };
	t->deadline = (struct lp_timer){ .fire = on_deadline, .self = t };
	t->started = t->entered = lp_mono(loop);
	t->trailed = 0;
	leave_trail(t);
	join_live(t);
	lp_ready(loop, &t->ready);
}

void lp_task_wake(struct lp_task *t)
{
	if (t->done || !t->machine)
		return;
	t->woken = true;
	if (t->sleeping)
		lp_ready(t->loop, &t->ready);
}

void lp_task_abort(struct lp_task *t, enum lp_code why)
{
	lp_assert(why != LP_OK);
	if (t->done || !t->machine || t->aborted != LP_OK)
		return;
	if (t->settled) {
		if (t->late == LP_OK)
			t->late = why;
		return;
	}
	t->aborted = why;
	t->aborting = true;
	if (t->sleeping)
		lp_ready(t->loop, &t->ready);
}

void lp_task_deadline(struct lp_task *t, int64_t after, enum lp_code why)
{
	if (t->done)
		return;
	t->deadline_code = why;
	lp_timer_set(&t->deadline, t->loop, after);
}

void lp_task_drop(struct lp_task *t)
{
	if (!t->machine || t->done)
		return;
	lp_assert(!t->in_step);
	take_out(t);
}

int64_t lp_task_age(const struct lp_task *t)
{
	return lp_mono(t->loop) - t->started;
}

/* The i-th entry still in the ring counted from the oldest; false behind the newest. */
static bool trail_entry(const struct lp_task *t, unsigned i, const char **name, int64_t *entered)
{
	unsigned first = t->trailed > LP_TRAIL ? t->trailed - LP_TRAIL : 0;

	if (first + i >= t->trailed)
		return false;
	int state = t->trail[(first + i) % LP_TRAIL].state;
	*name = t->machine->states[state].name;
	*entered = t->trail[(first + i) % LP_TRAIL].at;
	return true;
}

void lp_task_trail(const struct lp_task *t, struct lp_buf *to)
{
	const char *name, *next;
	int64_t at, left;

	if (t->trailed > LP_TRAIL)
		lp_buf_add_text(to, "... > ");
	for (unsigned i = 0; trail_entry(t, i, &name, &at); i++) {
		bool last = !trail_entry(t, i + 1, &next, &left);

		lp_buf_add_text(to, i ? " > " : "");
		lp_buf_add_text(to, name);
		if (last && t->done)
			break;		/* the end takes no time */
		if (last)
			left = lp_mono(t->loop);
		lp_buf_add_char(to, ' ');
		lp_buf_add_u64(to, (uint64_t)((left - at) / LP_MSEC));
		lp_buf_add_text(to, "ms");
	}
}

/* What fits of a line, put together without malloc or stdio: a signal handler may be writing it. */
struct line {
	char text[600];
	size_t len;
};

static void say(struct line *line, const char *text)
{
	size_t n = strlen(text);
	size_t room = sizeof(line->text) - 1 - line->len;	/* one is kept for the newline */

	memcpy(line->text + line->len, text, n < room ? n : room);
	line->len += n < room ? n : room;
}

static void say_number(struct line *line, int64_t n)
{
	char digits[24];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	uint64_t rest = n < 0 ? 0 : (uint64_t)n;
	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	say(line, digits + at);
}

static void tell_one(const struct lp_task *t, int fd)
{
	struct line line = { .len = 0 };
	const char *name, *next;
	int64_t at, left;

	say(&line, "task machine=");
	say(&line, t->machine->name);
	say(&line, " state=");
	say(&line, state_of(t)->name);
	if (t->aborted != LP_OK) {
		say(&line, " aborted=");
		say(&line, lp_code_name(t->aborted));
	}
	say(&line, t->in_step ? " running trail=\"" : t->sleeping ? " sleeping trail=\"" : " ready trail=\"");
	for (unsigned i = 0; trail_entry(t, i, &name, &at); i++) {
		say(&line, i ? " > " : "");
		say(&line, name);
		if (!trail_entry(t, i + 1, &next, &left))
			break;
		say(&line, " ");
		say_number(&line, (left - at) / LP_MSEC);
		say(&line, "ms");
	}
	say(&line, "\"");
	line.text[line.len++] = '\n';
	ssize_t written = write(fd, line.text, line.len);
	(void)written;		/* nobody is left to hear of a failure */
}

static void tell_all(void *self, int fd)
{
	struct lp_timers *timers = self;
	int n = 0;

	lp_list_each(&timers->tasks, t, struct lp_task, live) {
		if (n++ < TOLD)
			tell_one(t, fd);
	}
}

void lp_machine_doc(const struct lp_machine *m, struct lp_buf *to)
{
	lp_buf_fmt(to, "### %s\n\nAn abort leads to `%s`.\n\n| state | leads to |\n|---|---|\n", m->name,
		   m->states[m->on_abort].name);
	for (int i = 0; i < m->n_states; i++) {
		const char *comma = "";

		lp_buf_fmt(to, "| `%s` | ", m->states[i].name);
		for (int j = 0; j < m->n_states; j++) {
			if (!(m->states[i].to & LP_TO(j)))
				continue;
			lp_buf_fmt(to, "%s`%s`", comma, m->states[j].name);
			comma = ", ";
		}
		lp_buf_add_text(to, m->states[i].step ? " |\n" : "the end |\n");
	}
}
