#include <lpd/market/request.h>

#include <math.h>
#include <string.h>

#include <lpd/base/json.h>

#define EXACT 9007199254740992.0 /* 2^53: whole doubles below it are exact */

struct lp_request *lp_request_new(struct lp_scope *scope, const struct lp_pipeline *pipeline)
{
	struct lp_request *req = lp_new(scope, struct lp_request);

	req->pipeline = pipeline;
	req->values = lp_new_array(scope, struct lp_value, (size_t)pipeline->n_params);
	return req;
}

const struct lp_value *lp_request_value(const struct lp_request *req, const char *name)
{
	int i = lp_pipeline_param(req->pipeline, lp_span(name));

	return i >= 0 && req->values[i].given ? &req->values[i] : NULL;
}

static enum lp_code wrong_kind(const struct lp_param *param, const char *wanted, struct lp_err *e)
{
	return lp_fail(e, LP_INVALID, "%s must be %s", param->name, wanted);
}

/* Go takes no number with a point for a whole one.  Scripts write 64.0 where they mean 64, so a
 * number that is whole is taken however it is written; text ("64") is not. */
static bool whole_number(const json_t *json, int64_t *out)
{
	if (json_is_integer(json)) {
		*out = json_integer_value(json);
		return true;
	}
	double n = json_is_real(json) ? json_real_value(json) : 0.5;

	if (n != floor(n) || fabs(n) > EXACT)
		return false;
	*out = (int64_t)n;
	return true;
}

static enum lp_code take_json(struct lp_value *value, const struct lp_param *param, json_t *json,
			      struct lp_err *e)
{
	switch (param->kind) {
	case LP_PARAM_STRING:
		if (!json_is_string(json))
			return wrong_kind(param, "text", e);
		value->text = lp_span_of(json_string_value(json), json_string_length(json));
		break;
	case LP_PARAM_INT:
		if (!whole_number(json, &value->i))
			return wrong_kind(param, "a whole number", e);
		value->f = (double)value->i;
		break;
	case LP_PARAM_FLOAT:
		if (!json_is_number(json))
			return wrong_kind(param, "a number", e);
		value->f = json_number_value(json);
		break;
	case LP_PARAM_BOOL:
		if (!json_is_boolean(json))
			return wrong_kind(param, "true or false", e);
		value->b = json_is_true(json);
		break;
	case LP_PARAM_MESSAGES:
		if (!json_is_array(json))
			return wrong_kind(param, "a list", e);
		break;
	case LP_PARAM_OBJECT:
		if (!json_is_object(json))
			return wrong_kind(param, "an object", e);
		break;
	case LP_PARAM_FILE:
		/* A worker's job names the field without the file (network-protocol 6.3). */
		return LP_OK;
	}
	value->json = json;
	value->given = true;
	return LP_OK;
}

enum lp_code lp_request_read_json(struct lp_scope *scope, struct lp_request *req,
				  struct lp_span body, struct lp_err *e)
{
	json_t *json;
	const char *key;
	json_t *member;
	enum lp_code code;

	req->tree = lp_scope_open(scope, "parsed body");
	code = lp_json_parse(req->tree, &json, body, e);
	if (code)
		return code;
	if (!json_is_object(json))
		return lp_fail(e, LP_BAD_REQUEST, "the body must be a JSON object");
	json_object_foreach(json, key, member)
	{
		int i = lp_pipeline_param_icase(req->pipeline, lp_span(key));

		/* null is as good as absent: the Go SDK writes it for all that is not set. */
		if (i < 0 || json_is_null(member))
			continue;
		req->values[i] = (struct lp_value){ 0 };
		code = take_json(&req->values[i], &req->pipeline->params[i], member, e);
		if (code)
			return code;
	}
	return LP_OK;
}

/* A field of a form is text; its row says what it means. */
static enum lp_code take_text(struct lp_value *value, const struct lp_param *param,
			      struct lp_err *e)
{
	switch (param->kind) {
	case LP_PARAM_STRING:
		/* The next hop may get it as JSON, whose readers refuse a zero byte. */
		if (!lp_utf8_valid(value->text) ||
		    (value->text.len && memchr(value->text.at, 0, value->text.len)))
			return wrong_kind(param, "text in UTF-8", e);
		break;
	case LP_PARAM_INT:
		if (!lp_span_i64(value->text, &value->i))
			return wrong_kind(param, "a whole number", e);
		value->f = (double)value->i;
		break;
	case LP_PARAM_FLOAT:
		if (!lp_span_f64(value->text, &value->f))
			return wrong_kind(param, "a number", e);
		break;
	case LP_PARAM_BOOL:
		if (!lp_span_bool(value->text, &value->b))
			return wrong_kind(param, "true or false", e);
		break;
	case LP_PARAM_MESSAGES:
	case LP_PARAM_OBJECT:
		return wrong_kind(param, "sent as JSON", e);
	case LP_PARAM_FILE:
		return LP_OK; /* a file without a file name is text, which the network ignores */
	}
	value->given = true;
	return LP_OK;
}

enum lp_code lp_request_read_field(struct lp_scope *scope, struct lp_request *req,
				   struct lp_span name, struct lp_span value, struct lp_err *e)
{
	int i = lp_pipeline_param(req->pipeline, name);

	if (i < 0 || req->values[i].given)
		return LP_OK;
	req->values[i].text = lp_span_dup(scope, value);
	return take_text(&req->values[i], &req->pipeline->params[i], e);
}
