/* run/clip - see the header.  lpd-media's side of the conversation: src/media/order.h. */
#include <lpd/run/clip.h>

#include <lpd/base/buf.h>
#include <lpd/base/jsonscan.h>
#include <lpd/io/timer.h>
#include <lpd/run/child.h>

#define PATIENCE (5 * LP_SEC)		/* for a program that is being started */
#define AGAIN (15 * LP_MSEC)
#define THINK (10 * LP_MIN)		/* lpd-media's own limits are below it */
#define WORDS_MAX 4096			/* bytes of an answer that is no video */

struct lp_clips {
	struct lp_clips_want want;
	struct lp_child *child;		/* NULL: there is none, and why: */
	struct lp_err why;
};

struct lp_clip {
	struct lp_scope *scope;
	struct lp_scope *attempt;	/* of one call */
	struct lp_clips *clips;
	struct lp_clip_hook hook;
	struct lp_ready pump;
	struct lp_timer again;
	int64_t give_up;		/* mono: the program must be there by then */
	const char *target;
	int64_t length;			/* bytes of the request's body */
	struct lp_call *call;
	/* what is sent: each spool's bytes, behind their number where there are several */
	struct lp_spool *const *parts;
	int n, at;
	bool counted;
	struct lp_spool_reader *reader;	/* of part `at`; NULL: it has not begun */
	bool sent;
	/* what comes */
	struct lp_spool *file;		/* NULL: no video was asked for */
	struct lp_buf words;
	int64_t milliseconds;
	struct lp_err err;
	bool ended;			/* all has come; the file may be on its way to the disk */
	bool done;
};

enum lp_code lp_clips_open(struct lp_scope *scope, struct lp_clips **out, const struct lp_clips_want *want,
			   struct lp_err *e)
{
	struct lp_clips *clips = lp_new(scope, struct lp_clips);
	const struct lp_child_want child = {
		.loop = want->loop, .log = want->log, .metrics = want->metrics, .program = "lpd-media",
		.need = "sound or video", .path = want->path, .label = "media", .data_dir = want->data_dir,
		.socket = "media.sock",		/* it limits its memory itself, before it listens */
	};

	clips->want = *want;
	*out = clips;
	if (lp_child_open(scope, &clips->child, &child, &clips->why) == LP_OK)
		return LP_OK;
	if (want->path && *want->path)
		return lp_fail(e, LP_CONFIG, "%s", lp_err_words(&clips->why));
	clips->why.code = LP_UNAVAILABLE;
	return LP_OK;
}

const struct lp_err *lp_clips_err(const struct lp_clips *clips)
{
	return &clips->why;
}

/* ---- the end ---- */

static void finish(struct lp_clip *clip)
{
	lp_scope_close(&clip->attempt);
	clip->call = NULL;
	clip->reader = NULL;
	clip->done = true;
	clip->hook.on_event(clip->hook.self);
}

static void fail(struct lp_clip *clip, enum lp_code code, const char *words)
{
	lp_fail(&clip->err, code, "%s", words);
	finish(clip);
}

/* ---- sending ---- */

static void poke(void *self)
{
	struct lp_clip *clip = self;

	if (!clip->done)
		lp_ready(clip->clips->want.loop, &clip->pump);
}

static void begin_part(struct lp_clip *clip)
{
	struct lp_spool *part = clip->parts[clip->at];
	uint32_t n = (uint32_t)lp_spool_size(part);
	const char length[4] = { (char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n };

	clip->reader = lp_spool_read(clip->attempt, part, poke, clip);
	if (clip->counted)
		lp_call_write(clip->call, lp_span_of(length, sizeof(length)));
}

/* As much of a part as is welcome; true: all of it. */
static bool send_part(struct lp_clip *clip)
{
	size_t room;

	while ((room = lp_call_room(clip->call)) > 0) {
		struct lp_span bytes = lp_spool_peek(clip->reader);

		if (!bytes.len)
			return lp_spool_at_end(clip->reader);
		bytes.len = bytes.len < room ? bytes.len : room;
		lp_call_write(clip->call, bytes);
		lp_spool_consume(clip->reader, bytes.len);
	}
	return false;
}

/* LP_STORE and the like: the disk under a part gave up. */
static enum lp_code send_parts(struct lp_clip *clip)
{
	while (clip->at < clip->n) {
		const struct lp_err *why;

		if (!clip->reader) {
			if (!lp_call_room(clip->call))
				return LP_OK;
			begin_part(clip);
		}
		why = lp_spool_reader_err(clip->reader);
		if (why->code != LP_OK) {
			clip->err = *why;
			return why->code;
		}
		if (!send_part(clip))
			return LP_OK;
		clip->reader = NULL;	/* closed with the attempt */
		clip->at++;
	}
	clip->sent = true;
	lp_call_end_body(clip->call);
	return LP_OK;
}

/* ---- receiving ---- */

/* What lpd-media refuses it refuses in words for whoever sent the file. */
static void refused(struct lp_clip *clip)
{
	int status = lp_call_status(clip->call);
	struct lp_span words = lp_buf_span(&clip->words);

	if (words.len > 160)
		words.len = 160;
	if (status == 422 || status == 413)
		lp_fail(&clip->err, status == 422 ? LP_INVALID : LP_TOO_LARGE, "%.*s", LP_ARG(words));
	else
		lp_fail(&clip->err, LP_UNAVAILABLE, "lpd-media answered %d: %.*s", status, LP_ARG(words));
	finish(clip);
}

static void read_length(struct lp_clip *clip)
{
	struct lp_jval n = lp_jscan_get(lp_jscan(lp_buf_span(&clip->words)), "milliseconds");

	if (lp_span_i64(n.raw, &clip->milliseconds))
		finish(clip);
	else
		fail(clip, LP_INTERNAL, "lpd-media's answer cannot be read");
}

static bool to_file(const struct lp_clip *clip)
{
	return clip->file && lp_call_status(clip->call) == 200;
}

static enum lp_code take(struct lp_clip *clip, struct lp_span bytes)
{
	if (to_file(clip))
		return lp_spool_write(clip->file, bytes, &clip->err);
	if (clip->words.len + bytes.len > WORDS_MAX)
		return lp_fail(&clip->err, LP_INTERNAL, "lpd-media's answer is too long");
	lp_buf_add_span(&clip->words, bytes);
	return LP_OK;
}

/* False: it has failed, and so has the clip. */
static bool receive(struct lp_clip *clip)
{
	struct lp_span bytes;

	while ((bytes = lp_call_read(clip->call)).len) {
		size_t room = to_file(clip) ? lp_spool_room(clip->file) : bytes.len;

		if (!room)
			return true;
		bytes.len = bytes.len < room ? bytes.len : room;
		if (take(clip, bytes) != LP_OK) {
			finish(clip);
			return false;
		}
		lp_call_consume(clip->call, bytes.len);
	}
	return true;
}

static void received(struct lp_clip *clip)
{
	if (lp_call_status(clip->call) != 200) {
		refused(clip);
	} else if (clip->file) {
		clip->ended = true;
		lp_spool_end(clip->file);
	} else {
		read_length(clip);
	}
}

static void await_disk(struct lp_clip *clip)
{
	const struct lp_err *why = lp_spool_err(clip->file);

	if (why->code != LP_OK) {
		clip->err = *why;
		finish(clip);
	} else if (lp_spool_ready(clip->file)) {
		finish(clip);
	}
}

/* Nobody listens: it is still on its way up.  What comes after that is the file's doing: it broke its reader. */
static void broke(struct lp_clip *clip)
{
	const struct lp_err *why = lp_call_err(clip->call);
	int64_t now = lp_mono(clip->clips->want.loop);

	if (why->code == LP_CONNECT && now < clip->give_up)
		lp_timer_set(&clip->again, clip->clips->want.loop, AGAIN);
	else if (why->code == LP_CONNECT)
		fail(clip, LP_UNAVAILABLE, "lpd-media does not run");
	else if (why->code == LP_TIMEOUT)
		fail(clip, LP_TIMEOUT, "lpd-media did not answer in time");
	else if (clip->file)
		fail(clip, LP_INVALID, "no video can be made of these frames");
	else
		fail(clip, LP_INVALID, "audio: the recording cannot be read");
}

static void pump(void *self)
{
	struct lp_clip *clip = self;
	enum lp_call_state state;

	if (clip->done || !clip->call)
		return;
	if (clip->ended) {
		await_disk(clip);
		return;
	}
	state = lp_call_state(clip->call);
	if (state == LP_CALL_SENDING && !clip->sent && send_parts(clip) != LP_OK) {
		finish(clip);
		return;
	}
	if (!receive(clip))
		return;
	if (state == LP_CALL_DONE && !lp_call_read(clip->call).len)
		received(clip);
	else if (state == LP_CALL_FAILED && !lp_call_read(clip->call).len && !lp_timer_is_set(&clip->again))
		broke(clip);
}

/* ---- the beginning ---- */

static void start_call(void *self)
{
	struct lp_clip *clip = self;
	struct lp_url url;
	struct lp_call_want want = {
		.method = "POST", .url = &url, .body_streamed = true, .body_length = clip->length, .h1_only = true,
		.first_byte_time = THINK, .stall_time = THINK, .total_time = THINK,
	};

	lp_scope_close(&clip->attempt);
	clip->attempt = lp_scope_open(clip->scope, "clip call");
	clip->reader = NULL;
	clip->at = 0;
	clip->sent = false;
	lp_child_start(clip->clips->child);
	lp_url_join(clip->attempt, &url, lp_child_url(clip->clips->child), lp_span(clip->target));
	clip->call = lp_call_start(clip->attempt, clip->clips->want.client, &want, poke, clip);
	poke(clip);
}

/* There is no lpd-media: said later, as everything is. */
static void absent(void *self)
{
	struct lp_clip *clip = self;

	clip->err = clip->clips->why;
	finish(clip);
}

static void closed(void *arg)
{
	struct lp_clip *clip = arg;

	lp_unready(&clip->pump);
	lp_timer_clear(&clip->again);
	lp_buf_clear(&clip->words);
}

static struct lp_clip *clip_new(struct lp_scope *scope, struct lp_clips *clips, struct lp_clip_hook hook)
{
	struct lp_clip *clip = lp_new(scope, struct lp_clip);

	clip->scope = scope;
	clip->clips = clips;
	clip->hook = hook;
	clip->pump = (struct lp_ready){ .run = clips->child ? pump : absent, .self = clip };
	clip->again = (struct lp_timer){ .fire = start_call, .self = clip };
	clip->give_up = lp_mono(clips->want.loop) + PATIENCE;
	lp_defer(scope, closed, clip);
	return clip;
}

static struct lp_clip *clip_start(struct lp_clip *clip)
{
	for (int i = 0; i < clip->n; i++)
		clip->length += lp_spool_size(clip->parts[i]) + (clip->counted ? 4 : 0);
	if (clip->clips->child)
		start_call(clip);
	else
		poke(clip);
	return clip;
}

struct lp_clip *lp_clip_measure(struct lp_scope *scope, struct lp_clips *clips, struct lp_spool *file,
				struct lp_clip_hook hook)
{
	struct lp_clip *clip = clip_new(scope, clips, hook);
	struct lp_spool **parts = lp_new_array(scope, struct lp_spool *, 1);

	parts[0] = file;
	clip->parts = parts;
	clip->n = 1;
	clip->target = "duration";
	return clip_start(clip);
}

struct lp_clip *lp_clip_make(struct lp_scope *scope, struct lp_clips *clips, const struct lp_clip_video *want,
			     struct lp_clip_hook hook)
{
	struct lp_clip *clip = clip_new(scope, clips, hook);

	clip->parts = want->frames;
	clip->n = want->n;
	clip->counted = true;
	clip->target = lp_fmt(scope, "video?frames=%d&fps=%d&width=%d&height=%d", want->n, want->fps, want->width,
			      want->height);
	clip->file = lp_spool_open(scope, clips->want.loop, want->budget);
	lp_spool_watch(clip->file, poke, clip);
	return clip_start(clip);
}

/* ---- what it is asked ---- */

bool lp_clip_done(const struct lp_clip *clip)
{
	return clip->done;
}

const struct lp_err *lp_clip_err(const struct lp_clip *clip)
{
	return &clip->err;
}

int64_t lp_clip_milliseconds(const struct lp_clip *clip)
{
	return clip->milliseconds;
}

struct lp_spool *lp_clip_file(const struct lp_clip *clip)
{
	return clip->file;
}
