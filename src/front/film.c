/* front/film - see the header. */
#include <lpd/front/film.h>

#include <lpd/base/assert.h>
#include <lpd/base/json.h>
#include <lpd/market/answer.h>

struct lp_film {
	struct lp_film_want want;
	struct lp_scope *scope;
	struct lp_clip_hook hook;
	struct lp_ready late;		/* a failure that is known at once is told later, as everything is */
	struct lp_clip *clip;
	struct lp_spool *frames[LP_ANSWER_MEDIA_MAX];
	int64_t seed;			/* of the first frame, as the network's nodes give it on */
	bool nsfw;
	struct lp_span warning;		/* the runner's own: a stand-in made the frames */
	struct lp_span path;
	struct lp_err err;
	bool done, committed;
};

static void tell(void *self)
{
	struct lp_film *film = self;

	film->done = true;
	film->hook.on_event(film->hook.self);
}

/* Everything but LP_OK has been told of in film->err; it is our runner's doing, whatever it is of lpd-media's. */
static void on_clip(void *self)
{
	struct lp_film *film = self;

	film->err = *lp_clip_err(film->clip);
	if (film->err.code == LP_INVALID || film->err.code == LP_TOO_LARGE)
		film->err.code = LP_RUNNER;
	if (film->err.code == LP_OK)
		film->path = lp_media_keep(film->scope, film->want.media,
					   &(struct lp_media_put){ film->want.id, LP_SPAN("video/mp4"),
								   lp_clip_file(film->clip) });
	tell(film);
}

/* One row of frames, each with a picture in it. */
static enum lp_code read_frames(struct lp_film *film)
{
	const struct lp_collect *c = film->want.collect;
	struct lp_buf text = { 0 };
	struct lp_scope *scope = lp_scope_open(film->scope, "frames");
	json_t *json = NULL;
	enum lp_code code;

	lp_collect_text(c, &text);
	code = lp_json_parse(scope, &json, lp_buf_span(&text), &film->err);
	if (code == LP_OK) {
		const json_t *rows = lp_json_get(json, "frames"), *row = json_array_get(rows, 0);
		const json_t *first = json_array_get(row, 0);

		film->seed = json_integer_value(lp_json_get(first, "seed"));
		film->nsfw = json_is_true(lp_json_get(first, "nsfw"));
		film->warning = lp_span_dup(film->scope, lp_json_str(json, "warning"));
		if (json_array_size(rows) != 1 || json_array_size(row) != (size_t)lp_collect_count(c))
			code = lp_fail(&film->err, LP_RUNNER, "unexpected number of image-to-video outputs expected=1 "
				       "actual=%zu", json_array_size(rows));
	}
	lp_buf_clear(&text);
	lp_scope_close(&scope);
	for (int i = 0; code == LP_OK && i < lp_collect_count(c); i++) {
		film->frames[i] = lp_collect_spool(c, i);
		if (!film->frames[i])
			code = lp_fail(&film->err, LP_RUNNER, "the runner's frames are no data URLs");
	}
	return code;
}

/* The default stands in the pipeline's row and nowhere else. */
static int number(const struct lp_request *request, const char *name)
{
	const struct lp_value *value = lp_request_value(request, name);
	int64_t preset = 0;
	int row = lp_pipeline_param(request->pipeline, lp_span(name));

	if (value)
		return (int)value->i;
	lp_assert(row >= 0 && lp_span_i64(lp_span(request->pipeline->params[row].preset), &preset));
	return (int)preset;
}

static void start_clip(struct lp_film *film)
{
	const struct lp_request *request = film->want.request;
	const struct lp_clip_video want = {
		.frames = film->frames,
		.n = lp_collect_count(film->want.collect),
		.fps = number(request, "fps"),
		.width = number(request, "width"),
		.height = number(request, "height"),
		.budget = lp_media_budget(film->want.media),
	};

	film->clip = lp_clip_make(film->scope, film->want.clips, &want, (struct lp_clip_hook){ on_clip, film });
}

static void closed(void *arg)
{
	struct lp_film *film = arg;

	lp_unready(&film->late);
	if (film->path.len && !film->committed)
		lp_media_forget(film->want.media, film->want.id);
}

struct lp_film *lp_film_start(struct lp_scope *scope, const struct lp_film_want *want, struct lp_clip_hook hook)
{
	struct lp_film *film = lp_new(scope, struct lp_film);

	film->want = *want;
	film->scope = scope;
	film->hook = hook;
	film->late = (struct lp_ready){ .run = tell, .self = film };
	lp_defer(scope, closed, film);
	if (read_frames(film) == LP_OK)
		start_clip(film);
	else
		lp_ready(want->loop, &film->late);
	return film;
}

bool lp_film_done(const struct lp_film *film)
{
	return film->done;
}

const struct lp_err *lp_film_err(const struct lp_film *film)
{
	return &film->err;
}

void lp_film_commit(struct lp_film *film)
{
	film->committed = true;
}

void lp_film_write(const struct lp_film *film, struct lp_buf *to, struct lp_span prefix)
{
	lp_buf_fmt(to, "{\"images\":[{\"nsfw\":%s,\"seed\":%lld,\"url\":\"%.*s%.*s\"}]", film->nsfw ? "true" : "false",
		   (long long)film->seed, LP_ARG(prefix), LP_ARG(film->path));
	if (film->warning.len) {
		lp_buf_add_text(to, ",\"warning\":");
		lp_json_write_str(to, film->warning);
	}
	lp_buf_add_text(to, "}\n");
}
