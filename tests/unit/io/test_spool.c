#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include <lpd/base/random.h>
#include <lpd/io/file.h>
#include <lpd/io/spool.h>

#include "real_loop.h"
#include "temp_dir.h"

#define KIB 1024
#define MIB (1024 * 1024)

struct fixture {
	struct real_loop r;
	struct temp_dir dir;
	struct lp_spool_budget budget;
	struct lp_err e;
	bool ready;		/* of the spool watched */
	bool heard;
	struct lp_spool *watched;
	int files;
};

static int count_files(void)
{
	return temp_dir_count("/proc/self/fd");
}

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	real_loop_open(&f.r);		/* the first leaves libuv's own pipe for signals */
	real_loop_close(&f.r);
	f.files = count_files();
	real_loop_open(&f.r);
	temp_dir_make(&f.dir);
	f.budget = (struct lp_spool_budget){ .dir = f.dir.path, .memory_each = 256 * KIB, .total = 100 * MIB };
	*state = &f;
	return 0;
}

/* After every test: the books balance, no file is open, none has a name. */
static int teardown(void **state)
{
	struct fixture *f = *state;

	real_loop_close(&f->r);
	assert_int_equal(f->budget.used, 0);
	assert_int_equal(f->budget.used_memory, 0);
	assert_int_equal(count_files(), f->files);
	assert_int_equal(temp_dir_count(f->dir.path), 0);
	temp_dir_remove(&f->dir);
	return 0;
}

/* Byte i of everything that is written here. */
static char byte_at(int64_t i)
{
	return (char)((uint64_t)i * 0x9e3779b97f4a7c15u >> 56);
}

static void write_some(struct fixture *f, struct lp_spool *spool, int64_t n)
{
	char bytes[10000];

	while (n > 0) {
		int64_t at = lp_spool_size(spool);
		int64_t now = n < (int64_t)sizeof(bytes) ? n : (int64_t)sizeof(bytes);
		for (int64_t i = 0; i < now; i++)
			bytes[i] = byte_at(at + i);
		assert_int_equal(lp_spool_write(spool, lp_span_of(bytes, (size_t)now), &f->e), LP_OK);
		n -= now;
	}
}

static void on_spool(void *self)
{
	struct fixture *f = self;

	f->heard = true;
	f->ready = lp_spool_ready(f->watched) || lp_spool_err(f->watched)->code != LP_OK;
}

static struct lp_spool *open_spool(struct fixture *f, struct lp_scope *scope)
{
	struct lp_spool *spool = lp_spool_open(scope, f->r.loop, &f->budget);

	lp_spool_watch(spool, on_spool, f);
	f->watched = spool;
	f->ready = f->heard = false;
	return spool;
}

static struct lp_spool *filled(struct fixture *f, struct lp_scope *scope, int64_t size)
{
	struct lp_spool *spool = open_spool(f, scope);

	write_some(f, spool, size);
	lp_spool_end(spool);
	assert_false(f->ready);		/* never inline */
	real_loop_run_until(&f->r, &f->ready);
	assert_int_equal(lp_spool_err(spool)->code, LP_OK);
	assert_true(lp_spool_ready(spool));
	assert_int_equal(lp_spool_size(spool), size);
	return spool;
}

struct reading {
	struct lp_spool_reader *reader;
	int64_t got;
	size_t step;		/* bytes taken at a time at most */
	bool done, failed;
};

static void read_on(void *self)
{
	struct reading *r = self;

	for (;;) {
		struct lp_span bytes = lp_spool_peek(r->reader);
		if (!bytes.len)
			break;
		size_t n = bytes.len < r->step ? bytes.len : r->step;
		for (size_t i = 0; i < n; i++) {
			if (bytes.at[i] != byte_at(r->got + (int64_t)i))
				fail_msg("byte %lld is wrong", (long long)r->got + (long long)i);
		}
		r->got += (int64_t)n;
		lp_spool_consume(r->reader, n);
	}
	r->failed = lp_spool_reader_err(r->reader)->code != LP_OK;
	r->done = r->failed || lp_spool_at_end(r->reader);
}

static void start_reading(struct reading *r, struct lp_scope *scope, struct lp_spool *spool, size_t step)
{
	*r = (struct reading){ .step = step };
	r->reader = lp_spool_read(scope, spool, read_on, r);
	read_on(r);
}

static void check_reads_back(struct fixture *f, struct lp_spool *spool)
{
	struct lp_scope *scope = lp_scope_open(f->r.scope, "reader");
	struct reading r;

	start_reading(&r, scope, spool, 100000);
	real_loop_run_until(&f->r, &r.done);
	assert_false(r.failed);
	assert_int_equal(r.got, lp_spool_size(spool));
	lp_scope_close(&scope);
}

static void a_small_result_stays_in_memory(void **state)
{
	struct fixture *f = *state;
	int files = count_files();
	struct lp_spool *spool = filled(f, f->r.scope, 30000);
	struct reading r;

	assert_int_equal(f->budget.used, 30000);
	assert_int_equal(f->budget.used_memory, 30000);
	assert_int_equal(lp_spool_head(spool).len, 30000);
	start_reading(&r, f->r.scope, spool, SIZE_MAX);
	assert_true(r.done);		/* without a wait */
	assert_int_equal(r.got, 30000);
	assert_int_equal(count_files(), files);
}

static void an_empty_spool_is_at_its_end(void **state)
{
	struct fixture *f = *state;
	struct reading r;

	start_reading(&r, f->r.scope, filled(f, f->r.scope, 0), 1);
	assert_true(r.done);
	assert_int_equal(r.got, 0);
}

static void sizes_around_every_bound_come_back_whole(void **state)
{
	static const int sizes[] = { 64 * KIB, 256 * KIB - 1, 256 * KIB, 256 * KIB + 1, 512 * KIB, 512 * KIB + 1,
				     3 * MIB + 7 };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct lp_scope *scope = lp_scope_open(f->r.scope, "spool");
		struct lp_spool *spool = filled(f, scope, sizes[i]);
		bool on_disk = sizes[i] > 256 * KIB;

		assert_int_equal(f->budget.used, sizes[i]);
		assert_int_equal(f->budget.used_memory, on_disk ? 0 : sizes[i]);
		assert_int_equal(lp_spool_head(spool).len, 64 * KIB);
		check_reads_back(f, spool);
		check_reads_back(f, spool);
		lp_scope_close(&scope);
		assert_int_equal(f->budget.used, 0);
	}
}

static void one_write_larger_than_memory_goes_to_disk(void **state)
{
	struct fixture *f = *state;
	struct lp_spool *spool = open_spool(f, f->r.scope);
	char *bytes = malloc(MIB);

	for (int i = 0; i < MIB; i++)
		bytes[i] = byte_at(i);
	assert_int_equal(lp_spool_write(spool, lp_span_of(bytes, MIB), &f->e), LP_OK);
	free(bytes);
	lp_spool_end(spool);
	real_loop_run_until(&f->r, &f->ready);
	assert_int_equal(lp_spool_head(spool).len, 64 * KIB);
	check_reads_back(f, spool);
}

static void many_readers_go_at_their_own_pace(void **state)
{
	struct fixture *f = *state;
	struct lp_spool *spool = filled(f, f->r.scope, 2 * MIB + 5);
	struct reading rs[5];

	for (int i = 0; i < 5; i++)
		start_reading(&rs[i], f->r.scope, spool, (size_t)(1 + i * 30011));
	for (int i = 0; i < 5; i++) {
		real_loop_run_until(&f->r, &rs[i].done);
		assert_false(rs[i].failed);
		assert_int_equal(rs[i].got, 2 * MIB + 5);
	}
}

static void a_reader_outlives_the_spool(void **state)
{
	struct fixture *f = *state;

	for (int size = 1000; size <= 1000000; size *= 1000) {
		struct lp_scope *scope = lp_scope_open(f->r.scope, "spool");
		struct lp_scope *own = lp_scope_open(f->r.scope, "reader");
		struct reading r = { .step = 5000 };

		struct lp_spool *spool = filled(f, scope, size);
		r.reader = lp_spool_read(own, spool, read_on, &r);
		lp_scope_close(&scope);
		assert_int_equal(f->budget.used, size);
		read_on(&r);
		real_loop_run_until(&f->r, &r.done);
		assert_int_equal(r.got, size);
		lp_scope_close(&own);
		assert_int_equal(f->budget.used, 0);
	}
}

static void a_reader_may_begin_before_the_end(void **state)
{
	struct fixture *f = *state;
	struct lp_spool *spool = open_spool(f, f->r.scope);
	struct reading r;

	start_reading(&r, f->r.scope, spool, 7000);
	write_some(f, spool, 10000);
	real_loop_run_for(&f->r, 2 * LP_MSEC);
	assert_int_equal(r.got, 10000);
	assert_false(r.done);
	write_some(f, spool, 990000);
	real_loop_run_for(&f->r, 2 * LP_MSEC);
	lp_spool_end(spool);
	real_loop_run_until(&f->r, &r.done);
	assert_int_equal(r.got, 1000000);
}

static void a_shared_spool_counts_once_and_lives_on(void **state)
{
	struct fixture *f = *state;
	struct lp_scope *job = lp_scope_open(f->r.scope, "job"), *keep = lp_scope_open(f->r.scope, "keep");

	struct lp_spool *kept = lp_spool_share(keep, filled(f, job, 700000));
	assert_int_equal(f->budget.used, 700000);
	lp_scope_close(&job);
	assert_int_equal(f->budget.used, 700000);
	assert_true(lp_spool_ready(kept));
	check_reads_back(f, kept);
	lp_scope_close(&keep);
	assert_int_equal(f->budget.used, 0);
}

static void a_shared_spool_hears_of_the_end(void **state)
{
	struct fixture *f = *state;
	struct lp_scope *job = lp_scope_open(f->r.scope, "job");
	struct lp_spool *spool = lp_spool_open(job, f->r.loop, &f->budget);

	f->watched = lp_spool_share(f->r.scope, spool);
	lp_spool_watch(f->watched, on_spool, f);
	write_some(f, spool, 600000);
	lp_spool_end(spool);
	lp_scope_close(&job);		/* the job does not wait for the disk */
	real_loop_run_until(&f->r, &f->ready);
	assert_int_equal(lp_spool_err(f->watched)->code, LP_OK);
	check_reads_back(f, f->watched);
}

static void a_writer_that_leaves_before_the_end_is_told_to_the_others(void **state)
{
	struct fixture *f = *state;
	struct lp_scope *scope = lp_scope_open(f->r.scope, "spool");
	struct lp_spool *spool = open_spool(f, scope);
	struct reading r;

	write_some(f, spool, 1000);
	start_reading(&r, f->r.scope, spool, SIZE_MAX);
	lp_scope_close(&scope);
	real_loop_run_until(&f->r, &r.done);
	assert_true(r.failed);
	assert_int_equal(lp_spool_reader_err(r.reader)->code, LP_STORE);
}

static void memory_that_runs_short_sends_spools_to_disk_early(void **state)
{
	struct fixture *f = *state;
	int64_t most = 0;

	f->budget.memory = 800 * KIB;
	for (int i = 0; i < 20; i++) {
		struct lp_spool *spool = filled(f, f->r.scope, 100 * KIB);

		assert_true(lp_spool_ready(spool));
		most = f->budget.used_memory > most ? f->budget.used_memory : most;
	}
	assert_int_equal(f->budget.used, 2000 * KIB);
	assert_in_range(most, 400 * KIB, 500 * KIB);
	/* Small ones stay, until there is no place left. */
	for (int i = 0; i < 3; i++)
		filled(f, f->r.scope, 50 * KIB);
	struct lp_spool *last = open_spool(f, f->r.scope);
	char bytes[64 * 1024] = "";

	assert_int_equal(lp_spool_write(last, lp_span_of(bytes, sizeof(bytes)), &f->e), LP_NO_ROOM);
	assert_true(f->budget.used_memory <= 600 * KIB);
}

static void the_writer_is_slowed_while_the_disk_is_behind(void **state)
{
	struct fixture *f = *state;
	struct lp_spool *spool = open_spool(f, f->r.scope);
	size_t room = lp_spool_room(spool);

	assert_true(room >= 512 * KIB);
	write_some(f, spool, (int64_t)room);
	assert_int_equal(lp_spool_room(spool), 0);
	write_some(f, spool, 1000);		/* is taken all the same */
	real_loop_run_until(&f->r, &f->heard);
	assert_true(lp_spool_room(spool) > 0);
	assert_int_equal(f->budget.used_memory + 256 * KIB <= f->budget.used, true);
	lp_spool_end(spool);
	real_loop_run_until(&f->r, &f->ready);
	check_reads_back(f, spool);
}

static void a_spent_budget_refuses_and_takes_nothing(void **state)
{
	struct fixture *f = *state;
	struct lp_scope *first = lp_scope_open(f->r.scope, "first");
	struct lp_spool *spool = open_spool(f, f->r.scope);

	f->budget.total = 1000;
	filled(f, first, 600);
	assert_int_equal(lp_spool_write(spool, LP_SPAN("0123456789"), &f->e), LP_OK);
	char more[391];
	memset(more, 'x', sizeof(more));
	assert_int_equal(lp_spool_write(spool, lp_span_of(more, 391), &f->e), LP_NO_ROOM);
	assert_int_equal(f->budget.used, 610);
	assert_int_equal(lp_spool_size(spool), 10);
	lp_scope_close(&first);
	assert_int_equal(lp_spool_write(spool, lp_span_of(more, 391), &f->e), LP_OK);
	lp_spool_end(spool);
}

static void a_folder_that_is_not_there_breaks_the_spool_in_words(void **state)
{
	struct fixture *f = *state;
	struct lp_spool *spool = open_spool(f, f->r.scope);
	struct reading r;

	f->budget.dir = "/nowhere/at/all";
	write_some(f, spool, 600000);
	start_reading(&r, f->r.scope, spool, 1);
	real_loop_run_until(&f->r, &f->ready);
	assert_int_equal(lp_spool_err(spool)->code, LP_STORE);
	assert_non_null(strstr(lp_spool_err(spool)->words, "No such file"));
	assert_int_equal(lp_spool_write(spool, LP_SPAN("x"), &f->e), LP_STORE);
	assert_int_equal(lp_spool_room(spool), 0);
	lp_spool_end(spool);
	assert_false(lp_spool_ready(spool));
	real_loop_run_until(&f->r, &r.done);
	assert_true(r.failed);
}

static void a_full_disk_breaks_the_spool_midway(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, small = { .rlim_cur = 700000 };
	struct lp_spool *spool = open_spool(f, f->r.scope);

	signal(SIGXFSZ, SIG_IGN);	/* then a write beyond the limit fails as on a full disk */
	getrlimit(RLIMIT_FSIZE, &before);
	small.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	write_some(f, spool, 1500000);
	lp_spool_end(spool);
	real_loop_run_until(&f->r, &f->ready);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(lp_spool_err(spool)->code, LP_STORE);
	assert_false(lp_spool_ready(spool));
	assert_int_equal(f->budget.used, 1500000);	/* until it closes */
}

static void a_hint_takes_the_memory_at_once(void **state)
{
	struct fixture *f = *state;
	struct lp_spool *spool = open_spool(f, f->r.scope);

	lp_spool_expect(spool, 200000);
	write_some(f, spool, 10000);
	const char *at = lp_spool_head(spool).at;
	write_some(f, spool, 190000);
	assert_ptr_equal(lp_spool_head(spool).at, at);
	lp_spool_end(spool);
}

#define WALKERS 4

struct walk {
	struct fixture *f;
	struct lp_dice dice;
	struct lp_scope *scopes[WALKERS], *readers[WALKERS];
	struct lp_spool *spools[WALKERS];		/* NULL: none, or ended */
	struct lp_spool_reader *rs[WALKERS];
};

static void walk_write(struct walk *w, int i)
{
	char bytes[60000] = "";

	if (!w->scopes[i]) {
		w->scopes[i] = lp_scope_open(w->f->r.scope, "spool");
		w->spools[i] = lp_spool_open(w->scopes[i], w->f->r.loop, &w->f->budget);
	}
	for (int n = 0; w->spools[i] && n < 8; n++)
		(void)!lp_spool_write(w->spools[i], lp_span_of(bytes, lp_dice_below(&w->dice, 60000)), &w->f->e);
}

static void walk_end(struct walk *w, int i)
{
	if (!w->spools[i] || lp_dice_below(&w->dice, 3))
		return;
	lp_spool_end(w->spools[i]);
	lp_spool_share(w->scopes[i], w->spools[i]);
	w->spools[i] = NULL;
}

static void walk_read(struct walk *w, int i)
{
	if (w->readers[i])
		lp_spool_consume(w->rs[i], lp_spool_peek(w->rs[i]).len);
	if (w->readers[i] || !w->spools[i])
		return;
	w->readers[i] = lp_scope_open(w->f->r.scope, "reader");
	w->rs[i] = lp_spool_read(w->readers[i], w->spools[i], NULL, NULL);
}

static void walk_step(struct walk *w)
{
	int i = (int)lp_dice_below(&w->dice, WALKERS);
	uint64_t what = lp_dice_below(&w->dice, 8);

	if (what == 0) {
		lp_scope_close(&w->scopes[i]);
		w->spools[i] = NULL;
	} else if (what == 1) {
		lp_scope_close(&w->readers[i]);
	} else if (what == 2) {
		real_loop_run_for(&w->f->r, (int64_t)lp_dice_below(&w->dice, 800));
	} else if (what == 3) {
		walk_end(w, i);
	} else if (what < 6) {
		walk_read(w, i);
	} else {
		walk_write(w, i);
	}
}

/* Whatever is done in whatever order, and wherever it is cut off: the books balance. */
static void any_walk_leaves_the_books_balanced(void **state)
{
	struct fixture *f = *state;
	struct walk w = { .f = f };

	lp_dice_init(&w.dice, 11);
	f->budget.memory_each = 50000;
	f->budget.total = 3 * MIB;
	for (int walk = 0; walk < 150; walk++) {
		for (int step = 0; step < 30; step++) {
			walk_step(&w);
			assert_true(f->budget.used >= f->budget.used_memory && f->budget.used_memory >= 0);
			assert_true(f->budget.used <= f->budget.total);
		}
		for (int i = 0; i < WALKERS; i++) {
			lp_scope_close(&w.scopes[i]);
			lp_scope_close(&w.readers[i]);
			w.spools[i] = NULL;
		}
		assert_int_equal(f->budget.used, 0);
		assert_int_equal(f->budget.used_memory, 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_small_result_stays_in_memory),
		TEST(an_empty_spool_is_at_its_end),
		TEST(sizes_around_every_bound_come_back_whole),
		TEST(one_write_larger_than_memory_goes_to_disk),
		TEST(many_readers_go_at_their_own_pace),
		TEST(a_reader_outlives_the_spool),
		TEST(a_reader_may_begin_before_the_end),
		TEST(a_shared_spool_counts_once_and_lives_on),
		TEST(a_shared_spool_hears_of_the_end),
		TEST(a_writer_that_leaves_before_the_end_is_told_to_the_others),
		TEST(memory_that_runs_short_sends_spools_to_disk_early),
		TEST(the_writer_is_slowed_while_the_disk_is_behind),
		TEST(a_spent_budget_refuses_and_takes_nothing),
		TEST(a_folder_that_is_not_there_breaks_the_spool_in_words),
		TEST(a_full_disk_breaks_the_spool_midway),
		TEST(a_hint_takes_the_memory_at_once),
		TEST(any_walk_leaves_the_books_balanced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
