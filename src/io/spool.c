/* Spools.  The bytes belong to a store on the heap, shared by handles and readers, which live in scopes, and by
 * work in the pool, which may return after all of those are gone.
 *
 * In the file everything stands at its own offset.  Writing: bytes gather in pieces, one piece is on its way
 * at a time.  Reading is in spool_read.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>
#include <lpd/io/pool.h>

#include "spool_priv.h"

#define HEAD (64 * 1024)

/* What may wait for the disk beyond what memory keeps anyway, before the writer is slowed. */
#define BACKLOG (2 * SPOOL_PIECE)

/* A piece to write.  The thread sees only this. */
struct piece {
	struct lp_link link;
	struct spool_store *store;
	int64_t at;
	struct lp_buf bytes;
	char *dir;		/* set when the file is yet to be made */
	int fd;
	int failed;		/* errno, or 0 */
};

/* ---- lives and accounts ---- */

struct closing {
	struct lp_scope *scope;
	int fd;
};

static void close_file(void *arg)
{
	struct closing *closing = arg;

	close(closing->fd);
	closing->fd = -1;
}

static void end_closing(void *arg)
{
	struct closing *closing = arg;
	struct lp_scope *scope = closing->scope;

	if (closing->fd >= 0)
		close(closing->fd);
	lp_scope_close(&scope);
}

static void drop_piece(struct piece *piece)
{
	lp_link_out(&piece->link);
	lp_buf_clear(&piece->bytes);
	lp_mem_free(piece->dir);
	lp_mem_free(piece);
}

static void drop_queue(struct spool_store *store)
{
	lp_list_each(&store->queue, piece, struct piece, link)
		drop_piece(piece);
}

/* The file has no name any more: closing gives its blocks back, which takes time, so a thread does it. */
void lp_spool_release(struct spool_store *store)
{
	if (--store->refs > 0)
		return;
	if (store->fd >= 0) {
		struct closing *closing = lp_new(store->works, struct closing);
		*closing = (struct closing){ store->works, store->fd };
		lp_pool_run(store->works, store->loop,
			    &(struct lp_work){ .fn = close_file, .free_arg = end_closing, .arg = closing });
	} else {
		lp_scope_close(&store->works);
	}
	lp_mem_free(store->path);
	lp_mem_free(store);
}

/* Work still out finishes for itself; to the budget the bytes are gone now. */
void lp_spool_user_gone(struct spool_store *store)
{
	if (!lp_list_empty(&store->handles) || !lp_list_empty(&store->readers))
		return;
	store->budget->used -= store->size;
	store->budget->used_memory -= store->size - store->saved;
	store->budget = NULL;
	drop_queue(store);
	lp_buf_clear(&store->memory);
	lp_spool_release(store);
}

static void tell_handles(struct spool_store *store)
{
	lp_list_each(&store->handles, handle, struct lp_spool, link) {
		if (handle->on_event)
			lp_ready(store->loop, &handle->ready);
	}
}

void lp_spool_tell_reader(struct lp_spool_reader *reader)
{
	if (reader->waits && reader->on_event)
		lp_ready(reader->store->loop, &reader->ready);
	reader->waits = false;
}

static void tell_readers(struct spool_store *store)
{
	lp_list_each(&store->readers, reader, struct lp_spool_reader, link)
		lp_spool_tell_reader(reader);
}

static void break_store(struct spool_store *store, enum lp_code code, const char *words)
{
	if (store->err.code == LP_OK)
		lp_fail(&store->err, code, "%s", words);
	drop_queue(store);
	tell_handles(store);
	tell_readers(store);
}

static void handle_event(void *self)
{
	struct lp_spool *handle = self;

	handle->on_event(handle->self);
}

static void close_handle(void *arg)
{
	struct lp_spool *handle = arg;
	struct spool_store *store = handle->store;

	lp_unready(&handle->ready);
	lp_link_out(&handle->link);
	if (handle->writer && !store->ended)
		break_store(store, LP_STORE, "its writer left before the end");
	lp_spool_user_gone(store);
}

static struct lp_spool *open_handle(struct lp_scope *scope, struct spool_store *store)
{
	struct lp_spool *handle = lp_new(scope, struct lp_spool);

	handle->store = store;
	handle->ready = (struct lp_ready){ .run = handle_event, .self = handle };
	lp_list_add(&store->handles, &handle->link);
	lp_defer(scope, close_handle, handle);
	return handle;
}

struct lp_spool *lp_spool_open(struct lp_scope *scope, struct lp_loop *loop, struct lp_spool_budget *budget)
{
	struct spool_store *store = lp_mem_zeroed(1, sizeof(*store));

	store->loop = loop;
	store->budget = budget;
	store->refs = 1;
	store->fd = -1;
	lp_list_init(&store->handles);
	lp_list_init(&store->readers);
	lp_list_init(&store->queue);
	struct lp_spool *handle = open_handle(scope, store);
	handle->writer = true;
	return handle;
}

struct lp_spool *lp_spool_of_file(struct lp_scope *scope, struct lp_loop *loop, struct lp_spool_budget *budget,
				  const struct lp_spool_place *place)
{
	struct lp_span path = lp_span(place->path);
	struct lp_spool *handle = lp_spool_open(scope, loop, budget);
	struct spool_store *store = handle->store;

	store->path = lp_mem_get(path.len + 1);
	lp_span_copy(store->path, path.len + 1, path);
	store->base = place->at;
	store->size = store->saved = place->size;
	store->spilled = store->ended = true;
	store->works = lp_scope_open(NULL, "spool");
	budget->used += place->size;
	return handle;
}

struct lp_spool *lp_spool_share(struct lp_scope *scope, struct lp_spool *spool)
{
	return open_handle(scope, spool->store);
}

/* ---- writing ---- */

static bool write_all(int fd, struct lp_span bytes, int64_t at)
{
	while (bytes.len) {
		ssize_t n = pwrite(fd, bytes.at, bytes.len, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes = lp_span_skip(bytes, (size_t)n);
		at += n;
	}
	return true;
}

static int make_file(const char *dir)
{
	char name[4096];
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	/* a file system without nameless files */
	int n = snprintf(name, sizeof(name), "%s/spool-XXXXXX", dir);
	if (n < 0 || (size_t)n >= sizeof(name))
		return -1;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd;
}

static void write_piece(void *arg)
{
	struct piece *piece = arg;

	if (piece->fd < 0)
		piece->fd = make_file(piece->dir);
	if (piece->fd < 0 || !write_all(piece->fd, lp_buf_span(&piece->bytes), piece->at))
		piece->failed = errno;
}

static void free_piece(void *arg)
{
	struct piece *piece = arg;
	struct spool_store *store = piece->store;

	store->fd = piece->fd;
	drop_piece(piece);
	lp_spool_release(store);
}

static size_t room(const struct spool_store *store)
{
	size_t limit = lp_budget_tight(store->budget) ? SPOOL_PIECE : store->budget->memory_each + BACKLOG;
	size_t unsaved = (size_t)(store->size - store->saved);

	return unsaved < limit ? limit - unsaved : 0;
}

static bool is_ready(const struct spool_store *store)
{
	return store->ended && store->err.code == LP_OK && (!store->spilled || store->saved == store->size);
}

static void write_on(struct spool_store *store);

static void on_written(void *self, void *arg)
{
	struct spool_store *store = self;
	struct piece *piece = arg;
	char words[80];

	store->writing = false;
	store->fd = piece->fd;	/* before the next piece is sent */
	if (!store->budget)
		return;		/* nobody is left */
	if (piece->failed) {
		snprintf(words, sizeof(words), "a temporary file cannot be written: %s", strerror(piece->failed));
		break_store(store, piece->failed == ENOSPC || piece->failed == EDQUOT ? LP_NO_ROOM : LP_STORE, words);
		return;
	}
	store->saved += (int64_t)piece->bytes.len;
	store->budget->used_memory -= (int64_t)piece->bytes.len;
	if (store->err.code != LP_OK)
		return;
	if (room(store) > 0 || is_ready(store))
		tell_handles(store);
	tell_readers(store);
	write_on(store);
}

/* Whole pieces go to the disk, one at a time; the last may be short. */
static void write_on(struct spool_store *store)
{
	struct lp_link *first = lp_list_first(&store->queue);

	if (!first || store->writing || store->err.code != LP_OK)
		return;
	struct piece *piece = LP_CONTAINER(first, struct piece, link);
	if (piece->bytes.len < SPOOL_PIECE && !store->ended)
		return;
	lp_link_out(first);
	piece->fd = store->fd;
	if (store->fd < 0) {
		struct lp_span dir = lp_span(store->budget->dir);
		piece->dir = lp_mem_get(dir.len + 1);
		lp_span_copy(piece->dir, dir.len + 1, dir);
	}
	store->writing = true;
	store->refs++;
	lp_pool_run(store->works, store->loop,
		    &(struct lp_work){ write_piece, on_written, free_piece, piece, store });
}

static struct piece *new_piece(struct spool_store *store, int64_t at)
{
	struct piece *piece = lp_mem_zeroed(1, sizeof(*piece));

	piece->store = store;
	piece->at = at;
	piece->fd = -1;
	lp_list_add(&store->queue, &piece->link);
	return piece;	/* its bytes are empty */
}

static void add_to_head(struct spool_store *store, struct lp_span bytes)
{
	size_t room_left = HEAD - store->memory.len;

	lp_buf_add(&store->memory, bytes.at, bytes.len < room_left ? bytes.len : room_left);
}

/* What memory held becomes the first piece; its start stays as the head. */
static void spill(struct spool_store *store)
{
	struct lp_buf all = store->memory;

	store->spilled = true;
	store->works = lp_scope_open(NULL, "spool");
	store->memory = (struct lp_buf){ .len = 0 };
	if (!all.len) {
		lp_buf_clear(&all);
		return;
	}
	add_to_head(store, lp_span_of(lp_buf_span(&all).at, all.len));
	new_piece(store, 0)->bytes = all;
}

static void queue_bytes(struct spool_store *store, struct lp_span bytes, int64_t at)
{
	if (store->memory.len < HEAD)
		add_to_head(store, bytes);
	while (bytes.len) {
		struct piece *piece = NULL;
		if (!lp_list_empty(&store->queue))
			piece = LP_CONTAINER(store->queue.head.prev, struct piece, link);
		if (!piece || piece->bytes.len >= SPOOL_PIECE)
			lp_buf_room(&(piece = new_piece(store, at))->bytes, SPOOL_PIECE);
		size_t fits = SPOOL_PIECE - piece->bytes.len;
		size_t n = bytes.len < fits ? bytes.len : fits;
		lp_buf_add(&piece->bytes, bytes.at, n);
		bytes = lp_span_skip(bytes, n);
		at += (int64_t)n;
	}
}

void lp_spool_expect(struct lp_spool *spool, int64_t size)
{
	struct spool_store *store = spool->store;
	size_t most = store->budget->memory_each;

	if (store->size || store->spilled || size <= 0)
		return;
	/* A result that will go to disk needs no more than the pieces on their way. */
	if ((uint64_t)size <= most)
		lp_buf_room(&store->memory, (size_t)size);
}

/* What is no longer than the head stays in memory in any case. */
static bool must_spill(const struct spool_store *store, uint64_t size)
{
	return size > store->budget->memory_each || (size > HEAD && lp_budget_tight(store->budget));
}

enum lp_code lp_spool_write(struct lp_spool *spool, struct lp_span bytes, struct lp_err *e)
{
	struct spool_store *store = spool->store;
	struct lp_spool_budget *budget = store->budget;
	int64_t at = store->size;

	lp_assert(spool->writer && !store->ended);
	if (store->err.code != LP_OK)
		return lp_fail(e, store->err.code, "%s", lp_err_words(&store->err));
	bool spills = store->spilled || must_spill(store, (uint64_t)store->size + bytes.len);

	if (!spills && !lp_budget_holds(budget, bytes.len))
		return lp_fail(e, LP_NO_ROOM, "%lld bytes of media lie in memory, which is all that it takes",
			       (long long)budget->used_memory);
	if (budget->used > budget->total || bytes.len > (uint64_t)(budget->total - budget->used))
		return lp_fail(e, LP_NO_ROOM, "%lld of %lld bytes for media are in use", (long long)budget->used,
			       (long long)budget->total);
	store->size += (int64_t)bytes.len;
	budget->used += (int64_t)bytes.len;
	budget->used_memory += (int64_t)bytes.len;
	if (!store->spilled && spills)
		spill(store);
	if (store->spilled)
		queue_bytes(store, bytes, at);
	else
		lp_buf_add_span(&store->memory, bytes);
	if (bytes.len && (!store->spilled || at < HEAD))
		tell_readers(store);
	write_on(store);
	return LP_OK;
}

size_t lp_spool_room(const struct lp_spool *spool)
{
	return spool->store->err.code == LP_OK ? room(spool->store) : 0;
}

void lp_spool_end(struct lp_spool *spool)
{
	struct spool_store *store = spool->store;

	lp_assert(spool->writer);
	if (store->ended)
		return;
	store->ended = true;
	/* A result may lie here for minutes; half of a buffer that grew by doubling may be air. */
	if (!store->spilled)
		lp_buf_fit(&store->memory);
	write_on(store);
	if (is_ready(store))
		tell_handles(store);
	tell_readers(store);
}

void lp_spool_break(struct lp_spool *spool, enum lp_code why, const char *words)
{
	lp_assert(spool->writer);
	if (!spool->store->ended)
		break_store(spool->store, why, words);
}

void lp_spool_watch(struct lp_spool *spool, void (*on_event)(void *self), void *self)
{
	spool->on_event = on_event;
	spool->self = self;
	if (!on_event)
		lp_unready(&spool->ready);
}

bool lp_spool_ready(const struct lp_spool *spool)
{
	return is_ready(spool->store);
}

const struct lp_err *lp_spool_err(const struct lp_spool *spool)
{
	return &spool->store->err;
}

int64_t lp_spool_size(const struct lp_spool *spool)
{
	return spool->store->size;
}

struct lp_span lp_spool_head(const struct lp_spool *spool)
{
	struct lp_span head = lp_buf_span(&spool->store->memory);

	return head.len > HEAD ? lp_span_of(head.at, HEAD) : head;
}
