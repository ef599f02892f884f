/* The table of kept jobs, without a gateway: a job is whoever replies to the exchange and says the end. */
#include "../io/fake_wire.h"
#include "temp_dir.h"

#include <sys/stat.h>

#include <lpd/front/jobs.h>

#define MOST 40

struct world {
	struct fake_wire w;
	struct temp_dir dir;
	char folder[80];
	struct lp_scope *scope;
	struct lp_media *media;
	struct lp_jobs *jobs;
	struct lp_log *log;
	struct lp_exchange *like;
	uint8_t print[32];
	struct lp_log_sink sink;
	char lost[200];
};

static void nothing(void *self, struct lp_exchange *ex)
{
	(void)self;
	(void)ex;
}

/* The last that says what the start removed. */
static void take_line(void *self, const char *line, size_t len)
{
	struct world *w = self;

	if (memmem(line, len, "kept jobs are lost", 18))
		snprintf(w->lost, sizeof(w->lost), "%.*s", (int)len, line);
}

static void open_jobs(struct world *w, int64_t ttl)
{
	struct lp_err e;

	w->scope = lp_scope_open(w->w.r.scope, "node");
	w->media = lp_media_open(w->scope, &(struct lp_media_want){ .loop = w->w.r.loop, .dir = w->dir.path,
				 .ttl = LP_MIN, .budget = 16 << 20 });
	if (lp_jobs_open(w->scope, &w->jobs, &(struct lp_jobs_want){ .loop = w->w.r.loop, .dir = w->folder, .ttl = ttl,
			 .max = MOST, .media = w->media, .log = w->log }, &e) != LP_OK)
		fail_msg("%s", lp_err_words(&e));
}

static int setup(void **state)
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	fake_wire_open(&w.w);
	w.w.owner.handle = nothing;
	w.sink = (struct lp_log_sink){ .level = LP_INFO, .write = take_line, .self = &w };
	w.log = lp_log_open(w.w.r.scope, &w.sink);
	temp_dir_make(&w.dir);
	snprintf(w.folder, sizeof(w.folder), "%s/jobs", w.dir.path);
	w.like = fake_request(&w.w, "POST", "/llm", 0);
	open_jobs(&w, LP_HOUR);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	lp_scope_close(&w->scope);
	fake_wire_close(&w->w);
	temp_dir_remove(&w->dir);
	return 0;
}

static void turn(struct world *w)
{
	do
		real_loop_run_for(&w->w.r, 2 * LP_MSEC);
	while (lp_jobs_writing(w->jobs));
}

/* Beside the lock.  Files are removed off the loop. */
static int files_soon(struct world *w, int wanted)
{
	for (int i = 0; i < 1000 && temp_dir_count(w->folder) - 1 != wanted; i++)
		real_loop_run_for(&w->w.r, 2 * LP_MSEC);
	return temp_dir_count(w->folder) - 1;
}

static struct lp_kept *begin(struct world *w, const char *key, bool asynchronous)
{
	struct lp_kept_want want = {
		.job = LP_SPAN("0123456789abcdef"),
		.pipeline = LP_SPAN("llm"),
		.model = LP_SPAN("a \"model\""),
		.request_id = LP_SPAN("r"),
		.key = lp_span(key),
		.fingerprint = w->print,
		.asynchronous = asynchronous,
		.like = w->like,
	};
	struct lp_kept *kept;
	struct lp_err e;

	assert_int_equal(lp_jobs_begin(w->jobs, &kept, &want, &e), LP_OK);
	return kept;
}

static struct lp_kept *newest(struct world *w)
{
	struct lp_kept *row;

	return lp_jobs_list(w->jobs, &row, 1, LP_SPAN("")) ? row : NULL;
}

static void finish(struct world *w, struct lp_kept *kept, const char *body)
{
	lp_reply(lp_kept_exchange(kept), 200, "application/json", lp_span(body));
	lp_kept_end(kept, LP_OK);
	turn(w);
}

static struct lp_span described(const struct lp_kept *kept, struct lp_buf *text)
{
	lp_buf_reset(text);
	lp_kept_write(kept, text);
	return lp_buf_span(text);
}

static void a_job_is_found_again_by_its_id_and_key_after_a_restart(void **state)
{
	struct world *w = *state;
	struct lp_buf before = { 0 }, after = { 0 };

	memset(w->print, 7, sizeof(w->print));
	finish(w, begin(w, "k", true), "{\"a\":1}");
	described(newest(w), &before);
	lp_scope_close(&w->scope);
	open_jobs(w, LP_HOUR);
	assert_non_null(newest(w));
	assert_true(lp_span_eq(described(newest(w), &after), lp_buf_span(&before)));
	assert_ptr_equal(lp_jobs_by_key(w->jobs, LP_SPAN("llm"), LP_SPAN("k")), newest(w));
	assert_null(lp_jobs_by_key(w->jobs, LP_SPAN("upscale"), LP_SPAN("k")));
	assert_true(lp_kept_same(newest(w), w->print));
	w->print[31]++;
	assert_false(lp_kept_same(newest(w), w->print));
	lp_buf_clear(&before);
	lp_buf_clear(&after);
}

static void what_is_kept_counts_in_the_budget_and_is_given_back(void **state)
{
	struct world *w = *state;

	finish(w, begin(w, "", true), "{\"a\":1}");
	assert_true(lp_media_budget(w->media)->used > 7);
	assert_int_equal(lp_media_budget(w->media)->used_memory, 0);
	lp_kept_cancel(newest(w));	/* it has ended: forgotten */
	turn(w);
	assert_int_equal(lp_media_budget(w->media)->used, 0);
	assert_int_equal(files_soon(w, 0), 0);
}

static void a_job_that_ran_when_the_process_ended_has_failed(void **state)
{
	struct world *w = *state;

	begin(w, "k", true);
	turn(w);
	for (int i = 0; i < 2; i++) {	/* and it stays so */
		lp_scope_close(&w->scope);
		open_jobs(w, LP_HOUR);
		turn(w);
		assert_int_equal(lp_kept_state(newest(w)), LP_KEPT_FAILED);
	}
}

static void without_a_reply_the_jobs_code_is_the_answer(void **state)
{
	struct world *w = *state;

	lp_kept_end(begin(w, "k", true), LP_DEADLINE);
	turn(w);
	assert_int_equal(lp_kept_state(newest(w)), LP_KEPT_FAILED);
	lp_kept_end(begin(w, "of-a-client-that-waits", false), LP_DEADLINE);
	turn(w);
	assert_null(lp_jobs_by_key(w->jobs, LP_SPAN("llm"), LP_SPAN("of-a-client-that-waits")));
}

static void kept_jobs_expire(void **state)
{
	struct world *w = *state;

	lp_scope_close(&w->scope);
	open_jobs(w, LP_SEC / 10);
	finish(w, begin(w, "k", true), "{}");
	assert_non_null(newest(w));
	real_loop_run_for(&w->w.r, 1200 * LP_MSEC);	/* looked at once a second at most */
	turn(w);
	assert_null(newest(w));
	assert_null(lp_jobs_by_key(w->jobs, LP_SPAN("llm"), LP_SPAN("k")));
	assert_int_equal(files_soon(w, 0), 0);
}

static void a_clock_that_jumped_keeps_nothing_for_ever(void **state)
{
	struct world *w = *state;

	finish(w, begin(w, "k", true), "{}");
	lp_scope_close(&w->scope);
	open_jobs(w, 0);		/* its until is an hour beyond what may be */
	real_loop_run_for(&w->w.r, 1200 * LP_MSEC);
	assert_null(newest(w));
}

static void put_file(struct world *w, const char *name, const char *text)
{
	char path[200];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", w->folder, name);
	file = fopen(path, "w");
	fputs(text, file);
	fclose(file);
}

static void files_that_are_no_rows_are_removed(void **state)
{
	struct world *w = *state;
	static const char *const bad[] = {
		"", "\n", "{}\n", "[1]\n", "no json\n", "{\"form\":1,\"id\":\"0\"}\n",
		"{\"form\":1,\"id\":\"0123456789abcdef0123456789abcdef\",\"pipeline\":\"llm\",\"fingerprint\":\"00\"}\n",
	};

	finish(w, begin(w, "k", true), "{\"a\":1}");
	lp_scope_close(&w->scope);
	for (int i = 0; i < 7; i++) {
		put_file(w, "job-bad", bad[i]);
		open_jobs(w, LP_HOUR);
		turn(w);
		assert_non_null(newest(w));
		assert_int_equal(files_soon(w, i == 0 ? 2 : 1), i == 0 ? 2 : 1);	/* an empty file is no parcel */
		lp_scope_close(&w->scope);
	}
	open_jobs(w, LP_HOUR);
}

static void rows_of_another_version_are_counted_in_the_log(void **state)
{
	struct world *w = *state;

	lp_scope_close(&w->scope);
	for (int i = 0; i < 3; i++) {
		char name[16];

		snprintf(name, sizeof(name), "job-%d", i);
		put_file(w, name, i < 2 ? "{\"form\":2,\"id\":\"0\"}\n" : "{\"id\":\"0\"}\n");
	}
	open_jobs(w, LP_HOUR);
	assert_non_null(strstr(w->lost, "other_version=2 unreadable=1 too_many=0"));
	assert_int_equal(files_soon(w, 0), 0);
}

/* Cut off, or with more behind it than it says. */
static void a_file_of_another_length_than_it_says_is_no_row(void **state)
{
	struct world *w = *state;
	struct stat st;
	char path[200];
	FILE *file;

	finish(w, begin(w, "k", true), "{\"a\":1}");
	snprintf(path, sizeof(path), "%s/job-%.*s", w->folder, 32, "");
	DIR *folder = opendir(w->folder);
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
		if (strncmp(entry->d_name, "job-", 4) == 0)
			snprintf(path, sizeof(path), "%s/%.40s", w->folder, entry->d_name);
	closedir(folder);
	lp_scope_close(&w->scope);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 1), 0);
	open_jobs(w, LP_HOUR);
	assert_null(newest(w));
	turn(w);
	lp_scope_close(&w->scope);
	file = fopen(path, "r");
	assert_null(file);
	open_jobs(w, LP_HOUR);
}

static void as_many_as_may_be_are_kept_and_not_one_more(void **state)
{
	struct world *w = *state;
	struct lp_kept_want want = { .job = LP_SPAN("0123456789abcdef"), .pipeline = LP_SPAN("llm"),
				     .fingerprint = w->print, .asynchronous = true, .like = w->like };
	struct lp_kept *kept;
	struct lp_err e;

	for (int i = 0; i < MOST; i++)
		assert_int_equal(lp_jobs_begin(w->jobs, &kept, &want, &e), LP_OK);
	assert_int_equal(lp_jobs_begin(w->jobs, &kept, &want, &e), LP_TOO_MANY);
	lp_kept_end(newest(w), LP_OK);
	lp_kept_cancel(newest(w));
	turn(w);
}

/* A client with ever new keys does not take the place of others. */
static void replies_for_keys_make_room_and_asynchronous_ones_do_not(void **state)
{
	struct world *w = *state;
	char key[16];

	finish(w, begin(w, "", true), "{}");
	for (int i = 0; i < MOST + 5; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		finish(w, begin(w, key, false), "{}");
	}
	assert_non_null(newest(w));
	assert_null(lp_jobs_by_key(w->jobs, LP_SPAN("llm"), LP_SPAN("k0")));
	assert_non_null(lp_jobs_by_key(w->jobs, LP_SPAN("llm"), LP_SPAN("k44")));
	assert_int_equal(files_soon(w, MOST), MOST);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_job_is_found_again_by_its_id_and_key_after_a_restart),
		TEST(what_is_kept_counts_in_the_budget_and_is_given_back),
		TEST(a_job_that_ran_when_the_process_ended_has_failed),
		TEST(without_a_reply_the_jobs_code_is_the_answer),
		TEST(kept_jobs_expire),
		TEST(a_clock_that_jumped_keeps_nothing_for_ever),
		TEST(files_that_are_no_rows_are_removed),
		TEST(rows_of_another_version_are_counted_in_the_log),
		TEST(a_file_of_another_length_than_it_says_is_no_row),
		TEST(replies_for_keys_make_room_and_asynchronous_ones_do_not),
		TEST(as_many_as_may_be_are_kept_and_not_one_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
