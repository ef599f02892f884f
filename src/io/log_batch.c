#include <lpd/io/log_batch.h>

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/buf.h>
#include <lpd/io/timer.h>

#define MANY (64 * 1024)	/* bytes that do not wait */
#define WAIT (20 * LP_MSEC)	/* nobody who reads a log sees it */
#define KEPT (16 * 1024)	/* of memory, between two turns */
#define MOST (256 * 1024)	/* of lines that wait for a slow reader; later ones are dropped */

struct batch {
	struct lp_log_sink behind;	/* what the sink did before */
	struct lp_log_sink *sink;
	struct lp_loop *loop;
	struct lp_buf lines;
	int dropped;			/* since it was last said */
	struct lp_timer timer;
	struct lp_witness witness;
	struct lp_log *own;
};

/* As many whole lines as fit; the first one, if it is longer, since a line is never longer than a sink takes. */
static size_t whole_lines(struct lp_span lines, size_t room)
{
	const char *last;

	if (lines.len <= room)
		return lines.len;
	last = memrchr(lines.at, '\n', room);
	return last ? (size_t)(last - lines.at) + 1 : room;
}

static void put_lines(struct batch *b)
{
	size_t room;

	while (b->lines.len && (room = lp_log_room(&b->behind)) > 0) {
		struct lp_span lines = lp_buf_span(&b->lines);
		size_t n = whole_lines(lines, room);

		b->behind.write(b->behind.self, lines.at, n);
		lp_buf_eat(&b->lines, n);
	}
}

/* Whoever reads may stop doing so: a job never waits for him. */
static void put(void *self)
{
	struct batch *b = self;
	int dropped = b->dropped;

	put_lines(b);
	lp_timer_clear(&b->timer);
	if (b->lines.len) {
		lp_timer_set(&b->timer, b->loop, WAIT);
		return;
	}
	if (b->lines.cap > KEPT)
		lp_buf_clear(&b->lines);
	b->dropped = 0;
	if (dropped)
		lp_log(b->own, LP_UNUSUAL, "log lines dropped", "lines=%d", dropped);
}

static void add(void *self, const char *line, size_t len)
{
	struct batch *b = self;
	size_t before = b->lines.len;

	if (before + len > MOST) {
		b->dropped++;
		return;
	}
	lp_buf_add(&b->lines, line, len);
	if (before < MANY && before + len >= MANY)
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
	put_lines(self);
}

static void batch_close(void *arg)
{
	struct batch *b = arg;

	put(b);
	put_lines(b);		/* also how many were dropped; what does not fit now is lost */
	lp_timer_clear(&b->timer);
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
	b->own = lp_log_open(scope, sink);
}
