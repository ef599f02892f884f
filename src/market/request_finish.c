#include <lpd/market/request.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/json.h>

#define MODEL_MAX 512     /* bytes of a model's id: it travels in headers */
#define MESSAGES_MAX 4096 /* of one conversation */

/* More than blanks. */
static bool has_words(struct lp_span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!strchr(" \t\r\n\v\f", text.at[i]) || !text.at[i])
			return true;
	}
	return false;
}

/* A preset is text in the row, so that the row can be read and documented. */
static void fill_in(struct lp_value *value, const struct lp_param *param)
{
	struct lp_span preset = lp_span(param->preset);
	bool taken = true;

	if (param->kind == LP_PARAM_INT) {
		taken = lp_span_i64(preset, &value->i);
		value->f = (double)value->i;
	} else if (param->kind == LP_PARAM_BOOL) {
		taken = lp_span_bool(preset, &value->b);
	} else {
		value->text = preset;
	}
	lp_assert(taken);
	value->given = true;
}

size_t lp_request_text_max(const struct lp_param *param)
{
	return param->max > 0 ? (size_t)param->max : LP_TEXT_MAX;
}

static enum lp_code check_text(const struct lp_value *value, const struct lp_param *param,
			       struct lp_err *e)
{
	size_t max = lp_request_text_max(param);

	if (value->text.len > max)
		return lp_fail(e, LP_INVALID, "%s is longer than %zu bytes", param->name, max);
	return LP_OK;
}

static enum lp_code check_number(struct lp_value *value, const struct lp_param *param,
				 struct lp_err *e)
{
	if (param->raise && value->f < param->min) {
		value->f = param->min;
		value->i = (int64_t)param->min;
	}
	bool any = param->min == 0 && param->max == 0;

	if (!any && !(value->f >= param->min && value->f <= param->max))
		return lp_fail(e, LP_INVALID, "%s must be between %.16g and %.16g", param->name,
			       param->min, param->max);
	if (param->multiple && value->i % param->multiple)
		return lp_fail(e, LP_INVALID, "%s must be a multiple of %lld", param->name,
			       (long long)param->multiple);
	return LP_OK;
}

/* The runner answers 500 to a role that it does not know, so the client is told here. */
static enum lp_code check_message(json_t *message, const struct lp_param *param, struct lp_err *e)
{
	struct lp_span role = lp_json_str(message, "role");
	const json_t *content = lp_json_get(message, "content");

	if (!lp_span_is(role, "user") && !lp_span_is(role, "assistant") &&
	    !lp_span_is(role, "system"))
		return lp_fail(e, LP_INVALID, "%s: role must be system, user or assistant",
			       param->name);
	if (!json_is_string(content))
		return lp_fail(e, LP_INVALID, "%s: content must be text", param->name);
	return LP_OK;
}

static enum lp_code check_messages(const struct lp_value *value, const struct lp_param *param,
				   struct lp_err *e)
{
	size_t n = json_array_size(value->json);

	if (n > MESSAGES_MAX)
		return lp_fail(e, LP_INVALID, "%s holds more than %d messages", param->name,
			       MESSAGES_MAX);
	for (size_t i = 0; i < n; i++) {
		enum lp_code code = check_message(json_array_get(value->json, i), param, e);

		if (code)
			return code;
	}
	return n ? LP_OK : lp_fail(e, LP_INVALID, "%s must not be empty", param->name);
}

static enum lp_code check_value(struct lp_value *value, const struct lp_param *param,
				struct lp_err *e)
{
	switch (param->kind) {
	case LP_PARAM_STRING:
		return check_text(value, param, e);
	case LP_PARAM_INT:
	case LP_PARAM_FLOAT:
		return check_number(value, param, e);
	case LP_PARAM_MESSAGES:
		return check_messages(value, param, e);
	case LP_PARAM_BOOL:
	case LP_PARAM_OBJECT:
	case LP_PARAM_FILE:
		break;
	}
	return LP_OK;
}

/* What the gateway's clients must send. */
static enum lp_code check_required(const struct lp_request *req, int i, struct lp_err *e)
{
	const struct lp_param *param = &req->pipeline->params[i];
	const struct lp_value *value = &req->values[i];

	if (param->kind == LP_PARAM_FILE) {
		if (!req->file.given)
			return lp_fail(e, LP_INVALID, "%s is required, as a part with a file name",
				       param->name);
		if (param->max > 0 && (double)req->file.size > param->max)
			return lp_fail(e, LP_TOO_LARGE, "%s is larger than %.0f bytes", param->name,
				       param->max);
		return req->file.size > 0 ? LP_OK
					  : lp_fail(e, LP_INVALID, "%s is empty", param->name);
	}
	if (!value->given)
		return lp_fail(e, LP_INVALID, "%s is required", param->name);
	if (param->kind == LP_PARAM_STRING && !has_words(value->text))
		return lp_fail(e, LP_INVALID, "%s must not be empty", param->name);
	return LP_OK;
}

static bool printable(struct lp_span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
			return false;
	}
	return true;
}

/* The gateway writes its default into the body: every orchestrator wants one there (BUG-27). */
static enum lp_code settle_model(struct lp_request *req, enum lp_edge edge, struct lp_err *e)
{
	const char *name = req->pipeline->model_param;
	struct lp_value *value = &req->values[lp_pipeline_param(req->pipeline, lp_span(name))];

	if (!value->text.len && edge == LP_EDGE_ORCHESTRATOR)
		return lp_fail(e, LP_BAD_REQUEST, "%s not specified", name);
	if (!value->text.len)
		value->text = lp_span(req->pipeline->default_model);
	if (value->text.len > MODEL_MAX || !printable(value->text))
		return lp_fail(e, LP_INVALID, "%s is no model's name", name);
	value->given = true;
	req->model = value->text;
	return LP_OK;
}

enum lp_code lp_request_finish(struct lp_scope *scope, struct lp_request *req, enum lp_edge edge,
			       struct lp_err *e)
{
	const struct lp_pipeline *row = req->pipeline;
	bool gateway = edge == LP_EDGE_GATEWAY;
	enum lp_code code = settle_model(req, edge, e);

	(void)scope;
	for (int i = 0; !code && i < row->n_params; i++) {
		const struct lp_param *param = &row->params[i];
		struct lp_value *value = &req->values[i];

		if (!value->given && (param->fill || (gateway && param->gateway_fills)))
			fill_in(value, param);
		if (value->given && param->always)
			fill_in(value, param);
		if (gateway && param->required)
			code = check_required(req, i, e);
		if (!code && value->given)
			code = check_value(value, param, e);
	}
	if (code)
		return code;
	const struct lp_value *stream = lp_request_value(req, "stream");

	req->stream = row->result == LP_RESULT_EVENTS && stream && stream->b;
	return row->measured ? LP_OK : row->units(&req->units, req, e);
}

enum lp_code lp_request_measured(struct lp_scope *scope, struct lp_request *req,
				 int64_t milliseconds, enum lp_edge edge, struct lp_err *e)
{
	int metadata = lp_pipeline_param(req->pipeline, LP_SPAN("metadata"));

	req->file.milliseconds = milliseconds;
	if (edge == LP_EDGE_GATEWAY && milliseconds < 1000)
		return lp_fail(e, LP_INVALID, "audio: it plays less than one second");
	if (req->pipeline->units(&req->units, req, e) != LP_OK)
		return e->code;
	if (metadata >= 0)
		req->values[metadata] = (struct lp_value){
			.given = true,
			.text = lp_span(lp_fmt(scope, "{\"duration\":\"%lld\"}",
					       (long long)(milliseconds / 1000))),
		};
	return LP_OK;
}

/* Models named for few steps take those whatever is asked for: the number in "_<n>step", else 8
 * (network-protocol 7.5). */
static double lightning_steps(struct lp_span model)
{
	ptrdiff_t at = lp_span_find(model, LP_SPAN("step"));
	size_t digits = 0;
	uint64_t steps = 0;

	if (at < 1)
		return 8;
	while ((size_t)at > digits && strchr("0123456789", model.at[(size_t)at - digits - 1]))
		digits++;
	size_t start = (size_t)at - digits;

	if (!start || model.at[start - 1] != '_' ||
	    !lp_span_u64(lp_span_of(model.at + start, digits), &steps) || !steps)
		return 8;
	return (double)steps;
}

double lp_request_work(const struct lp_request *req, uint64_t answer_tokens)
{
	const struct lp_pipeline *row = req->pipeline;

	if (row->result == LP_RESULT_EVENTS)
		return (double)answer_tokens;
	if (!row->steps_param)
		return (double)req->units;
	const struct lp_value *steps = lp_request_value(req, row->steps_param);
	double n = steps && steps->f >= 1 ? steps->f : row->default_steps;

	if (lp_span_starts(req->model, "ByteDance/SDXL-Lightning"))
		n = lightning_steps(req->model);
	return (double)req->units * n;
}
