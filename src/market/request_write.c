#include <lpd/market/request.h>

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/json.h>

#define PARAMS_MAX 32 /* of one row */

static void write_int(struct lp_buf *to, int64_t n)
{
	if (n < 0)
		lp_buf_add_char(to, '-');
	lp_buf_add_u64(to, n < 0 ? ~(uint64_t)n + 1 : (uint64_t)n);
}

static void write_float(struct lp_buf *to, double n)
{
	/* -0 reads back as another kind of zero. */
	json_t *json = json_real(n == 0 ? 0 : n);

	lp_json_write(to, json);
	json_decref(json);
}

/* Only what the network knows of a message: roles and contents.  The runner refuses more. */
static void write_messages(struct lp_buf *to, const json_t *messages)
{
	lp_buf_add_char(to, '[');
	for (size_t i = 0; i < json_array_size(messages); i++) {
		const json_t *message = json_array_get(messages, i);

		lp_buf_add_text(to, i ? ",{\"content\":" : "{\"content\":");
		lp_json_write_str(to, lp_json_str(message, "content"));
		lp_buf_add_text(to, ",\"role\":");
		lp_json_write_str(to, lp_json_str(message, "role"));
		lp_buf_add_char(to, '}');
	}
	lp_buf_add_char(to, ']');
}

static void write_value(struct lp_buf *to, const struct lp_param *param,
			const struct lp_value *value)
{
	switch (param->kind) {
	case LP_PARAM_STRING:
		lp_json_write_str(to, value->text);
		break;
	case LP_PARAM_INT:
		write_int(to, value->i);
		break;
	case LP_PARAM_FLOAT:
		write_float(to, value->f);
		break;
	case LP_PARAM_BOOL:
		lp_buf_add_text(to, value->b ? "true" : "false");
		break;
	case LP_PARAM_MESSAGES:
		write_messages(to, value->json);
		break;
	case LP_PARAM_OBJECT:
		lp_json_write(to, value->json);
		break;
	case LP_PARAM_FILE:
		break;
	}
}

/* Indexes of the fields that are set, by name. */
static int by_name(const struct lp_request *req, int order[PARAMS_MAX])
{
	const struct lp_param *params = req->pipeline->params;
	int n = 0;

	lp_assert(req->pipeline->n_params <= PARAMS_MAX);
	for (int i = 0; i < req->pipeline->n_params; i++) {
		if (!req->values[i].given)
			continue;
		int at = n++;

		for (; at > 0 && strcmp(params[order[at - 1]].name, params[i].name) > 0; at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	return n;
}

static void write_members(struct lp_buf *to, const struct lp_request *req)
{
	int order[PARAMS_MAX];
	int n = by_name(req, order);

	for (int i = 0; i < n; i++) {
		const struct lp_param *param = &req->pipeline->params[order[i]];

		lp_buf_add_text(to, i ? ",\"" : "{\"");
		lp_buf_add_text(to, param->name);
		lp_buf_add_text(to, "\":");
		write_value(to, param, &req->values[order[i]]);
	}
	lp_buf_add_text(to, n ? "}" : "{}");
}

void lp_request_write_json(struct lp_buf *to, const struct lp_request *req)
{
	if (req->packed.len)
		lp_buf_add_span(to, req->packed);
	else
		write_members(to, req);
}

void lp_request_pack(struct lp_scope *scope, struct lp_request *req)
{
	struct lp_buf body = { 0 };

	lp_assert(!req->packed.len && req->pipeline->body == LP_BODY_JSON);
	write_members(&body, req);
	req->packed = lp_span_dup(scope, lp_buf_span(&body));
	req->model = lp_span_dup(scope, req->model);
	for (int i = 0; i < req->pipeline->n_params; i++) {
		req->values[i].text = (struct lp_span){ NULL, 0 };
		req->values[i].json = NULL;
	}
	lp_buf_clear(&body);
	lp_scope_close(&req->tree);
}

/* As Go writes a quoted parameter: backslashes and quotes escaped, line ends in percents. */
static void write_quoted(struct lp_buf *to, struct lp_span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];

		if (c == '"' || c == '\\')
			lp_buf_add_char(to, '\\');
		if (c == '\r')
			lp_buf_add_text(to, "%0D");
		else if (c == '\n')
			lp_buf_add_text(to, "%0A");
		else
			lp_buf_add_char(to, c);
	}
}

static void write_file_head(struct lp_buf *to, const char *boundary, const struct lp_request *req,
			    const char *name)
{
	/* A part without a file name is no file to Go's parser (network-protocol 5.1). */
	struct lp_span filename = req->file.filename.len ? req->file.filename : lp_span(name);

	lp_buf_add_text(to, "--");
	lp_buf_add_text(to, boundary);
	lp_buf_add_text(to, "\r\nContent-Disposition: form-data; name=\"");
	lp_buf_add_text(to, name);
	lp_buf_add_text(to, "\"; filename=\"");
	write_quoted(to, filename);
	lp_buf_add_text(to, "\"\r\nContent-Type: application/octet-stream\r\n\r\n");
}

static void write_field(struct lp_buf *to, const struct lp_param *param,
			const struct lp_value *value)
{
	lp_buf_add_text(to, "\r\nContent-Disposition: form-data; name=\"");
	lp_buf_add_text(to, param->name);
	lp_buf_add_text(to, "\"\r\n\r\n");
	if (param->kind == LP_PARAM_STRING)
		lp_buf_add_span(to, value->text);
	else if (param->kind == LP_PARAM_FLOAT)
		lp_buf_fmt(to, "%.6f", value->f);
	else
		write_value(to, param, value);
	lp_buf_add_text(to, "\r\n--");
}

void lp_request_write_form(struct lp_buf *before, struct lp_buf *after, const char *boundary,
			   const struct lp_request *req)
{
	const struct lp_pipeline *row = req->pipeline;

	for (int i = 0; i < row->n_params; i++) {
		if (row->params[i].kind == LP_PARAM_FILE)
			write_file_head(before, boundary, req, row->params[i].name);
	}
	lp_buf_add_text(after, "\r\n--");
	lp_buf_add_text(after, boundary);
	for (int i = 0; i < row->n_params; i++) {
		if (!req->values[i].given)
			continue;
		write_field(after, &row->params[i], &req->values[i]);
		lp_buf_add_text(after, boundary);
	}
	lp_buf_add_text(after, "--\r\n");
}
