#include <lpd/run/models.h>

#include <stdio.h>
#include <string.h>

#include <lpd/base/buf.h>
#include <lpd/base/json.h>
#include <lpd/base/jsonscan.h>
#include <lpd/base/time.h>
#include <lpd/options/size.h>

#define MAX_ENTRIES 1000
#define MAX_COUNT 100000	/* of slots */

/* One entry being read: where it stands, for words, and both views of it. */
struct reading {
	struct lp_scope *scope;
	struct lp_model_entry *entry;
	const json_t *json;
	struct lp_jval raw;		/* for numbers exactly as they were written */
	int number;			/* 1.. */
	const char *text;		/* all of it, for line numbers; NULL: it is one line */
	struct lp_err *e;
};

static struct lp_jval raw_member(struct lp_jval object, const char *key)
{
	struct lp_span name;
	struct lp_jval value;
	size_t at = 0;

	while (lp_jscan_each_member(object, &at, &name, &value))
		if (lp_span_is_icase(name, key))
			return value;
	return (struct lp_jval){ .kind = LP_J_BAD };
}

/* "entry 2 (line 9)": of the key's value, or of the entry itself. */
static const char *place(const struct reading *r, const char *key, char to[48])
{
	struct lp_jval value = raw_member(r->raw, key);
	const char *end = value.kind == LP_J_BAD ? r->raw.raw.at : value.raw.at;
	int line = 1;

	for (const char *c = r->text; c && c < end; c++)
		line += *c == '\n';
	if (r->text && end)
		snprintf(to, 48, "entry %d (line %d)", r->number, line);
	else
		snprintf(to, 48, "entry %d", r->number);
	return to;
}

static enum lp_code bad(const struct reading *r, const char *key, const char *words)
{
	char where[48];

	return lp_fail(r->e, LP_CONFIG, "aiModels %s: \"%s\" %s", place(r, key, where), key, words);
}

static enum lp_code read_str(const struct reading *r, const char *key, struct lp_span *out)
{
	const json_t *value = lp_json_get(r->json, key);

	if (!value)
		return LP_OK;
	if (!json_is_string(value))
		return bad(r, key, "must be a text");
	*out = lp_span_dup(r->scope, lp_span_of(json_string_value(value), json_string_length(value)));
	return LP_OK;
}

static enum lp_code no_pipeline(const struct reading *r, struct lp_span name)
{
	struct lp_buf names = { 0 };
	char where[48];
	int n;
	const struct lp_pipeline *rows = lp_pipelines(&n);

	for (int i = 0; i < n; i++)
		lp_buf_fmt(&names, "%s%s", i ? ", " : "", rows[i].name);
	lp_fail(r->e, LP_CONFIG, "aiModels %s: there is no pipeline \"%.*s\"; there are %s", place(r, "pipeline", where),
		(int)(name.len < 40 ? name.len : 40), name.at, lp_buf_text(&names));
	lp_buf_clear(&names);
	return r->e->code;
}

static enum lp_code read_pipeline(struct reading *r)
{
	struct lp_span name = { NULL, 0 };

	if (read_str(r, "pipeline", &name) != LP_OK)
		return r->e->code;
	if (!name.len)
		return bad(r, "pipeline", "is missing");
	r->entry->pipeline = lp_pipeline_find(name);
	if (!r->entry->pipeline)
		return no_pipeline(r, name);
	return LP_OK;
}

/* They are shown at terminals and sent in headers. */
static bool has_control(struct lp_span a)
{
	for (size_t i = 0; i < a.len; i++)
		if ((unsigned char)a.at[i] < 0x20 || a.at[i] == 0x7f)
			return true;
	return false;
}

static enum lp_code read_where(struct reading *r)
{
	struct lp_model_entry *entry = r->entry;
	struct lp_span url = { NULL, 0 };
	struct lp_err why;

	if (read_str(r, "model_id", &entry->model_id) != LP_OK || read_str(r, "url", &url) != LP_OK ||
	    read_str(r, "token", &entry->token) != LP_OK)
		return r->e->code;
	if (!entry->model_id.len)
		return bad(r, "model_id", "is missing");
	if (!lp_utf8_valid(entry->model_id) || entry->model_id.len > 256)
		return bad(r, "model_id", "must be at most 256 bytes of UTF-8");
	if (has_control(entry->model_id))
		return bad(r, "model_id", "must hold no control characters");
	if (has_control(entry->token))
		return bad(r, "token", "must hold no control characters");
	if (!url.len)
		return LP_OK;
	entry->has_url = true;
	if (lp_url_parse(r->scope, &entry->url, url, &why) != LP_OK)
		return bad(r, "url", lp_err_words(&why));
	return LP_OK;
}

/* A whole number from 0; absent and 0 both leave *out as it is. */
static enum lp_code read_count(struct reading *r, const char *key, uint32_t *out)
{
	const json_t *value = lp_json_get(r->json, key);

	if (!value)
		return LP_OK;
	if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > MAX_COUNT)
		return bad(r, key, "must be a whole number from 0 to 100000");
	if (json_integer_value(value))
		*out = (uint32_t)json_integer_value(value);
	return LP_OK;
}

/* "vram" is a size such as "12GiB", "deadline" a time such as "90s". */
static enum lp_code read_limits(struct reading *r)
{
	struct lp_span vram = { NULL, 0 }, deadline = { NULL, 0 };

	if (read_str(r, "vram", &vram) != LP_OK || read_str(r, "deadline", &deadline) != LP_OK)
		return r->e->code;
	if (vram.len && !lp_size_parse(vram, &r->entry->vram))
		return bad(r, "vram", "must be a size such as \"12GiB\"");
	if (deadline.len && (!lp_duration_parse(deadline, &r->entry->deadline) || !r->entry->deadline))
		return bad(r, "deadline", "must be a time such as \"90s\"");
	return LP_OK;
}

/* The incumbent's capacity means copies of a container or jobs at once of an external runner; replicas and
 * concurrency say which. */
static enum lp_code read_how(struct reading *r)
{
	const json_t *warm = lp_json_get(r->json, "warm");
	uint32_t capacity = 1, replicas = 0, concurrency = 0;

	if (warm && !json_is_boolean(warm))
		return bad(r, "warm", "must be true or false");
	r->entry->warm = json_is_true(warm);
	if (read_count(r, "capacity", &capacity) != LP_OK || read_count(r, "replicas", &replicas) != LP_OK ||
	    read_count(r, "concurrency", &concurrency) != LP_OK || read_limits(r) != LP_OK)
		return r->e->code;
	if (r->entry->has_url && replicas > 1)
		return bad(r, "replicas", "is of what the node starts itself, not of a runner with a \"url\"");
	r->entry->capacity = capacity;
	if (replicas || concurrency)
		r->entry->capacity = (replicas ? replicas : 1) * (concurrency ? concurrency : 1);
	if (r->entry->capacity > MAX_COUNT)
		return bad(r, "concurrency", "times \"replicas\" must be at most 100000");
	return LP_OK;
}

/* Every key becomes an environment variable of the container; values are texts or truth (5.2). */
static enum lp_code read_flags(struct reading *r)
{
	json_t *flags = lp_json_get(r->json, "optimization_flags");
	struct lp_model_entry *entry = r->entry;
	const char *name;
	json_t *value;

	if (!flags)
		return LP_OK;
	if (!json_is_object(flags) || json_object_size(flags) > 100)
		return bad(r, "optimization_flags", "must be an object");
	entry->flags = lp_new_array(r->scope, struct lp_model_flag, json_object_size(flags) + 1);
	json_object_foreach(flags, name, value) {
		struct lp_model_flag *flag = &entry->flags[entry->n_flags++];
		const char *text = json_is_boolean(value) ? (json_is_true(value) ? "true" : "false") :
			json_string_value(value);

		if (!text)
			return bad(r, "optimization_flags", "may hold only texts, true and false");
		flag->name = lp_span_dup(r->scope, lp_span(name));
		flag->value = lp_span_dup(r->scope, lp_span(text));
	}
	return LP_OK;
}

/* "0.5e-2USD": the documentation's form, which the incumbent refuses. */
static bool split_price(struct lp_span text, struct lp_span *number, struct lp_span *currency)
{
	size_t n = 0;
	double value;

	while (n < text.len && strchr("0123456789.eE+-", text.at[n]) != NULL)
		n++;
	/* the e of an exponent belongs to the number only if a digit or a sign follows */
	while (n && (text.at[n - 1] == 'e' || text.at[n - 1] == 'E'))
		n--;
	*number = lp_span_of(text.at, n);
	*currency = lp_span_trim(lp_span_skip(text, n));
	return lp_span_f64(*number, &value) && value >= 0;
}

static struct lp_span lower(struct lp_scope *scope, struct lp_span text)
{
	char *copy = lp_strdup(scope, text);

	for (size_t i = 0; i < text.len; i++)
		if (copy[i] >= 'A' && copy[i] <= 'Z')
			copy[i] = (char)(copy[i] + 32);
	return lp_span_of(copy, text.len);
}

static enum lp_code read_price_number(struct reading *r)
{
	struct lp_jval raw = raw_member(r->raw, "price_per_unit");
	struct lp_model_entry *entry = r->entry;
	struct lp_span number, currency, text = raw.raw;

	if (raw.kind == LP_J_BAD || raw.kind == LP_J_NULL)
		return LP_OK;
	if (raw.kind != LP_J_NUMBER && !lp_jscan_plain(raw, &text))
		return bad(r, "price_per_unit", "must be a number, or a text such as \"0.01USD\"");
	if (!split_price(text, &number, &currency) || (raw.kind == LP_J_NUMBER && currency.len))
		return bad(r, "price_per_unit", "must be a number that is not negative");
	entry->has_price = true;
	entry->price_per_unit = lp_span_dup(r->scope, number);
	if (currency.len)
		entry->currency = lower(r->scope, currency);
	return LP_OK;
}

static enum lp_code read_price(struct reading *r)
{
	const json_t *pixels = lp_json_get(r->json, "pixels_per_unit");
	struct lp_span gateway = LP_SPAN("default"), currency = LP_SPAN("wei");

	if (read_str(r, "gateway", &gateway) != LP_OK || read_str(r, "currency", &currency) != LP_OK)
		return r->e->code;
	r->entry->gateway = lower(r->scope, gateway.len ? gateway : LP_SPAN("default"));
	r->entry->currency = lower(r->scope, currency.len ? currency : LP_SPAN("wei"));
	if (read_price_number(r) != LP_OK)
		return r->e->code;
	if (!pixels)
		return LP_OK;
	if (!json_is_integer(pixels) || json_integer_value(pixels) < 1)
		return bad(r, "pixels_per_unit", "must be a whole number above 0");
	r->entry->pixels_per_unit = json_integer_value(pixels);
	return LP_OK;
}

static void decide_kind(struct lp_model_entry *entry)
{
	if (!lp_span_is(entry->gateway, "default"))
		entry->kind = LP_MODEL_PRICE;
	else if (entry->has_url)
		entry->kind = LP_MODEL_EXTERNAL;
	else if (lp_span_starts(entry->model_id, "builtin/"))
		entry->kind = LP_MODEL_BUILTIN;
	else
		entry->kind = LP_MODEL_CONTAINER;
}

static enum lp_code read_entry(struct reading *r)
{
	char where[48];

	if (!json_is_object(r->json))
		return lp_fail(r->e, LP_CONFIG, "aiModels %s is no object", place(r, "", where));
	if (read_pipeline(r) != LP_OK || read_where(r) != LP_OK || read_how(r) != LP_OK ||
	    read_flags(r) != LP_OK || read_price(r) != LP_OK)
		return r->e->code;
	decide_kind(r->entry);
	return LP_OK;
}

static void report_unknown(struct lp_buf *to, const struct reading *r)
{
	static const char *const known[] = { "pipeline", "model_id", "url", "token", "warm", "capacity",
					     "optimization_flags", "gateway", "price_per_unit", "pixels_per_unit",
					     "currency", "replicas", "concurrency", "vram", "deadline" };
	struct lp_span key;
	struct lp_jval value;
	size_t at = 0;

	while (lp_jscan_each_member(r->raw, &at, &key, &value)) {
		bool found = false;

		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
			found = found || lp_span_is_icase(key, known[i]);
		if (!found && to->len < 1000)
			lp_buf_fmt(to, "%sentry %d: %.*s", to->len ? ", " : "", r->number,
				   (int)(key.len < 40 ? key.len : 40), key.at);
	}
}

static enum lp_code read_array(struct lp_scope *scope, struct lp_models *out, struct lp_span text,
			       struct lp_buf *unknown, struct lp_err *e)
{
	struct lp_jval raw = lp_jscan(text), element = { .kind = LP_J_BAD };
	struct lp_err why;
	size_t at = 0;
	json_t *json;

	if (lp_json_parse(scope, &json, text, &why) != LP_OK)
		return lp_fail(e, LP_CONFIG, "aiModels is no JSON: %s", lp_err_words(&why));
	if (!json_is_array(json) || raw.kind != LP_J_ARRAY)
		return lp_fail(e, LP_CONFIG, "aiModels must be a JSON array of entries");
	if (json_array_size(json) > MAX_ENTRIES)
		return lp_fail(e, LP_CONFIG, "aiModels holds more than %d entries", MAX_ENTRIES);
	out->at = lp_new_array(scope, struct lp_model_entry, json_array_size(json) + 1);
	while (lp_jscan_each(raw, &at, &element)) {
		struct reading r = { scope, &out->at[out->n], json_array_get(json, (size_t)out->n), element,
				     out->n + 1, text.at, e };

		if (read_entry(&r) != LP_OK)
			return e->code;
		report_unknown(unknown, &r);
		out->n++;
	}
	return LP_OK;
}

/* ---- pipeline:model_id:warm[,...] ---- */

static enum lp_code read_inline_entry(struct reading *r, struct lp_span text)
{
	struct lp_span pipeline = lp_span_cut(&text, ':'), model = lp_span_cut(&text, ':');
	struct lp_span warm = lp_span_cut(&text, ':');

	if (!pipeline.len || !model.len || !lp_span_bool(warm, &r->entry->warm))
		return lp_fail(r->e, LP_CONFIG,
			       "aiModels names no file, and entry %d is not PIPELINE:MODEL:WARM", r->number);
	r->entry->pipeline = lp_pipeline_find(pipeline);
	if (!r->entry->pipeline)
		return no_pipeline(r, pipeline);
	r->entry->model_id = lp_span_dup(r->scope, model);
	r->entry->capacity = 1;
	r->entry->gateway = LP_SPAN("default");
	r->entry->currency = LP_SPAN("wei");
	decide_kind(r->entry);
	return LP_OK;
}

static enum lp_code read_inline(struct lp_scope *scope, struct lp_models *out, struct lp_span text,
				struct lp_err *e)
{
	size_t commas = 0;

	for (size_t i = 0; i < text.len; i++)
		commas += text.at[i] == ',';
	if (commas >= MAX_ENTRIES)
		return lp_fail(e, LP_CONFIG, "aiModels holds more than %d entries", MAX_ENTRIES);
	out->at = lp_new_array(scope, struct lp_model_entry, commas + 1);
	while (text.at) {
		struct reading r = { .scope = scope, .entry = &out->at[out->n], .number = out->n + 1, .e = e };

		if (read_inline_entry(&r, lp_span_trim(lp_span_cut(&text, ','))) != LP_OK)
			return e->code;
		out->n++;
	}
	return LP_OK;
}

enum lp_code lp_models_parse(struct lp_scope *scope, struct lp_models *out, struct lp_span text,
			     struct lp_span *unknown, struct lp_err *e)
{
	struct lp_span body = text;
	struct lp_buf strange = { 0 };
	enum lp_code code;

	*out = (struct lp_models){ 0 };
	while (body.len && strchr(" \t\r\n", body.at[0]) != NULL)
		body = lp_span_skip(body, 1);
	if (body.len && body.at[0] != '[' && body.at[0] != '{')
		code = read_inline(scope, out, lp_span_trim(text), e);
	else
		code = read_array(scope, out, text, &strange, e);
	if (unknown)
		*unknown = lp_span_dup(scope, lp_buf_span(&strange));
	lp_buf_clear(&strange);
	return code;
}
