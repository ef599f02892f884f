#include "crew.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lpd/base/mem.h>

#define SPINS 500		/* some ten microseconds: less than to sleep and to be woken */

/* Ticks of the kernel's clock, of this process's cores. */
struct spent {
	long all, idle, mine;
};

struct lp_crew {
	int threads;
	int started;			/* helpers; of the caller's thread, as is: */
	bool no_more;			/* another could not be started */
	cpu_set_t cores;
	struct spent last;
	atomic_int hands;		/* may work now */
	pthread_t helpers[LP_CREW_MOST];
	pthread_mutex_t lock;
	pthread_cond_t called, left;
	/* Under the lock: */
	struct lp_loop_of loop;
	bool open, ends;
	int may_come;
	/* Read while spinning, changed under the lock. */
	atomic_uint call;
	atomic_int busy;
	atomic_int next;		/* the first row that nobody has taken */
};

static void breathe(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* ---- how many ---- */

static size_t read_file(const char *path, char *to, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, to, room - 1);

	if (fd >= 0)
		close(fd);
	to[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

/* A line "cpu3 user nice system idle iowait ..." of /proc/stat. */
static void add_core(struct spent *s, const char *line)
{
	char *at;
	strtol(line + 3, &at, 10);

	for (int i = 0; i < 8; i++) {		/* the two after them are in the first two already */
		long ticks = strtol(at, &at, 10);

		s->all += ticks;
		s->idle += i == 1 || i == 3 || i == 4 ? ticks : 0;	/* who is nice gives way */
	}
}

static bool look(const struct lp_crew *crew, struct spent *s)
{
	char text[16384], *at;

	*s = (struct spent){ .all = 0 };
	if (!read_file("/proc/stat", text, sizeof text))
		return false;
	for (char *line = strchr(text, '\n'); line && strncmp(line + 1, "cpu", 3) == 0; line = strchr(line + 1, '\n')) {
		long core = strtol(line + 4, NULL, 10);

		if (core >= 0 && core < CPU_SETSIZE && CPU_ISSET((size_t)core, &crew->cores))
			add_core(s, line + 1);
	}
	/* Of ours, the 12th and 13th word after the name in parentheses. */
	if (!read_file("/proc/self/stat", text, sizeof text) || !(at = strrchr(text, ')')))
		return false;
	for (int i = 0; i < 12 && at; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return false;
	s->mine = strtol(at, &at, 10);
	s->mine += strtol(at, NULL, 10);
	return s->all > 0;
}

int lp_crew_hands(int cores, long others)
{
	long left = (100 * (cores - 1) - others + 30) / 100;

	return left > 0 ? 1 + (int)left : 1;
}

void lp_crew_look(struct lp_crew *crew)
{
	struct spent now;
	int cores = CPU_COUNT(&crew->cores);

	if (crew->threads == 1 || !look(crew, &now))
		return;
	long all = now.all - crew->last.all, others = all - (now.idle - crew->last.idle) - (now.mine - crew->last.mine);

	if (all < 10L * cores)
		return;			/* too short to tell */
	crew->last = now;
	int hands = lp_crew_hands(cores, others * 100 * cores / all);

	atomic_store_explicit(&crew->hands, hands < crew->threads ? hands : crew->threads, memory_order_relaxed);
}

int lp_crew_may_work(struct lp_crew *crew)
{
	return crew ? atomic_load_explicit(&crew->hands, memory_order_relaxed) : 1;
}

/* What a container may have is written there: "QUOTA PERIOD", or "max PERIOD". */
static int allowed(int cores)
{
	char text[64], *at;

	if (!read_file("/sys/fs/cgroup/cpu.max", text, sizeof text))
		return cores;
	long quota = strtol(text, &at, 10), period = strtol(at, NULL, 10);

	if (quota <= 0 || period <= 0 || quota / period >= cores)
		return cores;
	return quota >= period ? (int)(quota / period) : 1;
}

/* ---- helping ---- */

static void take_pieces(struct lp_crew *crew, const struct lp_loop_of *loop)
{
	for (;;) {
		int first = atomic_fetch_add_explicit(&crew->next, loop->piece, memory_order_relaxed);

		if (first >= loop->n)
			return;
		loop->fn(loop->self, first, first + loop->piece < loop->n ? first + loop->piece : loop->n);
	}
}

static void await_call(struct lp_crew *crew, unsigned seen)
{
	for (int i = 0; i < SPINS && atomic_load_explicit(&crew->call, memory_order_relaxed) == seen; i++)
		breathe();
	pthread_mutex_lock(&crew->lock);
	while (!crew->ends && (!crew->open || !crew->may_come ||
			       atomic_load_explicit(&crew->call, memory_order_relaxed) == seen))
		pthread_cond_wait(&crew->called, &crew->lock);
}

static void *help(void *arg)
{
	struct lp_crew *crew = arg;
	unsigned seen = 0;

	for (;;) {
		await_call(crew, seen);
		if (crew->ends)
			break;
		struct lp_loop_of loop = crew->loop;

		seen = atomic_load_explicit(&crew->call, memory_order_relaxed);
		crew->may_come--;
		atomic_fetch_add_explicit(&crew->busy, 1, memory_order_relaxed);
		pthread_mutex_unlock(&crew->lock);
		take_pieces(crew, &loop);
		pthread_mutex_lock(&crew->lock);
		if (atomic_fetch_sub_explicit(&crew->busy, 1, memory_order_release) == 1)
			pthread_cond_signal(&crew->left);
		pthread_mutex_unlock(&crew->lock);
	}
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

static void start_helpers(struct lp_crew *crew, int wanted)
{
	while (crew->started < wanted && !crew->no_more) {
		if (pthread_create(&crew->helpers[crew->started], NULL, help, crew) == 0)
			crew->started++;
		else
			crew->no_more = true;
	}
}

/* Helpers that have not come by now have nothing to do any more. */
static void await_helpers(struct lp_crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	crew->open = false;
	pthread_mutex_unlock(&crew->lock);
	for (int i = 0; i < SPINS && atomic_load_explicit(&crew->busy, memory_order_acquire); i++)
		breathe();
	pthread_mutex_lock(&crew->lock);
	while (atomic_load_explicit(&crew->busy, memory_order_acquire))
		pthread_cond_wait(&crew->left, &crew->lock);
	pthread_mutex_unlock(&crew->lock);
}

void lp_crew_run(struct lp_crew *crew, const struct lp_loop_of *loop)
{
	int hands = lp_crew_may_work(crew);

	if (hands > 1)
		start_helpers(crew, hands - 1);
	if (hands == 1 || crew->started == 0 || loop->n <= loop->piece) {
		loop->fn(loop->self, 0, loop->n);
		return;
	}
	pthread_mutex_lock(&crew->lock);
	crew->loop = *loop;
	crew->open = true;
	crew->may_come = hands - 1;
	atomic_store_explicit(&crew->next, 0, memory_order_relaxed);
	atomic_fetch_add_explicit(&crew->call, 1, memory_order_relaxed);
	pthread_cond_broadcast(&crew->called);
	pthread_mutex_unlock(&crew->lock);
	take_pieces(crew, loop);
	await_helpers(crew);
}

/* ---- opening ---- */

static void close_crew(void *arg)
{
	struct lp_crew *crew = arg;

	pthread_mutex_lock(&crew->lock);
	crew->ends = true;
	pthread_cond_broadcast(&crew->called);
	pthread_mutex_unlock(&crew->lock);
	for (int i = 0; i < crew->started; i++)
		pthread_join(crew->helpers[i], NULL);
	pthread_cond_destroy(&crew->called);
	pthread_cond_destroy(&crew->left);
	pthread_mutex_destroy(&crew->lock);
}

struct lp_crew *lp_crew_open(struct lp_scope *scope, int threads)
{
	struct lp_crew *crew = lp_new(scope, struct lp_crew);

	if (sched_getaffinity(0, sizeof crew->cores, &crew->cores) != 0)
		CPU_SET(0, &crew->cores);
	crew->threads = threads > 0 ? threads : allowed(CPU_COUNT(&crew->cores));
	crew->threads = crew->threads < LP_CREW_MOST ? crew->threads : LP_CREW_MOST;
	atomic_store(&crew->hands, crew->threads);
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->called, NULL);
	pthread_cond_init(&crew->left, NULL);
	look(crew, &crew->last);
	lp_defer(scope, close_crew, crew);
	return crew;
}

int lp_crew_threads(const struct lp_crew *crew)
{
	return crew->threads;
}
