#include <lpd/io/log_batch.h>

#include <lpd/base/assert.h>
#include <lpd/base/buf.h>
#include <lpd/io/timer.h>

#define MANY (64 * 1024)	/* bytes that do not wait */
#define WAIT (20 * LP_MSEC)	/* nobody who reads a log sees it */
#define KEPT (16 * 1024)	/* of memory, between two turns */

struct batch {
	struct lp_log_sink behind;	/* what the sink did before */
	struct lp_log_sink *sink;
	struct lp_loop *loop;
	struct lp_buf lines;
	struct lp_timer timer;
	struct lp_witness witness;
};

static void put(void *self)
{
	struct batch *b = self;

	if (b->lines.len)
		b->behind.write(b->behind.self, b->lines.mem + b->lines.off, b->lines.len);
	if (b->lines.cap > KEPT)
		lp_buf_clear(&b->lines);
	lp_buf_reset(&b->lines);
	lp_timer_clear(&b->timer);
}

static void add(void *self, const char *line, size_t len)
{
	struct batch *b = self;

	lp_buf_add(&b->lines, line, len);
	if (b->lines.len >= MANY)
		put(b);
	else if (!lp_timer_is_set(&b->timer))
		lp_timer_set(&b->timer, b->loop, WAIT);
}

static int64_t wall(void *self)
{
	const struct batch *b = self;

	return lp_wall(b->loop);
}

/* In a crash: the last lines are the ones that somebody will want to read. */
static void tell(void *self, int fd)
{
	(void)fd;
	put(self);
}

static void batch_close(void *arg)
{
	struct batch *b = arg;

	put(b);
	*b->sink = b->behind;
	lp_witness_remove(&b->witness);
	lp_buf_clear(&b->lines);
}

void lp_log_batch(struct lp_scope *scope, struct lp_log_sink *sink, struct lp_loop *loop)
{
	struct batch *b = lp_new(scope, struct batch);

	b->behind = *sink;
	b->sink = sink;
	b->loop = loop;
	b->timer = (struct lp_timer){ .fire = put, .self = b };
	b->witness = (struct lp_witness){ .tell = tell, .self = b };
	lp_witness_add(&b->witness);
	lp_defer(scope, batch_close, b);
	sink->write = add;
	sink->wall = sink->wall ? wall : NULL;
	sink->self = b;
}
