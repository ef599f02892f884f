#include "ask.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <lpd/base/json.h>
#include <lpd/io/http.h>
#include <lpd/io/multipart.h>

#define TEXT_PART (1 << 20)	/* bytes of a form's text field */

enum kind { TEXT, WHOLE, NUMBER, FLAG, LIST };

static const struct field {
	const char *name;
	enum kind kind;
} fields[LP_ASK_FIELDS] = {
	[LP_ASK_MODEL] = { "model_id", TEXT },
	[LP_ASK_PROMPT] = { "prompt", TEXT },
	[LP_ASK_NEGATIVE] = { "negative_prompt", TEXT },
	[LP_ASK_LORAS] = { "loras", TEXT },
	[LP_ASK_WIDTH] = { "width", WHOLE },
	[LP_ASK_HEIGHT] = { "height", WHOLE },
	[LP_ASK_GUIDANCE] = { "guidance_scale", NUMBER },
	[LP_ASK_SAFETY] = { "safety_check", FLAG },
	[LP_ASK_SEED] = { "seed", WHOLE },
	[LP_ASK_STEPS] = { "num_inference_steps", WHOLE },
	[LP_ASK_IMAGES] = { "num_images_per_prompt", WHOLE },
	[LP_ASK_STRENGTH] = { "strength", NUMBER },
	[LP_ASK_IMAGE_GUIDANCE] = { "image_guidance_scale", NUMBER },
	[LP_ASK_FPS] = { "fps", WHOLE },
	[LP_ASK_MOTION] = { "motion_bucket_id", WHOLE },
	[LP_ASK_NOISE] = { "noise_aug_strength", NUMBER },
	[LP_ASK_TEXT] = { "text", TEXT },
	[LP_ASK_DESCRIPTION] = { "description", TEXT },
	[LP_ASK_TIMESTAMPS] = { "return_timestamps", TEXT },
	[LP_ASK_METADATA] = { "metadata", TEXT },
	[LP_ASK_POINTS] = { "point_coords", TEXT },
	[LP_ASK_LABELS] = { "point_labels", TEXT },
	[LP_ASK_BOX] = { "box", TEXT },
	[LP_ASK_MASK] = { "mask_input", TEXT },
	[LP_ASK_MULTIMASK] = { "multimask_output", FLAG },
	[LP_ASK_LOGITS] = { "return_logits", FLAG },
	[LP_ASK_NORMALIZE] = { "normalize_coords", FLAG },
	[LP_ASK_CHAT_MODEL] = { "model", TEXT },
	[LP_ASK_MESSAGES] = { "messages", LIST },
	[LP_ASK_MAX_TOKENS] = { "max_tokens", WHOLE },
	[LP_ASK_STREAM] = { "stream", FLAG },
	[LP_ASK_TEMPERATURE] = { "temperature", NUMBER },
	[LP_ASK_TOP_P] = { "top_p", NUMBER },
	[LP_ASK_TOP_K] = { "top_k", WHOLE },
};

static const struct {
	const char *type, *words;
} wrong[] = {
	[TEXT] = { "string_type", "Input should be a valid string" },
	[WHOLE] = { "int_parsing", "Input should be a valid integer" },
	[NUMBER] = { "float_parsing", "Input should be a valid number" },
	[FLAG] = { "bool_parsing", "Input should be a valid boolean" },
	[LIST] = { "list_type", "Input should be a valid list" },
};

void lp_deny(struct lp_denial *d, int status, const char *fmt, ...)
{
	struct lp_buf words = { .len = 0 };
	va_list args;

	va_start(args, fmt);
	lp_buf_vfmt(&words, fmt, args);
	va_end(args);
	d->status = status;
	lp_buf_reset(&d->json);
	lp_buf_add_text(&d->json, "{\"detail\":{\"msg\":");
	lp_json_write_str(&d->json, lp_buf_span(&words));
	lp_buf_add_text(&d->json, "}}");
	lp_buf_clear(&words);
}

/* One more entry of a 422's list; close_list ends it. */
static void complain(struct lp_denial *d, const char *field, const char *words, const char *type)
{
	lp_buf_add_text(&d->json, d->status == 422 ? "," : "{\"detail\":[");
	d->status = 422;
	lp_buf_add_text(&d->json, "{\"loc\":[\"body\"");
	if (field)
		lp_buf_fmt(&d->json, ",\"%s\"", field);
	lp_buf_fmt(&d->json, "],\"msg\":\"%s\",\"type\":\"%s\"}", words, type);
}

static void close_list(struct lp_denial *d)
{
	if (d->status == 422)
		lp_buf_add_text(&d->json, "]}");
}

/* ---- values ---- */

static bool whole_of(double f, int64_t *out)
{
	if (!(fabs(f) < 9.0e15) || f != floor(f))
		return false;
	*out = (int64_t)f;
	return true;
}

static bool flag_of(struct lp_span text, bool *out)
{
	static const char *const yes[] = { "true", "1", "yes", "on", "t", "y" };
	static const char *const no[] = { "false", "0", "no", "off", "f", "n" };

	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
		if (lp_span_is_icase(text, yes[i]) || lp_span_is_icase(text, no[i])) {
			*out = lp_span_is_icase(text, yes[i]);
			return true;
		}
	}
	return false;
}

/* Text as a value of that kind: what a form sends, and what JSON may send for a number. */
static bool from_text(struct lp_ask_value *v, enum kind kind, struct lp_span text)
{
	double f;

	switch (kind) {
	case TEXT:
		v->text = text;
		return true;
	case WHOLE:
		text = lp_span_trim(text);
		return lp_span_i64(text, &v->i) || (lp_span_f64(text, &f) && whole_of(f, &v->i));
	case NUMBER:
		return lp_span_f64(lp_span_trim(text), &v->f);
	case FLAG:
		return flag_of(lp_span_trim(text), &v->b);
	case LIST:
		break;
	}
	return false;
}

static bool from_json(struct lp_ask_value *v, enum kind kind, const json_t *json)
{
	if (json_is_string(json))
		return from_text(v, kind, lp_span_of(json_string_value(json), json_string_length(json)));
	switch (kind) {
	case TEXT:
		return false;
	case WHOLE:
		v->i = json_integer_value(json);
		return json_is_integer(json) || (json_is_real(json) && whole_of(json_real_value(json), &v->i));
	case NUMBER:
		v->f = json_number_value(json);
		return json_is_number(json);
	case FLAG:
		v->b = json_is_true(json) || (json_is_integer(json) && json_integer_value(json) == 1);
		return json_is_boolean(json) || (json_is_integer(json) && json_integer_value(json) >> 1 == 0);
	case LIST:
		v->list = json;
		return json_is_array(json);
	}
	return false;
}

static bool has(uint64_t set, int field)
{
	return set >> field & 1;
}

static int field_of(const struct lp_ask_shape *shape, struct lp_span name)
{
	for (int i = 0; i < LP_ASK_FIELDS; i++) {
		if (has(shape->takes, i) && lp_span_is(name, fields[i].name))
			return i;
	}
	return -1;
}

static void want_field(struct lp_denial *d, int field)
{
	complain(d, fields[field].name, "Field required", "missing");
}

/* ---- JSON ---- */

static void read_json(struct lp_scope *scope, struct lp_ask *ask, const struct lp_ask_shape *shape, struct lp_span body,
		      struct lp_denial *d)
{
	struct lp_err e;
	json_t *json;

	if (lp_json_parse(scope, &json, body, &e) != LP_OK) {
		complain(d, NULL, "JSON decode error", "json_invalid");
	} else if (!json_is_object(json)) {
		complain(d, NULL, "Input should be a valid dictionary", "model_attributes_type");
	} else {
		for (int i = 0; i < LP_ASK_FIELDS; i++) {
			const json_t *value = has(shape->takes, i) ? json_object_get(json, fields[i].name) : NULL;

			if (!value && has(shape->needs, i))
				want_field(d, i);
			else if (value && !from_json(&ask->at[i], fields[i].kind, value))
				complain(d, fields[i].name, wrong[fields[i].kind].words, wrong[fields[i].kind].type);
			ask->at[i].given = value != NULL;
		}
	}
	close_list(d);
}

/* ---- a form ---- */

struct form {
	struct lp_scope *scope;
	struct lp_ask *ask;
	const struct lp_ask_shape *shape;
	struct lp_denial *d;
	struct lp_multipart *parts;
	struct lp_buf bytes;		/* of the part being read */
	int field;			/* of it; -1: unknown */
	bool file, named;
};

static void part_begins(struct form *f, const struct lp_part *part)
{
	lp_buf_reset(&f->bytes);
	f->file = lp_span_is(part->name, f->shape->file);
	f->named = part->filename.at && part->filename.len;
	f->field = f->file ? -1 : field_of(f->shape, part->name);
}

static void part_ends(struct form *f)
{
	struct lp_span bytes;

	if (!f->file && f->field < 0)
		return;
	bytes = lp_span_dup(f->scope, lp_buf_span(&f->bytes));
	if (f->file && !f->named) {
		complain(f->d, f->shape->file, "Value error, Expected UploadFile, received: <class 'str'>",
			 "value_error");
	} else if (f->file) {
		f->ask->file = bytes;
		f->ask->has_file = true;
	} else if (!from_text(&f->ask->at[f->field], fields[f->field].kind, bytes)) {
		complain(f->d, fields[f->field].name, wrong[fields[f->field].kind].words,
			 wrong[fields[f->field].kind].type);
	}
	if (f->field >= 0)
		f->ask->at[f->field].given = true;
}

/* A string detail, as ai-runner's framework answers for a broken form. */
static void form_broken(struct form *f, const char *words)
{
	f->d->status = 400;
	lp_buf_reset(&f->d->json);
	lp_buf_fmt(&f->d->json, "{\"detail\":\"%s\"}", words);
}

/* False: the form is over, or broken. */
static bool next_event(struct form *f)
{
	struct lp_part part;
	struct lp_err e;

	switch (lp_multipart_pull(f->parts, &part, &e)) {
	case LP_PART_BEGIN:
		part_begins(f, &part);
		return true;
	case LP_PART_DATA:
		if (f->file || (f->field >= 0 && f->bytes.len + part.data.len <= TEXT_PART)) {
			lp_buf_add_span(&f->bytes, part.data);
		} else if (f->field >= 0) {
			form_broken(f, "Part exceeded maximum size of 1024KB.");
			return false;
		}
		return true;
	case LP_PART_END:
		part_ends(f);
		return true;
	case LP_PART_NEED:
		lp_multipart_finish(f->parts);
		return true;
	case LP_PART_DONE:
		return false;
	case LP_PART_BAD:
		break;
	}
	form_broken(f, "There was an error parsing the body");
	return false;
}

static void read_form(struct form *f, const struct lp_span of[2])
{
	struct lp_err e;

	if (lp_multipart_open(f->scope, &f->parts, of[LP_ASK_TYPE], &e) == LP_OK) {
		lp_multipart_push(f->parts, of[LP_ASK_BODY]);
		while (next_event(f))
			;
		lp_buf_clear(&f->bytes);
		if (f->d->status == 400)
			return;
	}
	for (int i = 0; i < LP_ASK_FIELDS; i++) {
		if (has(f->shape->needs, i) && !f->ask->at[i].given)
			want_field(f->d, i);
	}
	if (!f->ask->has_file)
		complain(f->d, f->shape->file, "Field required", "missing");
	close_list(f->d);
}

void lp_ask_read(struct lp_scope *scope, struct lp_ask *ask, const struct lp_ask_shape *shape,
		 const struct lp_span of[2], struct lp_denial *d)
{
	struct form f = { .scope = scope, .ask = ask, .shape = shape, .d = d };
	struct lp_span type = of[LP_ASK_TYPE];

	*ask = (struct lp_ask){ .has_file = false };
	if (shape->form)
		read_form(&f, of);
	else if (type.at && !lp_media_is(type, "application/json"))
		read_json(scope, ask, shape, LP_SPAN("\"\""), d);	/* text is no object: 422 */
	else
		read_json(scope, ask, shape, of[LP_ASK_BODY], d);
}
