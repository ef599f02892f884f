/* The loop: one uv_loop_t, and one uv_prepare_t that does our part of every turn before libuv sleeps:
 * timers that are due, rows that are ready, then the rows that flush what those wrote. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include <lpd/base/assert.h>
#include <lpd/io/timer.h>

#include "loop_priv.h"

/* How often one turn goes round the ready list before it looks at the sockets again. */
#define ROUNDS 16

/* How many sockets are served, or rows run, before what they wrote goes out.  A whole turn's writes at once would
 * have a hundred jobs travel as one convoy: the next node sleeps while we work, and we while it does. */
#define SHARE 16

#define STALL (50 * LP_MSEC)

/* What lp_mono, which has a const loop, may refresh. */
struct clock {
	bool running;
	uint64_t stamp;		/* uv_now() when mono was read: libuv moves it after each sleep */
	int64_t mono;
};

struct catcher {
	uv_signal_t uv[2];	/* the second only for SIGINT beside SIGTERM */
	int n;			/* handles in use; 0: never asked for */
	void (*fn)(void *self);
	void *self;
};

struct lp_loop {
	uv_loop_t uv;
	uv_prepare_t prepare;
	uv_idle_t awake;	/* active while rows wait: the poll then does not sleep */
	uv_timer_t alarm;
	int64_t armed;		/* when the alarm rings, or LP_NEVER */
	struct clock *clock;
	struct lp_timers *timers;
	struct lp_list ready;
	struct lp_list before_sleep;
	struct lp_list at_close;
	struct catcher catchers[2];	/* by enum lp_signal */
	int served;		/* sockets, since rows ran last */
	int64_t woke;		/* since when the running turn is at work, or 0: it sleeps, or nobody has said so */
	int64_t step_began;	/* the callback or row that runs now */
	bool excused;		/* it is a handshake */
	int64_t longest_turn, longest_step;
	uint64_t stalls;
};

uv_loop_t *lp_loop_uv(struct lp_loop *loop)
{
	return &loop->uv;
}

struct lp_timers *lp_loop_timers(struct lp_loop *loop)
{
	return loop->timers;
}

static int64_t read_clock(void)
{
	return (int64_t)(uv_hrtime() / 1000);
}

/* Callbacks of the poll run after a sleep of any length, so the value of the last turn is stale there;
 * libuv's own millisecond clock tells when. */
int64_t lp_mono(const struct lp_loop *loop)
{
	struct clock *clock = loop->clock;
	uint64_t now = uv_now(&loop->uv);

	if (!clock->running || now != clock->stamp) {
		clock->stamp = now;
		clock->mono = read_clock();
	}
	return clock->mono;
}

int64_t lp_wall(const struct lp_loop *loop)
{
	(void)loop;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * LP_SEC + now.tv_nsec / 1000;
}

void lp_ready(struct lp_loop *loop, struct lp_ready *row)
{
	if (!lp_link_in(&row->link))
		lp_list_add(&loop->ready, &row->link);
}

void lp_before_sleep(struct lp_loop *loop, struct lp_ready *row)
{
	if (!lp_link_in(&row->link))
		lp_list_add(&loop->before_sleep, &row->link);
}

void lp_loop_at_close(struct lp_loop *loop, struct lp_ready *row)
{
	if (!lp_link_in(&row->link))
		lp_list_add(&loop->at_close, &row->link);
}

void lp_unready(struct lp_ready *row)
{
	lp_link_out(&row->link);
}

/* Move all rows of one list to another, which is empty. */
static void move_rows(struct lp_list *to, struct lp_list *from)
{
	lp_list_init(to);
	if (lp_list_empty(from))
		return;
	to->head = from->head;
	to->head.next->prev = &to->head;
	to->head.prev->next = &to->head;
	lp_list_init(from);
}

/* The end of one step is the beginning of the next: one look at the clock for each. */
static void step_ended(struct lp_loop *loop)
{
	int64_t now = read_clock();

	if (now - loop->step_began > loop->longest_step && !loop->excused)
		loop->longest_step = now - loop->step_began;
	loop->excused = false;
	loop->step_began = now;
}

/* One round: the rows that are there now.  A row may unready any other, or make itself ready again. */
static void run_rows(struct lp_loop *loop, struct lp_list *list)
{
	struct lp_list round;
	struct lp_link *link;
	int ran = 0;

	move_rows(&round, list);
	while ((link = lp_list_first(&round))) {
		struct lp_ready *row = LP_CONTAINER(link, struct lp_ready, link);

		lp_link_out(link);
		row->run(row->self);
		step_ended(loop);
		if (list == &loop->ready && ++ran % SHARE == 0)
			run_rows(loop, &loop->before_sleep);
	}
}

static void run_ready(struct lp_loop *loop)
{
	loop->served = 0;
	for (int round = 0; round < ROUNDS && !lp_list_empty(&loop->ready); round++) {
		run_rows(loop, &loop->ready);
		if (lp_list_empty(&loop->ready))
			run_rows(loop, &loop->before_sleep);
	}
	run_rows(loop, &loop->before_sleep);
}

static void on_nothing(uv_idle_t *idle)
{
	(void)idle;
}

static void on_alarm(uv_timer_t *alarm)
{
	struct lp_loop *loop = alarm->data;

	loop->armed = LP_NEVER;		/* the turn before the next sleep does the rest */
}

/* libuv counts whole milliseconds on the same clock: ring in the first that does not come too early. */
static void set_alarm(struct lp_loop *loop)
{
	int64_t next = lp_timers_next(loop->timers);

	if (next == loop->armed)
		return;
	loop->armed = next;
	if (next == LP_NEVER) {
		uv_timer_stop(&loop->alarm);
		return;
	}
	uint64_t due = (uint64_t)((next + LP_MSEC - 1) / LP_MSEC);
	uint64_t now = uv_now(&loop->uv);
	bool at_once = next <= loop->clock->mono || due <= now;
	uv_timer_start(&loop->alarm, on_alarm, at_once ? 0 : due - now, 0);
}

/* libuv could count its sleep itself, but pays for that with a second epoll_wait before each. */
void lp_loop_woke(struct lp_loop *loop)
{
	if (!loop->woke)
		loop->woke = loop->step_began = read_clock();
}

void lp_loop_served(struct lp_loop *loop)
{
	step_ended(loop);
	if (++loop->served >= SHARE)
		run_ready(loop);
}

void lp_loop_excuse(struct lp_loop *loop)
{
	loop->excused = true;
}

static void measure(struct lp_loop *loop)
{
	int64_t busy = read_clock() - loop->woke;

	if (busy > loop->longest_turn)
		loop->longest_turn = busy;
	if (busy > STALL)
		loop->stalls++;
	loop->woke = 0;
}

static void on_turn(uv_prepare_t *prepare)
{
	struct lp_loop *loop = prepare->data;

	lp_loop_woke(loop);
	uv_update_time(&loop->uv);
	loop->clock->stamp = uv_now(&loop->uv);
	loop->clock->mono = read_clock();
	lp_timers_run(loop->timers, loop->clock->mono);
	step_ended(loop);
	run_ready(loop);
	if (lp_list_empty(&loop->ready) && lp_list_empty(&loop->before_sleep))
		uv_idle_stop(&loop->awake);
	else
		uv_idle_start(&loop->awake, on_nothing);
	set_alarm(loop);
	measure(loop);
}

void lp_loop_run(struct lp_loop *loop)
{
	lp_assert(!loop->clock->running);
	loop->clock->running = true;
	loop->woke = 0;
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	loop->clock->running = false;
}

void lp_loop_stop(struct lp_loop *loop)
{
	uv_stop(&loop->uv);
}

static void on_signal(uv_signal_t *uv, int number)
{
	struct catcher *catcher = uv->data;

	(void)number;
	if (catcher->fn)
		catcher->fn(catcher->self);
}

void lp_loop_on_signal(struct lp_loop *loop, enum lp_signal signal, void (*fn)(void *self), void *self)
{
	static const int numbers[2][2] = {
		[LP_SIGNAL_STOP] = { SIGTERM, SIGINT },
		[LP_SIGNAL_RELOAD] = { SIGHUP },
	};
	struct catcher *catcher = &loop->catchers[signal];

	catcher->fn = fn;
	catcher->self = self;
	for (int i = 0; i < 2 && numbers[signal][i]; i++) {
		if (!fn && i >= catcher->n)
			return;
		if (i >= catcher->n) {
			uv_signal_init(&loop->uv, &catcher->uv[i]);
			catcher->uv[i].data = catcher;
			catcher->n = i + 1;
		}
		if (fn)
			uv_signal_start(&catcher->uv[i], on_signal, numbers[signal][i]);
		else
			uv_signal_stop(&catcher->uv[i]);
	}
}

int64_t lp_loop_longest_turn(struct lp_loop *loop)
{
	int64_t longest = loop->longest_turn;

	loop->longest_turn = 0;
	return longest;
}

int64_t lp_loop_longest_step(struct lp_loop *loop)
{
	int64_t longest = loop->longest_step;

	loop->longest_step = 0;
	return longest;
}

uint64_t lp_loop_stalls(const struct lp_loop *loop)
{
	return loop->stalls;
}

static void check_closing(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (uv_is_closing(handle))
		return;
	fprintf(stderr, "a %s handle is still open while its loop closes\n", uv_handle_type_name(handle->type));
	lp_assert(uv_is_closing(handle));
}

/* Rows whose owner lives on must not point into the loop. */
static void forget_rows(struct lp_list *list)
{
	lp_list_each(list, row, struct lp_ready, link)
		lp_link_out(&row->link);
}

/* Whoever uses the loop was opened after it and is closed by now; what is left is libuv's part of it:
 * close callbacks to come, and work in the pool, which is waited for. */
static void close_loop(void *arg)
{
	struct lp_loop *loop = arg;

	lp_assert(!loop->clock->running);
	run_rows(loop, &loop->at_close);
	uv_close((uv_handle_t *)&loop->prepare, NULL);
	uv_close((uv_handle_t *)&loop->awake, NULL);
	uv_close((uv_handle_t *)&loop->alarm, NULL);
	for (int s = 0; s < 2; s++) {
		for (int i = 0; i < loop->catchers[s].n; i++)
			uv_close((uv_handle_t *)&loop->catchers[s].uv[i], NULL);
	}
	uv_walk(&loop->uv, check_closing, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	int open = uv_loop_close(&loop->uv);
	lp_assert(open == 0);
	forget_rows(&loop->ready);
	forget_rows(&loop->before_sleep);
	lp_timers_free(&loop->timers);
}

/* What the whole process needs before a first loop works well. */
static void prepare_process(void)
{
	struct rlimit files;

	setenv("UV_THREADPOOL_SIZE", "8", 0);	/* read by libuv when the pool is first used */
	signal(SIGPIPE, SIG_IGN);		/* OpenSSL writes with write(2) */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

struct lp_loop *lp_loop_open(struct lp_scope *scope)
{
	struct lp_loop *loop = lp_new(scope, struct lp_loop);

	prepare_process();
	int failed = uv_loop_init(&loop->uv);
	lp_assert(failed == 0);		/* no descriptors left at start-up */
	uv_prepare_init(&loop->uv, &loop->prepare);
	uv_idle_init(&loop->uv, &loop->awake);
	uv_timer_init(&loop->uv, &loop->alarm);
	loop->prepare.data = loop->alarm.data = loop;
	uv_prepare_start(&loop->prepare, on_turn);
	loop->armed = LP_NEVER;
	loop->clock = lp_new(scope, struct clock);
	loop->timers = lp_timers_new();
	lp_list_init(&loop->ready);
	lp_list_init(&loop->before_sleep);
	lp_list_init(&loop->at_close);
	lp_defer(scope, close_loop, loop);
	return loop;
}
