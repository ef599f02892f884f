/* front/media - see the header.
 *
 * Every kept result is a row under its path; rows stand in the order in which they were kept, which is the
 * order in which they expire, so one timer for the first of them is enough. */
#include <lpd/front/media.h>

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/hex.h>
#include <lpd/base/map.h>
#include <lpd/base/random.h>
#include <lpd/front/send.h>
#include <lpd/io/file.h>
#include <lpd/io/timer.h>

#define IN_MEMORY (256 * 1024)		/* bytes of one result that stay out of the disk */

struct kept {
	struct lp_link link;
	struct lp_scope *scope;		/* of the row itself and its spool */
	struct lp_spool *spool;
	struct lp_span path, id, type;
	int64_t until;
};

struct lp_media {
	struct lp_media_want want;
	struct lp_spool_budget budget;
	struct lp_map *by_path;
	struct lp_list rows;		/* oldest first */
	struct lp_timer timer;
};

static void tell(struct lp_media *media)
{
	int64_t memory = media->budget.used_memory;

	if (!media->want.metrics)
		return;
	lp_metric_set(media->want.metrics, LP_M_MEDIA_BYTES, LP_LABELS("memory"), memory);
	lp_metric_set(media->want.metrics, LP_M_MEDIA_BYTES, LP_LABELS("disk"), media->budget.used - memory);
}

static void drop(struct lp_media *media, struct kept *row)
{
	struct lp_scope *scope = row->scope;

	lp_map_take(media->by_path, row->path);
	lp_link_out(&row->link);
	lp_scope_close(&scope);
}

static void set_timer(struct lp_media *media)
{
	struct lp_link *first = lp_list_first(&media->rows);
	struct kept *row;
	int64_t wait;

	lp_timer_clear(&media->timer);
	if (!first)
		return;
	row = LP_CONTAINER(first, struct kept, link);
	wait = row->until - lp_mono(media->want.loop);
	lp_timer_set(&media->timer, media->want.loop, wait > 0 ? wait : 0);
}

static void expire(void *self)
{
	struct lp_media *media = self;
	int64_t now = lp_mono(media->want.loop);

	lp_list_each(&media->rows, row, struct kept, link) {
		if (row->until > now)
			break;
		drop(media, row);
	}
	tell(media);
	set_timer(media);
}

static void media_close(void *arg)
{
	struct lp_media *media = arg;

	lp_timer_clear(&media->timer);
	lp_list_each(&media->rows, row, struct kept, link)
		drop(media, row);
	lp_map_free(&media->by_path);
}

struct lp_media *lp_media_open(struct lp_scope *scope, const struct lp_media_want *want)
{
	struct lp_media *media = lp_new(scope, struct lp_media);

	media->want = *want;
	media->want.dir = lp_strdup(scope, lp_span(want->dir));
	media->budget.dir = media->want.dir;
	media->budget.memory_each = IN_MEMORY;
	media->budget.total = want->budget;
	media->budget.memory = want->memory;
	media->by_path = lp_map_new();
	media->timer.fire = expire;
	media->timer.self = media;
	lp_list_init(&media->rows);
	lp_defer(scope, media_close, media);
	/* Spools are unlinked from the start; this is for files of a run that ended between the two. */
	lp_folder_sweep(media->want.dir, "spool-");
	return media;
}

struct lp_spool_budget *lp_media_budget(struct lp_media *media)
{
	return &media->budget;
}

/* The name is the only key to the result, so it cannot be guessed. */
static struct lp_span path_of(struct lp_scope *scope, const struct lp_media_put *put)
{
	uint8_t random[16];
	char name[33];

	lp_random(random, sizeof(random));
	lp_hex_write(name, random, sizeof(random));
	return lp_span(lp_fmt(scope, "/stream/%.*s/%s%s", LP_ARG(put->id), name, lp_media_extension(put->type)));
}

struct lp_span lp_media_keep(struct lp_scope *scope, struct lp_media *media, const struct lp_media_put *put)
{
	struct lp_scope *own = lp_scope_open(NULL, "media");	/* closed by drop() alone */
	struct kept *row = lp_new(own, struct kept);

	row->scope = own;
	row->spool = lp_spool_share(own, put->spool);
	row->path = path_of(own, put);
	row->id = lp_span_dup(own, put->id);
	row->type = lp_span_dup(own, put->type);
	row->until = lp_mono(media->want.loop) + media->want.ttl;
	lp_map_put(media->by_path, row->path, row);
	lp_list_add(&media->rows, &row->link);
	if (!lp_timer_is_set(&media->timer))
		set_timer(media);
	tell(media);
	return lp_span_dup(scope, row->path);
}

void lp_media_forget(struct lp_media *media, struct lp_span id)
{
	lp_list_each(&media->rows, row, struct kept, link)
		if (lp_span_eq(row->id, id))
			drop(media, row);
	tell(media);
	set_timer(media);
}

struct lp_spool *lp_media_find(struct lp_media *media, struct lp_span path, struct lp_media_item *item)
{
	struct kept *row = lp_map_find(media->by_path, path);

	if (!row)
		return NULL;
	if (item)
		*item = (struct lp_media_item){ .type = row->type, .size = lp_spool_size(row->spool) };
	return row->spool;
}

void lp_media_each(struct lp_media *media, struct lp_span id,
		   void (*found)(void *self, struct lp_span path, struct lp_span type, struct lp_spool *spool), void *self)
{
	lp_list_each(&media->rows, row, struct kept, link)
		if (lp_span_eq(row->id, id))
			found(self, row->path, row->type, row->spool);
}

/* ---- serving ---- */

/* What a peer or a client sent is shown by browsers on our origin: only kinds that carry no script pass under
 * their own name. */
static struct lp_span safe_type(struct lp_span type)
{
	if (lp_span_starts(type, "image/") || lp_span_starts(type, "audio/") || lp_span_starts(type, "video/"))
		return type;
	return LP_SPAN("application/octet-stream");
}

void lp_media_send(struct lp_exchange *ex, struct lp_spool *spool, struct lp_span type)
{
	const struct lp_header headers[] = {
		{ .name = LP_SPAN("content-type"), .value = safe_type(type) },
		{ .name = LP_SPAN("cache-control"), .value = LP_SPAN("private, max-age=60") },
		{ .name = LP_SPAN("access-control-allow-origin"), .value = LP_SPAN("*") },
		{ .name = LP_SPAN("access-control-expose-headers"), .value = LP_SPAN("Content-Length") },
		{ .name = LP_SPAN("x-content-type-options"), .value = LP_SPAN("nosniff") },
		{ .name = LP_SPAN("content-security-policy"), .value = LP_SPAN("sandbox; default-src 'none'") },
	};

	lp_send(&(struct lp_send){ .ex = ex, .spool = spool, .status = 200, .headers = headers,
				   .n_headers = (int)(sizeof(headers) / sizeof(*headers)) });
}

void lp_media_serve(void *self, struct lp_exchange *ex)
{
	struct lp_media *media = self;
	struct kept *row = lp_map_find(media->by_path, lp_exchange_path(ex));
	struct lp_err e;

	if (row) {
		lp_media_send(ex, row->spool, row->type);
		return;
	}
	lp_fail(&e, LP_NOT_FOUND, "no result is kept under this address (any more)");
	lp_reply_error(ex, &e);
}
