/* Reading spools: from memory, and behind that from the file, a piece ahead. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>
#include <lpd/io/pool.h>

#include "spool_priv.h"

/* A piece read back. */
struct chunk {
	int64_t at;
	size_t len;
	char mem[SPOOL_PIECE];
};

/* On its way. */
struct fetch {
	struct spool_store *store;
	struct chunk *chunk;	/* NULL once the reader has it */
	int fd;			/* -1: path is to be opened */
	const char *path;	/* the store's */
	int64_t base;
	size_t want;
	int failed;
};

static void read_chunk(void *arg)
{
	struct fetch *fetch = arg;
	struct chunk *chunk = fetch->chunk;

	if (fetch->fd < 0)
		fetch->fd = open(fetch->path, O_RDONLY | O_CLOEXEC);
	if (fetch->fd < 0) {
		fetch->failed = errno;
		return;
	}
	while (chunk->len < fetch->want) {
		ssize_t n = pread(fetch->fd, chunk->mem + chunk->len, fetch->want - chunk->len,
				  fetch->base + chunk->at + (int64_t)chunk->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			fetch->failed = n < 0 ? errno : EIO;
			return;
		}
		chunk->len += (size_t)n;
	}
}

static void end_fetch(void *arg)
{
	struct fetch *fetch = arg;
	struct spool_store *store = fetch->store;

	/* Two readers may have opened it at the same time. */
	if (store->fd < 0)
		store->fd = fetch->fd;
	else if (fetch->fd >= 0 && fetch->fd != store->fd)
		close(fetch->fd);
	lp_mem_free(fetch->chunk);
	lp_mem_free(fetch);
	lp_spool_release(store);
}

static bool covers(const struct chunk *chunk, int64_t pos)
{
	return chunk && pos >= chunk->at && pos < chunk->at + (int64_t)chunk->len;
}

static void on_fetched(void *self, void *arg)
{
	struct lp_spool_reader *reader = self;
	struct fetch *fetch = arg;

	reader->fetching = false;
	if (fetch->failed) {
		lp_fail(&reader->err, LP_STORE, "a temporary file cannot be read: %s", strerror(fetch->failed));
	} else {
		reader->next = fetch->chunk;
		fetch->chunk = NULL;
	}
	lp_spool_tell_reader(reader);
}

/* Start reading the piece behind what is there, if it is on disk. */
static void fetch_next(struct lp_spool_reader *reader)
{
	struct spool_store *store = reader->store;
	int64_t head = (int64_t)store->memory.len;
	int64_t at = reader->pos < head ? head : reader->pos;

	if (covers(reader->now, at))
		at = reader->now->at + (int64_t)reader->now->len;
	if (reader->fetching || reader->next || reader->err.code != LP_OK || at >= store->saved)
		return;
	struct fetch *fetch = lp_mem_zeroed(1, sizeof(*fetch));
	int64_t left = store->saved - at;
	fetch->store = store;
	fetch->fd = store->fd;
	fetch->path = store->path;
	fetch->base = store->base;
	fetch->want = left < SPOOL_PIECE ? (size_t)left : SPOOL_PIECE;
	fetch->chunk = lp_mem_get(sizeof(struct chunk));
	fetch->chunk->at = at;
	fetch->chunk->len = 0;
	reader->fetching = true;
	store->refs++;
	lp_pool_run(reader->scope, store->loop,
		    &(struct lp_work){ read_chunk, on_fetched, end_fetch, fetch, reader });
}

static void reader_event(void *self)
{
	struct lp_spool_reader *reader = self;

	reader->on_event(reader->self);
}

static void close_reader(void *arg)
{
	struct lp_spool_reader *reader = arg;

	lp_unready(&reader->ready);
	lp_link_out(&reader->link);
	lp_mem_free(reader->now);
	lp_mem_free(reader->next);
	lp_spool_user_gone(reader->store);
}

struct lp_spool_reader *lp_spool_read(struct lp_scope *scope, struct lp_spool *spool, void (*on_event)(void *self),
				      void *self)
{
	struct lp_spool_reader *reader = lp_new(scope, struct lp_spool_reader);

	reader->store = spool->store;
	reader->scope = scope;
	reader->on_event = on_event;
	reader->self = self;
	reader->ready = (struct lp_ready){ .run = reader_event, .self = reader };
	lp_list_add(&spool->store->readers, &reader->link);
	lp_defer(scope, close_reader, reader);
	if (spool->store->spilled)
		fetch_next(reader);
	return reader;
}

struct lp_span lp_spool_peek(struct lp_spool_reader *reader)
{
	struct spool_store *store = reader->store;
	struct lp_span memory = lp_buf_span(&store->memory);

	if (store->err.code != LP_OK || reader->err.code != LP_OK)
		return (struct lp_span){ NULL, 0 };
	if (reader->pos < (int64_t)memory.len)
		return lp_span_skip(memory, (size_t)reader->pos);
	if (!covers(reader->now, reader->pos) && covers(reader->next, reader->pos)) {
		lp_mem_free(reader->now);
		reader->now = reader->next;
		reader->next = NULL;
	}
	if (store->spilled)
		fetch_next(reader);
	if (covers(reader->now, reader->pos)) {
		size_t off = (size_t)(reader->pos - reader->now->at);
		return lp_span_of(reader->now->mem + off, reader->now->len - off);
	}
	reader->waits = !lp_spool_at_end(reader);
	return (struct lp_span){ NULL, 0 };
}

void lp_spool_consume(struct lp_spool_reader *reader, size_t n)
{
	lp_assert((int64_t)n <= reader->store->size - reader->pos);
	reader->pos += (int64_t)n;
	if (reader->now && !covers(reader->now, reader->pos) && reader->pos > reader->now->at) {
		lp_mem_free(reader->now);
		reader->now = NULL;
	}
}

bool lp_spool_at_end(const struct lp_spool_reader *reader)
{
	const struct spool_store *store = reader->store;

	return store->ended && store->err.code == LP_OK && reader->pos == store->size;
}

const struct lp_err *lp_spool_reader_err(const struct lp_spool_reader *reader)
{
	return reader->err.code != LP_OK ? &reader->err : &reader->store->err;
}
