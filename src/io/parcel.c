/* io/parcel - see the header.
 *
 * One work in the pool at a time: make the file, then piece after piece out of the spools, then sync and rename.
 * The thread sees only the work; the spools are read in the loop. */
#include <lpd/io/parcel.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lpd/base/buf.h>
#include <lpd/base/mem.h>
#include <lpd/io/file.h>
#include <lpd/io/pool.h>

#define PIECE (256 * 1024)
#define NEW ".new"

/* What a thread is asked to do, in this order. */
enum step { WRITE, FINISH };

struct parcel {
	struct lp_scope *scope;		/* the caller's */
	struct lp_loop *loop;
	struct lp_spool **spools;
	int n, at;			/* the spool that is read */
	struct lp_spool_reader *reader;
	struct lp_ready ready;
	struct work *work;		/* the file, and what is to be written next */
	bool out;			/* a thread has it */
	void (*on_done)(void *self, const struct lp_err *why);
	void *self;
};

struct work {
	struct parcel *parcel;		/* for the loop only; NULL: it is gone */
	char *path, *fresh;		/* fresh: a name of its own, since an earlier work may still be at its own */
	int fd;
	enum step step;
	struct lp_buf bytes;
	int failed;			/* errno */
	bool renamed;
};

/* ---- in the thread ---- */

static bool finish_file(struct work *w)
{
	if (fsync(w->fd) || rename(w->fresh, w->path))
		return false;
	w->renamed = true;
	return lp_file_sync_name(w->path);
}

static void do_work(void *arg)
{
	struct work *w = arg;
	bool ok = true;

	if (w->fd < 0)
		w->fd = mkostemps(w->fresh, sizeof(NEW) - 1, O_CLOEXEC);
	if (w->fd < 0 || !lp_file_put(w->fd, lp_buf_span(&w->bytes)))
		ok = false;
	if (ok && w->step == FINISH)
		ok = finish_file(w);
	if (!ok)
		w->failed = errno;
}

/* ---- in the loop ---- */

static void free_work(struct work *w)
{
	if (w->fd >= 0)
		close(w->fd);
	if (w->fd >= 0 && !w->renamed)
		unlink(w->fresh);	/* rare, and the name of a file of our own */
	lp_buf_clear(&w->bytes);
	lp_mem_free(w->path);
	lp_mem_free(w->fresh);
	lp_mem_free(w);
}

/* The scope goes first: whoever hears of it may close everything. */
static void say_done(struct parcel *p, const struct lp_err *why)
{
	void (*on_done)(void *self, const struct lp_err *why) = p->on_done;
	struct lp_scope *scope = p->scope;
	struct lp_err copy = *why;
	void *self = p->self;

	lp_scope_close(&scope);
	on_done(self, &copy);
}

static void on_worked(void *self, void *arg)
{
	struct parcel *p = self;
	struct work *w = arg;
	struct lp_err why = { 0 };

	if (w->failed)
		lp_fail(&why, w->failed == ENOSPC || w->failed == EDQUOT ? LP_NO_ROOM : LP_STORE,
			"%s cannot be written: %s", w->path, strerror(w->failed));
	if (w->failed || w->step == FINISH) {
		say_done(p, &why);
		return;
	}
	lp_buf_reset(&w->bytes);
	p->out = false;
	lp_ready(p->loop, &p->ready);
}

/* A work that came back is the parcel's again, unless that is gone. */
static void after_work(void *arg)
{
	struct work *w = arg;

	if (!w->parcel)
		free_work(w);
}

static void send(struct parcel *p, enum step step)
{
	p->out = true;
	p->work->step = step;
	lp_pool_run(p->scope, p->loop, &(struct lp_work){ do_work, on_worked, after_work, p->work, p });
}

/* Takes what the spools have ready.  True: all of it was taken. */
static bool gather(struct parcel *p, const struct lp_err **bad)
{
	struct lp_buf *bytes = &p->work->bytes;

	while (p->at < p->n && bytes->len < PIECE) {
		struct lp_span some = lp_spool_peek(p->reader);

		*bad = lp_spool_reader_err(p->reader);
		if ((*bad)->code != LP_OK)
			return false;
		some.len = some.len < PIECE ? some.len : PIECE;
		lp_buf_add_span(bytes, some);
		lp_spool_consume(p->reader, some.len);
		if (lp_spool_at_end(p->reader)) {
			p->at++;
			p->reader = p->at < p->n ? lp_spool_read(p->scope, p->spools[p->at], p->ready.run, p) : NULL;
		} else if (!some.len) {
			return false;
		}
	}
	return p->at == p->n;
}

static void pump(void *self)
{
	struct parcel *p = self;
	const struct lp_err *bad = NULL;
	bool all;

	if (p->out)
		return;
	all = gather(p, &bad);
	if (bad && bad->code != LP_OK) {
		say_done(p, bad);
		return;
	}
	if (all)
		send(p, FINISH);
	else if (p->work->bytes.len >= PIECE)
		send(p, WRITE);
}

static void close_parcel(void *arg)
{
	struct parcel *p = arg;

	lp_unready(&p->ready);
	p->work->parcel = NULL;
	if (!p->out)
		free_work(p->work);
}

static char *heap_text(struct lp_span a, const char *b)
{
	size_t len = a.len + strlen(b) + 1;
	char *text = lp_mem_get(len);

	snprintf(text, len, "%.*s%s", LP_ARG(a), b);
	return text;
}

static struct work *new_work(struct parcel *p, const struct lp_parcel_want *want)
{
	struct work *w = lp_mem_zeroed(1, sizeof(*w));

	w->parcel = p;
	w->fd = -1;
	w->path = heap_text(lp_span(want->path), "");
	w->fresh = heap_text(lp_span(want->path), "-XXXXXX" NEW);
	lp_buf_add_span(&w->bytes, want->line);
	lp_buf_add_char(&w->bytes, '\n');
	return w;
}

void lp_parcel_write(struct lp_scope *scope, const struct lp_parcel_want *want,
		     void (*on_done)(void *self, const struct lp_err *why), void *self)
{
	struct lp_scope *own = lp_scope_open(scope, "parcel");
	struct parcel *p = lp_new(own, struct parcel);

	p->scope = own;
	p->loop = want->loop;
	p->n = want->n_spools;
	p->spools = lp_new_array(own, struct lp_spool *, (size_t)p->n);
	p->on_done = on_done;
	p->self = self;
	p->ready = (struct lp_ready){ .run = pump, .self = p };
	p->work = new_work(p, want);
	lp_defer(own, close_parcel, p);
	for (int i = 0; i < p->n; i++)
		p->spools[i] = lp_spool_share(own, want->spools[i]);
	if (p->n)
		p->reader = lp_spool_read(own, p->spools[0], pump, p);
	lp_ready(p->loop, &p->ready);
}

/* ---- removing ---- */

static void do_remove(void *arg)
{
	unlink(arg);
}

void lp_parcel_remove(struct lp_scope *scope, struct lp_loop *loop, const char *path)
{
	char *copy = heap_text(lp_span(path), "");

	lp_pool_run(scope, loop, &(struct lp_work){ .fn = do_remove, .free_arg = lp_mem_free, .arg = copy });
}

/* ---- at start ---- */

/* False: no parcel. */
static bool read_line(int fd, struct lp_buf *line, int64_t *size)
{
	struct stat st;
	const char *end;
	ssize_t n;

	lp_buf_reset(line);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return false;
	n = pread(fd, lp_buf_room(line, LP_PARCEL_LINE), LP_PARCEL_LINE, 0);
	if (n <= 0)
		return false;
	end = memchr(lp_buf_span(line).at, '\n', (size_t)n);
	if (!end)
		return false;
	lp_buf_grew(line, (size_t)(end - lp_buf_span(line).at));
	*size = st.st_size;
	return true;
}

static void take_entry(int folder, const char *name, struct lp_buf *line,
		       void (*row)(void *self, const char *name, struct lp_span line, int64_t size), void *self)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);	/* a FIFO would wait for ever */
	int64_t size;

	if (fd < 0)
		return;
	if (read_line(fd, line, &size))
		row(self, name, lp_buf_span(line), size);
	close(fd);
}

void lp_parcel_each(const char *folder, const char *prefix,
		    void (*row)(void *self, const char *name, struct lp_span line, int64_t size), void *self)
{
	DIR *dir = opendir(folder);
	struct lp_buf line = { 0 };
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		struct lp_span name = lp_span(entry->d_name);

		if (!lp_span_starts(name, prefix))
			continue;
		if (lp_span_ends(name, NEW))
			unlinkat(dirfd(dir), entry->d_name, 0);
		else
			take_entry(dirfd(dir), entry->d_name, &line, row, self);
	}
	if (dir)
		closedir(dir);
	lp_buf_clear(&line);
}
