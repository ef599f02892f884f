/* front/jobs - the life of a row: see the header.
 *
 *   begin -> (marked on disk) -> the job's end and the reply's -> settled -> saved -> dropped after the ttl
 *
 * One file a row, and one writer of it at a time: what is to be saved waits until the mark is down. */
#include "jobs_priv.h"

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/hex.h>
#include <lpd/base/json.h>
#include <lpd/base/random.h>
#include <lpd/io/file.h>
#include <lpd/io/parcel.h>

#define TYPE_MAX 64	/* of a medium: the line of a row has a bound */

static void try_save(struct lp_kept *kept);

const char *lp_kept_state_name(enum lp_kept_state state)
{
	static const char *const names[] = { "processing", "complete", "failed", "cancelled" };

	return names[state];
}

/* ---- tables ---- */

/* Keys of different pipelines do not meet; neither can hold the byte between them. */
static struct lp_span key_of(struct lp_scope *scope, struct lp_span pipeline, struct lp_span key)
{
	return lp_span(lp_fmt(scope, "%.*s\n%.*s", LP_ARG(pipeline), LP_ARG(key)));
}

static void put(struct lp_kept *kept)
{
	struct lp_jobs *jobs = kept->jobs;

	lp_map_put(jobs->by_id, kept->id, kept);
	if (kept->key.len)
		lp_map_put(jobs->by_key, key_of(kept->scope, kept->pipeline, kept->key), kept);
	jobs->count++;
	if (jobs->want.metrics)
		lp_metric_set(jobs->want.metrics, LP_M_KEPT_JOBS, NULL, jobs->count);
}

static void take_out(struct lp_kept *kept)
{
	struct lp_jobs *jobs = kept->jobs;
	struct lp_span key = key_of(kept->scope, kept->pipeline, kept->key);

	lp_map_take(jobs->by_id, kept->id);
	if (kept->key.len && lp_map_find(jobs->by_key, key) == kept)
		lp_map_take(jobs->by_key, key);
	for (int i = 0; i < kept->n_media; i++)
		lp_map_take(jobs->by_media, kept->media[i].path);
	lp_link_out(&kept->link);
	jobs->count--;
	if (jobs->want.metrics)
		lp_metric_set(jobs->want.metrics, LP_M_KEPT_JOBS, NULL, jobs->count);
}

static void put_media(struct lp_kept *kept)
{
	for (int i = 0; i < kept->n_media; i++)
		lp_map_put(kept->jobs->by_media, kept->media[i].path, &kept->media[i]);
}

/* ---- rows ---- */

static void forget_file(struct lp_kept *kept)
{
	lp_media_budget(kept->jobs->want.media)->used -= kept->on_disk ? kept->bytes : 0;
	kept->on_disk = false;
	lp_parcel_remove(kept->jobs->scope, kept->jobs->want.loop, kept->path);
}

static void close_row(void *arg)
{
	struct lp_kept *kept = arg;

	lp_list_each(&kept->askers, asker, struct kept_asker, link)
		lp_link_out(&asker->link);
}

static struct lp_kept *row_new(struct lp_jobs *jobs)
{
	struct lp_scope *scope = lp_scope_open(jobs->scope, "kept job");
	struct lp_kept *kept = lp_new(scope, struct lp_kept);

	kept->jobs = jobs;
	kept->scope = scope;
	lp_list_init(&kept->askers);
	lp_defer(scope, close_row, kept);
	return kept;
}

/* Readers that have begun keep what they read.  A file that is being written is waited for: it would come back. */
static void drop(struct lp_kept *kept)
{
	struct lp_scope *scope = kept->scope;

	if (!kept->dropped)
		take_out(kept);
	kept->dropped = true;
	if (kept->writing)
		return;
	forget_file(kept);
	lp_scope_close(&scope);
}

static void set_timer(struct lp_jobs *jobs)
{
	struct lp_link *first = lp_list_first(&jobs->ended);
	int64_t wait;

	lp_timer_clear(&jobs->timer);
	if (!first)
		return;
	wait = LP_CONTAINER(first, struct lp_kept, link)->until - lp_wall(jobs->want.loop);
	lp_timer_set(&jobs->timer, jobs->want.loop, wait > LP_SEC ? wait : LP_SEC);
}

static void expire(void *self)
{
	struct lp_jobs *jobs = self;
	int64_t now = lp_wall(jobs->want.loop);

	lp_list_each(&jobs->ended, kept, struct lp_kept, link) {
		if (kept->until > now)
			break;
		drop(kept);
	}
	set_timer(jobs);
}

/* ---- on disk ---- */

static void on_written(void *self, const struct lp_err *why)
{
	struct lp_kept *kept = self;
	bool whole = kept->ended && kept->body;

	kept->writing = false;
	kept->jobs->writing--;
	if (why->code != LP_OK)
		lp_log_kv(kept->jobs->want.log, LP_UNUSUAL, "a kept job is not on disk and would not survive a restart",
			  "job", kept->job.at, "why", lp_err_words(why), NULL);
	if (kept->dropped) {
		kept->marked = true;
		lp_kept_tell_askers(kept);	/* somebody may still wait for his 202 */
		drop(kept);
		return;
	}
	if (!kept->marked) {
		kept->marked = true;
		lp_kept_tell_askers(kept);
		try_save(kept);
		return;
	}
	if (why->code != LP_OK || !whole)
		return;		/* its spools are kept instead, for as long */
	kept->on_disk = true;
	lp_media_budget(kept->jobs->want.media)->used += kept->bytes;
	kept->body = NULL;
	kept->capture = NULL;
	lp_scope_close(&kept->live);
}

static void write_file(struct lp_kept *kept, struct lp_spool *const *spools, int n)
{
	struct lp_buf line = { 0 };

	kept->writing = true;
	kept->jobs->writing++;
	lp_kept_write_line(kept, &line);
	kept->body_at = (int64_t)line.len + 1;
	kept->bytes = kept->body_at + kept->body_size;
	for (int i = 0; i < kept->n_media; i++) {
		kept->media[i].at = kept->bytes;
		kept->bytes += kept->media[i].size;
	}
	lp_parcel_write(kept->scope, &(struct lp_parcel_want){ kept->jobs->want.loop, kept->path, lp_buf_span(&line),
			spools, n }, on_written, kept);
	lp_buf_clear(&line);
}

/* Of a row that has ended: reply and media. */
static void try_save(struct lp_kept *kept)
{
	struct lp_spool *spools[1 + LP_KEPT_MEDIA];
	int n = 0;

	if (!kept->ended || !kept->body || kept->writing || !kept->marked || kept->on_disk)
		return;
	spools[n++] = kept->body;
	for (int i = 0; i < kept->n_media; i++)
		spools[n++] = kept->media[i].spool;
	write_file(kept, spools, n);
}

/* ---- the end ---- */

struct gathering {
	struct lp_kept *kept;
	int n;
};

static void count_medium(void *self, struct lp_span path, struct lp_span type, struct lp_spool *spool)
{
	struct gathering *g = self;

	(void)path;
	(void)type;
	(void)spool;
	g->n += g->n < LP_KEPT_MEDIA;
}

static void add_medium(void *self, struct lp_span path, struct lp_span type, struct lp_spool *spool)
{
	struct gathering *g = self;
	struct lp_kept *kept = g->kept;

	if (kept->n_media == g->n)
		return;
	kept->media[kept->n_media++] = (struct kept_medium){
		.kept = kept,
		.path = lp_span_dup(kept->scope, path),
		.type = lp_span_dup(kept->scope, type.len <= TYPE_MAX ? type : LP_SPAN("application/octet-stream")),
		.size = lp_spool_size(spool),
		.spool = lp_spool_share(kept->live, spool),
	};
}

/* From now on they are the row's own too, and live as long. */
static void gather_media(struct lp_kept *kept)
{
	struct gathering g = { kept, 0 };

	lp_media_each(kept->jobs->want.media, kept->job, count_medium, &g);
	kept->media = lp_new_array(kept->scope, struct kept_medium, (size_t)g.n);
	lp_media_each(kept->jobs->want.media, kept->job, add_medium, &g);
	put_media(kept);
}

/* What is answered where there is no reply. */
static void make_reply(struct lp_kept *kept, const struct lp_err *why)
{
	struct lp_spool *spool = lp_spool_open(kept->live, kept->jobs->want.loop, lp_media_budget(kept->jobs->want.media));
	struct lp_buf text = { 0 };
	struct lp_err e;

	lp_error_json(&text, why);
	if (lp_spool_write(spool, lp_buf_span(&text), &e) != LP_OK)
		lp_log_kv(kept->jobs->want.log, LP_UNUSUAL, "the error of a kept job is lost", "why", lp_err_words(&e),
			  NULL);
	lp_spool_end(spool);
	lp_buf_clear(&text);
	kept->body = spool;
	kept->status = lp_code_status(why->code);
	kept->type = LP_SPAN("application/json");
}

static enum lp_kept_state state_of(const struct lp_kept *kept)
{
	if (kept->cancelled)
		return LP_KEPT_CANCELLED;
	return kept->code == LP_OK && kept->status < 400 ? LP_KEPT_COMPLETE : LP_KEPT_FAILED;
}

/* The reply is there, and the job's verdict. */
static void take_reply(struct lp_kept *kept)
{
	struct lp_capture *c = kept->capture;
	struct lp_err why = { .code = kept->code == LP_OK ? LP_INTERNAL : kept->code };

	if (kept->cancelled)
		why.code = kept->code = LP_CANCELLED;
	if (lp_capture_state(c) == LP_CAPTURE_WHOLE && !kept->cancelled) {
		kept->status = lp_capture_status(c);
		kept->type = lp_span_dup(kept->scope, lp_capture_header(c, "content-type"));
		kept->body = lp_spool_share(kept->live, lp_capture_body(c));
	} else {
		make_reply(kept, &why);
	}
	kept->body_size = lp_spool_size(kept->body);
	kept->state = state_of(kept);
}

/* In the order of their expiry: a folder gives them in any, and a clock that jumps back makes a later one earlier. */
static void add_ended(struct lp_kept *kept)
{
	struct lp_list *list = &kept->jobs->ended;
	struct lp_link *after = list->head.prev;

	while (after != &list->head && LP_CONTAINER(after, struct lp_kept, link)->until > kept->until)
		after = after->prev;
	lp_link_add_after(after, &kept->link);
}

static void to_ended(struct lp_kept *kept)
{
	struct lp_jobs *jobs = kept->jobs;

	kept->finished = lp_wall(jobs->want.loop);
	kept->until = kept->finished + jobs->want.ttl;
	lp_link_out(&kept->link);
	add_ended(kept);
	set_timer(jobs);
}

/* Who asks again after a fault that was not his wants another try, not the same answer. */
static bool worth_keeping(const struct lp_kept *kept)
{
	return kept->asynchronous || kept->state == LP_KEPT_COMPLETE ||
	       (lp_code_fault(kept->code) == LP_FAULT_CLIENT && kept->code != LP_TOO_MANY && kept->code != LP_GONE);
}

static void settle(struct lp_kept *kept)
{
	enum lp_capture_state state = lp_capture_state(kept->capture);

	if (!kept->ended || kept->body || (state != LP_CAPTURE_WHOLE && state != LP_CAPTURE_BROKEN))
		return;
	take_reply(kept);
	lp_kept_tell_askers(kept);
	if (!worth_keeping(kept)) {
		drop(kept);
		return;
	}
	gather_media(kept);
	to_ended(kept);
	try_save(kept);
}

static void on_capture(void *self)
{
	struct lp_kept *kept = self;

	lp_kept_tell_askers(kept);
	settle(kept);
}

void lp_kept_end(struct lp_kept *kept, enum lp_code code)
{
	kept->ended = true;
	kept->code = code;
	if (lp_capture_exchange(kept->capture))
		lp_capture_cancel(kept->capture, "the job ended without a reply");
	settle(kept);
}

void lp_kept_cancel(struct lp_kept *kept)
{
	if (kept->ended) {
		drop(kept);
		return;
	}
	kept->cancelled = true;
	lp_capture_cancel(kept->capture, "cancelled by the client");
}

/* ---- the beginning ---- */

/* Whoever knows it may read and cancel, so it cannot be guessed. */
static struct lp_span make_id(struct lp_scope *scope)
{
	uint8_t random[LP_KEPT_ID / 2];
	char text[LP_KEPT_ID + 1];

	lp_random(random, sizeof(random));
	return lp_span_dup(scope, lp_span(lp_hex_write(text, random, sizeof(random))));
}

/* Where there is none, the oldest reply that is kept for a key only goes: whoever was given an id was promised more. */
static bool make_room(struct lp_jobs *jobs)
{
	if (jobs->count < jobs->want.max)
		return true;
	lp_list_each(&jobs->ended, kept, struct lp_kept, link) {
		if (kept->asynchronous)
			continue;
		drop(kept);
		return true;
	}
	return false;
}

enum lp_code lp_jobs_begin(struct lp_jobs *jobs, struct lp_kept **out, const struct lp_kept_want *want,
			   struct lp_err *e)
{
	struct lp_capture_want capture = { jobs->want.loop, lp_media_budget(jobs->want.media), want->like, on_capture,
					   NULL };
	struct lp_kept *kept;

	if (!make_room(jobs))
		return lp_fail(e, LP_TOO_MANY, "%d results are kept already, which is all that this gateway keeps",
			       jobs->count);
	kept = row_new(jobs);
	kept->id = make_id(kept->scope);
	kept->job = lp_span_dup(kept->scope, want->job);
	kept->pipeline = lp_span_dup(kept->scope, want->pipeline);
	kept->model = lp_span_dup(kept->scope, want->model);
	kept->request_id = lp_span_dup(kept->scope, want->request_id);
	kept->key = lp_span_dup(kept->scope, want->key);
	memcpy(kept->fingerprint, want->fingerprint, sizeof(kept->fingerprint));
	kept->asynchronous = want->asynchronous;
	kept->created = lp_wall(jobs->want.loop);
	kept->path = lp_fmt(kept->scope, "%s/job-%.*s", jobs->want.dir, LP_ARG(kept->id));
	kept->live = lp_scope_open(kept->scope, "reply");
	capture.self = kept;
	kept->capture = lp_capture_open(kept->live, &capture);
	put(kept);
	lp_list_add(&jobs->running, &kept->link);
	write_file(kept, NULL, 0);
	*out = kept;
	return LP_OK;
}

struct lp_exchange *lp_kept_exchange(struct lp_kept *kept)
{
	return lp_capture_exchange(kept->capture);
}

/* ---- at start ---- */

/* The process died under it. */
static void interrupt(struct lp_kept *kept)
{
	struct lp_err why = { .code = LP_INTERRUPTED };

	kept->live = lp_scope_open(kept->scope, "reply");
	kept->ended = kept->marked = true;
	kept->code = why.code;
	kept->state = LP_KEPT_FAILED;
	make_reply(kept, &why);
	kept->body_size = lp_spool_size(kept->body);
	to_ended(kept);
	try_save(kept);
}

/* Each is named for who looks closely; tell_removed() says how many there were. */
static void refuse(struct lp_kept *kept, bool read)
{
	struct lp_jobs *jobs = kept->jobs;
	struct lp_scope *scope = kept->scope;
	bool other = kept->form >= 0 && kept->form != LP_KEPT_FORM;

	jobs->n_other_form += other;
	jobs->n_unread += !read && !other;
	jobs->n_beyond += read;
	lp_log_kv(jobs->want.log, LP_DEBUG, "no kept job", "file", kept->path, NULL);
	lp_parcel_remove(jobs->scope, jobs->want.loop, kept->path);
	lp_scope_close(&scope);
}

static void tell_removed(const struct lp_jobs *jobs)
{
	if (jobs->n_other_form + jobs->n_unread + jobs->n_beyond)
		lp_log(jobs->want.log, LP_UNUSUAL, "kept jobs are lost", "other_version=%d unreadable=%d too_many=%d",
		       jobs->n_other_form, jobs->n_unread, jobs->n_beyond);
}

static void load(void *self, const char *name, struct lp_span line, int64_t size)
{
	struct lp_jobs *jobs = self;
	struct lp_kept *kept = row_new(jobs);
	int64_t latest = lp_wall(jobs->want.loop) + jobs->want.ttl;

	kept->path = lp_fmt(kept->scope, "%s/%s", jobs->want.dir, name);
	bool read = lp_kept_read_line(kept, line, size);

	if (!read || jobs->count >= jobs->want.max || lp_map_find(jobs->by_id, kept->id)) {
		refuse(kept, read);
		return;
	}
	put(kept);
	if (kept->state == LP_KEPT_PROCESSING) {
		interrupt(kept);
		return;
	}
	kept->ended = kept->marked = kept->on_disk = true;
	kept->until = kept->until < latest ? kept->until : latest;	/* a clock that jumped keeps nothing for ever */
	lp_media_budget(jobs->want.media)->used += kept->bytes;
	put_media(kept);
	add_ended(kept);
}

/* Rows are closed before: nobody looks anything up any more. */
static void jobs_close(void *arg)
{
	struct lp_jobs *jobs = arg;

	lp_timer_clear(&jobs->timer);
	lp_map_free(&jobs->by_id);
	lp_map_free(&jobs->by_key);
	lp_map_free(&jobs->by_media);
}

enum lp_code lp_jobs_open(struct lp_scope *parent, struct lp_jobs **out, const struct lp_jobs_want *want,
			  struct lp_err *e)
{
	struct lp_scope *scope = lp_scope_open(parent, "kept jobs");
	struct lp_jobs *jobs = lp_new(scope, struct lp_jobs);

	jobs->want = *want;
	jobs->want.dir = lp_strdup(scope, lp_span(want->dir));
	jobs->want.max = want->max ? want->max : LP_JOBS_MAX;
	jobs->scope = scope;
	jobs->by_id = lp_map_new();
	jobs->by_key = lp_map_new();
	jobs->by_media = lp_map_new();
	jobs->files = (struct lp_spool_budget){ .dir = jobs->want.dir, .total = INT64_MAX };
	jobs->timer = (struct lp_timer){ .fire = expire, .self = jobs };
	lp_list_init(&jobs->running);
	lp_list_init(&jobs->ended);
	lp_defer(scope, jobs_close, jobs);
	/* Two that share it would take each other's running jobs for lost ones. */
	if (lp_folder_make(jobs->want.dir, e) != LP_OK || lp_folder_lock(scope, jobs->want.dir, e) != LP_OK)
		return e->code;
	lp_parcel_each(jobs->want.dir, "job-", load, jobs);
	tell_removed(jobs);
	if (!lp_list_empty(&jobs->ended))
		set_timer(jobs);
	*out = jobs;
	return LP_OK;
}

/* ---- looking up ---- */

struct lp_kept *lp_jobs_by_key(struct lp_jobs *jobs, struct lp_span pipeline, struct lp_span key)
{
	struct lp_scope *scope = lp_scope_open(NULL, "key");
	struct lp_kept *kept = lp_map_find(jobs->by_key, key_of(scope, pipeline, key));

	lp_scope_close(&scope);
	return kept;
}

struct lp_kept *lp_jobs_find(struct lp_jobs *jobs, struct lp_span id)
{
	struct lp_kept *kept = lp_map_find(jobs->by_id, id);

	return kept && kept->asynchronous ? kept : NULL;
}

bool lp_kept_same(const struct lp_kept *kept, const uint8_t fingerprint[32])
{
	return memcmp(kept->fingerprint, fingerprint, sizeof(kept->fingerprint)) == 0;
}

bool lp_kept_is_asynchronous(const struct lp_kept *kept)
{
	return kept->asynchronous;
}

enum lp_kept_state lp_kept_state(const struct lp_kept *kept)
{
	return kept->state;
}

int lp_jobs_writing(const struct lp_jobs *jobs)
{
	return jobs->writing;
}

static int list_from(struct lp_list *list, struct lp_kept **out, int max, struct lp_link *from)
{
	int n = 0;

	for (struct lp_link *at = from ? from : list->head.prev; at != &list->head && n < max; at = at->prev) {
		struct lp_kept *kept = LP_CONTAINER(at, struct lp_kept, link);

		if (kept->asynchronous)
			out[n++] = kept;
	}
	return n;
}

/* Those that run are newer than those that ended, by what their lists are ordered by. */
int lp_jobs_list(struct lp_jobs *jobs, struct lp_kept **out, int max, struct lp_span after)
{
	struct lp_kept *last = after.len ? lp_jobs_find(jobs, after) : NULL;
	int n = 0;

	if (after.len && !last)
		return 0;
	if (!last || !last->ended)
		n = list_from(&jobs->running, out, max, last ? last->link.prev : NULL);
	return n + list_from(&jobs->ended, out + n, max - n, last && last->ended ? last->link.prev : NULL);
}
