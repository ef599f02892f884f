/* The form of a row on disk: a JSON object in one line, then the reply's body and the media, one after another. */
#include <string.h>

#include <lpd/base/hex.h>
#include <lpd/base/json.h>

#include "jobs_priv.h"

static void add_text(struct lp_buf *to, const char *name, struct lp_span value)
{
	lp_buf_fmt(to, ",\"%s\":", name);
	lp_json_write_str(to, value);
}

void lp_kept_write_line(const struct lp_kept *kept, struct lp_buf *to)
{
	char print[65];

	lp_buf_fmt(to, "{\"form\":%d", LP_KEPT_FORM);
	add_text(to, "id", kept->id);
	add_text(to, "pipeline", kept->pipeline);
	add_text(to, "model", kept->model);
	add_text(to, "request", kept->request_id);
	add_text(to, "key", kept->key);
	add_text(to, "fingerprint", lp_span(lp_hex_write(print, kept->fingerprint, sizeof(kept->fingerprint))));
	add_text(to, "state", lp_span(lp_kept_state_name(kept->state)));
	add_text(to, "code", lp_span(lp_code_name(kept->code)));
	add_text(to, "type", kept->type);
	lp_buf_fmt(to, ",\"asynchronous\":%s,\"created\":%lld,\"finished\":%lld,\"until\":%lld,\"status\":%d,"
		   "\"body\":%lld,\"media\":[", kept->asynchronous ? "true" : "false", (long long)kept->created,
		   (long long)kept->finished, (long long)kept->until, kept->status, (long long)kept->body_size);
	for (int i = 0; i < kept->n_media; i++) {
		lp_buf_fmt(to, "%s{\"size\":%lld", i ? "," : "", (long long)kept->media[i].size);
		add_text(to, "path", kept->media[i].path);
		add_text(to, "type", kept->media[i].type);
		lp_buf_add_char(to, '}');
	}
	lp_buf_add_text(to, "]}");
}

/* ---- reading ---- */

static bool get_number(const json_t *line, const char *name, int64_t *out)
{
	const json_t *value = lp_json_get(line, name);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*out = json_integer_value(value);
	return true;
}

static bool get_state(struct lp_kept *kept, struct lp_span name)
{
	for (int i = LP_KEPT_PROCESSING; i <= LP_KEPT_CANCELLED; i++) {
		kept->state = (enum lp_kept_state)i;
		if (lp_span_is(name, lp_kept_state_name(kept->state)))
			return true;
	}
	return false;
}

static bool get_media(struct lp_kept *kept, const json_t *list, int64_t at)
{
	size_t n = json_array_size(list);

	if (n > LP_KEPT_MEDIA)
		return false;
	kept->media = lp_new_array(kept->scope, struct kept_medium, n);
	kept->n_media = (int)n;
	for (size_t i = 0; i < n; i++) {
		const json_t *entry = json_array_get(list, i);
		struct kept_medium *medium = &kept->media[i];

		medium->kept = kept;
		medium->path = lp_span_dup(kept->scope, lp_json_str(entry, "path"));
		medium->type = lp_span_dup(kept->scope, lp_json_str(entry, "type"));
		medium->at = at;
		if (!get_number(entry, "size", &medium->size) || medium->size > INT64_MAX - at)
			return false;
		at += medium->size;
	}
	return at == kept->bytes;
}

static void get_texts(struct lp_kept *kept, const json_t *line)
{
	const struct {
		const char *name;
		struct lp_span *to;
	} texts[] = {
		{ "id", &kept->id },
		{ "pipeline", &kept->pipeline },
		{ "model", &kept->model },
		{ "request", &kept->request_id },
		{ "key", &kept->key },
		{ "type", &kept->type },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		*texts[i].to = lp_span_dup(kept->scope, lp_json_str(line, texts[i].name));
}

static bool get_all(struct lp_kept *kept, const json_t *line, int64_t body_at)
{
	int64_t status;
	uint8_t id[LP_KEPT_ID / 2];

	get_texts(kept, line);
	if (!lp_code_find(lp_strdup(kept->scope, lp_json_str(line, "code")), &kept->code))
		kept->code = LP_INTERNAL;	/* of a newer lpd */
	kept->asynchronous = json_is_true(lp_json_get(line, "asynchronous"));
	if (!get_number(line, "form", &kept->form) || kept->form != LP_KEPT_FORM || !lp_hex_read(id, sizeof(id), kept->id) || !kept->pipeline.len ||
	    !lp_hex_read(kept->fingerprint, sizeof(kept->fingerprint), lp_json_str(line, "fingerprint")) ||
	    !get_state(kept, lp_json_str(line, "state")))
		return false;
	if (!get_number(line, "created", &kept->created) || !get_number(line, "finished", &kept->finished) ||
	    !get_number(line, "until", &kept->until) || !get_number(line, "status", &status) || status > 599 ||
	    !get_number(line, "body", &kept->body_size) || kept->body_size > INT64_MAX - body_at)
		return false;
	kept->status = (int)status;
	kept->body_at = body_at;
	return get_media(kept, lp_json_get(line, "media"), body_at + kept->body_size);
}

bool lp_kept_read_line(struct lp_kept *kept, struct lp_span text, int64_t size)
{
	struct lp_scope *scope = lp_scope_open(NULL, "line");
	struct lp_err e;
	json_t *line;
	bool ok;

	kept->bytes = size;
	kept->form = -1;
	ok = lp_json_parse(scope, &line, text, &e) == LP_OK && json_is_object(line) &&
	     get_all(kept, line, (int64_t)text.len + 1);
	lp_scope_close(&scope);
	return ok;
}
