/* io/spool - bytes kept for later: in memory up to a size, beyond that in a file (unlinked from the start).
 *
 * For uploads that may have to be sent twice and for results that wait to be fetched.  One writer, then any
 * number of readers.  Disk work goes to the pool; the loop never waits for it. */
#ifndef LPD_IO_SPOOL_H
#define LPD_IO_SPOOL_H

#include <lpd/base/err.h>
#include <lpd/io/budget.h>
#include <lpd/io/loop.h>

struct lp_spool;
struct lp_spool_reader;

struct lp_spool *lp_spool_open(struct lp_scope *scope, struct lp_loop *loop, struct lp_spool_budget *budget);
/* So many bytes will come, as far as known: the memory for them is taken in one piece.  May be left out. */
void lp_spool_expect(struct lp_spool *spool, int64_t size);
/* Copies.  LP_NO_ROOM when the budget is spent or the disk is full; LP_STORE when the disk failed (perhaps on an
 * earlier write). */
enum lp_code lp_spool_write(struct lp_spool *spool, struct lp_span bytes, struct lp_err *e) LP_MUST_USE;
size_t lp_spool_room(const struct lp_spool *spool);	/* bytes welcome now; 0 while the disk is behind */
void lp_spool_end(struct lp_spool *spool);
/* The rest will not come: readers are told that, and get no more.  Nothing after the end. */
void lp_spool_break(struct lp_spool *spool, enum lp_code why, const char *words);
/* Heard when there is room again, when the end is safe on its medium, or when it failed. */
void lp_spool_watch(struct lp_spool *spool, void (*on_event)(void *self), void *self);
bool lp_spool_ready(const struct lp_spool *spool);	/* ended and readable */
const struct lp_err *lp_spool_err(const struct lp_spool *spool);	/* never NULL; LP_OK: nothing is wrong */
int64_t lp_spool_size(const struct lp_spool *spool);
/* The first bytes (at most 64 KiB are kept in memory even when the rest is on disk): for header parsers.  Valid
 * until the next write, and after the end as long as the spool. */
struct lp_span lp_spool_head(const struct lp_spool *spool);

/* A second handle of the same bytes, in another scope: they live until the last handle and reader are gone, and
 * count once.  For what keeps a result longer than the job that brought it. */
struct lp_spool *lp_spool_share(struct lp_scope *scope, struct lp_spool *spool);

/* Bytes that lie in somebody's file already, from `at` on: ended, and counted in the budget as if written there.  The
 * file is opened when first read, off the loop. */
struct lp_spool_place {
	const char *path;		/* copied */
	int64_t at, size;
};
struct lp_spool *lp_spool_of_file(struct lp_scope *scope, struct lp_loop *loop, struct lp_spool_budget *budget,
				  const struct lp_spool_place *place);

/* A reader lives in its own scope and keeps the spool's bytes alive beyond the spool's scope.  It may begin before
 * the end: then it gets what is there, an event when there is more, and what it peeked at is valid until the next
 * write. */
struct lp_spool_reader *lp_spool_read(struct lp_scope *scope, struct lp_spool *spool, void (*on_event)(void *self),
				      void *self);
struct lp_span lp_spool_peek(struct lp_spool_reader *reader);	/* bytes ready now; empty: an event comes, or the end */
void lp_spool_consume(struct lp_spool_reader *reader, size_t n);
bool lp_spool_at_end(const struct lp_spool_reader *reader);
const struct lp_err *lp_spool_reader_err(const struct lp_spool_reader *reader);	/* never NULL */

#endif
